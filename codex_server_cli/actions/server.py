"""Starting, stopping and inspecting the shared app-server. Owns what each of these means for its generations."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from codex_server_cli import __version__
from codex_server_cli.actions.control.control import cancel
from codex_server_cli.actions.read import read
from codex_server_cli.actions.shared_route import shared_key
from codex_server_cli.codex.server.asking import ask
from codex_server_cli.codex.server.draining import is_draining
from codex_server_cli.codex.server.health import Health, read_health
from codex_server_cli.codex.server.key import ServerKey
from codex_server_cli.codex.server.look import count_clients, leftovers_of
from codex_server_cli.codex.server.shared import ensure_shared, find_shared, put_away, replace_shared, retire
from codex_server_cli.codex.server.state import CURRENT, Generation, directory_of, generations_of, read_generation
from codex_server_cli.core.model.server.address import parse_address
from codex_server_cli.core.model.server.report import ServerReport, ServerState
from codex_server_cli.core.model.turn import State, parse_time_ms
from codex_server_cli.core.protocol.diagnostics import Diagnostics, ask_diagnostics
from codex_server_cli.core.protocol.rpc import at
from codex_server_cli.disk.turn.follow import GrowingFile, wakeups
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import (
    BusyError,
    CodexMissingError,
    CodexServerError,
    HomeError,
    NotFoundError,
    ServerError,
)
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

_ASK_S = 3.0
_POLL_S = 0.02
_MOST_TURNS = 1000
_PORT_IS_TAKEN = "Address in use"
STOP_S = 60.0
"""How long `stop` waits for running turns."""


def start(settings: Settings, arguments: Sequence[str] = ()) -> tuple[ServerReport, bool]:
    """Start the shared server of this environment.

    Args:
        arguments: further ones of codex, which make it a separate server, on a TCP port. It never stops for idleness,
            because its clients are not known.

    Returns:
        The server, and whether it ran already.

    Raises:
        CodexServerError: it does not start: see `ensure_shared`.
    """
    config = read_config(settings.config_path)
    read.check_codex_home(settings)
    key = shared_key(settings, config)
    if arguments:
        key = key._replace(extra=tuple(arguments))
    before = find_shared(settings.home, key)
    try:
        idle_s = math.inf if arguments else config.server_idle
        found = ensure_shared(settings.home, key, idle_s=idle_s, doubted=before)
    except CodexMissingError as error:
        if arguments and _PORT_IS_TAKEN in error.message:
            hint = "Take another port, or 0 for any free one."
            raise ServerError("the port is taken: something else listens there", hint=hint) from error
        raise
    return _report(settings, found, key), found == before


def restart(settings: Settings) -> ServerReport:
    """Start the next generation; the present one drains.

    Raises:
        CodexServerError: it does not start: see `ensure_shared`.
    """
    config = read_config(settings.config_path)
    read.check_codex_home(settings)
    key = shared_key(settings, config)
    return _report(settings, replace_shared(settings.home, key, idle_s=config.server_idle), key)


def running(settings: Settings) -> list[ServerReport]:
    """Every generation that runs, of every environment that shares this home.

    Raises:
        BadInputError: config.json is broken.
        NotFoundError: there is no such home.
    """
    read.check_home(settings)
    key = _key_or_none(settings)
    return [_report(settings, each, key) for each in _generations(settings)]


def stop(
    settings: Settings, *, at_once: bool, timeout_s: float = STOP_S, tell: Callable[[list[ServerReport]], None]
) -> list[ServerReport]:
    """Stop every generation, and wait for its end; clean up after killed ones.

    Args:
        at_once: cancel their turns instead of waiting for them.
        timeout_s: how long to wait.
        tell: called with those whose turns are waited for.

    Returns:
        Those that have ended, as they were before.

    Raises:
        BusyError: one still runs turns; it ends after them.
        CodexServerError: as `running`.
    """
    before = running(settings)
    told = _generations(settings)
    if at_once:
        _cancel_turns(settings, before)  # before it drains: it would end with the last of them, unreported
    for each in told:
        retire(each, at_once=at_once)
    busy = [report for report in before if report.active_turns]
    if busy and not at_once:
        tell(busy)
    deadline = time.monotonic() + timeout_s
    while (left := [each for each in told if _is_running(each)]) and time.monotonic() < deadline:
        time.sleep(_POLL_S)
    if left:
        numbers = ", ".join(f"{each.number} (pid {each.pid})" for each in left)
        message = f"the shared app-server takes no more turns, but still runs some: generation {numbers}"
        raise BusyError(message, hint="It ends after them. At once: `codex-server server stop --now`")
    _stop_what_came_of_it(settings, before, deadline)
    put_away(settings.home)
    return before


def log_lines(settings: Settings, lines: int, *, follows: bool) -> Iterator[bytes]:
    """The last lines of the server's log, and with `follows` what is appended, endlessly.

    Raises:
        NotFoundError: there is none.
        CodexServerError: as `start`.
    """
    read.check_home(settings)
    directory = Path(directory_of(settings.home, shared_key(settings, read_config(settings.config_path)).name))
    path = directory / "server.log"
    if not path.exists():
        raise NotFoundError("no shared app-server was started here yet", hint="codex-server server start")
    with GrowingFile(path, lines) as file:
        yield file.read_more()
        if follows:
            for _ in wakeups(directory):
                yield file.read_more()


def _stop_what_came_of_it(settings: Settings, stopped: Sequence[ServerReport], deadline: float) -> None:
    """Stop the next generation, if a turn started it to read its own end, which a stopping server may not report."""
    turns = _turn_dirs(settings, stopped)
    for turn in turns:
        read.wait(turn, max(deadline - time.monotonic(), 0))
    told = [each for each in _generations(settings) if turns and retire(each)]
    until = min(deadline, time.monotonic() + _ASK_S)  # one with new turns may take longer; it is not waited for
    while any(_is_running(each) for each in told) and time.monotonic() < until:
        time.sleep(_POLL_S)


def _turn_dirs(settings: Settings, reports: Sequence[ServerReport]) -> list[TurnDir]:
    return [TurnDir(settings.turns_path / turn_id) for report in reports for turn_id in report.turns]


def _cancel_turns(settings: Settings, reports: Sequence[ServerReport]) -> None:
    """Cancel our turns there: a turn that only loses its server starts the next generation, to read its own end."""
    with suppress(HomeError):  # a home that cannot be written: they lose their connections instead
        cancel(_turn_dirs(settings, reports))


def _generations(settings: Settings) -> list[Generation]:
    return [each for each in generations_of(settings.home) if _is_running(each)]


def _is_running(generation: Generation) -> bool:
    return generation.is_alive() or generation.is_kept()


def _key_or_none(settings: Settings) -> ServerKey | None:
    """The key of this environment; None without a codex: other environments may still run a server."""
    config = read_config(settings.config_path)
    with suppress(CodexServerError):
        return shared_key(settings, config)
    return None


def _report(settings: Settings, generation: Generation, key: ServerKey | None) -> ServerReport:
    said = _diagnostics(generation)
    health = _health(generation)
    is_current = generation.is_kept() and read_generation(f"{generation.directory}/{CURRENT}") == generation
    if is_current and said is not None:  # a signal from outside may have started the draining
        is_current = not is_draining(generation.socket_path, _ASK_S)
    is_silent = said is None if health is None else not health.is_ready
    state = ServerState.DRAINING if not is_current else ServerState.SILENT if is_silent else ServerState.READY
    started_ms = parse_time_ms(generation.started_at)
    return ServerReport(
        state=state,
        key=generation.key,
        generation=generation.number,
        url=generation.url,
        pid=generation.pid,
        keeper_pid=generation.keeper_pid,
        codex=generation.codex,
        codex_version=generation.codex_version,
        codex_home=generation.codex_home,
        is_of_this_environment=key is not None and key.name == generation.key,
        started_at=generation.started_at,
        uptime_s=None if started_ms is None else max(0.0, round(time.time() - started_ms / 1000, 1)),
        memory_bytes=said.memory_bytes if said else None,
        threads=said.threads if said else None,
        active_turns=said.active_turns if said else None,
        clients=count_clients(generation) if health is None else None,
        turns=_turns_of(settings, generation),
        leftovers=leftovers_of(generation),
        log_path=f"{generation.directory}/server.log",
        is_healthy=None if health is None else health.is_healthy,
        problem=None if health is None else health.problem,
    )


def _health(generation: Generation) -> Health | None:
    """The results of `/readyz` and `/healthz`; None for a server on a Unix socket, which has neither."""
    if generation.socket_path:
        return None
    return read_health(parse_address(generation.url))


def _diagnostics(generation: Generation) -> Diagnostics | None:
    """The server's diagnostics; None where it does not answer, or listens on TCP, for which we have no token."""
    if not generation.socket_path:
        return None
    with suppress(CodexServerError):
        return ask(generation.socket_path, ask_diagnostics(__version__), _ASK_S)
    return None


def _turns_of(settings: Settings, generation: Generation) -> tuple[str, ...]:
    """Our turns that run there."""
    views = read.list_turns(settings, _MOST_TURNS, read.TurnFilter(State.RUNNING))
    return tuple(view.turn_id for view in views if at(view.meta, "server.pid", int) == generation.pid)
