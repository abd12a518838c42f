"""The events that were told, kept for those who come later: each text once, in pieces of some size."""

from __future__ import annotations

from codex_server_cli.core.openai.responses import events
from codex_server_cli.core.openai.responses.told_events import ToldEvents
from codex_server_cli.core.openai.responses.turn_events import Numbered


def text(number: int, piece: str, index: int = 0) -> Numbered:
    return Numbered(number, events.text_delta(index, "m", piece))


def pieces(told: ToldEvents, number: int) -> list[str]:
    return [each.event.fields["delta"] for each in told.behind(number)]


def test_pieces_of_one_text_become_one_and_those_of_another_do_not() -> None:
    told = ToldEvents()
    told.add([text(1, "ab"), text(3, "cd"), text(4, "e", 1), Numbered(5, events.summary_delta(1, "m", 0, "x"))])
    assert pieces(told, -1) == ["abcd", "e", "x"]
    assert pieces(told, 2) == ["d", "e", "x"]
    assert pieces(told, 5) == []
    assert told.last.number == 5


def test_no_more_is_told_at_once_than_is_sent_at_once() -> None:
    told = ToldEvents()
    size = 50_000
    told.add(text(size * (n + 1) - 1, "x" * size) for n in range(5))
    first = told.behind(-1)
    assert 128 * 1024 < first[-1].number < 140_000
    assert [each.number for each in told.behind(first[-1].number)][-1] == 249_999


def test_a_long_text_is_told_in_pieces_with_the_numbers_of_their_last_characters() -> None:
    told, words = ToldEvents(), "ab" * 5_000
    told.add([text(9_999, words), text(10_000, "c", 1)])
    found = told.behind(-1)
    assert [each.number for each in found] == [4_095, 8_191, 9_999, 10_000]
    assert "".join(pieces(told, -1)) == f"{words}c"
    assert "".join(pieces(told, 4_096)) == f"{words}c"[4_097:]
