"""Background responses: each is a turn of ours, so that `codex-server` and the next `serve` know it, too.

Owns starting them, and what is done with them by id: reading, as a whole or as a stream, cancelling, deleting. Their
permissions are those that `serve` was started with, and no request can widen them: `turns.consent` checks each.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.actions.control import control
from codex_server_cli.actions.control.delete import delete
from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.asked import asked_of
from codex_server_cli.actions.read.feed import Turn
from codex_server_cli.actions.start.options import Once, StartOptions
from codex_server_cli.actions.start.start import Started
from codex_server_cli.actions.start.thread_end import is_last_of_thread
from codex_server_cli.core.model.codex_toml import text_value
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.core.openai.responses.items import shown_input
from codex_server_cli.core.openai.responses.turn_document import input_items, response_id, turn_id_in, turn_response
from codex_server_cli.core.openai.responses.turn_request import TurnAsk, parse_turn_ask
from codex_server_cli.core.protocol.rpc import object_at, text_or_none
from codex_server_cli.errors import BusyError, NotFoundError
from codex_server_cli.gateway.http_answers import EventStream, json_answer
from codex_server_cli.gateway.responses.memory import RememberedResponse
from codex_server_cli.gateway.responses.pages import deleted, page_of
from codex_server_cli.gateway.responses.turn_stream import FIRST, ResponseStream, whole_response
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.turns.face import TurnsFace
from codex_server_cli.gateway.turns.query import QueryOf
from codex_server_cli.gateway.turns.starter import Forks, NextTurn, Starter, idempotency_key

_INSTRUCTIONS = "developer_instructions"
_MOST_BEFORE = 1000
"""How many turns back a conversation is followed."""


class Background:
    """The background responses of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._options = gateway.options
        self._face = gateway.shared(TurnsFace)
        self._starter = gateway.shared(Starter)

    async def create(self, request: Request, body: Any) -> Response:
        """Start a turn, and respond with its current state, or with its stream.

        Args:
            body: the JSON value of the request's body.
        """
        options = self._options
        ask = parse_turn_ask(body, aliases=options.model_aliases, is_strict=options.is_strict)
        started = await self._start(ask, idempotency_key(request))
        headers = {"x-codex-ignored": ",".join(ask.ignored)} if ask.ignored else {}
        if ask.is_stream:
            return self._stream(read.directory_of(started.view), started.view, FIRST, headers)
        return json_answer(await self._document(read.directory_of(started.view), started.view), headers=headers)

    async def retrieve(self, request: Request, turn_id: str) -> Response:
        """The current state of a response, or its stream after an event."""
        query = QueryOf(request, "stream", "starting_after", may_have_more=True)
        after = query.number("starting_after")
        directory, view = await self._find(turn_id)
        if not query.switch("stream"):
            return json_answer(await self._document(directory, view))
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        return self._stream(directory, view, FIRST if after is None else after, {})

    async def cancel(self, request: Request, turn_id: str) -> Response:
        """Interrupt a response. One that has ended is left as it is."""
        directory, view = await self._find(turn_id)
        if view.state is State.RUNNING:
            (view,) = await self._face.act(control.cancel, [directory])
        if view.state is State.RUNNING:
            raise BusyError(f"{response_id(turn_id)} could not be ended", hint="Its worker does not react.")
        return json_answer(await self._document(directory, view))

    async def remove(self, request: Request, turn_id: str) -> Response:
        """Delete an ended response."""
        directory, _ = await self._find(turn_id)
        await self._face.act(delete, self._face.settings, directory)
        return json_answer(deleted(response_id(turn_id)))

    async def input_items(self, request: Request, turn_id: str) -> Response:
        """List the input of a response."""
        directory, view = await self._find(turn_id)
        asked = await self._face.look(asked_of, directory, view)
        return json_answer(page_of(shown_input(input_items(*asked, view), turn_id), request))

    async def remembered(self, id_: str) -> RememberedResponse | None:
        """A background response, and all before it, in the form that an immediate response can continue.

        Returns:
            None if the id is not a turn.

        Raises:
            ApiError: 400, it has not ended, or one before it is missing.
        """
        turn_id = turn_id_in(id_)
        if turn_id is None:
            return None
        way_back: list[tuple[Turn, TurnView]] = []
        while turn_id is not None:
            try:
                way_back.append(await self._find(turn_id))
            except ApiError:  # deleted: so part of the conversation is missing
                if not way_back:
                    return None
                raise _gone(id_, turn_id) from None
            if way_back[0][1].state is State.RUNNING:
                raise _in_progress(id_)
            turn_id = text_or_none(way_back[-1][1].meta.get("resumed_from"))
            if len(way_back) >= _MOST_BEFORE and turn_id is not None:
                raise _gone(id_, turn_id)
        found: RememberedResponse | None = None
        for directory, view in reversed(way_back):
            found = await self._face.act(_remembered, directory, view, found)
        return found

    # --- starting

    async def _start(self, ask: TurnAsk, key: str | None) -> Started:
        consent = self._face.consent
        options = StartOptions(
            ask.prompt,
            model=ask.model,
            effort=ask.effort,
            schema=ask.schema,
            images=ask.pictures,
            sandbox=Sandbox.WORKSPACE_WRITE if consent.may_write else Sandbox.READ_ONLY,
            once=Once(key) if key is not None else None,
            echo=ask.echo,
        )
        options = await self._face.look(consent.checked, options)
        if ask.previous is None:
            return await self._starter.start_new(_with_settings(options, ask, ask.instructions))
        call = {"verb": ["continue"], "--turn": [str(turn_id_in(ask.previous))]}
        asked = _with_settings(options, ask, ask.instructions)
        return await self._starter.start_next(asked, call, partial(self._next, ask, ask.previous))

    def _next(self, ask: TurnAsk, previous: str, options: StartOptions) -> NextTurn:
        """What a response continues: the previous one's thread, if that ends with it and nothing else writes to it."""
        directory, view = self._found_previous(previous)
        instructions = object_at(view.meta, "request.config").get(_INSTRUCTIONS)
        if ask.instructions not in (None, instructions):
            message = (
                "`instructions` cannot change in a conversation in the background: its thread keeps those that it began"
                " with. Leave them out, or send the same."
            )
            raise invalid(message, "instructions", "unsupported_value")
        is_newest = is_last_of_thread(self._face.settings, view)
        forks = Forks(fork=not is_newest, fork_if_busy=is_newest)  # another request may be about to continue it
        return NextTurn(directory, _with_settings(options, ask, instructions), forks)

    def _found_previous(self, id_: str) -> tuple[Turn, TurnView]:
        turn_id = turn_id_in(id_)
        if turn_id is None:
            message = (
                f"`previous_response_id` {id_[:80]!r} is no response in the background: one in the background can only"
                " continue another."
            )
            raise invalid(message, "previous_response_id", "previous_response_not_found")
        try:
            directory, view = self._found(turn_id)
        except ApiError as error:
            raise invalid(error.message, "previous_response_id", "previous_response_not_found") from error
        if view.state is State.RUNNING:
            raise _in_progress(id_)
        return directory, view

    # --- reading

    async def _find(self, turn_id: str) -> tuple[Turn, TurnView]:
        """A turn, and its status.

        Raises:
            ApiError: 404, there is none.
            HomeError: it belongs to another user.
        """
        return await self._face.act(self._found, turn_id)

    def _found(self, turn_id: str) -> tuple[Turn, TurnView]:
        try:
            directory = read.find(self._face.settings, turn_id, None)
        except NotFoundError:
            raise _not_found(turn_id) from None
        read.status_after_repair(directory)
        view = read.readable(directory)
        if view.state is State.MISSING:
            raise _not_found(turn_id)
        return directory, view

    async def _document(self, directory: Turn, view: TurnView) -> dict[str, Any]:
        if view.state is State.RUNNING:
            return turn_response(view)
        return await self._face.act(whole_response, directory, view)

    def _stream(self, directory: Turn, view: TurnView, after: int, headers: Mapping[str, str]) -> Response:
        stream = ResponseStream(self._face, directory, view, after)
        return EventStream(stream.events(), headers, failure_events=stream.failure_events)


def _remembered(directory: Turn, view: TurnView, before: RememberedResponse | None) -> RememberedResponse:
    response = whole_response(directory, view)
    return RememberedResponse(response, input_items(*asked_of(directory, view), view), response["output"], before)


def _with_settings(options: StartOptions, ask: TurnAsk, instructions: str | None) -> StartOptions:
    """With keys of Codex's configuration that only affect the style of answers: clients choose none of the names."""
    settings = {**ask.settings, **({_INSTRUCTIONS: instructions} if instructions else {})}
    return options._replace(config=tuple(f"{name}={text_value(value)}" for name, value in settings.items()))


def _in_progress(id_: str) -> ApiError:
    return invalid(f"{id_} is still in progress.", "previous_response_id", "response_in_progress")


def _gone(id_: str, turn_id: str) -> ApiError:
    message = (
        f"{id_} goes on from {response_id(turn_id)}, which was deleted or lies too far back. A response in the"
        " background can go on from it all the same."
    )
    return invalid(message, "previous_response_id", "previous_response_not_found")


def _not_found(turn_id: str) -> ApiError:
    message = f"Response with id {response_id(turn_id)!r} not found: there is no such turn, or it was deleted."
    return ApiError(404, message, code="response_not_found", param="response_id")
