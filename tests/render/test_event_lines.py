"""The monitor's stream, for programs and for people."""

from __future__ import annotations

from codex_server_cli.core.documents import lean
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.monitor_event import MonitorEvent
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.notes import event_line, still_running_note
from tests.kit.cases import for_each

TURN = "20261120-165501-482-7f3a"
PHASE = MonitorEvent(7, "2026-11-20T16:55:01.482Z", TURN, "fix", "phase", "thinking", "running", None)
ATTENTION = PHASE._replace(event="attention", phase="waiting_approval", request="0", message="run touch f1")
COMPLETE = PHASE._replace(event="end", phase=None, state="complete", name=None)
RECOVERED = COMPLETE._replace(event="recovered")
FAILED = COMPLETE._replace(state="failed", kind="network")


def test_a_line_has_exactly_the_keys_of_the_contract() -> None:
    assert turn_documents.event(PHASE, is_full=True) == {
        **{"version": 2, "cursor": 7, "at": "2026-11-20T16:55:01.482Z", "turn_id": TURN, "name": "fix"},
        **{"event": "phase", "phase": "thinking", "state": "running", "kind": None, "request": None},
        **{"message": None, "next": None},
    }
    assert turn_documents.event(PHASE) == lean.without_empty(turn_documents.event(PHASE, is_full=True))


@for_each(
    ("event", "command"),
    [
        (PHASE, None),
        (ATTENTION, f"codex-server pending {TURN}"),
        (COMPLETE, f"codex-server answer {TURN}"),
        (RECOVERED, f"codex-server answer {TURN}"),
        (FAILED, f"codex-server status {TURN}"),
    ],
)
def test_what_wants_an_action_names_its_command(event: MonitorEvent, command: str | None) -> None:
    assert turn_documents.event(event).get("next") == command


@for_each(
    ("event", "line"),
    [
        (PHASE, f"16:55:01Z {TURN} (fix) phase thinking"),
        (ATTENTION, f"16:55:01Z {TURN} (fix) attention waiting_approval 0: run touch f1"),
        (COMPLETE, f"16:55:01Z {TURN} end complete"),
        (RECOVERED, f"16:55:01Z {TURN} recovered complete"),
        (FAILED, f"16:55:01Z {TURN} end failed (network)"),
        (FAILED._replace(kind="\x1b[2J"), f"16:55:01Z {TURN} end failed (␛[2J)"),
    ],
)
def test_people_get_one_safe_line(event: MonitorEvent, line: str) -> None:
    assert event_line(event) == line


def test_a_wait_that_ran_out_says_how_many_run_and_how_to_go_on() -> None:
    running, over = TurnView("a", "/a", State.RUNNING), TurnView("b", "/b", State.COMPLETE)
    head = "codex-server: 1 of 2 turns still runs: codex-server wait"
    assert still_running_note([running, over], " --timeout 5") == f"{head} a b --timeout 5"
    assert still_running_note([running, running._replace(turn_id="c")], "").startswith(
        "codex-server: 2 of 2 turns still run: codex-server wait a c"
    )
