"""Text and reasoning of the model in one HTTP response, as items of a Response and the events of their stream.

Each message of the model is a separate item with its `phase`, commentary too; so is each piece of reasoning. If the
answer must be JSON, commentary is shown only if calls follow, or there is no other text: many clients parse all text
together as JSON. If the request needs raw items, the end of an item is sent when its raw form has arrived, because only
that has the citations and the encrypted reasoning, or when it is certain that none will come.
"""

from __future__ import annotations

from codex_server_cli.core.openai.answer.code_fence import CodeFence
from codex_server_cli.core.openai.answer.content import annotations_in
from codex_server_cli.core.openai.answer.spoken import SpokenMessages
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.responses.document import Json
from codex_server_cli.core.openai.responses.events import StreamEvent
from codex_server_cli.core.openai.responses.said import RefusedItem, SaidItem
from codex_server_cli.core.openai.responses.thinking import Thinking
from codex_server_cli.core.protocol.rpc import Message, object_at, text_in


class ResponseContent:
    """The output of one Response without calls. See `AnswerContent`; the pieces are events.

    Args:
        request: the request to answer.
        seed: makes the ids of its items unique.
        has_encrypted: whether reasoning is shown with its encrypted content.
    """

    def __init__(self, request: ChatRequest, seed: str, *, has_encrypted: bool = False) -> None:
        self._request, self._seed, self._has_encrypted = request, seed, has_encrypted
        self._is_json = request.output_schema is not None or request.is_json_object or request.forced is not None
        self._messages = SpokenMessages(SaidItem)
        self._thinking: dict[str, Thinking] = {}  # the last one of each id
        self._items: list[SaidItem | Thinking | RefusedItem] = []
        self._n_ids = 0

    # --- what has come so far

    @property
    def text(self) -> str:
        """The text that is shown."""
        return "".join(self.texts)

    @property
    def texts(self) -> list[str]:
        """The same by message."""
        return ["".join(each.shown) for each in self._items if isinstance(each, SaidItem)]

    @property
    def raw(self) -> str:
        """The whole text of the model, shown or not; no commentary."""
        return "\n\n".join(each.text for each in self._messages.all if not each.is_commentary)

    @property
    def is_stopped(self) -> bool:
        """Never: a Response has no stop sequences."""
        return False

    @property
    def is_refused(self) -> bool:
        """See `SpokenMessages`."""
        return self._messages.is_refused

    @property
    def is_answered(self) -> bool:
        """See `SpokenMessages`."""
        return self._messages.is_answered

    @property
    def is_fixed(self) -> bool:
        """Whether the client of a stream has received a part of an open message."""
        return self._request.is_stream and any(each.id is not None for each in self._messages.open)

    def output(self, *, has_encrypted: bool | None = None) -> list[Json]:
        """The items so far; one that has not ended counts as incomplete.

        Args:
            has_encrypted: None for what the client gets.
        """
        is_whole = self._has_encrypted if has_encrypted is None else has_encrypted
        return [each.document(has_encrypted=is_whole) for each in self._items]

    # --- messages of the turn

    def take(self, method: str, params: Message) -> list[StreamEvent]:
        """Take a notification about an item of the turn."""
        if (spoken := self._messages.take(method, params)) is not None:
            return [*self._say(spoken.message, spoken.text), *self._end_of(spoken.message)]
        item = object_at(params, "item")
        match method:
            case "item/started" | "item/completed" if item.get("type") == "reasoning":
                begun, thinking = self._think(text_in(item.get("id")))
                is_end = method == "item/completed"
                return [*begun, *thinking.complete(item.get("summary")), *self._end_of(thinking)] if is_end else begun
            case "item/reasoning/summaryPartAdded":
                begun, thinking = self._think(text_in(params.get("itemId")))
                return [*begun, *thinking.end_part()]
            case "item/reasoning/summaryTextDelta":
                begun, thinking = self._think(text_in(params.get("itemId")))
                return [*begun, *thinking.add(text_in(params.get("delta")))]
        return []

    def take_raw(self, item: Message) -> list[StreamEvent]:
        """Take a raw item: it ends the item with its id."""
        if item.get("type") == "reasoning":
            begun, thinking = self._think(text_in(item.get("id")), is_end=True)
            thinking.encrypted = item.get("encrypted_content") or None
            return [*begun, *thinking.close(has_encrypted=self._has_encrypted)]
        message = self._messages.last(text_in(item.get("id")))
        if item.get("type") != "message" or message is None or not message.is_open:
            return []
        cited = message.cite(annotations_in(item))
        return [*cited, *message.close()] if message.is_complete else cited

    def _end_of(self, item: SaidItem | Thinking) -> list[StreamEvent]:
        """The end of a complete item, unless its raw form is still expected."""
        is_end = item.is_complete and item.is_open and not self._request.needs_raw_items
        return item.close(has_encrypted=False) if is_end else []

    def _say(self, message: SaidItem, text: str) -> list[StreamEvent]:
        is_kept_back = self._is_json if message.is_commentary else self._request.forced is not None
        return [] if is_kept_back else self._show(message, text)

    def _show(self, message: SaidItem, text: str, *, is_last: bool = False) -> list[StreamEvent]:
        if self._request.is_json_object and not message.is_commentary:
            message.fence = message.fence or CodeFence()
            text = message.fence.feed(text) + (message.fence.flush() if is_last else "")
        if not text:
            return []
        begun = [*self._close(), *message.begin(*self._place(message, "msg"))] if message.id is None else []
        return [*begun, message.show(text)]

    def _think(self, id_: str, *, is_end: bool = False) -> tuple[list[StreamEvent], Thinking]:
        """The reasoning of this id; a new one if that was closed, unless this is its end, too."""
        thinking = self._thinking.get(id_)
        if thinking is not None and (thinking.is_open or is_end):
            return [], thinking
        closed = self._close()
        thinking = self._thinking[id_] = Thinking()
        index, item_id = self._place(thinking, "rs")
        return [*closed, thinking.begin(index, item_id)], thinking

    def _place(self, item: SaidItem | Thinking, kind: str) -> tuple[int, str]:
        """Append an item to the output; returns its index and id."""
        self._items.append(item)
        self._n_ids += 1
        return len(self._items) - 1, f"{kind}_{self._seed}{self._n_ids}"

    def _close(self, *, is_all: bool = False) -> list[StreamEvent]:
        """Close the items that are complete, or all."""
        closed: list[StreamEvent] = []
        for item in self._items:
            if not isinstance(item, RefusedItem) and item.is_open and (is_all or item.is_complete):
                closed += item.close(has_encrypted=self._has_encrypted)
        return closed

    # --- several responses of the model, and the end

    def keep(self) -> None:
        """See `SpokenMessages`."""
        self._messages.keep()

    def restart(self) -> list[StreamEvent]:
        """See `SpokenMessages`. A stream has sent only reasoning, which is closed as it is."""
        self._messages.restart()
        self._thinking = {}
        if self._request.is_stream:
            return self._close(is_all=True)
        self._items = [each for each in self._items if each.is_complete]
        return []

    def before_calls(self) -> list[StreamEvent]:
        """Commentary becomes the text beside the calls."""
        return [*self._tell_commentary(), *self.flush()]

    def end(self) -> list[StreamEvent]:
        """An answer that should have been a call, but is not, is text."""
        told = self._tell_answers() if self._request.forced is not None else self.flush()
        if not self.texts:
            told += self._tell_commentary()
        if self.is_refused and not self.texts:
            told += self._tell_refusal()
        return told

    def flush(self) -> list[StreamEvent]:
        """The text that the code fence has held back."""
        fenced = [each for each in self._messages.all if each.fence is not None]
        return [told for message in fenced for told in self._show(message, "", is_last=True)]

    def close(self) -> list[StreamEvent]:
        """Nothing more will come: close what is open."""
        return self._close(is_all=True)

    def _tell_answers(self) -> list[StreamEvent]:
        answers = [each for each in self._messages.all if not each.is_commentary]
        return [told for message in answers for told in self._show(message, message.text)]

    def _tell_commentary(self) -> list[StreamEvent]:
        untold = [each for each in self._messages.all if each.is_commentary and each.id is None]
        return [told for message in untold for told in self._show(message, message.text)]

    def _tell_refusal(self) -> list[StreamEvent]:
        closed = self._close(is_all=True)
        refused = RefusedItem(len(self._items), f"msg_{self._seed}r")
        self._items.append(refused)
        return [*closed, *refused.told]
