"""Terms and explanations at any width: no word is broken, no term cut."""

from __future__ import annotations

from codex_server_cli.render.style.definitions import definitions, wrap
from codex_server_cli.render.style.ink import PLAIN, Ink

LONG = "--ws-max-clock-skew-seconds-and-more N"
ROWS = [("--until WHEN", "One of: end, attention."), ("--all", ""), (LONG, "Seconds.")]


def test_explanations_stand_beside_their_terms_where_there_is_room() -> None:
    assert definitions(ROWS, 80, PLAIN).splitlines() == [
        "  --until WHEN  One of: end, attention.",
        "  --all",
        f"  {LONG}",
        "                Seconds.",
    ]


def test_they_stand_below_on_a_narrow_terminal() -> None:
    assert definitions(ROWS, 24, PLAIN).splitlines() == [
        "  --until WHEN",
        "      One of: end,",
        "      attention.",
        "  --all",
        f"  {LONG}",
        "      Seconds.",
    ]


def test_terms_that_are_all_too_long_have_their_explanations_below() -> None:
    assert definitions([(LONG, "Seconds.")], 100, PLAIN).splitlines() == [f"  {LONG}", " " * 34 + "Seconds."]


def test_a_line_ends_between_words_even_at_a_hyphen() -> None:
    assert wrap("read-only, workspace-write", 20, "# ") == "# read-only,\n# workspace-write"
    assert wrap("danger-full-access", 5) == "danger-full-access"


def test_colours_do_not_move_anything() -> None:
    coloured = definitions(ROWS, 80, Ink(is_coloured=True))
    assert "\x1b[36m--all\x1b[0m" in coloured
    assert coloured.replace("\x1b[36m", "").replace("\x1b[0m", "") == definitions(ROWS, 80, PLAIN)
