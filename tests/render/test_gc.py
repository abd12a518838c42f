"""A collection of old turns, for people."""

from __future__ import annotations

from codex_server_cli.core.model.collected import Collected, Gone, Why
from codex_server_cli.core.model.turn import State
from codex_server_cli.render.gc import gone_table, gone_view, remarks, summary
from codex_server_cli.render.style.wrap import Display

TURN_ID = "20261120-165501-482-7f3a"
TURNS = (
    Gone(TURN_ID, None, State.COMPLETE, 8.5 * 86400, 65536, Why.AGE),
    Gone(TURN_ID, "rev", State.FAILED, 7200.0, 2048, Why.KEEP),
    Gone(TURN_ID, "\x1b[31mred", None, -5.0, 100, Why.MAX_SIZE),
)


def test_turns_that_would_go_are_a_table_with_the_reason() -> None:
    assert gone_table(Collected(TURNS), 80).splitlines() == [
        "TURN                      AGE       SIZE       WHY         STATE     NAME",
        f"{TURN_ID}  8.5 days  64.0 KB    age         complete",
        f"{TURN_ID}  2h 00m    2.0 KB     --keep      failed    rev",
        f"{TURN_ID}  0.0 s     100 bytes  --max-size            ␛[31mred",
    ]
    assert gone_table(Collected(), 80) == ""


def test_one_line_has_the_sums() -> None:
    assert summary(Collected(TURNS, freed_bytes=67_684), is_dry_run=True) == "would delete 3 turns, 66.1 KB"
    collected = Collected(TURNS[:1], 2, 65536, 4)
    words = "deleted 1 turn, 2 unfinished directories, 4 unused locks and tickets, 64.0 KB"
    assert summary(collected, is_dry_run=False) == words


def test_what_stays_is_said_with_the_reason_and_which_bounds_do_not_hold() -> None:
    assert remarks(Collected(TURNS), "1G", 5) == []
    bounds = (Why.KEEP, Why.MAX_SIZE)
    collected = Collected(unreadable=("a", "b"), kept={"running": 1, "named": 12}, n_left=13, left_bytes=2**31)
    assert remarks(collected._replace(exceeded=bounds), "1G", 5) == [
        "kept: 12 named, 1 running",
        "13 ended turns are left, more than --keep 5",
        "the ended turns that are left take 2.0 GB, more than --max-size 1G",
        "left alone, because they cannot be read (another user's): a, b",
    ]
    nothing_known = Collected(exceeded=(Why.MAX_SIZE,))
    assert "take 0 bytes" in remarks(nothing_known, "1G", None)[0]


def test_on_a_terminal_the_table_leaves_out_what_has_no_room() -> None:
    assert gone_view(Collected(TURNS), Display(80)).splitlines() == [
        "TURN                      AGE  SIZE       WHY         STATE     NAME",
        f"{TURN_ID}  8d   64.0 KB    age         complete",
        f"{TURN_ID}  2h   2.0 KB     --keep      failed    rev",
        f"{TURN_ID}  now  100 bytes  --max-size            ␛[31mred",
    ]
    assert gone_view(Collected(TURNS), Display(40)).splitlines()[1] == f"{TURN_ID}  8d   64.0 KB"
    assert gone_view(Collected(), Display(80)) == ""
