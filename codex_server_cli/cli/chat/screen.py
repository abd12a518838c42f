"""The lower end of a conversation's terminal: what is still growing, the line editor, one status line. And the keys.

Everything above it is ordinary text that scrolled by, which can be copied and searched. Owns the editor and where text
is put; knows nothing of turns. Built on prompt_toolkit, whose whole-line erasing keeps the two apart.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import NamedTuple

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import Completer
from prompt_toolkit.filters import Condition, has_completions
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.history import History
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent, merge_key_bindings
from prompt_toolkit.layout import ConditionalContainer, HSplit, Layout, VerticalAlign, Window
from prompt_toolkit.layout.controls import BufferControl, FormattedTextControl
from prompt_toolkit.layout.dimension import Dimension
from prompt_toolkit.layout.menus import CompletionsMenu
from prompt_toolkit.layout.processors import ConditionalProcessor, PasswordProcessor
from prompt_toolkit.styles import Style
from prompt_toolkit.utils import get_term_environment_variable

from codex_server_cli.cli.chat.editor import EditorApplication, Output
from codex_server_cli.cli.chat.escape import escape_keys, wait_for_escape
from codex_server_cli.cli.chat.markdown import tail_rows

MENU_ROWS = 9
INPUT_ROWS = 10
LIVE_ROWS = 10
"""Few, so that little is left where a window that is dragged smaller outruns us."""
READING_S = 0.5
"""How long a question stands before a line can be meant for it."""
_STYLE = Style.from_dict(
    {
        "live": "ansibrightblack",
        "ask": "bold ansiyellow",
        "prompt": "bold",
        "status": "ansibrightblack",
        "completion-menu": "",
        "completion-menu.completion": "",
        "completion-menu.completion.current": "reverse",
        "completion-menu.meta.completion": "ansibrightblack",
        "completion-menu.meta.completion.current": "ansibrightblack reverse",
    }
)


class Shown(NamedTuple):
    """What the lower end shows just now.

    Attributes:
        live: raw text that is still growing.
        asked: what the person is asked to type, or "".
        status: the status line for a number of columns.
        is_secret: whether what is typed must not be seen.
        can_interrupt: whether Esc has something to do.
    """

    live: str
    asked: str
    status: Callable[[int], str]
    is_secret: bool = False
    can_interrupt: bool = False


class LineHistory(History):
    """The lines of earlier conversations, and of this one as `keeps` lets them in."""

    def __init__(self, earlier: Callable[[], Iterable[str]], keep: Callable[[str], None]) -> None:
        super().__init__()
        self.keeps = True
        self._earlier, self._keep = earlier, keep

    def append_string(self, string: str) -> None:
        """Take a line that was typed, unless it is an answer to a question."""
        if self.keeps:
            super().append_string(string)

    def load_history_strings(self) -> Iterable[str]:
        """Newest first."""
        return self._earlier()

    def store_string(self, string: str) -> None:
        """Keep it beyond this conversation."""
        self._keep(string)


class Screen:
    """The running line editor.

    Args:
        show: what to show; asked at every redraw.
        on_line: takes a line, or several that were typed or pasted as one; returns whether it stays in the editor.
        on_interrupt: Ctrl-C; the text is what stands in the editor.
        on_escape: Esc, where no menu is open.
        on_end: Ctrl-D in an empty editor.
    """

    def __init__(
        self,
        show: Callable[[], Shown],
        history: LineHistory,
        completer: Completer,
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
        self._swallows = False  # the rest of a secret that nobody wants any more
        self.history = history
        self.buffer = Buffer(
            history=history,
            completer=completer,
            complete_while_typing=Condition(lambda: self.buffer.text.startswith("/")),
            accept_handler=self._accept,
            multiline=True,
        )
        self.application = EditorApplication(
            layout=Layout(self._layout()),
            key_bindings=merge_key_bindings([escape_keys(self._escape), self._keys()]),
            before_render=lambda application: wait_for_escape(application, is_urgent=self._show().can_interrupt),
            style=_STYLE,
            output=Output.from_pty(sys.stdout, term=get_term_environment_variable()),
            erase_when_done=True,
        )

    # --- what the conversation does with it

    @property
    def width(self) -> int:
        """The columns of the terminal now."""
        return self.application.output.get_size().columns

    def put(self, text: str) -> None:
        """Let text scroll by above the editor; `text` is safe and ends a line."""
        application = self.application
        if not application.is_running:
            application.output.write_raw(text)
            application.output.flush()
            return
        # `run_in_terminal` would do, but it lets the terminal echo keys meanwhile, and draws a moment later.
        application.renderer.erase(leave_alternate_screen=False)
        application.output.write_raw(text)
        application.draw_now()

    def refresh(self) -> None:
        """Draw again, soon: what is shown has changed."""
        self.application.invalidate()

    def set_aside(self) -> None:
        """Empty the editor for an answer; what stood in it comes back with `bring_back`."""
        if self._draft is None:
            self._draft = self.buffer.text
            self.buffer.reset()
        self.history.keeps = self._swallows = False

    def bring_back(self, *, was_secret: bool = False) -> None:
        """The answer is given, or not wanted any more: go on with what was being typed.

        Args:
            was_secret: whether what stands in the editor may be half of a secret. The other half may be on its way: all
                up to the next Enter is swallowed, unseen.
        """
        if was_secret and self.application.is_running:
            self.application.drop_typed_ahead()
        if was_secret and self.buffer.text:
            self._swallows = True
            return
        self._swallows = False
        if self._draft is not None:
            self.buffer.reset()
            self.buffer.insert_text(self._draft)
            self._draft = None
        self.history.keeps = True

    def begin_reading(self) -> None:
        """A question has just been drawn: what was typed before it is forgotten, and nobody can have read it yet."""
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
        """Whether a question appeared so lately that no line can be meant for it."""
        return self._reading is not None

    def fill(self, text: str) -> None:
        """Put text into the editor, before what stands there."""
        typed = self.buffer.text
        self.buffer.reset()
        self.buffer.insert_text(f"{text}\n{typed}" if typed else text)

    # --- how it looks

    def _layout(self) -> HSplit:
        # Styles go with the text, never with a window: that would fill its rows with blanks up to the right edge.
        live = Window(FormattedTextControl(self._live), dont_extend_height=True)
        asked = Window(
            FormattedTextControl(lambda: [("class:ask", self._show().asked)]), dont_extend_height=True, wrap_lines=True
        )
        secret = ConditionalProcessor(PasswordProcessor(), Condition(lambda: self._swallows or self._show().is_secret))
        editor = Window(
            BufferControl(self.buffer, input_processors=[secret]),
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
                editor,
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

    # --- the keys

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("enter")
        def _(event: KeyPressEvent) -> None:
            self.buffer.validate_and_handle()

        @keys.add("escape", "enter")
        def _(event: KeyPressEvent) -> None:
            self.buffer.newline()

        @keys.add("c-c")
        @keys.add("<sigint>")
        def _(event: KeyPressEvent) -> None:
            if self._swallows:
                self.bring_back()
            else:
                self._on_interrupt(self.buffer.text)

        @keys.add("c-z")
        def _(event: KeyPressEvent) -> None:
            os.kill(0, signal.SIGTSTP)  # the whole job, as the terminal would; `EditorApplication.tidy` does the rest

        @keys.add("c-d", filter=Condition(lambda: not self.buffer.text))
        def _(event: KeyPressEvent) -> None:
            self._on_end()

        @keys.add("c-l")
        def _(event: KeyPressEvent) -> None:
            event.app.renderer.clear()

        return keys

    def _escape(self) -> None:
        if self._swallows:
            self.bring_back()  # as by Ctrl-C
        elif self.buffer.complete_state is not None:
            self.buffer.cancel_completion()
        else:
            self._on_escape()

    def _accept(self, buffer: Buffer) -> bool:
        if self._swallows:
            buffer.reset()  # before it is remembered
            self.bring_back()
            return True
        if buffer.text.strip() or self._show().asked:
            return self._on_line(buffer.text)
        return False  # empty the editor
