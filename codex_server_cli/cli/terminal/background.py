"""The slow actions of `watch`: each runs in its own thread, so that the screen never freezes.

Owns that a decision is sent only for the request that was shown. Must never draw.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Protocol

from codex_server_cli.actions.control import approvals, control
from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.changes import changes
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import CodexServerError, NotFoundError
from codex_server_cli.render.style.ink import Ink
from codex_server_cli.render.turns.cockpit import arrivals, pages
from codex_server_cli.render.turns.cockpit.sheets import Sheet
from codex_server_cli.render.turns.cockpit.state import Cancel, Decide, Entry, Intent, Look, OpenPage, Pane
from codex_server_cli.settings.places import Settings

_PROMPT_BYTES = 4000


class Results(Protocol):
    """The receiver of the results. Called only by the controller's own thread."""

    def tell(self, turn_id: str, message: str) -> None:
        """Show a message about a turn: the result of a decision, or why something failed."""

    def open(self, act: OpenPage, view: TurnView, sheet: Sheet) -> None:
        """Show a page of a turn."""

    def show_request(self, look: Look, entry: Entry | None) -> None:
        """Show a turn's request; None if nothing is pending."""


def _fail(error: Exception) -> None:
    raise error


class BackgroundTasks:
    """Runs the actions of the state machine.

    Args:
        post: schedules a call on the controller's thread.
    """

    def __init__(
        self, settings: Settings, controller: Results, post: Callable[[Callable[[], None]], None], ink: Ink
    ) -> None:
        self._settings, self._controller, self._post, self._ink = settings, controller, post, ink
        self._sent: list[tuple[threading.Thread, str]] = []  # decisions that may still be sending, and their turns

    def run(self, act: OpenPage | Look | Decide | Cancel) -> None:
        """Start an action, and return at once."""
        turn_id = act.asked.turn_id if isinstance(act, Decide) else act.turn_id
        thread = threading.Thread(target=self._run, args=(act, turn_id), name="background", daemon=True)
        thread.start()
        if isinstance(act, Decide | Cancel):
            self._sent = [*((each, of) for each, of in self._sent if each.is_alive()), (thread, turn_id)]

    def finish(self, timeout_s: float) -> list[str]:
        """Wait for decisions that are being sent, so that none is lost when the process exits.

        Returns:
            The ids of the turns whose decisions are not sent at the timeout.
        """
        end_s = time.monotonic() + timeout_s
        for thread, _ in self._sent:
            thread.join(max(end_s - time.monotonic(), 0.0))
        return [turn_id for thread, turn_id in self._sent if thread.is_alive()]

    def _run(self, act: OpenPage | Look | Decide | Cancel, turn_id: str) -> None:
        try:
            result = self._result(act, turn_id)
        except CodexServerError as error:  # for the user, who can try again
            result = partial(
                self._controller.tell, turn_id, f"{error.message}. {error.hint}" if error.hint else error.message
            )
        except OSError as error:  # the same: a file that cannot be read
            result = partial(self._controller.tell, turn_id, str(error))
        except Exception as error:  # an internal error: for the thread that can end the board and report it
            result = partial(_fail, error)
        self._post(result)

    def _result(self, act: OpenPage | Look | Decide | Cancel, turn_id: str) -> Callable[[], None]:
        """The call that passes on the result."""
        match act:
            case OpenPage(Pane.TAIL):
                return self._text(act)
            case OpenPage():
                return self._diff(act)
            case Look():
                return partial(self._controller.show_request, act, self._entry(act))
            case Decide():
                return partial(self._controller.tell, turn_id, self._decide(act))
            case Cancel():
                (view,) = control.cancel([read.find(self._settings, turn_id)])
                is_over = view.state is not State.RUNNING
                return partial(self._controller.tell, turn_id, str(view.state) if is_over else "could not be cancelled")

    def _text(self, act: OpenPage) -> Callable[[], None]:
        from codex_server_cli.cli.terminal.text_sheet import TextSheet  # 0.1 s, for rich's Markdown

        directory = read.find(self._settings, act.turn_id)
        view = read.readable(directory)
        prompt = read.prompt_beginning(view, _PROMPT_BYTES)
        sheet = TextSheet(directory, partial(pages.prompt_rows, prompt, ink=self._ink))
        sheet.read(is_over=view.state is not State.RUNNING)
        return partial(self._controller.open, act, view, sheet)

    def _diff(self, act: OpenPage) -> Callable[[], None]:
        found = changes(read.find(self._settings, act.turn_id))
        is_running = found.view.state is State.RUNNING
        make = partial(pages.diff_rows, found.diff, found.changes_of, is_running=is_running, ink=self._ink)
        return partial(self._controller.open, act, found.view, Sheet(make))

    def _entry(self, act: Look) -> Entry | None:
        """The oldest request that fits the key, else the oldest."""
        pending = approvals.pending_of(read.readable(read.find(self._settings, act.turn_id)))
        fitting = [entry for entry in pending if act.intent is Intent.DECLINE or arrivals.fits(act.intent, entry)]
        return next(iter([*fitting, *pending]), None)

    def _decide(self, act: Decide) -> str:
        """Send a decision about the request as it was shown.

        Returns:
            What was decided, for people.
        """
        asked, directory = act.asked, read.find(self._settings, act.asked.turn_id)
        if asked.entry not in approvals.pending_of(read.readable(directory)):
            raise NotFoundError("it waits no more, or has changed: nothing was decided")
        id_ = str(asked.entry["id"])
        match asked.intent:
            case Intent.APPROVE:
                approvals.approve(directory, id_, is_for_session=act.is_for_session)
                return "approved for the rest of the turn" if act.is_for_session else "approved"
            case Intent.DECLINE:
                approvals.decline(directory, id_)
                return "declined"
            case Intent.REPLY:
                approvals.reply(directory, id_, dict(asked.answers))
                return "answered"
