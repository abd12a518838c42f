"""Inline approvals and questions of a turn: one request at a time, one question of it at a time.

Owns which request is shown to the user, and the answers so far. A line decides only the request that was shown when it
was typed. Must never decide anything by itself: the worker ends an unanswered request.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from codex_server_cli.actions.control import approvals
from codex_server_cli.actions.conversation import ChatTurn
from codex_server_cli.cli.chat.calls import off_loop
from codex_server_cli.errors import BusyError, CodexServerError, NotFoundError
from codex_server_cli.render import approvals as approval_text
from codex_server_cli.render.approvals import Verdict
from codex_server_cli.render.chat_blocks import Block, BlockKind, asked_block
from codex_server_cli.render.escape import one_line


class Editor(Protocol):
    """What the line editor does for a question: its draft is saved, and restored afterwards."""

    def set_aside(self) -> None:
        """Save the draft and empty the editor."""

    def bring_back(self, *, was_secret: bool = False) -> None:
        """Restore the draft; a half-typed secret must not be used as other input."""

    def begin_reading(self) -> None:
        """A request was just shown: input typed before is not an answer to it."""


def has_secret(entry: dict[str, Any]) -> bool:
    """Whether an answer to this request may be a secret."""
    return any(question.get("isSecret") for question in approval_text.questions_of(entry))


def named(entry: dict[str, Any], line: str) -> str:
    """How a note names a line that came too late for a request: its beginning; a secret is not repeated."""
    return "that answer" if has_secret(entry) else f"“{one_line(line, 60)}”"


class ApprovalDialog:
    """The requests of one turn.

    Args:
        say: prints blocks above the editor.
        pass_on: called with the text for Codex that came with a decision.

    Attributes:
        entry: the request that is shown to the user; None if there is none.
        shown: counts the questions shown; it identifies the current one.
        is_interrupted: whether the user has interrupted the turn.
    """

    def __init__(
        self,
        chat_turn: ChatTurn,
        say: Callable[..., None],
        editor: Editor,
        pass_on: Callable[[str], Awaitable[None]],
    ) -> None:
        self.entry: dict[str, Any] | None = None
        self.shown = 0
        self.is_interrupted = False
        self._directory = chat_turn.directory
        self._say, self._editor, self._pass_on = say, editor, pass_on
        self._decided: set[str] = set()  # by us: `pending.json` still lists them for a moment
        self._sent: set[str] = set()  # their decision is still in the inbox: the worker did not react
        self._answers: dict[str, list[str]] = {}
        self._questions: list[dict[str, Any]] = []  # the unanswered ones

    @property
    def hint(self) -> str:
        """What may be typed now, in one line; empty if no request is shown."""
        if self.entry is None:
            return ""
        return (
            approval_text.question_choices(self._questions[0])
            if self._questions
            else approval_text.verdict_choices(self.entry)
        )

    @property
    def is_secret(self) -> bool:
        """Whether the answer must not be displayed."""
        return bool(self._questions and self._questions[0].get("isSecret"))

    def update(self, pending: list[dict[str, Any]]) -> None:
        """Show the next pending request; withdraw the shown one if it is no longer pending."""
        ids = [entry["id"] for entry in pending]
        if self.entry is not None and self.entry["id"] not in ids:
            if self.entry["id"] not in self._decided:
                whose = "what you sent was taken, or it was " if self.entry["id"] in self._sent else ""
                was_over = f"it waits no more: {whose}answered elsewhere, out of time, or its turn has ended"
                self._note("the turn was interrupted" if self.is_interrupted else was_over)
            self._close(was_secret=self.is_secret)
        if self.entry is None:
            waiting = next((entry for entry in pending if entry["id"] not in self._decided), None)
            if waiting is not None:
                self._ask(waiting)

    async def answer(self, entry: dict[str, Any], line: str) -> None:
        """Handle a line that was typed while `entry` was shown."""
        if self.entry is not entry:
            self._note(f"nothing waits any more for {named(entry, line)}")
        elif self._questions:
            await self._answer_question(entry, line)
        else:
            await self._answer_approval(entry, line)

    async def decline(self, reason: str = "") -> None:
        """Decline the shown request; `reason` is passed to Codex."""
        assert self.entry is not None
        id_ = self.entry["id"]
        if await self._decide(lambda: approvals.decline(self._directory, id_)) and reason:
            await self._pass_on(reason)

    # --- asking

    def _ask(self, entry: dict[str, Any]) -> None:
        self.entry = entry
        self._editor.set_aside()
        self._editor.begin_reading()  # also before it is drawn: the status line must not ask too soon
        block = asked_block(entry)
        if block is not None:
            self._say(block)
        self._begin_questions(entry)
        if not self._questions:
            self._begin_reading()

    def _begin_reading(self) -> None:
        self.shown += 1
        self._editor.begin_reading()

    def _begin_questions(self, entry: dict[str, Any]) -> None:
        self._answers, self._questions = (
            {},
            approval_text.questions_of(entry) if approval_text.wants_words(entry) else [],
        )
        self._show_question()

    def _show_question(self) -> None:
        if self._questions:
            self._editor.begin_reading()
            self._say(Block(BlockKind.ASKED, approval_text.question_text(self._questions[0])))
            self._begin_reading()

    def _close(self, *, was_secret: bool = False) -> None:
        self.entry, self._questions = None, []
        self._editor.bring_back(was_secret=was_secret)

    # --- answering

    async def _answer_approval(self, entry: dict[str, Any], line: str) -> None:
        decided = approval_text.read_verdict(entry, line)
        if decided is None:
            self._note(f"that decides nothing: {approval_text.verdict_choices(entry)}")
        elif decided.verdict is Verdict.DECLINE:
            await self.decline(decided.words)
        else:
            is_for_session = decided.verdict is Verdict.SESSION
            await self._decide(
                lambda: approvals.approve(self._directory, entry["id"], is_for_session=is_for_session),
            )

    async def _answer_question(self, entry: dict[str, Any], line: str) -> None:
        question, *rest = self._questions
        texts = approval_text.choose(question, line)
        if not all(approval_text.is_choice(question, text) for text in texts):
            self._note(f"that is none of the choices: {approval_text.question_choices(question)}")
            return
        if texts:
            self._answers[question["id"]] = texts
            self._say(Block(BlockKind.SAID, "•" * 8 if self.is_secret else ", ".join(texts)))
        elif question.get("isRequired", True):
            self._note("an answer is needed; /decline gives none")
            return
        self._questions = rest
        if rest:
            self._show_question()
            return
        given = self._answers
        if not await self._decide(lambda: approvals.reply(self._directory, entry["id"], given)) and self.entry is entry:
            self._begin_questions(entry)

    async def _decide(self, call: Callable[[], object]) -> bool:
        """Send a decision; if that fails while the request is pending, it remains the shown one."""
        entry, failure = self.entry, None
        assert entry is not None
        self._decided.add(entry["id"])
        try:
            await off_loop(call)
        except CodexServerError as error:
            failure = error
            self._note(f"{error.message}. {error.hint}" if error.hint else error.message)
        if isinstance(failure, BusyError):
            self._sent.add(entry["id"])
        if failure is not None and not isinstance(failure, NotFoundError):
            self._decided.discard(entry["id"])
        elif self.entry is entry:
            self._close()
        return failure is None

    def _note(self, text: str) -> None:
        self._say(Block(BlockKind.NOTE, text))
