"""The remembered responses: in this process only, within a memory limit.

Owns: what is kept of a response, and how long.
Never here: the shape of a document or an item (`core.openai.responses`), HTTP.
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any

from codex_server_cli.core.openai.messages import Item
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.document import Json
from codex_server_cli.core.openai.responses.items import output_as_items, shown_input, shown_item
from codex_server_cli.gateway.upstream.weight import characters

SIZE = 1000
MOST_CHARACTERS = 64 * 1024 * 1024
_PER_VALUE = 100
"""Bytes that a value takes besides its text."""
SEED_CHARACTERS = 32
"""The random part of a response's id, after `resp_`; the ids of its items contain it after other prefixes."""


def size_of(value: Any) -> int:
    """The approximate size of a JSON value, in characters; takes a second for millions of values."""
    return characters(value, per_value=_PER_VALUE)


class RememberedResponse:
    """One response, linked to the one that it continues.

    Args:
        document: as sent to the client.
        input_items: those that its request added to the conversation.
        output: its output, with encrypted reasoning.
        before: the response that it continues; None at the beginning of the conversation.
        input_size: `size_of` the items, if known.

    Attributes:
        id: `resp_…`.
        document: as given.
        output: as given.
        characters: its size, without the responses before it.
        all_characters: its size with them.
        is_counted: whether a memory has counted it and all before it.
    """

    def __init__(
        self,
        document: Json,
        input_items: Sequence[Item],
        output: Sequence[Json],
        before: RememberedResponse | None,
        *,
        input_size: int | None = None,
    ) -> None:
        self.id: str = document["id"]
        self.document, self.output, self._before = document, output, before
        self._input, self._seed = tuple(input_items), self.id.removeprefix("resp_")
        self._output = output_as_items(output)
        input_size = size_of(self._input) if input_size is None else input_size
        self.characters = size_of([document, self._output]) + input_size
        self.is_counted = False
        self.all_characters: int = self.characters + (before.all_characters if before is not None else 0)

    @property
    def input(self) -> list[Json]:
        """Its input items, with ids."""
        return shown_input(self._input, self._seed)

    def find_item(self, item_id: str) -> Json | None:
        """The item with this id, from its input or its output."""
        index = item_id.partition(f"_{self._seed}i")[2]
        if not (index.isascii() and index.isdigit() and len(index) < 8):
            return next((item for item in self.output if item["id"] == item_id), None)
        given = self._input[int(index) :][:1]
        shown = [shown_item(item, f"{self._seed}i{index}") for item in given]
        return next((item for item in shown if item["id"] == item_id), None)

    def conversation(self) -> tuple[Item, ...]:
        """The conversation up to its end, in the form of `thread/inject_items`."""
        way = reversed(list(self.way_back()))
        return tuple(item for each in way for item in (*each._input, *each._output))

    def way_back(self) -> Iterator[RememberedResponse]:
        """This response, the one before it, and so on."""
        at: RememberedResponse | None = self
        while at is not None:
            yield at
            at = at._before


class ResponseMemory:
    """Remembered responses by id; the least recently used one is evicted first.

    Args:
        size: the maximum number.
        most_characters: the maximum total size, including all responses that they continue.
    """

    def __init__(self, *, size: int = SIZE, most_characters: int = MOST_CHARACTERS) -> None:
        self._size, self._most = size, most_characters
        self._responses: OrderedDict[str, RememberedResponse] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._responses)

    def remember(self, response: RememberedResponse) -> None:
        """Remember a response unless it is too large, and evict what no longer fits."""
        if response.all_characters > self._most:
            return
        self._count(response)
        self._responses[response.id] = response
        del response
        while self._responses and (len(self._responses) > self._size or self._characters > self._most):
            self.forget(next(iter(self._responses)))

    def _count(self, response: RememberedResponse) -> None:
        """Count it and the responses before it, which may never have been in this memory, or not any more."""
        for each in response.way_back():
            if each.is_counted:
                break
            each.is_counted = True
            self._characters += each.characters
            weakref.finalize(each, self._release, each.characters).atexit = False

    def _release(self, size: int) -> None:
        self._characters -= size

    def get(self, response_id: str) -> RememberedResponse | None:
        """The response with this id."""
        if response_id in self._responses:
            self._responses.move_to_end(response_id)
        return self._responses.get(response_id)

    def find_item(self, item_id: str) -> Json | None:
        """The item with this id, from the input or output of a response."""
        response = self._responses.get(f"resp_{item_id.partition('_')[2][:SEED_CHARACTERS]}")
        return response.find_item(item_id) if response is not None else None

    def forget(self, response_id: str) -> bool:
        """Forget a response; false if it is unknown. Responses that continue it keep its conversation."""
        return self._responses.pop(response_id, None) is not None


class ReferredItems:
    """The items that one request refers to: a short request may refer to a long item thousands of times.

    Args:
        before: the response that the request continues.
        most_characters: the maximum size of both together.
    """

    def __init__(
        self,
        memory: ResponseMemory,
        before: RememberedResponse | None,
        *,
        most_characters: int = MOST_CHARACTERS,
    ) -> None:
        self._memory, self._n_left = memory, most_characters
        if before is not None:
            self._take(before.all_characters, "previous_response_id")

    def find(self, item_id: str) -> Json | None:
        """The item with this id, if it is remembered.

        Raises:
            ApiError: 413, the total is too large.
        """
        item = self._memory.find_item(item_id)
        self._take(characters(item), "input")
        return item

    def _take(self, size: int, param: str) -> None:
        self._n_left -= size
        if self._n_left < 0:
            message = "What the request goes on from, and refers to, is too long."
            raise ApiError(413, message, code="request_too_large", param=param)
