"""Lines of a screen in cells: cut and painted."""

from __future__ import annotations

from rich.cells import cell_len

from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.turns.lines import Line, cut, painted
from tests.kit.cases import for_each

LINE: Line = [("ab", Style.BOLD), ("研究", Style.DIM), ("cd", Style.PLAIN)]


@for_each(
    "width, shown",
    [(8, "ab研究cd"), (7, "ab研究…"), (6, "ab研…"), (5, "ab研…"), (4, "ab…"), (3, "ab…"), (1, "…"), (0, "")],
)
def test_a_line_is_cut_by_cells_with_an_ellipsis(width: int, shown: str) -> None:
    text = "".join(piece for piece, _ in cut(LINE, width))
    assert text == shown
    assert cell_len(text) <= width


def test_each_piece_has_its_style() -> None:
    assert painted(LINE, Ink(is_coloured=True)) == "\x1b[1mab\x1b[0m\x1b[2m研究\x1b[0mcd"
