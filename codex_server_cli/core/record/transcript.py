"""The displayed text of a turn, `out.txt`, built message by message, in pieces. Owns what is shown when; `item_text`
owns the wording.

The agent's text is shown raw as it streams. After a retry Codex resends the whole response, complete messages and
the open one, under the same item ids or new ones (protocol notes, section 5; seen with 0.163.0 and 0.171.0): repeated
text is skipped; if the new text differs, one line reports that the answer restarted. Must never touch a file or
decide an end.
"""

from __future__ import annotations

from collections.abc import Callable

from codex_server_cli.core.protocol.rpc import Message, at, params_of, text_in
from codex_server_cli.core.record import item_text
from codex_server_cli.core.record.pieces import Kind, Piece, Pieces

RESTARTED = "[the answer restarted]\n"

_KIND_OF_ITEM = {"fileChange": Kind.CHANGE, "reasoning": Kind.REASONING, "plan": Kind.PROPOSAL}


class Transcript:
    """Convert the messages of one turn into pieces. `feed` returns what the message adds.

    Args:
        denial_of: returns why the sandbox denied a command; None if it did not.
    """

    def __init__(self, denial_of: Callable[[Message], str | None] = lambda _item: None) -> None:
        self._denial_of = denial_of
        self._last = ""  # the last text that was added: it shows whether a line is open
        self._shown: list[str] = []  # the open message's text that is shown
        self._repeat: str | None = None  # the part of it that a retry is expected to resend
        self._repeated_chars = 0  # how much of that was resent
        self._response: list[str] = []  # the shown text of each message of the current response
        self._position = 0  # the index of the one that is open, or comes next
        self._is_interrupted = False  # a block was shown since the open message's text
        self._user_messages = 0
        self._open_command: str | None = None  # the command whose end can be shown without naming it again
        self._whole: set[object] | None = None  # after a lost connection: the messages that have started since

    def reattach(self) -> None:
        """The connection was lost: only the end of an open message has the text that was missed."""
        self._whole = set()

    def feed(self, message: Message) -> Pieces:
        """What this message of the turn adds; often nothing."""
        handler = _HANDLERS.get(message["method"])
        return handler(self, message) if handler is not None else ()

    def note(self, kind: Kind, line: str, item_id: object = None) -> Pieces:
        """Add a line of our own between two blocks.

        Args:
            item_id: the item that it is about; an open command stays open if the line is about it.
        """
        is_about_command = item_id is not None and item_id == self._open_command
        open_command = self._open_command if is_about_command else None
        pieces = self._block(kind, line + "\n")
        self._open_command = open_command
        return pieces

    def _piece(self, kind: Kind, text: str) -> Pieces:
        self._last = text or self._last
        return (Piece(kind, text),)

    # --- the agent's text

    def _on_delta(self, message: Message) -> Pieces:
        if self._whole is not None and params_of(message).get("itemId") not in self._whole:
            return ()
        return self._stream(text_in(params_of(message).get("delta")))

    def _stream(self, text: str) -> Pieces:
        if not text:
            return ()
        return self._add(text) if self._repeat is None else self._compare(text, self._repeat)

    def _add(self, text: str) -> Pieces:
        """More of the open message's text."""
        lead = self._gap() if self._is_interrupted or not self._shown else ""
        self._is_interrupted, self._open_command = False, None
        self._shown.append(text)
        self._last = text = lead + text
        return (Piece(Kind.ANSWER, text),)  # the hot path

    def _compare(self, delta: str, repeat: str) -> Pieces:
        """The new part of `delta`, when a retry repeats text that is already shown."""
        expected = repeat[self._repeated_chars : self._repeated_chars + len(delta)]
        if not delta.startswith(expected):
            return self._restart(repeat[: self._repeated_chars] + delta)
        self._repeated_chars += len(expected)
        if self._repeated_chars == len(repeat):
            self._repeat = None
        addition = delta[len(expected) :]
        return self._add(addition) if addition else ()

    def _restart(self, text: str) -> Pieces:
        self._repeat, self._is_interrupted, self._open_command = None, False, None
        self._shown = [text]
        restart = self._piece(Kind.RESTART, self._line_end() + RESTARTED)
        return (*restart, *self._piece(Kind.ANSWER, text)) if text else restart

    def _on_message_started(self, item: Message) -> Pieces:
        """Expect the part of this message that is already shown: it is open, or a retry resends it."""
        if self._whole is not None:
            self._whole.add(item.get("id"))
        self._keep_open_message()
        shown = self._response[self._position : self._position + 1]
        self._shown = shown
        self._repeat, self._repeated_chars = "".join(shown) or None, 0
        return self._stream(text_in(item.get("text")))

    def _keep_open_message(self) -> None:
        if self._shown:
            self._response[self._position : self._position + 1] = ["".join(self._shown)]

    def _on_retry(self) -> None:
        self._keep_open_message()
        self._shown, self._repeat, self._position = [], None, 0

    def _on_response_end(self) -> Pieces:
        self._response, self._position = [], 0
        return ()

    def _on_message_completed(self, item: Message) -> Pieces:
        """Show the text that the deltas lacked: the completed text is authoritative."""
        whole, shown = text_in(item.get("text")), "".join(self._shown)
        self._repeat = None
        if not whole.startswith(shown):
            pieces = self._restart(whole)
        else:
            rest = whole[len(shown) :]
            pieces = self._add(rest) if rest else ()
        self._shown = []
        self._response[self._position : self._position + 1] = [whole]
        self._position += 1
        return (*pieces, *self._piece(Kind.ANSWER_END, self._line_end() if whole else ""))

    # --- everything else

    def _on_item_started(self, message: Message) -> Pieces:
        item = at(message, "params.item", dict)
        if item is None:
            return ()
        if item.get("type") == "agentMessage":
            return self._on_message_started(item)
        if item.get("type") == "commandExecution":
            pieces = self._block(Kind.COMMAND, item_text.command_line(item))
            self._open_command = str(item.get("id"))
            return pieces
        return ()

    def _on_item_completed(self, message: Message) -> Pieces:
        item = at(message, "params.item", dict)
        if item is None:
            return ()
        type_ = str(item.get("type"))
        if type_ == "agentMessage":
            return self._on_message_completed(item)
        if type_ == "userMessage":
            return self._on_user_message(item)
        if type_ == "commandExecution":
            return self._on_command_completed(item)
        return self._block(_KIND_OF_ITEM.get(type_, Kind.NOTICE), item_text.item_block(item))

    def _on_command_completed(self, item: Message) -> Pieces:
        """How it ended; its line is repeated first if something else was shown since."""
        line: Pieces = ()
        if self._open_command != str(item.get("id")):
            line = self._block(Kind.COMMAND, item_text.command_line(item))
        self._open_command, self._is_interrupted = None, True
        is_denied = self._denial_of(item) is not None
        return (*line, *self._piece(Kind.OUTPUT, item_text.command_end(item, is_denied=is_denied)))

    def _on_user_message(self, item: Message) -> Pieces:
        """The first one is the prompt; later ones steer the turn."""
        self._user_messages += 1
        if self._user_messages == 1:
            return ()
        self._shown, self._repeat = [], None  # the current response was cut off: another one follows
        self._on_response_end()
        return self._block(Kind.SAID, item_text.user_block(item))

    def _block(self, kind: Kind, text: str) -> Pieces:
        if not text:
            return ()
        self._open_command, self._is_interrupted = None, True
        return self._piece(kind, self._gap() + text)

    def _on_error(self, message: Message) -> Pieces:
        params = params_of(message)
        is_retry = bool(params.get("willRetry"))
        if is_retry:
            self._on_retry()
        return self._block(Kind.NOTICE if is_retry else Kind.ERROR, item_text.error_block(params))

    def _on_warning(self, message: Message) -> Pieces:
        return self._block(Kind.WARNING, item_text.notice_block(message["method"], params_of(message)))

    def _gap(self) -> str:
        """One blank line between blocks, none at the very beginning."""
        if not self._last:
            return ""
        return self._line_end() + "\n"

    def _line_end(self) -> str:
        return "" if not self._last or self._last.endswith("\n") else "\n"


_HANDLERS: dict[str, Callable[[Transcript, Message], Pieces]] = {
    "item/agentMessage/delta": Transcript._on_delta,
    "item/started": Transcript._on_item_started,
    "item/completed": Transcript._on_item_completed,
    "turn/plan/updated": lambda self, message: self._block(Kind.PLAN, item_text.plan_block(params_of(message))),
    "thread/tokenUsage/updated": lambda self, _message: self._on_response_end(),  # after every model response
    "error": Transcript._on_error,
    "warning": Transcript._on_warning,
    "guardianWarning": Transcript._on_warning,
    "model/rerouted": Transcript._on_warning,
}
