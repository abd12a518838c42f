"""Keys of a terminal, from its bytes."""

from __future__ import annotations

from codex_server_cli.cli.terminal.keys import KeyReader, Pasted
from tests.kit.cases import for_each


@for_each(
    "data, keys",
    [
        (b"jq", ["j", "q"]),
        ("研é😀".encode(), ["研", "é", "😀"]),
        (b"\r\n\t\x7f\x08", ["enter", "enter", "tab", "backspace", "backspace"]),
        (b"\x0c\x15", ["ctrl-l", "ctrl-u"]),
        (b"\x1b[A\x1b[B\x1bOC\x1bOD", ["up", "down", "right", "left"]),
        (b"\x1b[H\x1b[F\x1b[1~\x1b[4~\x1b[7~\x1b[8~\x1bOH", ["home", "end", "home", "end", "home", "end", "home"]),
        (b"\x1b[5~\x1b[6~\x1b[3~", ["page_up", "page_down", "delete"]),
        (b"\x1bOQ\x1b[15~\x1b[1;5A\x1b[<0;1;1Mj", ["j"]),
        (b"\x1b\x1b[A\x1bk", ["escape", "up", "escape", "k"]),
        (b"\xff\xc3(", ["\ufffd", "\ufffd"]),
        (b"\x1b[20\rq\x1bO\x1b[1\x1b[A", ["enter", "q", "up"]),
        (b"\x1b[200~a\r\nb\rq\x1b[201~q", [Pasted("a\nb\nq"), "q"]),
    ],
)
def test_bytes_become_keys_however_they_are_split(data: bytes, keys: list[str | Pasted]) -> None:
    assert KeyReader().feed(data) == keys
    reader = KeyReader()
    assert [key for number in range(len(data)) for key in reader.feed(data[number : number + 1])] == keys


def test_an_esc_is_a_key_once_nothing_follows_it() -> None:
    reader = KeyReader()
    assert (reader.feed(b"\x1b"), reader.may_be_escape) == ([], True)
    assert (reader.flush(), reader.may_be_escape) == (["escape"], False)


@for_each(
    "early, late, keys",
    [
        (b"\x1b[", b"A", ["up"]),
        (b"\x1bO", b"B", ["down"]),
        (b"\x1b[5", b"~q", ["page_up", "q"]),
        (b"\x1b[20", b"0~cy\x1b[201~q", [Pasted("cy"), "q"]),
        (b"\x1b", b"[Aq", ["escape", "up", "q"]),
        (b"\x1b", b"[200~cy\x1b[201~", ["escape", Pasted("cy")]),
        (b"\x1b", b"cy", ["escape", "c", "y"]),
    ],
)
def test_the_rest_of_a_key_or_a_paste_is_never_taken_for_keys_however_late_it_comes(
    early: bytes, late: bytes, keys: list[str | Pasted]
) -> None:
    reader = KeyReader()
    assert reader.feed(early) == []
    assert reader.flush() + reader.feed(late) == keys
    assert reader.feed(b"j") == ["j"]


def test_a_paste_that_is_not_over_is_no_esc() -> None:
    reader = KeyReader()
    assert reader.feed(b"\x1b[200~\x1b") == []
    assert not reader.may_be_escape
    assert reader.feed(b"x\x1b[201~") == [Pasted("\x1bx")]
