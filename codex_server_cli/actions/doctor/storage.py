"""The checks of `doctor` for disks: the home and its file system, the size of our turns, and of Codex's sessions."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NoReturn

from codex_server_cli.actions.read.read import check_home
from codex_server_cli.core.model.mounts import advice_for
from codex_server_cli.core.size import size
from codex_server_cli.disk.gc.space import space
from codex_server_cli.disk.machine import home_trial
from codex_server_cli.disk.machine.codex_space import sessions_space
from codex_server_cli.disk.turn import layout
from codex_server_cli.errors import HomeError
from codex_server_cli.settings.places import Settings

_LOW_SPACE_BYTES = 200 * 1024 * 1024
_LOOK_S = 0.3
"""How long to read turns, and Codex's sessions: `doctor` must stay fast however many there are."""


def look_at_home(settings: Settings) -> tuple[str, str]:
    """Check that turns can be made here, with the locks and FIFOs that they need, and that there is enough space.

    Raises:
        NotFoundError: `CODEX_SERVER_HOME` names no directory.
        HomeError: no turn could be made or run.
    """
    check_home(settings)
    layout.prepare_home(settings.turns_path)
    try:
        if not home_trial.has_locks(settings.turns_path):
            _refuse(settings, "flock")
        if not home_trial.has_fifos(settings.turns_path):
            _refuse(settings, "FIFOs")
        n_free = home_trial.free_bytes(settings.home)
    except OSError as error:
        raise HomeError(f"cannot write {settings.home}: {error.strerror}") from error
    if n_free < _LOW_SPACE_BYTES:
        raise HomeError(f"only {size(n_free)} are free at {settings.home}", hint="Free some space: codex-server gc")
    file_system = home_trial.type_of(settings.home)
    is_on = f" on {file_system}" if file_system is not None else ""
    hints = [advice_for(file_system) if file_system is not None else ""]
    if settings.home.stat().st_mode & 0o077:
        hints.append(f"Others can look into it: chmod 700 {settings.home}")
    return f"{settings.home}{is_on}, {size(n_free)} free", "\n".join(filter(None, hints))


def _refuse(settings: Settings, what: str) -> NoReturn:
    raise HomeError(f"{settings.home} is on a file system without {what}", hint="Set CODEX_SERVER_HOME elsewhere.")


def look_at_turns(settings: Settings) -> str:
    """The size of turns, the journal and worktrees, and which turns `gc` keeps.

    Raises:
        HomeError: the turns cannot be read.
    """
    found = space(settings.home, _has_time())
    number, n_bytes = found.turns
    total, at_least = f"{size(n_bytes)} in {_counted(number, 'turn')}", ""
    if 0 < found.n_looked < number:
        reckoned = size(n_bytes * number // found.n_looked)
        total, at_least = f"about {reckoned} in {number:,} turns, by the newest {found.n_looked:,}", "at least "
    parts = [total]
    others = {"journal": found.journal, "worktrees": found.worktrees, "unfinished": found.leftovers}
    parts += [f"{name} {size(share.n_bytes)}" for name, share in others.items() if share.number]
    if found.immune:
        kept = sum(share.number for share in found.immune.values())
        reasons = ", ".join(f"{share.number:,} {reason}" for reason, share in found.immune.items())
        parts.append(f"gc keeps {at_least}{kept:,}: {reasons}")
    return "; ".join(parts)


def look_at_sessions(settings: Settings) -> str:
    """The size of Codex's own sessions, which grow beside our turns."""
    number, n_bytes, is_whole = sessions_space(settings.codex_home, _has_time())
    at_least = "" if is_whole else "at least "
    took = f"{at_least}{size(n_bytes)} in {_counted(number, 'file')}"
    return f"{took} below {settings.codex_home}: Codex's own, never deleted by codex-server"


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _has_time() -> Callable[[], bool]:
    until = time.monotonic() + _LOOK_S
    return lambda: time.monotonic() < until
