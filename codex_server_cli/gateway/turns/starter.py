"""`POST /turns` and `POST /turns/ID/continue`: starting turns. Owns the way from a body to an action and a response.

A turn's worker is a child of this process until either exits: it is reaped here, and outlives this process.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.actions.control.prepare import Worker, prepare_later
from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.feed import Turn
from codex_server_cli.actions.start import start, threads
from codex_server_cli.actions.start.once import only_once
from codex_server_cli.actions.start.options import StartOptions, ThreadChoice
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.errors import UsageError
from codex_server_cli.gateway.http_answers import read_json
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.turns import parameters
from codex_server_cli.gateway.turns.face import TurnsFace, document_answer
from codex_server_cli.gateway.turns.parameters import CONTINUE, OF_A_SHELL, PROMPT, START
from codex_server_cli.gateway.turns.query import FULL, QueryOf
from codex_server_cli.settings.config import read_config

KEY_HEADER = "Idempotency-Key"
_REAPED_EVERY_S = 2.0
MOST_TURNS = 256
"""Running turns started by this gateway: far more than are used at once, far less than harm a machine."""
Call = dict[str, list[str]]


class Starter:
    """Starts the turns of one gateway; get it from `gateway.shared`.

    Attributes:
        face: the turns.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.face = gateway.shared(TurnsFace)
        self._workers: list[Worker] = []
        self._begun: set[Worker] = set()  # being started: not in the other set yet
        self._lock = threading.Lock()
        self._reaping: asyncio.TimerHandle | None = None

    async def new(self, request: Request) -> Response:
        """Start a turn on a new thread."""
        is_full = QueryOf(request, *FULL).switch("full")
        body = parameters.members_of(await read_json(request), (PROMPT, *START), OF_A_SHELL)
        return _answer(await self.start_new(await self._options(request, body)), is_full=is_full)

    async def go_on(self, request: Request) -> Response:
        """Start the next turn on a turn's thread."""
        is_full = QueryOf(request, *FULL).switch("full")
        body = parameters.members_of(await read_json(request), (PROMPT, *START, *CONTINUE), OF_A_SHELL)
        forks = Forks(**parameters.read(body, CONTINUE))
        options = await self._options(request, body)
        if options.is_ephemeral and not any(forks):
            raise UsageError("--ephemeral needs --fork", hint="An existing thread stays what it is.")
        selector = request.path_params["turn"]
        call = {"verb": ["continue"], "--turn": [selector]}  # as given: it may select another turn by now
        call |= {f"--{name.replace('_', '-')}": [] for name, is_given in forks._asdict().items() if is_given}

        def choose(keyed: StartOptions) -> NextTurn:
            return NextTurn(self.face.found(selector), keyed, forks)

        return _answer(await self.start_next(options, call, choose), is_full=is_full)

    async def start_new(self, options: StartOptions) -> start.Started:
        """Start a turn on a new thread.

        Args:
            options: already passed by `consent.checked`.
        """
        if options.cwd is None:
            options = options._replace(cwd=self.face.consent.cwd)
        settings = self.face.settings
        return await self._start(options, {"verb": ["new"]}, lambda keyed, launch: start.new(settings, keyed, launch))

    async def start_next(
        self, options: StartOptions, call: Call, choose: Callable[[StartOptions], NextTurn]
    ) -> start.Started:
        """Start the next turn on a turn's thread; checks the thread.

        Args:
            options: as `start_new`.
            call: what identifies a repeated call, besides its options.
            choose: decides what to continue, given the options; runs off the event loop, and only if no turn has
                this key yet: by then the thread is longer.
        """

        def begin(keyed: StartOptions, launch: Worker) -> start.Started:
            directory, chosen, forks = choose(keyed)
            self._check_turn(directory)
            choice = threads.choose_by_turn(self.face.settings, directory.turn_id, None)
            self._check_choice(choice, chosen)
            return start.go_on(
                self.face.settings,
                chosen,
                launch,
                choice,
                is_fork=forks.fork,
                may_fork_if_busy=forks.fork_if_busy,
            )

        return await self._start(options, call, begin)

    async def _options(self, request: Request, body: Mapping[str, Any]) -> StartOptions:
        given = parameters.read(body, START)
        key = idempotency_key(request)
        if key is not None and given.setdefault("once", key) != key:
            raise invalid(f"`once` is another key than the header {KEY_HEADER}", "once", "invalid_value")
        options = parameters.options_of(given, parameters.prompt_of(body))
        return await self.face.look(self.face.consent.checked, options)  # follows links

    async def launch(self, begin: Callable[[Worker], start.Started]) -> start.Started:
        """Start a turn off the event loop, and reap its worker when it exits."""
        self._sweep()
        worker = prepare_later()
        try:
            return await self.face.act(begin, worker)
        finally:
            with self._lock:
                self._begun.discard(worker)
                self._workers.append(worker)  # if refused, it was never spawned, or was told to exit
            self._reap_later()

    def check_thread(self, choice: ThreadChoice, options: StartOptions) -> None:
        """Check that a caller may continue this thread: its newest turn, and its directory.

        Raises:
            ApiError: the caller may not.
        """
        wanted = read.TurnFilter(thread_ids=frozenset([choice.thread_id]))
        for view in read.list_turns(self.face.settings, 1, wanted, None):
            self.face.consent.check_turn(view.turn_id, view.meta)
        self._check_choice(choice, options)

    def _check_turn(self, directory: Turn) -> None:
        """Check that a caller may continue or fork this turn: its thread may be the owner's."""
        view = read.readable(directory)
        if view.state is not State.MISSING:  # which the action reports
            self.face.consent.check_turn(view.turn_id, view.meta)

    def _check_choice(self, choice: ThreadChoice, options: StartOptions) -> None:
        started_in = choice.cwd
        if "/worktrees/" in (choice.cwd or ""):
            from codex_server_cli.actions.start.place.worktree import placed  # runs git

            record = placed(self.face.settings, choice).worktree
            started_in = record["started_in"] if record is not None else started_in
        url = read_config(self.face.settings.config_path).server
        self.face.consent.check_choice(choice, started_in, options, url)

    async def _start(
        self, options: StartOptions, call: Call, begin: Callable[[StartOptions, Worker], start.Started]
    ) -> start.Started:
        def begin_keyed(worker: Worker) -> start.Started:
            def begin_here(keyed: StartOptions) -> start.Started:
                self._take_room(worker)  # not before: the key's turn may exist already
                return begin(keyed, worker)

            return self._started(options, call, begin_here)

        return await self.launch(begin_keyed)

    def _started(
        self, options: StartOptions, call: Call, begin: Callable[[StartOptions], start.Started]
    ) -> start.Started:
        if options.once is None:
            return begin(options)
        return only_once(self.face.settings, options, None, call, begin)

    def _take_room(self, worker: Worker) -> None:
        """Check that not too many turns of this gateway run or are queued: each is a process.

        Raises:
            ApiError: there are too many.
        """
        with self._lock:
            n_turns = len(self._workers) + len(self._begun)
            if n_turns < MOST_TURNS:
                self._begun.add(worker)
                return
        message = f"{n_turns} turns of this gateway run or wait in the queue; try again later"
        again = (("Retry-After", "5"),)
        raise ApiError(429, message, type="rate_limit_error", code="gateway_busy", headers=again)

    def _reap_later(self) -> None:
        if self._workers and self._reaping is None:
            self._reaping = asyncio.get_running_loop().call_later(_REAPED_EVERY_S, self._reap)

    def _reap(self) -> None:
        """Reap the workers that have exited: while this process lives, no other process can."""
        self._reaping = None
        self._sweep()
        self._reap_later()

    def _sweep(self) -> None:
        self._workers = [worker for worker in self._workers if not worker.is_reaped()]


def idempotency_key(request: Request) -> str | None:
    """The idempotency key of a request; None if it has none.

    Raises:
        ApiError: there are two, or it is invalid.
    """
    keys = request.headers.getlist(KEY_HEADER)
    if len(keys) > 1:
        raise invalid(f"the header {KEY_HEADER} is given twice", KEY_HEADER, "invalid_value")
    return parameters.value_of(KEY_HEADER, keys[0], parameters.Form.TEXT) if keys else None


def _answer(started: start.Started, *, is_full: bool) -> Response:
    document = turn_documents.started(started.view, is_full=is_full, is_existing=started.is_existing)
    if started.warnings:
        document["warnings"] = list(started.warnings)
    where = {"Location": f"/turns/{started.view.turn_id}"}
    return document_answer(document, 200 if started.is_existing else 201, where)


class Forks(NamedTuple):
    """Whether the turn continues a copy of its thread."""

    fork: bool = False
    fork_if_busy: bool = False


class NextTurn(NamedTuple):
    """What the next turn on a thread continues, and how."""

    directory: Turn
    options: StartOptions
    forks: Forks
