"""What is on the screen of `watch`: the board, or a page of one turn. Belongs to one thread.

Owns the state of the keys, how it is drawn, and updating the page that is shown: its text grows, its turn is deleted,
its request is answered elsewhere. `background` runs slow actions.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from codex_server_cli.actions.control import approvals
from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.board import Board
from codex_server_cli.cli import output
from codex_server_cli.cli.terminal.background import BackgroundTasks
from codex_server_cli.cli.terminal.keys import Pasted
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.turns import board as layout
from codex_server_cli.render.turns.cockpit import arrivals, machine, pages
from codex_server_cli.render.turns.cockpit.attention import Attention
from codex_server_cli.render.turns.cockpit.listing import arranged, index_of, kept, window
from codex_server_cli.render.turns.cockpit.sheets import Sheet
from codex_server_cli.render.turns.cockpit.state import (
    Act,
    Cockpit,
    Entry,
    Look,
    OnScreen,
    OpenPage,
    OpenRequest,
    Pane,
    Quit,
    Redraw,
)
from codex_server_cli.render.turns.lines import Line, cut, painted
from codex_server_cli.render.turns.titles import title
from codex_server_cli.settings.places import Settings

_MIN_LINES_FOR_WORDS = 12
_TITLE = 400
_MESSAGE_S = 8.0
"""How long a message replaces the keys."""
_KEYS = ("? help  q quits", "? help q", "? help")


class Controller:
    """The cockpit of one terminal.

    Args:
        limit: the largest number of turns; None for all.
        post: schedules a call on this controller's thread, from any other.
        forget: causes a redraw of the whole screen.
    """

    def __init__(
        self,
        settings: Settings,
        board: Board,
        limit: int | None,
        post: Callable[[Callable[[], None]], None],
        forget: Callable[[], None],
    ) -> None:
        self._board, self._limit, self._forget = board, limit, forget
        self._user_home = str(settings.user_home)
        self._ink = output.ink()
        self._background = BackgroundTasks(settings, self, post, self._ink)
        self.state = Cockpit()
        self._seen = OnScreen()
        self._first = 0  # of the board's turns on the screen
        self._sheet = Sheet(lambda _width: [])
        self._view: TurnView | None = None  # of the page
        self._place = (1, 1)  # of the request that is shown, among those of its turn
        self._attention = Attention()
        self._told_s = 0.0
        self._late: list[str] | None = None  # messages after the end of the board
        self._message = ""
        self._is_framed = False  # a frame was made for the current state

    @property
    def is_live(self) -> bool:
        """Whether what is shown changes by itself, second by second."""
        is_page = self.state.pane not in (Pane.BOARD, Pane.HELP)
        return (
            is_page or bool(self.state.message) or any(view.state is State.RUNNING for view in self._board.turn_views)
        )

    @property
    def is_growing(self) -> bool:
        """Whether the text of a running turn is shown."""
        return self.state.pane is Pane.TAIL and self._view is not None and self._view.state is State.RUNNING

    def take(self, key: str | Pasted) -> bool:
        """Handle a key.

        Returns:
            False if the user wants to leave.
        """
        if isinstance(key, Pasted):
            self.state = machine.paste(self.state, key.text)
            return True
        now_s = time.monotonic()
        self._seen = self._seen._replace(shown_s=self._attention.shown_s(self.state, now_s))
        self.state, act = machine.press(self.state, key, self._seen)
        if machine.is_hasty(self.state):
            self._attention.begin_again(now_s)
        return act is None or self._do(act)

    def _do(self, act: Act) -> bool:
        match act:
            case Quit():
                return False
            case Redraw():
                self._forget()
            case _:
                self._background.run(act)
        return True

    # --- results of background tasks

    def tell(self, turn_id: str, message: str) -> None:
        """Show a message or an error in the last line; after the end of the board keep it for `finish`."""
        name = self.short(turn_id)
        if self._late is not None:
            self._late.append(f"{name}: {message}")
        self.state = arrivals.told_of(self.state, turn_id, name, message)

    def finish(self, timeout_s: float, catch_up: Callable[[], None]) -> list[str]:
        """The results of decisions that were being sent when the user left: messages for people.

        Args:
            timeout_s: how long to wait for them.
            catch_up: makes the calls that were posted but not made yet.
        """
        self._late = []
        unknown = self._background.finish(timeout_s)
        catch_up()
        look = "what came of it is not known yet: codex-server status"
        return [*self._late, *(f"{short}: {look} {short}" for short in map(self.short, unknown))]

    def show_request(self, look: Look, entry: Entry | None) -> None:
        """Show a turn's request; None if nothing is pending."""
        self.state = arrivals.asked_for(self.state, look, entry)

    def open(self, act: OpenPage, view: TurnView, sheet: Sheet) -> None:
        """Show a page of a turn."""
        self.state = arrivals.opened(self.state, act.pane, act.turn_id)
        is_shown = self.state.pane is act.pane and self.state.selected == act.turn_id
        (self._sheet if is_shown else sheet).close()
        if is_shown:
            self._view, self._sheet = view, sheet

    def short(self, turn_id: str) -> str:
        """The short id of a turn."""
        return self._board.short_ids.get(turn_id, turn_id)

    # --- updating a page

    def refresh(self) -> None:
        """Update the page that is shown."""
        self._forget_message()
        self._go_on()
        if self.state.pane in (Pane.BOARD, Pane.HELP):
            self._sheet.close()
            self._view = None
            return
        directory = self._board.directory(self.state.asked.turn_id if self.state.asked else str(self.state.selected))
        self._view = read.status(directory)  # before its text: the other order can miss the last of it
        if self._view.state is State.MISSING:
            self.state = arrivals.deleted(self.state, self.short(directory.turn_id))
        elif self.state.asked is not None:
            self._look_after(self.state.asked, self._view)
        else:
            self._sheet.read(is_over=self._view.state is not State.RUNNING)

    def _go_on(self) -> None:
        """Show the next request of the turn whose last one has just been decided."""
        decided = self.state.decided
        if decided is not None:
            view = read.status(self._board.directory(decided.turn_id))
            self.state = arrivals.went_on(self.state, approvals.pending_of(view), self.short(decided.turn_id))

    def _look_after(self, asked: OpenRequest, view: TurnView) -> None:
        """Update the number of a request among those of its turn; close one that is no longer pending."""
        pending = approvals.pending_of(view)
        if asked.entry in pending:
            self._place = (asked.before + pending.index(asked.entry) + 1, asked.before + len(pending))
            return
        is_running = view.state is State.RUNNING
        outcome = approvals.ending_of(view, asked.entry)
        self.state = arrivals.withdrawn(self.state, outcome, None if is_running else view.state)

    def _forget_message(self) -> None:
        """Show the keys in the last line again after a while."""
        now_s = time.monotonic()
        if self.state.message != self._message:
            self._message, self._told_s = self.state.message, now_s
        elif self._message and now_s - self._told_s > _MESSAGE_S:
            self.state = arrivals.acknowledged(self.state)

    # --- drawing

    def frame(self, columns: int, lines: int) -> list[str]:
        """The whole screen."""
        turns, more = self._turns()
        self._is_framed = True
        if self.state.pane is Pane.BOARD:
            return self._board_frame(turns, more, columns, lines)
        return self._page_frame(turns, columns, lines)

    def note_drawn(self) -> None:
        """Note that the frame is on the screen; without one (the process is being stopped) nothing was seen."""
        if not self._is_framed:
            return
        self._is_framed = False
        self._attention.drawn(self.state, time.monotonic())
        self.state = machine.drawn(self.state, self._seen)

    def _turns(self) -> tuple[list[TurnView], int]:
        """The board's turns in order, and how many more the limit hides."""
        views, wanted = self._board.turn_views, self.state.filter
        titles = {view.turn_id: self._words(view) for view in views} if wanted else {}
        found = arranged(views, self.state.sorting, wanted, titles)
        turns = found[: self._limit]
        return turns, len(found) - len(turns)

    def _words(self, view: TurnView) -> str:
        """The text of a turn that a filter searches besides its facts: its name and its prompt."""
        return f"{title(view, '', _TITLE)}\n{self._board.prompt(view)}"

    def _board_frame(self, turns: list[TurnView], more: int, columns: int, lines: int) -> list[str]:
        self.state = kept(self.state, self._seen.turns, turns)
        has_words = lines >= _MIN_LINES_FOR_WORDS
        room = max(self._room(lines) - has_words, 1)
        index = index_of(self.state.selected, turns)
        self._first, last = window([layout.height(view, columns) for view in turns], index, self._first, room)
        rows = [layout.BoardRow(*row) for row in self._board.rows(turns[self._first : last])]
        gone = {view.turn_id for view in turns[self._first : last]} - {row.view.turn_id for row in rows}
        selected = turns[index].turn_id if turns else None
        look = self._look(columns, selected, has_words=has_words)
        body = layout.table(rows, look)[: room + has_words] or [[(self._nothing(), Style.DIM)]]
        self._seen = OnScreen(
            tuple(view for view in turns if view.turn_id not in gone),
            0,
            max(last - self._first, 1),
            short_ids=look.short_ids,
        )
        hidden = (self._first, len(turns) - last + more)
        view = next((row.view for row in rows if row.view.turn_id == selected), None)
        foot = pages.foot(self.state, self._seen, view, hidden, columns)
        head, *shown = (painted(cut(line, columns), self._ink) for line in [self._board_head(columns), *body])
        return self._framed(head, shown, foot, lines)

    def _board_head(self, columns: int) -> Line:
        return layout.header(self._board.turn_views, _KEYS, columns)

    def _look(self, columns: int, selected: str | None, *, has_words: bool) -> layout.BoardLook:
        now_ms = time.time_ns() // 1_000_000
        return layout.BoardLook(columns, now_ms, self._user_home, self._board.short_ids, selected, has_words)

    def _nothing(self) -> str:
        return "No turn holds this text." if self.state.filter else "No turns."

    def _page_frame(self, turns: list[TurnView], columns: int, lines: int) -> list[str]:
        if self.state.pane is Pane.HELP:
            rows = pages.help_rows(columns)
        elif self.state.asked is not None:
            rows = pages.asked_rows(self.state.asked, columns, self._ink)
        else:
            rows = self._sheet.rows(columns)
        room = self._room(lines)
        top = machine.top_of(self.state, len(rows), room)
        views = ([self._view] if self._view is not None else []) + turns
        self._seen = OnScreen(tuple(views), len(rows), room, short_ids=self._board.short_ids)
        hidden = (top, max(len(rows) - top - room, 0))
        foot = pages.foot(self.state, self._seen, self._view, hidden, columns)
        shown = rows[top : top + room]
        return self._framed(painted(self._head(columns), self._ink), shown, foot, lines)

    def _head(self, columns: int) -> Line:
        if self._view is None:
            return [("Keys of watch", Style.BOLD)]
        prompt, name = self._board.prompt(self._view), self.short(self._view.turn_id)
        page = pages.page_name(self.state, time.time_ns() // 1_000_000, self._place)
        return pages.page_head(self._view, prompt, name, page, columns, is_timed=self.state.asked is None)

    def _room(self, lines: int) -> int:
        """The number of lines between head and foot."""
        return max(lines - 1 - pages.foot_height(self.state), 0)

    def _framed(self, head: str, body: list[str], foot: list[Line], lines: int) -> list[str]:
        """The whole screen; if it is too small, the last line, which shows what the next key answers, is kept."""
        room = self._room(lines)
        filled = [*body[:room], *[""] * (room - len(body))]
        return [head, *filled, *(painted(line, self._ink) for line in foot)][-lines:]
