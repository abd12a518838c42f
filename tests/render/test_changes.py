"""What a turn changed, as people read it."""

from __future__ import annotations

from typing import Any

from codex_server_cli.render.changes import doubt_note, name_lines, shown_stat, stat_text
from codex_server_cli.render.style.ink import PLAIN, Ink
from tests.kit.cases import for_each


def entry(path: str, added: int, removed: int, **more: Any) -> dict[str, Any]:
    return {"path": path, "kind": "update", "added": added, "removed": removed, **more}


BINARY = {"path": "b.bin", "kind": "update", "binary": True}


@for_each(
    "entries, expected",
    [
        ([], ""),
        ([entry("a", 1, 1)], " a | 2 +-\n 1 file changed, 1 insertion(+), 1 deletion(-)\n"),
        ([entry("a", 2, 0)], " a | 2 ++\n 1 file changed, 2 insertions(+)\n"),
        ([entry("a", 0, 2)], " a | 2 --\n 1 file changed, 2 deletions(-)\n"),
        ([entry("a", 0, 0)], " a | 0\n 1 file changed, 0 insertions(+), 0 deletions(-)\n"),
        (
            [entry("a", 1, 0, by="command"), BINARY],
            " a     |   1 +  (by a command)\n b.bin | Bin\n 2 files changed, 1 insertion(+)\n",
        ),
        ([entry("n", 0, 0, **{"from": "o"})], " o => n | 0\n 1 file changed, 0 insertions(+), 0 deletions(-)\n"),
    ],
)
def test_it_reads_as_gits_own(entries: list[dict[str, Any]], expected: str) -> None:
    assert stat_text(entries) == expected


def test_bars_are_scaled_and_long_names_are_cut() -> None:
    lines = stat_text([entry("d/" * 40 + "x.txt", 900, 300), entry("y", 1, 0)]).split("\n")
    assert lines[0].startswith(" ...")
    assert "x.txt | 1200 +" in lines[0]
    assert len(lines[0]) <= 80
    assert lines[0].count("+") > 2 * lines[0].count("-") > 0
    assert lines[1].endswith("|    1 +")


def test_a_name_is_one_line_whatever_is_in_it() -> None:
    odd = entry('e\tn"l\nx', 1, 0)
    assert name_lines([entry("ü b", 1, 0), odd]) == 'ü b\n"e\\tn\\"l\\nx"\n'
    assert stat_text([odd]).startswith(' "e\\tn\\"l\\nx" | 1 +\n')


def test_what_is_not_known_is_said() -> None:
    assert doubt_note(None, is_running=True) == doubt_note("work_tree", is_running=False) == ""
    told = "only Codex's own patches are known, not what commands wrote"
    assert doubt_note("patches", is_running=False) == told
    assert doubt_note("patches", is_running=True) == f"{told} so far"


def test_bars_fit_a_narrow_terminal_and_have_the_colours_of_a_diff() -> None:
    entries = [entry("d/" * 40 + "x.txt", 900, 300), entry("y", 1, 1)]
    lines = shown_stat(entries, PLAIN, 40).split("\n")
    assert max(map(len, lines)) <= 40
    assert shown_stat([], PLAIN, 40) == ""
    assert " 2 \x1b[32m+\x1b[0m\x1b[31m-\x1b[0m\n" in shown_stat(entries, Ink(is_coloured=True), 200)
    assert shown_stat([entry("a\u202eb", 0, 0)], PLAIN, 80).startswith(" a\\u202eb | 0")
