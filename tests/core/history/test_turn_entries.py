"""What a turn did, item by item, from its events: against the recorded transcripts of the real binary."""

from __future__ import annotations

from codex_server_cli.core.history.turn_entries import turn_entries
from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.core.protocol.rpc import Message
from tests.kit.captures import captured_turns
from tests.kit.cases import for_each
from tests.kit.turns_on_disk import CUT_TURN

ECHO = "$ echo hello\n"


def told(events: bytes) -> list[tuple[str, str]]:
    return [(entry.type, entry.text) for entry in turn_entries(read_events(events))]


def of_capture(name: str, *items: str) -> list[tuple[str, str]]:
    """The entries of a recorded turn; only these items, if any are given."""
    entries = told(captured_turns(name)[-1].events())
    return [entry for entry in entries if not items or entry[0] in items]


@for_each(
    "name, item, expected",
    [
        ("basic_turn", "agentMessage", ["Hello from mock"]),
        ("retry_then_success", "agentMessage", ["Hello from mock"]),
        ("approval_patch_accept", "fileChange", ["± /home/dev/project/cap1.txt new, 1 line\n"]),
        ("exec_ok_and_fail", "commandExecution", ["$ exit 3\n→ exit 3 · 0.0 s\n"]),
        ("mcp_tool_approval_and_elicitation", "mcpToolCall", ["⚙ tst.ask → completed · 0.0 s\n"]),
        ("reasoning_commentary_final", "agentMessage", ["I will look.", "final answer"]),
        ("steer", "userMessage", ["x MARK:SLOW=2", "and more"]),
    ],
)
def test_items_are_told_in_their_order(name: str, item: str, expected: list[str]) -> None:
    assert [text for _, text in of_capture(name, item)] == expected


def test_a_change_of_files_keeps_its_patches_and_no_other_entry_has_any() -> None:
    entries = turn_entries(read_events(captured_turns("approval_patch_accept")[-1].events()))
    items = {entry.type: entry.item for entry in entries}
    assert [change["diff"] for change in (items.pop("fileChange") or {})["changes"]] == ["hello\n"]
    assert set(items.values()) == {None}


def test_a_review_and_a_compaction_are_told_once() -> None:
    reviewed, compacted = (told(turn.events()) for turn in captured_turns("review_and_compact")[-2:])
    assert [type_ for type_, _ in reviewed] == ["enteredReviewMode", "userMessage", "agentMessage"]
    assert compacted == [("contextCompaction", "· context compacted\n")]


def test_the_error_that_ended_a_turn_is_no_entry() -> None:
    assert of_capture("error_DISC") == [("userMessage", "please do it MARK:DISC"), ("agentMessage", "partial")]


def test_what_is_under_way_is_told_as_far_as_it_is_known() -> None:
    assert told(CUT_TURN)[-1] == ("agentMessage", "Hello from mock")
    events = captured_turns("exec_ok_and_fail")[0].events()
    before_its_end = events[: events.index(b'"item/completed"', events.index(b"outputDelta"))].rpartition(b"\n")[0]
    assert told(before_its_end + b"\n")[-1] == ("commandExecution", ECHO)
    patch = captured_turns("approval_patch_accept")[0].events()
    asked = patch[: patch.index(b'"item/fileChange/requestApproval"')].rpartition(b"\n")[0] + b"\n"
    assert told(asked)[-1][0] == "fileChange"


def test_entries_have_the_time_of_their_event_and_a_session_line_is_none() -> None:
    events: list[Message] = [event | {"ts": 1_763_658_901_482} for event in read_events(CUT_TURN)]
    events.append({"dir": "session", "seq": 9, "ts": 0, "type": "event_msg"})
    assert {entry.at for entry in turn_entries(events[:-1])} == {"2025-11-20T17:15:01.482Z"}
    assert [entry.text for entry in turn_entries(events)] == [entry.text for entry in turn_entries(events[:-1])]
