"""The responses that are remembered: in this process alone, until there is no more room.

Owns: what is kept of a response, and for how long.
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
"""Bytes that a value takes beside its text."""
SEED_CHARACTERS = 32
"""Of a response's id behind `resp_`; the ids of its items begin with them, too, behind a prefix of their own."""


def size_of(value: Any) -> int:
    """How much a JSON value takes, roughly, in characters; of millions of values that takes a second to find out."""
    return characters(value, per_value=_PER_VALUE)


class RememberedResponse:
    """One response, behind the one that it went on from.

    Args:
        document: as the client has it.
        input_items: what its request added to the conversation.
        output: its output, with encrypted reasoning.
        before: None where the conversation begins.
        input_size: of the items, where it is known: `size_of`.

    Attributes:
        id: `resp_…`.
        document: as given.
        output: as given.
        characters: how much it is, without what was before.
        all_characters: the same with it.
        is_counted: whether a memory has counted it, and all before it.
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
        """The item of this id, of its input or its output."""
        index = item_id.partition(f"_{self._seed}i")[2]
        if not (index.isascii() and index.isdigit() and len(index) < 8):
            return next((item for item in self.output if item["id"] == item_id), None)
        given = self._input[int(index) :][:1]
        shown = [shown_item(item, f"{self._seed}i{index}") for item in given]
        return next((item for item in shown if item["id"] == item_id), None)

    def conversation(self) -> tuple[Item, ...]:
        """The conversation up to its end, as `thread/inject_items` takes it."""
        way = reversed(list(self.way_back()))
        return tuple(item for each in way for item in (*each._input, *each._output))

    def way_back(self) -> Iterator[RememberedResponse]:
        """It, the one before it, and so on."""
        at: RememberedResponse | None = self
        while at is not None:
            yield at
            at = at._before


class ResponseMemory:
    """Remembered responses by id; the one that was used longest ago is forgotten first.

    Args:
        size: how many.
        most_characters: how much they may be together, with all that they go on from.
    """

    def __init__(self, *, size: int = SIZE, most_characters: int = MOST_CHARACTERS) -> None:
        self._size, self._most = size, most_characters
        self._responses: OrderedDict[str, RememberedResponse] = OrderedDict()
        self._characters = 0

    def __len__(self) -> int:
        return len(self._responses)

    def remember(self, response: RememberedResponse) -> None:
        """Remember one, unless it is too large for that, and forget what there is no room for any longer."""
        if response.all_characters > self._most:
            return
        self._count(response)
        self._responses[response.id] = response
        del response
        while self._responses and (len(self._responses) > self._size or self._characters > self._most):
            self.forget(next(iter(self._responses)))

    def _count(self, response: RememberedResponse) -> None:
        """Count it, and what it keeps alive, which may never have had a place here, or has it no longer."""
        for each in response.way_back():
            if each.is_counted:
                break
            each.is_counted = True
            self._characters += each.characters
            weakref.finalize(each, self._release, each.characters).atexit = False

    def _release(self, size: int) -> None:
        self._characters -= size

    def get(self, response_id: str) -> RememberedResponse | None:
        """The response of this id."""
        if response_id in self._responses:
            self._responses.move_to_end(response_id)
        return self._responses.get(response_id)

    def find_item(self, item_id: str) -> Json | None:
        """The item of this id, of the input or the output of a response."""
        response = self._responses.get(f"resp_{item_id.partition('_')[2][:SEED_CHARACTERS]}")
        return response.find_item(item_id) if response is not None else None

    def forget(self, response_id: str) -> bool:
        """Forget one; whether there was one. What goes on from it still knows its conversation."""
        return self._responses.pop(response_id, None) is not None


class ReferredItems:
    """The items that one request refers to. A short one may refer to a long one, thousands of times.

    Args:
        before: what it goes on from.
        most_characters: how much both may be together.
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
        """The item of this id, if it is remembered.

        Raises:
            ApiError: 413, it is too much.
        """
        item = self._memory.find_item(item_id)
        self._take(characters(item), "input")
        return item

    def _take(self, size: int, param: str) -> None:
        self._n_left -= size
        if self._n_left < 0:
            message = "What the request goes on from, and refers to, is too long."
            raise ApiError(413, message, code="request_too_large", param=param)
