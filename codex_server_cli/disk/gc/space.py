"""The disk usage of a home's turns, journal and worktrees, for `doctor`. Writes nothing, repairs nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.disk import lock
from codex_server_cli.disk.gc import keeping
from codex_server_cli.disk.gc.sizes import size_of
from codex_server_cli.disk.journal import journal
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.contents import read_meta
from codex_server_cli.disk.turn.layout import TurnDir


class Share(NamedTuple):
    """A part of a home.

    Attributes:
        number: how many turns, files or worktrees.
        n_bytes: their size, in allocated blocks as `du` counts them.
    """

    number: int = 0
    n_bytes: int = 0

    def plus(self, n_bytes: int) -> Share:
        """With one more."""
        return Share(self.number + 1, self.n_bytes + n_bytes)


class Space(NamedTuple):
    """The disk usage of a home.

    Attributes:
        turns: all turn directories, whatever their state.
        immune: the turns that no bound of `gc` deletes, by the reason (`keeping`): `running`, `named` (until they are
            as old as `gc_named_days`), and rarer ones. A reason without a turn is not in it.
        leftovers: half-made or half-deleted directories beside the turns, which the next `gc` checks.
        journal: its files.
        worktrees: git worktrees of turns.
        n_looked: how many turns were read; where not all, the bytes of `turns`, and `immune`, cover only these.
    """

    turns: Share
    immune: dict[str, Share]
    leftovers: Share
    journal: Share
    worktrees: Share
    n_looked: int = 0


def space(home: Path, has_time: Callable[[], bool] = lambda: True) -> Space:
    """The present disk usage of a home. About 0.2 ms for each turn.

    Args:
        has_time: whether to read one more turn, the newest first; the remaining ones are only counted.

    Returns:
        Zeros for what does not exist; what is not readable (another user's) counts without bytes.

    Raises:
        HomeError: the folder of the turns is there and cannot be read.
    """
    turns, immune = Share(), dict[str, Share]()
    turn_ids = lookup.turn_ids(home / "turns")
    for turn_id in turn_ids:
        if not has_time():
            break
        turn = TurnDir(home / "turns" / turn_id)
        n_bytes = size_of(turn.path)
        turns = turns.plus(n_bytes)
        reason = _immunity(turn)
        if reason is not None:
            immune[reason] = immune.get(reason, Share()).plus(n_bytes)
    return Space(
        turns._replace(number=len(turn_ids)),
        immune,
        leftovers=_share(path for path in _paths_in(home / "turns") if path.name.startswith(".")),
        journal=_share(_paths_in(journal.folder_of(home))),
        worktrees=_share(path for path in _paths_in(home / "worktrees") if path.is_dir() and path.name[0] != "."),
        n_looked=turns.number,
    )


def _immunity(turn: TurnDir) -> str | None:
    """Why no bound deletes this turn, its name included; None where a bound may."""
    try:
        if turn.marker is None:  # if the lock is free, the next reader publishes its end, and it may be deleted then
            return keeping.RUNNING if lock.is_held(turn.lock) else None
        meta = read_meta(turn)
    except PermissionError:
        return keeping.UNREADABLE
    reason = keeping.reason_to_keep(turn, meta or {"turn_id": turn.turn_id})
    has_name = meta is None or bool(meta.get("name"))  # a record that cannot be read may have had one
    return reason or (keeping.NAMED if has_name else None)


def _share(paths: Iterable[Path]) -> Share:
    share = Share()
    for path in paths:
        share = share.plus(size_of(path))
    return share


def _paths_in(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries]
    except OSError:  # there is none, or it is another user's
        return []
