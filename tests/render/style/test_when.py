"""Times relative to now."""

from __future__ import annotations

from codex_server_cli.render.style.when import age, ago
from tests.kit.cases import for_each

NOW_MS = 1_795_193_701_482
_S = 1000


@for_each(
    "passed_ms, short, sentence",
    [
        (4 * _S, "now", "just now"),
        (-90 * _S, "now", "just now"),
        (59 * _S, "59s", "59s ago"),
        (60 * _S, "1m", "1m ago"),
        (7199 * _S, "1h", "1h ago"),
        (6 * 86_400 * _S, "6d", "6d ago"),
        (800 * 86_400 * _S, "2y", "2y ago"),
    ],
)
def test_a_time_is_told_by_its_largest_unit(passed_ms: int, short: str, sentence: str) -> None:
    assert (age(NOW_MS - passed_ms, NOW_MS), ago(NOW_MS - passed_ms, NOW_MS)) == (short, sentence)


def test_a_time_that_is_not_known_is_not_told() -> None:
    assert (age(None, NOW_MS), ago(None, NOW_MS)) == ("", "")
