"""One line of the monitor's stream, parsed from any line of the journal."""

from __future__ import annotations

from codex_server_cli.core.model.monitor_event import read_monitor_event
from tests.kit.cases import for_each

TURN = "20261120-165501-482-7f3a"


def test_a_phase_is_of_a_running_turn_and_has_no_error() -> None:
    entry = {"ts": 1795193701482, "turn_id": TURN, "event": "phase", "phase": "thinking", "name": "fix", "kind": "x"}
    event = read_monitor_event(7, entry)
    assert event is not None
    assert event._asdict() == {
        **{"cursor": 7, "at": "2026-11-20T16:55:01.482Z", "turn_id": TURN, "name": "fix", "event": "phase"},
        **{"phase": "thinking", "state": "running", "kind": None, "request": None, "message": None},
    }
    assert not event.is_end


def test_an_attention_says_what_is_asked() -> None:
    entry = {
        "ts": 0,
        "turn_id": TURN,
        "event": "attention",
        "phase": "waiting_input",
        "request": "0",
        "message": "Why?",
    }
    event = read_monitor_event(7, entry)
    assert event is not None
    assert (event.event, event.phase, event.request, event.message) == ("attention", "waiting_input", "0", "Why?")


def test_an_end_has_a_state_and_a_kind() -> None:
    event = read_monitor_event(7, {"ts": 0, "turn_id": TURN, "event": "end", "state": "failed", "kind": "network"})
    assert event is not None
    assert (event.is_end, event.state, event.kind, event.phase) == (True, "failed", "network", None)


def test_a_recovery_tells_how_the_turn_has_ended_after_all() -> None:
    event = read_monitor_event(7, {"ts": 0, "turn_id": TURN, "event": "recovered", "state": "complete", "kind": None})
    assert event is not None
    assert (event.event, event.is_end, event.state, event.kind) == ("recovered", True, "complete", None)


def test_an_end_without_a_readable_state_is_a_failure() -> None:
    event = read_monitor_event(7, {"ts": 0, "turn_id": TURN, "event": "end", "state": 3})
    assert event is not None
    assert event.state == "failed"


@for_each(
    "change",
    [{"ts": None}, {"ts": -1}, {"ts": 10**20}, {"turn_id": "../x"}, {"turn_id": 3}, {"event": None}],
    ids=str,
)
def test_what_is_no_line_of_ours_is_none(change: dict[str, object]) -> None:
    assert read_monitor_event(7, {"ts": 0, "turn_id": TURN, "event": "phase"} | change) is None
