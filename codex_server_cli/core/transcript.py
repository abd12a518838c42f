"""The text of `out.txt`, grown message by message. Owns what is shown when; the words are `blocks`'.

The agent's text is shown raw as it streams. After a retry Codex sends the whole response again, complete messages
and the open one, under the same item ids or new ones (protocol notes, section 5; seen with 0.163.0 and 0.171.0): what
is repeated is skipped, and where the new text differs one line says that the answer restarted. Must never touch a
file or judge an end.
"""

from __future__ import annotations

from collections.abc import Callable

from codex_server_cli.core import blocks
from codex_server_cli.core.rpc import Message, params_of, text_in

RESTARTED = "[the answer restarted]\n"


class Transcript:
    """Fold the messages of one turn into text. `feed` returns what the message adds to `out.txt`."""

    def __init__(self) -> None:
        self._last = ""  # the last text that was added: it tells whether a line is open
        self._shown: list[str] = []  # the open message's text, as far as out.txt shows it
        self._repeat: str | None = None  # what of it a retry is expected to send again
        self._repeated_chars = 0  # how much of that has come again
        self._response: list[str] = []  # the messages of the response under way, as out.txt shows them
        self._position = 0  # which of them is open, or comes next
        self._is_interrupted = False  # a block was shown since the open message's text
        self._user_messages = 0
        self._open_command: str | None = None  # the command whose line was the last thing added

    def feed(self, message: Message) -> str:
        """The text that this message of the turn adds; often none."""
        handler = _HANDLERS.get(message["method"])
        text = handler(self, message) if handler is not None else ""
        if text:
            self._last = text
        return text

    def note(self, line: str) -> str:
        """The text that a word of our own adds: a line between two blocks."""
        self._last = text = self._block(line + "\n")
        return text

    # --- the agent's text

    def _on_delta(self, message: Message) -> str:
        return self._stream(text_in(params_of(message).get("delta")))

    def _stream(self, text: str) -> str:
        if not text:
            return ""
        return self._add(text) if self._repeat is None else self._compare(text, self._repeat)

    def _add(self, text: str) -> str:
        """More of the open message's text."""
        lead = self._gap() if self._is_interrupted or not self._shown else ""
        self._is_interrupted, self._open_command = False, None
        self._shown.append(text)
        return lead + text

    def _compare(self, delta: str, repeat: str) -> str:
        """What of `delta` is news, where a retry repeats what is shown already."""
        expected = repeat[self._repeated_chars : self._repeated_chars + len(delta)]
        if not delta.startswith(expected):
            return self._restart(repeat[: self._repeated_chars] + delta)
        self._repeated_chars += len(expected)
        if self._repeated_chars == len(repeat):
            self._repeat = None
        news = delta[len(expected) :]
        return self._add(news) if news else ""

    def _restart(self, text: str) -> str:
        self._repeat, self._is_interrupted, self._open_command = None, False, None
        self._shown = [text]
        return f"{self._line_end()}{RESTARTED}{text}"

    def _on_message_started(self, item: Message) -> str:
        """Expect what out.txt shows of this message already: it is open, or a retry sends it again."""
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

    def _on_response_end(self) -> str:
        self._response, self._position = [], 0
        return ""

    def _on_message_completed(self, item: Message) -> str:
        """Show what the deltas left out: the completed text is the authority."""
        whole, shown = text_in(item.get("text")), "".join(self._shown)
        self._repeat = None
        if not whole.startswith(shown):
            text = self._restart(whole)
        else:
            rest = whole[len(shown) :]
            text = self._add(rest) if rest else ""
        self._shown = []
        self._response[self._position : self._position + 1] = [whole]
        self._position += 1
        if not whole or (text or self._last).endswith("\n"):
            return text
        return text + "\n"

    # --- everything else

    def _on_item_started(self, message: Message) -> str:
        item = params_of(message).get("item")
        if not isinstance(item, dict):
            return ""
        if item.get("type") == "agentMessage":
            return self._on_message_started(item)
        if item.get("type") == "commandExecution":
            text = self._block(blocks.command_line(item))
            self._open_command = str(item.get("id"))
            return text
        return ""

    def _on_item_completed(self, message: Message) -> str:
        item = params_of(message).get("item")
        if not isinstance(item, dict):
            return ""
        if item.get("type") == "agentMessage":
            return self._on_message_completed(item)
        if item.get("type") == "userMessage":
            return self._on_user_message(item)
        if item.get("type") != "commandExecution":
            return self._block(blocks.item_block(item))
        if self._open_command == str(item.get("id")):
            self._open_command = None
            return blocks.command_end(item)
        # Something else was shown since its line: say again which command this is the end of.
        return self._block(blocks.command_line(item) + blocks.command_end(item))

    def _on_user_message(self, item: Message) -> str:
        """The first is the prompt; each further one has steered the turn."""
        self._user_messages += 1
        if self._user_messages == 1:
            return ""
        self._shown, self._repeat = [], None  # the response under way was cut off: what comes now is another one
        self._on_response_end()
        return self._block(blocks.user_block(item))

    def _block(self, text: str) -> str:
        if not text:
            return ""
        self._open_command, self._is_interrupted = None, True
        return self._gap() + text

    def _on_error(self, message: Message) -> str:
        params = params_of(message)
        if params.get("willRetry"):
            self._on_retry()
        return self._block(blocks.error_block(params))

    def _gap(self) -> str:
        """One blank line between blocks, none at the very beginning."""
        if not self._last:
            return ""
        return self._line_end() + "\n"

    def _line_end(self) -> str:
        return "" if not self._last or self._last.endswith("\n") else "\n"


_HANDLERS: dict[str, Callable[[Transcript, Message], str]] = {
    "item/agentMessage/delta": Transcript._on_delta,
    "item/started": Transcript._on_item_started,
    "item/completed": Transcript._on_item_completed,
    "turn/plan/updated": lambda self, message: self._block(blocks.plan_block(params_of(message))),
    "thread/tokenUsage/updated": lambda self, _message: self._on_response_end(),  # after every model response
    "error": Transcript._on_error,
    "warning": lambda self, message: self._block(blocks.notice_block("warning", params_of(message))),
    "guardianWarning": lambda self, message: self._block(blocks.notice_block("guardianWarning", params_of(message))),
    "model/rerouted": lambda self, message: self._block(blocks.notice_block("model/rerouted", params_of(message))),
}
