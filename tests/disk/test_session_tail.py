"""The part of a thread's session file that is about one turn."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_server_cli.disk.session_tail import calls_of_turn
from codex_server_cli.disk.stored_turns import last_turn_in


def started(turn: str) -> str:
    return json.dumps({"type": "event_msg", "payload": {"type": "task_started", "turn_id": turn}})


def call(id_: str) -> str:
    return json.dumps({"type": "response_item", "payload": {"type": "function_call", "call_id": id_}})


@pytest.mark.parametrize("filler", [0, 300_000, 3_000_000], ids=["at the end", "far up", "very far up"])
def test_the_calls_behind_the_turns_start_are_found(tmp_path: Path, filler: int) -> None:
    path = tmp_path / "rollout.jsonl"
    more = json.dumps({"type": "event_msg", "payload": {"text": "x" * filler}})
    path.write_text("\n".join([started("t1"), call("old"), started("t2"), call("a"), more, call("b"), ""]))
    assert [json.loads(line)["payload"]["call_id"] for line in calls_of_turn(path, "t2")] == ["a", "b"]


def test_a_turn_that_is_not_there_or_a_file_that_cannot_be_read_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rollout.jsonl"
    path.write_text(started("t1") + "\n" + call("a"))
    assert calls_of_turn(path, "t2") == []
    assert calls_of_turn(tmp_path / "none.jsonl", "t1") == []
    assert calls_of_turn(tmp_path, "t1") == []
    assert calls_of_turn(Path("/a\0b"), "t1") == []
    assert calls_of_turn(Path("/\ud800"), "t1") == []


def test_a_turn_that_began_too_far_up_tells_nothing(tmp_path: Path) -> None:
    path = tmp_path / "rollout.jsonl"
    with path.open("w") as file:
        file.write(started("t1") + "\n")
        file.truncate(20 * 1024 * 1024)
    assert calls_of_turn(path, "t1") == []


def test_the_last_turn_is_the_one_that_began_last(tmp_path: Path) -> None:
    path = tmp_path / "rollout.jsonl"
    quoting = json.dumps({"type": "response_item", "payload": {"task_started": started("t3")}})
    for filler in (0, 300_000):
        more = json.dumps({"type": "event_msg", "payload": {"text": "x" * filler}})
        path.write_text("\n".join([started("t1"), started("t2"), call("a"), more, quoting, '{"torn": "task_started"']))
        assert last_turn_in(path) == "t2"
    path.write_text(call("a"))
    assert last_turn_in(path) is None
    assert last_turn_in(tmp_path / "none.jsonl") is None
