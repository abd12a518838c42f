"""What patches changed, read from the events alone."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_server_cli.core.protocol.rpc import Message, parse_line
from codex_server_cli.disk.turn.patches import read_patches
from tests.core.model.test_unified_diff import ADDED, DELETED, UPDATE
from tests.kit.captures import captured_turns
from tests.kit.turns_on_disk import TurnsOnDisk


def line(seq: int, method: str, thread: str = "ours", turn: str = "t", **params: Any) -> bytes:
    message = {"method": method, "params": {**params, "threadId": thread, "turnId": turn}}
    return f'{{"seq":{seq},"ts":1,"dir":"in",{json.dumps(message, separators=(",", ":"))[1:]}\n'.encode()


def patched(*paths: str) -> dict[str, Any]:
    return {"type": "fileChange", "status": "completed", "changes": [{"path": path, "kind": {}} for path in paths]}


def test_of_many_diffs_the_last_alone_is_decoded(turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turns.running()
    trap = 'an answer that names "method":"turn/diff/updated" and "fileChange"'
    events = [
        line(1, "item/completed", item=patched("/w/n.txt", "/w/a.txt", "/w/d.txt")),
        *(line(2 + number, "turn/diff/updated", diff=ADDED) for number in range(5)),
        line(8, "turn/diff/updated", "agents", "other", diff=DELETED),
        line(9, "turn/diff/updated", turn="of an earlier turn", diff=DELETED),
        line(10, "item/completed", turn="of an earlier turn", item=patched("/w/x")),
        line(11, "item/agentMessage/delta", delta=trap),
        line(12, "item/completed", item={"type": "agentMessage", "text": trap}),
        line(13, "turn/diff/updated", diff=UPDATE + ADDED.replace("+n", '+"turnId":"x"')),
        b'{"seq":14,"ts":1,"dir":"in","method":"turn/diff/updated","params":{"dif',
    ]
    turn.events.write_bytes(b"".join(events))
    decoded: list[bytes] = []

    def parse(raw: bytes) -> Message | None:
        decoded.append(raw)
        return parse_line(raw)

    monkeypatch.setattr("codex_server_cli.disk.turn.patches.parse_line", parse)
    changes = read_patches(turn, "ours", "t")
    assert sorted(changes.listed("/w"), key=lambda each: str(each["path"])) == [
        {"path": "a.txt", "kind": "update", "added": 1, "removed": 1},
        {"path": "d.txt", "kind": "delete", "added": 0, "removed": 1},
        {"path": "n.txt", "kind": "add", "added": 1, "removed": 0},
    ]
    assert (
        len([each for each in decoded if b"turn/diff/updated" in each[:60]]) == 4
    )  # one of each turn, and the torn one


def test_what_is_read_is_what_the_record_of_the_turn_has(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    (captured,) = captured_turns("approval_patch_accept")
    turn.events.write_bytes(captured.events())
    assert [each["kind"] for each in read_patches(turn, None, None).listed("/")] == ["add"]
