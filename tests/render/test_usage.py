"""What turns have used, for people."""

from __future__ import annotations

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.result.usage_report import TurnUse, UseGroup, group_of, groups_of
from codex_server_cli.render.usage import bar, usage_text, usage_view
from tests.kit.cases import for_each


def use(group: str, total: int, state: State = State.COMPLETE, kind: str | None = None) -> TurnUse:
    usage = {"input_tokens": total - 5, "cached_input_tokens": 2, "output_tokens": 5, "total_tokens": total}
    return TurnUse(group, state, kind, usage, 72.0)


USES = [
    use("2026-11-20", 1500),
    use("2026-11-20", 10, State.FAILED, "network"),
    use("2026-11-21", 4000, State.CANCELLED, "cancelled"),
    TurnUse("2026-11-21", State.RUNNING),
]
GROUPS, TOTAL = groups_of(USES, are_sorted_by_name=True), group_of("", USES)
TEXT = """\
DAY         TURNS  FAILED  INPUT  CACHED  OUTPUT  REASONING  TOKENS  MEDIAN     P95
2026-11-20      2       1   1.5k       4      10          0    1.5k  1m 12s  1m 12s
2026-11-21      2           4.0k       2       5          0    4.0k  1m 12s  1m 12s
total           4       1   5.5k       6      15          0    5.5k  1m 12s  1m 12s
failed: 1 network; cancelled: 1; running: 1
"""


def text_of(groups: list[UseGroup], by: str = "day", width: int = 160) -> list[str]:
    return usage_text(groups, TOTAL, by, "/home/you", width).splitlines()


def test_numbers_stand_to_the_right_and_the_total_is_last() -> None:
    assert usage_text(GROUPS, TOTAL, "day", "/home/you", 160) == TEXT


def test_where_all_completed_nothing_more_is_said() -> None:
    group = group_of("2026-11-20", [use("2026-11-20", 10)])
    assert usage_text([group], group, "day", "/", 160).splitlines()[-1].startswith("total")


@for_each(
    ("width", "headings"),
    [
        (84, "DAY TURNS FAILED INPUT CACHED OUTPUT REASONING TOKENS MEDIAN P95"),
        (80, "DAY TURNS FAILED INPUT CACHED OUTPUT TOKENS MEDIAN P95"),
        (66, "DAY TURNS FAILED CACHED OUTPUT TOKENS MEDIAN P95"),
        (40, "DAY TURNS FAILED TOKENS"),
        (10, "DAY TURNS FAILED TOKENS"),
    ],
)
def test_a_narrow_terminal_gets_fewer_columns(width: int, headings: str) -> None:
    lines = text_of(GROUPS, width=width)
    assert lines[0].split() == headings.split()
    assert max(map(len, lines[:-1])) <= max(width, 33)


def test_directories_are_shortened_and_names_are_safe_and_one_line() -> None:
    groups = [group_of(name, [use(name, 10)]) for name in ("/home/you/project", "/" + "x" * 80, "\x1b[31m\nred", "")]
    first = [line.split("  ")[0] for line in text_of(groups, "cwd")[1:5]]
    assert first == ["~/project", "…" + "x" * 31, "␛[31m red", "unknown"]
    assert text_of(groups, "model")[1].startswith("/home/you/project")


def test_a_terminal_gets_bars_where_there_is_room_for_them() -> None:
    view = usage_view(GROUPS, TOTAL, "day", "/", 120)
    lines = view.plain.splitlines()
    assert [line.rstrip() for line in lines[:1] + lines[3:]] == TEXT.splitlines()[:1] + TEXT.splitlines()[3:]
    assert lines[1].endswith("  ██████")
    assert lines[2].endswith("  ████████████████")
    assert {str(span.style) for span in view.spans} >= {"cyan", "red", "bold"}
    narrow = usage_view(GROUPS, TOTAL, "day", "/", 90).plain
    assert "█" not in narrow
    assert [line.rstrip() for line in narrow.splitlines()] == TEXT.splitlines()


@for_each(
    ("value", "shown"),
    [(0, ""), (1, "▏"), (500, "████████"), (531, "████████▌"), (1000, "████████████████")],
)
def test_a_bar_is_as_long_as_its_share_and_anything_can_be_seen(value: int, shown: str) -> None:
    assert bar(value, 1000) == shown
    assert bar(0, 0) == ""


@for_each(("by", "name"), [("cwd", "…/with/a/long/one"), ("model", "/home/you/projec…")])
def test_on_a_narrow_terminal_names_are_cut_a_directory_at_its_beginning(by: str, name: str) -> None:
    path = "/home/you/project/with/a/long/one"
    groups = [group_of(path, [use(path, 10)])]
    lines = usage_view(groups, TOTAL, by, "/", 40).plain.splitlines()
    assert lines[1].startswith(f"{name}  ")
    assert max(map(len, lines[:3])) <= 40


def test_on_a_narrow_terminal_what_did_not_complete_is_told_in_whole_words() -> None:
    end = "failed: 1 network; cancelled: 1;\nrunning: 1\n"
    assert usage_view(GROUPS, TOTAL, "day", "/", 34).plain.endswith(f"\n{end}")
