"""The bottom of a chat's terminal: the text that is still growing, the line editor, one status line; and the keys.

Everything above it is ordinary scrollback, which can be copied and searched. Owns the editor and where text is printed;
must never know of turns. Built on prompt_toolkit, which erases whole lines and so keeps the two separate.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer, ThreadedCompleter, merge_completers
from prompt_toolkit.filters import Condition, has_completions, is_searching
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, VerticalAlign, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import ConditionalProcessor, PasswordProcessor
from prompt_toolkit.output.color_depth import ColorDepth
from prompt_toolkit.utils import get_term_environment_variable

from codex_server_cli.cli.chat.editor.application import EditorApplication, Output
from codex_server_cli.cli.chat.editor.escape import escape_keys, wait_for_escape
from codex_server_cli.cli.chat.editor.files import word_of_file
from codex_server_cli.cli.chat.editor.history import LineHistory
from codex_server_cli.cli.chat.editor.look import STYLE, Shown
from codex_server_cli.cli.chat.editor.pastes import PasteProcessor, Pastes
from codex_server_cli.cli.chat.editor.picker import Picker
from codex_server_cli.cli.chat.editor.search import HistorySearch, search_keys
from codex_server_cli.cli.output import ink
from codex_server_cli.cli.terminal.markdown import tail_rows

MENU_ROWS = 9
INPUT_ROWS = 10
LIVE_ROWS = 10
"""Few, so that little garbage remains when a window is shrunk faster than we redraw."""
READING_S = 0.5
"""How long a question is shown before a line counts as its answer."""


class Screen:
    """The running line editor.

    Attributes:
        picker: the list that may replace the editor.

    Args:
        show: returns what to show; called at every redraw.
        pastes: the pastes that are folded in the editor's text.
        completers: of commands, which is fast, and of files, which may be slow.
        on_line: called with a line, or several typed or pasted as one; returns whether it stays in the editor.
        on_interrupt: Ctrl-C; called with the editor's text.
        on_escape: Esc while no menu is open.
        on_end: Ctrl-D in an empty editor.
    """

    def __init__(
        self,
        show: Callable[[], Shown],
        history: LineHistory,
        pastes: Pastes,
        completers: tuple[Completer, Completer],
        *,
        on_line: Callable[[str], bool],
        on_interrupt: Callable[[str], None],
        on_escape: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        self._show = show
        self._on_line, self._on_interrupt, self._on_escape, self._on_end = on_line, on_interrupt, on_escape, on_end
        self._draft: str | None = None
        self._reading: asyncio.TimerHandle | None = None
        self._discards = False  # the rest of a secret that is no longer requested
        self.history, self._pastes, self.picker = history, pastes, Picker()
        self._search = HistorySearch(history, lambda: self.buffer.text).toolbar
        commands, files = completers
        self.buffer = Buffer(
            history=history,
            completer=merge_completers([commands, ThreadedCompleter(files)]),
            complete_while_typing=Condition(self._is_completed),
            accept_handler=self._accept,
            multiline=True,
        )
        self.application = EditorApplication(
            layout=Layout(self._layout(), focused_element=self.buffer),
            key_bindings=merge_key_bindings(
                [escape_keys(self._escape), self._line_keys(), search_keys(), self._keys()]
            ),
            before_render=lambda application: wait_for_escape(application, is_urgent=self._show().can_interrupt),
            style=STYLE,
            color_depth=None if ink().is_coloured else ColorDepth.DEPTH_1_BIT,
            output=Output.from_pty(sys.stdout, term=get_term_environment_variable()),
            erase_when_done=True,
        )

    # --- called by the chat

    @property
    def width(self) -> int:
        """The terminal's current columns."""
        return self.application.output.get_size().columns

    def put(self, text: str) -> None:
        """Print text above the editor; `text` is safe and ends with a newline."""
        application = self.application
        if not application.is_running:
            application.output.write_raw(text)
            application.output.flush()
            return
        # Not `run_in_terminal`: it lets the terminal echo keys meanwhile, and draws later.
        application.renderer.erase(leave_alternate_screen=False)
        application.output.write_raw(text)
        application.draw_now()

    def refresh(self) -> None:
        """Schedule a redraw."""
        self.application.invalidate()

    def set_aside(self) -> None:
        """Save the draft and empty the editor for an answer; `bring_back` restores it."""
        self.picker.leave()
        if self._draft is None:
            self._draft = self.buffer.text
            self.buffer.reset()
        self.history.keeps = self._discards = False

    def bring_back(self, *, was_secret: bool = False) -> None:
        """Restore the draft: the question was answered, or withdrawn.

        Args:
            was_secret: whether the editor may contain half of a secret. The user may still type the other half: all
                input up to the next Enter is discarded, without being displayed.
        """
        if was_secret and self.application.is_running:
            self.application.drop_typed_ahead()
        if was_secret and self.buffer.text:
            self._discards = True
            return
        self._discards = False
        if self._draft is not None:
            self.buffer.reset()
            self.buffer.insert_text(self._draft)
            self._draft = None
        self.history.keeps = True

    def begin_reading(self) -> None:
        """A question was just drawn: discard input typed before it, and wait until the user can have read it."""
        if not self.application.is_running:
            return
        self.application.drop_typed_ahead()
        if self._reading is not None:
            self._reading.cancel()
        self._reading = asyncio.get_running_loop().call_later(READING_S, self._end_reading)

    def _end_reading(self) -> None:
        self._reading = None
        self.refresh()

    @property
    def is_being_read(self) -> bool:
        """Whether a question is too recent for a line to be its answer."""
        return self._reading is not None

    def fill(self, text: str) -> None:
        """Insert text before the editor's text."""
        typed = self.buffer.text
        self.buffer.reset()
        self.buffer.insert_text(f"{text}\n{typed}" if typed else text)

    # --- layout

    def _layout(self) -> HSplit:
        # Styles are set on the text, not on a window, which would pad its rows with blanks to the right edge.
        live = Window(FormattedTextControl(self._live), dont_extend_height=True)
        asked = Window(
            FormattedTextControl(lambda: [("class:ask", self._show().asked)]), dont_extend_height=True, wrap_lines=True
        )
        secret = ConditionalProcessor(PasswordProcessor(), Condition(lambda: self._discards or self._show().is_secret))
        editor = Window(
            BufferControl(
                self.buffer,
                input_processors=[PasteProcessor(self._pastes), secret],
                search_buffer_control=self._search.control,
                preview_search=True,
            ),
            height=Dimension(min=1, max=INPUT_ROWS),
            dont_extend_height=True,
            wrap_lines=True,
            get_line_prefix=self._prefix,
        )
        status = Window(FormattedTextControl(lambda: [("class:status", self._show().status(self.width - 1))]), height=1)
        return HSplit(
            [
                ConditionalContainer(live, Condition(lambda: bool(self._show().live))),
                Window(height=1),
                ConditionalContainer(asked, Condition(lambda: bool(self._show().asked))),
                ConditionalContainer(self.picker.window, self.picker.is_open),
                ConditionalContainer(editor, ~self.picker.is_open),
                self._search,
                ConditionalContainer(CompletionsMenu(max_height=MENU_ROWS), has_completions),
                status,
            ],
            align=VerticalAlign.TOP,
        )

    def _live(self) -> StyleAndTextTuples:
        size = self.application.output.get_size()
        rows = tail_rows(self._show().live, size.columns, min(LIVE_ROWS, max(size.rows // 2, 1)))
        return [("class:live", "\n" + "\n".join(rows))]

    def _prefix(self, line_number: int, wrap_count: int) -> StyleAndTextTuples:
        mark = "? " if self._show().asked else "› "
        return [("class:prompt", mark if line_number == wrap_count == 0 else "  ")]

    # --- keys

    def _line_keys(self) -> KeyBindings:
        """The keys that change or send the line."""
        keys = KeyBindings()

        @keys.add("enter", filter=~is_searching)
        def _(event: KeyPressEvent) -> None:
            if self._has_chosen_file():
                self.buffer.complete_state = None  # the menu is closed: nothing is sent yet
            else:
                self.buffer.validate_and_handle()

        @keys.add("escape", "enter", filter=~is_searching)
        def _(event: KeyPressEvent) -> None:
            self.buffer.newline()

        @keys.add(Keys.BracketedPaste, filter=~is_searching)
        def _(event: KeyPressEvent) -> None:
            self.buffer.insert_text(self._pastes.fold(event.data))

        return keys

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c", filter=~is_searching)
        @keys.add("<sigint>")
        def _(event: KeyPressEvent) -> None:
            if self._discards:
                self.bring_back()
            else:
                self._on_interrupt(self.buffer.text)

        @keys.add("c-z")
        def _(event: KeyPressEvent) -> None:
            os.kill(0, signal.SIGTSTP)  # the whole job, like the terminal; `EditorApplication.restoring` does the rest

        @keys.add("c-d", filter=Condition(lambda: not self.buffer.text))
        def _(event: KeyPressEvent) -> None:
            self._on_end()

        @keys.add("c-l")
        def _(event: KeyPressEvent) -> None:
            event.app.renderer.clear()

        return keys

    def _is_completed(self) -> bool:
        """Whether the menu opens by itself: at the beginning of a command, and after an `@`."""
        return self.buffer.text.startswith("/") or word_of_file(self.buffer.document.text_before_cursor) is not None

    def _has_chosen_file(self) -> bool:
        state = self.buffer.complete_state
        return state is not None and state.current_completion is not None and not self.buffer.text.startswith("/")

    def _escape(self) -> None:
        if self._discards:
            self.bring_back()  # as Ctrl-C does
        elif self.buffer.complete_state is not None:
            self.buffer.cancel_completion()
        else:
            self._on_escape()

    def _accept(self, buffer: Buffer) -> bool:
        if self._discards:
            buffer.reset()  # before it enters the history
            self.bring_back()
            return True
        if buffer.text.strip() or self._show().asked:
            return self._on_line(buffer.text)
        return False  # empty the editor
