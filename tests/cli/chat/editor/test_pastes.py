"""A long paste is one character of the editor: shown as a label, sent whole."""

from __future__ import annotations

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.layout.controls import BufferControl
from prompt_toolkit.layout.processors import TransformationInput

from codex_server_cli.cli.chat.editor.history import LineHistory
from codex_server_cli.cli.chat.editor.pastes import MOST_CHARS, MOST_LINES, PasteProcessor, Pastes

LOG = "".join(f"line {number}\n" for number in range(5000))


def test_what_is_short_is_pasted_as_it_is_and_what_is_long_is_one_character() -> None:
    pastes = Pastes()
    assert pastes.fold("one\r\ntwo\rthree") == "one\ntwo\nthree"
    assert pastes.fold("x\n" * (MOST_LINES - 1)) == "x\n" * (MOST_LINES - 1)
    assert len(pastes.fold("x\n" * MOST_LINES)) == 1
    assert pastes.labelled(pastes.fold("x" * (MOST_CHARS + 1))) == f"[pasted {MOST_CHARS + 1} characters]"


def test_five_thousand_lines_are_sent_whole_with_what_is_around_them() -> None:
    pastes = Pastes()
    line = f"see {pastes.fold(LOG)} and {pastes.fold(LOG)}, {pastes.fold('y' * 3000)}"
    assert pastes.labelled(line) == "see [pasted 5000 lines] and [pasted 5000 lines], [pasted 3000 characters]"
    assert pastes.expand(line) == f"see {LOG} and {LOG}, {'y' * 3000}"
    assert (pastes.expand("no paste"), pastes.labelled("no paste")) == ("no paste", "no paste")


def test_a_pasted_character_of_ours_stands_for_itself() -> None:
    pastes = Pastes()
    first = pastes.fold(LOG)
    assert pastes.expand(pastes.fold(f"a{first}b")) == f"a{first}b"


def test_one_key_deletes_a_paste_and_the_cursor_steps_over_it() -> None:
    pastes, buffer = Pastes(), Buffer()
    buffer.insert_text(f"a{pastes.fold(LOG)}")
    buffer.cursor_left()
    buffer.insert_text("b")
    assert pastes.labelled(buffer.text) == "ab[pasted 5000 lines]"
    buffer.cursor_right()
    buffer.delete_before_cursor()
    assert buffer.text == "ab"


def test_the_editor_shows_labels_and_finds_the_place_of_each_character() -> None:
    pastes = Pastes()
    text = f"a{pastes.fold(LOG)}b"
    control = BufferControl(Buffer())
    given = TransformationInput(control, Document(text), 0, lambda at: at, [("", text)], 80, 24)
    shown = PasteProcessor(pastes).apply_transformation(given)
    assert "".join(fragment[1] for fragment in shown.fragments) == "a[pasted 5000 lines]b"
    width = len("[pasted 5000 lines]")
    assert [shown.source_to_display(at) for at in range(5)] == [0, 1, 1 + width, 2 + width, 2 + width]
    assert [shown.display_to_source(at) for at in (0, 1, 5, width, width + 1)] == [0, 1, 1, 1, 2]


def test_what_reorders_or_hides_text_is_visible_in_the_editor() -> None:
    text = "a\u202eb\x1b[2J\tc"
    given = TransformationInput(BufferControl(Buffer()), Document(text), 0, lambda at: at, [("", text)], 80, 24)
    shown = PasteProcessor(Pastes()).apply_transformation(given)
    assert "".join(fragment[1] for fragment in shown.fragments) == "a\\u202eb␛[2J\tc"


def test_the_history_holds_pastes_folded_and_stores_them_whole() -> None:
    typed = "line\n" * 2 * MOST_LINES
    pastes, stored = Pastes(), [LOG, typed]
    history = LineHistory(lambda: stored, stored.append, pastes)
    assert [pastes.labelled(line) for line in history.load_history_strings()] == ["line 0[pasted 4999 lines]", typed]
    assert [pastes.expand(line) for line in history.load_history_strings()] == stored
    history.append_string(f"see {pastes.fold(LOG)}")
    history.keeps = False
    history.append_string("an answer")
    assert stored[2:] == [f"see {LOG}"]


def test_the_words_before_a_paste_of_an_earlier_chat_stay_words_which_a_search_finds() -> None:
    pastes = Pastes()
    for line, shown in (
        (f"explain this: {LOG}", "explain this: line 0[pasted 4999 lines]"),
        (f"explain this:\n{LOG}and that", "explain this:[pasted 5001 lines]"),
        ("x" * 50_000, "[pasted 50000 characters]"),
        (f"/usr/bin/x fails:\n{LOG}", "[pasted 5001 lines]"),
        (f"!{LOG}", "[pasted 5000 lines]"),
        ("", ""),
    ):
        stored = [line]
        (found,) = LineHistory(stored.copy, stored.append, pastes).load_history_strings()
        assert (pastes.labelled(found), pastes.expand(found)) == (shown, line)


def test_line_ends_of_an_earlier_chat_are_those_of_the_editor_and_no_more_than_before() -> None:
    pastes, line = Pastes(), "see\r\n" + LOG.replace("\n", "\r\n")
    (found,) = LineHistory([line].copy, [line].append, pastes).load_history_strings()
    assert pastes.expand(found) == f"see\n{LOG}"
