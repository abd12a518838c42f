"""Ids, names, states and times of a turn."""

from __future__ import annotations

import calendar
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.model.short_ids import THREAD_END_CHARS, short_ids
from codex_server_cli.core.model.turn import (
    EXIT_OF_STATE,
    Facts,
    Marker,
    Phase,
    State,
    TurnError,
    derive_state,
    format_time_ms,
    is_turn_id,
    is_turn_id_prefix,
    is_turn_name,
    parse_time_ms,
    state_of_kind,
)
from codex_server_cli.core.model.turn_id import make_turn_id, unix_s
from codex_server_cli.errors import ErrorKind, Exit
from tests.kit.cases import for_each

ID = "20261120-165501-482-7f3a"
AT_MS = 1_795_193_701_482

# --- the state table (design, section 2)

_FAILING = sorted(set(ErrorKind) - {ErrorKind.CANCELLED, ErrorKind.WORKER_DIED})
_BY_ERROR_KIND: dict[str | None, State] = {
    "cancelled": State.CANCELLED,
    "worker_died": State.ABANDONED,
    **{str(kind): State.FAILED for kind in _FAILING},
    "a_newer_version's_word": State.FAILED,
    "": State.FAILED,
    None: State.FAILED,
}


@for_each("is_held", [True, False])
def test_what_does_not_exist_is_missing(is_held: bool) -> None:
    assert derive_state(Facts(exists=False, lock_held=is_held)) is State.MISSING


def test_a_held_lock_without_a_marker_is_running() -> None:
    assert derive_state(Facts(exists=True, lock_held=True)) is State.RUNNING


def test_a_free_lock_without_a_marker_proves_nothing_and_calls_for_a_repairer() -> None:
    assert derive_state(Facts(exists=True, lock_held=False)) is None


@for_each("is_held", [True, False])
def test_done_means_complete_even_if_the_lock_is_held(is_held: bool) -> None:
    assert derive_state(Facts(exists=True, lock_held=is_held, marker=Marker.DONE)) is State.COMPLETE


@for_each("is_held", [True, False])
@for_each(("kind", "state"), _BY_ERROR_KIND.items())
def test_an_error_marker_is_the_state_of_its_kind(kind: str | None, state: State, is_held: bool) -> None:
    assert derive_state(Facts(exists=True, lock_held=is_held, marker=Marker.ERROR, error_kind=kind)) is state


@for_each("kind", [["cancelled"], {}, 5])
def test_an_unreadable_kind_is_a_failure(kind: Any) -> None:
    assert state_of_kind(kind) is State.FAILED


@for_each("is_held", [True, False])
@for_each("marker", [None, *Marker])
def test_of_what_may_not_be_read_no_end_is_made_up(marker: Marker | None, is_held: bool) -> None:
    facts = Facts(exists=True, lock_held=is_held, marker=marker, is_refused=True)
    assert derive_state(facts) is State.UNREADABLE
    assert derive_state(facts._replace(exists=False)) is State.MISSING


def test_missing_running_and_unreadable_are_no_ends() -> None:
    assert {state for state in State if not state.is_end} == {State.MISSING, State.RUNNING, State.UNREADABLE}


def test_every_state_has_its_exit_code() -> None:
    assert EXIT_OF_STATE == {
        State.MISSING: Exit.NOT_FOUND,
        State.RUNNING: Exit.BUSY,
        State.COMPLETE: Exit.OK,
        State.CANCELLED: Exit.CANCELLED,
        State.ABANDONED: Exit.ABANDONED,
        State.FAILED: Exit.FAILED,
        State.UNREADABLE: Exit.CANNOT_WRITE,
    }


def test_the_phases_are_those_of_the_contract() -> None:
    words = "queued starting thinking answering running_command editing retrying waiting_approval waiting_input"
    assert [str(phase) for phase in Phase] == [*words.split(), "finishing"]


# --- ids and names


def test_a_turn_id_tells_its_time_to_the_millisecond() -> None:
    assert make_turn_id(AT_MS, 0x7F3A) == ID
    assert make_turn_id(AT_MS - 477, 0xABC0001) == "20261120-165501-005-0001"


@for_each("newest", [None, "", "20261120-165501-481-ffff", "no id", "20261399-165501-482-7f3a"])
def test_a_turn_id_behind_an_older_one_or_none_has_its_own_time(newest: str | None) -> None:
    assert make_turn_id(AT_MS, 0x7F3A, newest) == ID


def test_a_turn_id_comes_behind_the_newest_though_the_clock_was_set_back() -> None:
    assert make_turn_id(AT_MS, 1, "20261120-165501-482-7f3a") == "20261120-165501-483-0001"
    assert make_turn_id(AT_MS, 1, "20261231-235959-999-7f3a") == "20270101-000000-000-0001"


_MS = st.integers(0, 4_102_444_799_999)  # to the end of 2099


def _id_at(unix_ms: int, bits: int) -> str:
    return make_turn_id(unix_ms, bits)


@given(_MS, _MS, st.integers(), st.integers())
def test_turn_ids_sort_by_age(one_ms: int, other_ms: int, one_bits: int, other_bits: int) -> None:
    one, other = _id_at(one_ms, one_bits), _id_at(other_ms, other_bits)
    assert is_turn_id(one)
    assert is_turn_id(other)
    if one_ms != other_ms:
        assert (one < other) == (one_ms < other_ms)


@for_each(
    "text",
    ["", "last", ID[:-1], ID + "0", f"{ID}\n", ID.upper(), f"../{ID}", f"{ID}/x", ID.replace("2", "٢"), "x" + ID],
)
def test_what_is_no_whole_turn_id(text: str) -> None:
    assert not is_turn_id(text)


@for_each("length", range(1, len(ID) + 1))
def test_every_beginning_of_an_id_is_a_prefix(length: int) -> None:
    assert is_turn_id_prefix(ID[:length])


@for_each(
    "text",
    ["", ".", "..", "../x", "2/..", "20261120/..", "-2", "abc", "last", "2 0", "20261120\n", ID + "0", "٢٠", "2X"],
)
def test_what_can_begin_no_id_is_no_prefix(text: str) -> None:
    assert not is_turn_id_prefix(text)


@for_each("text", ["a", "Nightly-2", "fix.the_bug", "lastly", "a" * 64, "LAST", "x.."])
def test_a_name_begins_with_a_letter(text: str) -> None:
    assert is_turn_name(text)


@for_each(
    "text", ["", "last", "2nd", "_a", ".a", "..", "-a", "a/b", "a b", "a\n", "ä", "aä", "a" * 65, ID, "a\x00", "a\\b"]
)
def test_what_is_no_name(text: str) -> None:
    assert not is_turn_name(text)


@given(st.text(max_size=70))
def test_no_selector_can_be_taken_for_two_things_or_leave_a_directory(text: str) -> None:
    kinds = [is_turn_name(text), is_turn_id_prefix(text), text == "last"]
    assert sum(kinds) <= 1
    if any(kinds):
        assert "/" not in text
        assert text not in (".", "..")


# --- times


@given(_MS)
def test_a_time_reads_back(unix_ms: int) -> None:
    assert parse_time_ms(format_time_ms(unix_ms)) == unix_ms


@given(st.tuples(st.integers(1, 9999), st.integers(1, 12), st.integers(0, 31), *3 * [st.integers(0, 60)]))
def test_the_unix_time_of_a_date_is_that_of_the_standard_library(parts: tuple[int, int, int, int, int, int]) -> None:
    assert unix_s(*parts) == calendar.timegm((*parts, 0, 0, 0))


def test_a_time_is_rfc_3339_in_utc() -> None:
    assert format_time_ms(1_795_193_701_482) == "2026-11-20T16:55:01.482Z"
    assert format_time_ms(0) == "1970-01-01T00:00:00.000Z"


@for_each(
    "text",
    [
        None,
        "",
        "2026-11-20",
        "2026-11-20T16:55:01Z",
        "2026-11-20T16:55:01.482",
        "2026-11-20T16:55:01.482+00:00",
        "2026-13-20T16:55:01.482Z",
        "2026-06-31T16:55:01.482Z",
        "2026-11-20T25:55:01.482Z",
        "0000-11-20T16:55:01.482Z",
        "2026-11-20T16:55:01.482Z\n",
        "２026-11-20T16:55:01.482Z",
    ],
)
def test_what_is_no_such_time_is_none(text: str | None) -> None:
    assert parse_time_ms(text) is None


# --- errors


def test_every_error_has_the_same_keys() -> None:
    full = TurnError(
        ErrorKind.USAGE_LIMIT, "m", "h", True, "2026-11-20T16:55:01.482Z", "usageLimitExceeded", "tail", "Hel"
    )
    assert full.to_json() == {
        "version": 1,
        "kind": "usage_limit",
        "message": "m",
        "hint": "h",
        "retryable": True,
        "resets_at": "2026-11-20T16:55:01.482Z",
        "codex_error": "usageLimitExceeded",
        "stderr_tail": "tail",
        "partial_answer": "Hel",
    }
    assert TurnError(ErrorKind.NETWORK, "m").to_json().keys() == full.to_json().keys()


def test_a_short_id_is_the_shortest_end_that_no_other_id_has_or_begins_with() -> None:
    alone, twin, same_time = "20261120-165501-482-7f3a", "20261120-165502-482-beef", "20261120-165503-482-beef"
    early, dated, day_before = "20261120-165501-111-aaaa", "20261121-165501-111-aaaa", "20261122-000000-000-2026"
    every = (alone, twin, same_time, early, dated, day_before)
    assert short_ids(every, every) == {
        alone: "7f3a",
        twin: "165502-482-beef",
        same_time: "165503-482-beef",
        early: early,  # nothing shorter is its own
        dated: dated,
        day_before: "000-2026",  # `2026` is the beginning of every id
    }
    assert short_ids([alone], []) == {alone: "7f3a"}


def test_the_ends_that_are_tried_for_a_thread_lie_within_the_last_group_of_its_id() -> None:
    first, second = "01a1fa3f-89d2-7142-9508-7b9df8bc2f1f", "01a1fa3f-89d2-7142-9508-000000ab2f1f"
    alone = "01a1fa40-0000-7033-885f-57ce2678bcdb"
    shown = short_ids([first, alone], [first, second, alone, "bcdb"], THREAD_END_CHARS)
    assert shown == {first: "bc2f1f", alone: "78bcdb"}  # a name, or a turn, may be what `bcdb` means
