"""The turns of Codex's session files: real ones in both layouts and versions, and damaged ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from codex_server_cli.core.history.session_file_turns import turns_of_rollout
from tests.kit.cases import for_each

ROLLOUTS = Path(__file__).parents[2] / "fixtures" / "rollouts"
BOTH = ["0.163.0", "0.169.0"]


def turns_in(name: str) -> list[dict[str, Any]]:
    return turns_of_rollout((ROLLOUTS / f"{name}.jsonl").read_bytes().split(b"\n"))


def line(kind: str, **payload: Any) -> bytes:
    return json.dumps({"type": "event_msg", "payload": {"type": kind, **payload}}).encode()


def messages(turn: dict[str, Any]) -> list[tuple[str, object]]:
    return [(item["text"], item["phase"]) for item in turn["items"]]


@for_each("version", BOTH)
@for_each("layout", ["changes", "legacy"])
def test_a_real_file_tells_its_turns_with_answer_and_error(layout: str, version: str) -> None:
    completed, failed, last = turns_in(f"{layout}-{version}")
    assert completed["status"] == last["status"] == "completed"
    assert messages(completed) == [("I will patch", "commentary"), ("Done: ünïcode", "final_answer")]
    assert (failed["status"], messages(failed)) == ("failed", [])
    assert "nope" in failed["error"]["message"]
    assert failed["error"]["codexErrorInfo"] == "other"
    assert messages(last) == [("Done: ünïcode", "final_answer")]


@for_each("version", BOTH)
def test_a_message_without_a_phase_has_none(version: str) -> None:
    turn = turns_in(f"paginated-{version}")[0]
    assert messages(turn) == [("Answer to: the prompt", None)]


def test_the_file_of_a_fork_holds_the_turns_after_the_fork() -> None:
    (turn,) = turns_in("fork-0.169.0")
    assert turn["status"] == "completed"


def test_a_turn_that_was_interrupted_says_so() -> None:
    (turn,) = turns_of_rollout([line("task_started", turn_id="t"), line("turn_aborted", turn_id="t", reason="x")])
    assert turn["status"] == "interrupted"


def test_a_turn_without_an_end_has_no_status() -> None:
    (turn,) = turns_of_rollout([line("task_started", turn_id="t"), line("agent_message", message="so far")])
    assert (turn["status"], messages(turn)) == (None, [("so far", None)])


@for_each("kind", ["task_complete", "turn_complete"])
def test_an_end_that_brings_the_answer_itself_is_enough(kind: str) -> None:
    (turn,) = turns_of_rollout([line(kind, turn_id="t", last_agent_message="whole")])
    assert (turn["status"], messages(turn)) == ("completed", [("whole", None)])


def test_an_answer_in_several_parts_is_one_text() -> None:
    item = {
        "type": "AgentMessage",
        "id": "m",
        "content": [{"type": "Text", "text": "a"}, {"type": "Text", "text": "b"}],
    }
    (turn,) = turns_of_rollout([line("item_completed", turn_id="t", item=item), line("task_complete", turn_id="t")])
    assert messages(turn) == [("ab", None)]


@for_each(
    "damage",
    [
        b"",
        b"{",
        b'"task_complete"',
        b"\xff\xfe AgentMessage",
        b'{"type":"event_msg","payload":{"type":"task_comp',
        line("agent_message", message="of no turn"),
        line("item_completed", item=None, x="AgentMessage"),
        line("item_completed", turn_id="t", item=None, x="AgentMessage"),
        line("item_completed", turn_id="t", item={"type": "CommandExecution", "command": ["AgentMessage"]}),
        line("item_completed", turn_id=5, item={"type": "AgentMessage", "content": "x"}),
        line("task_complete", turn_id=None),
        line("turn_complete", turn_id=None, error="x", last_agent_message=7),
    ],
)
def test_a_damaged_line_is_skipped(damage: bytes) -> None:
    whole = [line("task_started", turn_id="t"), line("task_complete", turn_id="t", last_agent_message="whole")]
    (turn,) = turns_of_rollout([damage, *whole])
    assert (turn["status"], messages(turn)) == ("completed", [("whole", None)])


@for_each("version", BOTH)
def test_a_file_that_is_cut_anywhere_never_claims_an_end_that_it_lost(version: str) -> None:
    data = (ROLLOUTS / f"changes-{version}.jsonl").read_bytes()
    end = data.index(b'"task_complete"')
    for size in range(end - 3000, end, 97):
        assert all(turn["status"] is None for turn in turns_of_rollout(data[:size].split(b"\n")))
