"""One turn in words: what was started, where it stands, and what was done to it."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.style.ink import Ink
from codex_server_cli.render.style.wrap import Display
from codex_server_cli.render.turns import card
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
NOW_MS = 1_795_194_000_000  # 2026-11-20T17:00:00Z
WIDE = Display(80, now_ms=NOW_MS, user_home="/home/dev")
NARROW = WIDE._replace(width=40)


def view(phase: Phase | None = Phase.THINKING, state: State = State.RUNNING, **known: Any) -> TurnView:
    return TurnView(TURN_ID, "/t", state, phase if state is State.RUNNING else None)._replace(**known)


def lines(text: str) -> list[str]:
    assert text.endswith("\n")
    return text.splitlines()


@for_each(
    "seen, called, is_existing, shown",
    [
        (view(), "last", False, "● 7f3a started · codex-server tail -f last · Ctrl-C is safe"),
        (view(meta={"name": "n"}), "n", False, "● 7f3a started · codex-server tail -f n · Ctrl-C is safe"),
        (
            view(Phase.QUEUED),
            "7f3a",
            False,
            "· 7f3a started · queued · begins when another turn has ended\n"
            "  codex-server tail -f 7f3a · Ctrl-C is safe",
        ),
        (
            view(),
            "7f3a",
            True,
            "● 7f3a was started already · thinking · codex-server tail -f 7f3a\n  Ctrl-C is safe",
        ),
        (
            view(state=State.COMPLETE, result={"answer": "yes"}),
            "7f3a",
            True,
            "✓ 7f3a was started already · complete · codex-server answer 7f3a",
        ),
        (
            view(state=State.FAILED, error={"kind": "auth", "hint": "Then: `codex-server new --file '/\x1b/p'`"}),
            "last",
            False,
            "✗ 7f3a started · failed (auth) · codex-server status 7f3a",
        ),
    ],
)
def test_a_start_is_told_with_the_command_that_follows(
    seen: TurnView, called: str, is_existing: bool, shown: str
) -> None:
    assert card.started(seen, "7f3a", called, WIDE, is_existing=is_existing) == f"{shown}\n"


def test_on_a_narrow_terminal_a_command_has_a_line_of_its_own() -> None:
    shown = card.started(view(), "7f3a", "last", NARROW)
    assert lines(shown) == ["● 7f3a started", "  codex-server tail -f last", "  Ctrl-C is safe"]


def test_a_turn_that_is_shown_to_its_end_says_that_it_survives() -> None:
    assert card.going_on("7f3a", WIDE) == "● 7f3a started · Ctrl-C is safe: the turn goes on\n"


def test_what_was_done_is_one_line_and_the_words_of_others_are_behind_a_bar() -> None:
    assert card.done("7f3a", "cancelled", WIDE) == "✓ 7f3a cancelled\n"
    shown = card.done("7f3a", "approved", WIDE, "codex-server tail -f 7f3a", "run\nsh\x1b")
    assert lines(shown) == ["✓ 7f3a approved · codex-server tail -f 7f3a", "  │ run sh␛"]
    long = card.done("7f3a", "approved", NARROW, quoted="x" * 60)
    assert all(line.startswith("  │ ") for line in lines(long)[1:])
    assert card.over_already(view(state=State.COMPLETE), "7f3a", WIDE) == "✓ 7f3a had ended: complete\n"


def test_a_running_turn_is_a_card_of_what_it_does_where_and_what_it_changed() -> None:
    meta = {"cwd": "/w/x", "model": "m", "worktree": {"branch": "codex/x", "started_in": "/home/dev/app"}}
    changes = [{"path": "a.py", "added": 10, "removed": 2}, {"path": "b.py", "added": 1}]
    live = {"usage": {"total_tokens": 12_300}, "changes": changes, "refused": ["✗ x"]}
    seen = view(Phase.RUNNING_COMMAND, elapsed_s=200.0, meta=meta, live=live)
    assert lines(card.card(seen, "7f3a", "Fix\nit", [], WIDE)) == [
        "● 7f3a · running command · 3m 20s",
        "  Fix it",
        "  ~/app · branch codex/x · m · 12.3k tokens · 1 refused",
        "  ± 2 files +11 −2",
        "  → codex-server tail -f 7f3a",
    ]


def test_a_single_file_is_named_and_an_ended_turn_says_when_it_ended() -> None:
    result = {"answer": "yes", "changes": [{"path": "a\nb", "added": 0, "removed": 3}], "usage": {"total_tokens": 7}}
    meta = {"finished_at": "2026-11-20T16:57:00.000Z", "name": "fix"}
    seen = view(state=State.COMPLETE, elapsed_s=1.0, meta=meta, result=result)
    assert lines(card.card(seen, "7f3a", "Fix it", [], WIDE)) == [
        "✓ 7f3a · complete · 1.0 s · 3m ago",
        "  fix",
        "  7 tokens",
        "  ± a b −3",
        "  → codex-server answer 7f3a",
    ]


def test_what_waits_is_told_in_full_and_no_other_command_beside_it() -> None:
    shown = lines(card.card(view(Phase.WAITING_APPROVAL), "7f3a", "", ["request 0\n│ rm x\n"], WIDE))
    assert shown == ["! 7f3a · waits for approval", "  (no prompt)", "", "request 0", "│ rm x"]


@for_each(
    "live, meta, waits_for",
    [
        ({}, {}, "begins when another turn has ended"),
        ({}, {"request": {"is_after_reset": True}}, "begins when the usage limit has reset"),
        ({"resets_at": "2026-11-20T18:30:00.000Z"}, {}, "begins when the usage limit resets, in 1h 30m"),
        ({"resets_at": "2026-11-20T16:00:00.000Z"}, {}, "begins when the usage limit resets, in 0 s"),
    ],
)
def test_a_queued_turn_says_what_it_waits_for(live: dict[str, Any], meta: dict[str, Any], waits_for: str) -> None:
    shown = card.card(view(Phase.QUEUED, live=live, meta=meta), "7f3a", "hi", [], WIDE)
    assert lines(shown)[0] == f"· 7f3a · queued · {waits_for}"


def test_a_failure_says_why_and_what_to_do_and_names_no_command_twice() -> None:
    hint = "Wait for it, then: `codex-server new --file /t/prompt.txt`"
    error = {"kind": "usage_limit", "message": "Too\x1b much.", "hint": hint, "resets_at": "2026-11-20T17:01:00.000Z"}
    shown = card.card(view(state=State.FAILED, error=error), "7f3a", "hi", [], WIDE)
    assert lines(shown)[2:] == [
        "  Too␛ much.",
        "  Wait for it, then: `codex-server new --file /t/prompt.txt`",
        "  The limit resets in 1m 00s.",
    ]
    over = {**error, "resets_at": "2026-11-20T16:59:00.000Z", "hint": ""}
    assert lines(card.card(view(state=State.FAILED, error=over), "7f3a", "hi", [], WIDE))[2:] == ["  Too␛ much."]


def test_codex_own_words_are_shown_where_they_are_the_reason_behind_a_bar() -> None:
    error = {"kind": "codex_crashed", "message": "It died.", "hint": "", "stderr_tail": "thread panicked\n\nat x"}
    shown = card.card(view(state=State.FAILED, error=error), "7f3a", "hi", [], WIDE)
    assert lines(shown)[2:] == ["  It died.", "  │ thread panicked", "  │ at x"]


@for_each(
    "known, remark",
    [
        ({"notify": {"exit_code": 3, "signal": None}}, "The notify command failed: exit code 3"),
        ({"notify": {"problem": "it is no program"}}, "The notify command failed: it is no program"),
        ({"notify": {"exit_code": 0}}, ""),
        (
            {"meta": {"put_back": 1}},
            "1 message for this thread, queued meanwhile, stands in Codex's queue again",
        ),
        (
            {"meta": {"put_back": 0}},
            "what was queued for this thread could not be put back:\n  `codex-server recover 7f3a` tries again",
        ),
    ],
)
def test_what_went_wrong_beside_a_turn_is_said(known: dict[str, Any], remark: str) -> None:
    shown = card.card(view(state=State.CANCELLED, **known), "7f3a", "hi", [], WIDE)
    assert shown == "– 7f3a · cancelled\n  hi\n" + (f"  {remark}\n" if remark else "")


def test_a_command_obeys_nothing_that_stands_in_a_path() -> None:
    seen = view(
        state=State.COMPLETE, path="/\x1b", meta={"codex_turn_id": "t", "request": {"flags": {"--model": ["\x1b"]}}}
    )
    shown = card.card(seen, "7f3a", "hi", [], WIDE)
    assert lines(shown)[-1] == "  → codex-server continue --turn 7f3a - --model '␛'"


def test_a_cancelled_turn_needs_no_reason() -> None:
    error = {"kind": "cancelled", "message": "The turn was cancelled.", "hint": "To ask again: `codex-server new -`"}
    shown = lines(card.card(view(state=State.CANCELLED, error=error), "7f3a", "hi", [], WIDE))
    assert shown == ["– 7f3a · cancelled", "  hi"]


def test_colours_are_of_the_state_and_the_text_is_the_same() -> None:
    shown = card.card(view(), "7f3a", "hi", [], WIDE._replace(ink=Ink(is_coloured=True)))
    assert shown.startswith("\x1b[36m● 7f3a\x1b[0m · \x1b[36mthinking\x1b[0m\n")
