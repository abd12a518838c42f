"""What Codex's own record of a turn adds to ours, merged without a process or a file."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.history.stored_turn import NOTICE, Published, find_match, merge, text_to_append
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.errors import ErrorKind
from tests.kit.captures import TURN_ID, captured_turns
from tests.kit.cases import for_each
from tests.kit.turns_on_disk import ANSWER, CUT_TURN

REQUEST = TurnRequest(TURN_ID, "/project")
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
WIRE_TURN_ID = captured_turns("basic_turn")[0].messages[-1][1]["params"]["turn"]["id"]


def stored(*texts: str, status: str | None = "completed", turn_id: str = "t", **members: Any) -> dict[str, Any]:
    """A stored turn; each text is a final answer, or commentary where it begins with `…`."""
    items = [
        {
            "type": "agentMessage",
            "id": f"m{number}",
            "text": text,
            "phase": "commentary" if text.startswith("…") else "final_answer",
        }
        for number, text in enumerate(texts)
    ]
    return {"id": turn_id, "status": status, "error": None, "items": items, **members}


def unseen() -> TurnRecord:
    """The facts of a turn of which only the id was seen."""
    record = TurnRecord()
    record.turn_id = "t"
    return record


# --- which turn is ours


def test_a_turn_is_found_by_its_id_among_those_of_its_thread() -> None:
    turns = [stored("b", turn_id="b"), stored("a", turn_id="a")]
    assert find_match(turns, "a") == turns[1]
    assert find_match(turns, "c") is None


# --- what it adds


def test_a_turn_that_codex_completed_is_complete() -> None:
    found = merge(unseen(), stored("…let me see", "whole"), Published("who", "worker_died"), REQUEST)
    assert found is not None
    assert found.outcome is not None
    assert (found.answer, found.outcome.state, found.outcome.answer) == ("whole", State.COMPLETE, "whole")
    assert found.outcome.error is None


def test_a_turn_that_codex_completed_without_a_word_is_complete() -> None:
    found = merge(unseen(), stored(), Published(None, "worker_died"), REQUEST)
    assert found is not None
    assert found.outcome is not None
    assert (found.outcome.state, found.outcome.answer) == (State.COMPLETE, "")


@for_each("kind", ["worker_died", "codex_crashed", "cancelled", "deadline", "network", None])
def test_it_is_complete_whatever_we_took_its_end_for(kind: str | None) -> None:
    found = merge(unseen(), stored("whole"), Published("whole", kind), REQUEST)
    assert found is None if kind is None else found is not None


def test_what_was_received_counts_besides_codex_record() -> None:
    record, _ = replay(CUT_TURN)
    found = merge(record, stored(turn_id=WIRE_TURN_ID), Published(None, "worker_died"), REQUEST)
    assert found is not None
    assert found.outcome is not None
    assert (found.outcome.state, found.outcome.answer) == (State.COMPLETE, ANSWER)


def test_a_recovered_answer_is_held_against_the_schema() -> None:
    request = REQUEST._replace(schema=SCHEMA)
    good = merge(unseen(), stored("{}"), Published(None, "worker_died"), request)
    bad = merge(unseen(), stored("no"), Published(None, "worker_died"), request)
    assert good is not None
    assert bad is not None
    assert good.outcome is not None
    assert bad.outcome is not None
    assert good.outcome.state is State.COMPLETE
    assert bad.outcome.error is not None
    assert (bad.outcome.state, bad.outcome.error.kind) == (State.FAILED, ErrorKind.BAD_SCHEMA)
    assert merge(unseen(), stored("no"), Published("no", "bad_schema"), request) is None


def test_a_turn_whose_policy_was_refused_is_never_made_complete() -> None:
    assert merge(unseen(), stored("whole"), Published("whole", "sandbox"), REQUEST) is None
    found = merge(unseen(), stored("whole"), Published("who", "sandbox"), REQUEST)
    assert found is not None
    assert (found.answer, found.outcome) == ("whole", None)


@for_each("status", ["interrupted", "failed", "inProgress", None])
@for_each("known", [None, "", "who", "something else"])
def test_of_a_turn_that_codex_did_not_complete_only_the_answer_grows(status: str | None, known: str | None) -> None:
    found = merge(unseen(), stored("whole", status=status), Published(known, "codex_crashed"), REQUEST)
    assert found is not None
    assert (found.answer, found.outcome) == ("whole", None)


@for_each("known", ["whole", "whole and more"])
def test_what_is_here_already_adds_nothing(known: str) -> None:
    assert merge(unseen(), stored("whole", status="interrupted"), Published(known, "stalled"), REQUEST) is None


@for_each("texts", [(), ("…let me see",), ("",)])
def test_a_record_without_an_answer_adds_nothing(texts: tuple[str, ...]) -> None:
    record, _ = replay(CUT_TURN)
    there = stored(*texts, status="interrupted", turn_id=WIRE_TURN_ID)
    assert merge(record, there, Published(ANSWER, "codex_crashed"), REQUEST) is None


@for_each("items", [None, "x", [None, 1], [{"type": "agentMessage"}], [{"id": 1}]])
def test_a_record_of_an_unknown_shape_adds_nothing(items: object) -> None:
    there = {"id": "t", "status": "interrupted", "items": items}
    assert merge(unseen(), there, Published("known", "stalled"), REQUEST) is None


# --- what out.txt gets


@for_each(
    ("shown", "known", "answer", "added"),
    [
        ("", None, "whole", f"{NOTICE}whole\n"),
        ("The first ", "The first ", "The first half\n", f"\n{NOTICE}half\n"),
        ("$ ls\n→ exit 0\n\nThe first ", "The first ", "The first half", f"\n{NOTICE}half\n"),
        ("whole\n", "whole", "whole", NOTICE),
        ("The first \n\n✗ cut\n", "The first ", "The first half", f"{NOTICE}half\n"),
        ("Another ", "Another ", "The first half", f"\n{NOTICE}The first half\n"),
        ("$ ls\n", "lost", "lost and found", f"{NOTICE}lost and found\n"),
        ("", None, "", NOTICE),
    ],
)
def test_the_text_grows_by_what_was_not_shown(shown: str, known: str | None, answer: str, added: str) -> None:
    assert text_to_append(shown, known, answer) == added


@for_each("shown", ["The first ", "", "one\n"])
def test_an_addition_that_was_cut_short_is_finished_and_not_repeated(shown: str) -> None:
    added = text_to_append(shown, "The first ", "The first half")
    begin = added.index(NOTICE) + len(NOTICE)
    for end in range(begin, len(added) + 1):
        assert text_to_append(shown + added[:end], "The first ", "The first half") == added[end:]


def test_a_second_recovery_that_knows_more_shows_it_whole() -> None:
    once = "The first " + text_to_append("The first ", "The first ", "The first half")
    assert text_to_append(once, "The first half", "The first half, and more") == f"{NOTICE}The first half, and more\n"
