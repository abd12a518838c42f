"""Whether another turn writes in the same directory. Reads only the turns that hold a slot."""

from __future__ import annotations

import os
from typing import Any

from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.core.model.server.record import is_elsewhere
from codex_server_cli.settings.places import Settings


def warn_of_writer(settings: Settings, cwd: str, parent: str | None) -> tuple[str, ...]:
    """The warning for a turn that may write in `cwd` while a running one may write there too; else `()`.

    Args:
        parent: the turn that we run inside, which knows of this one.
    """
    if not _is_anything_running(settings):
        return ()
    from codex_server_cli.disk.queue import queue  # these imports take 5 ms, which a single turn need not wait for
    from codex_server_cli.disk.turn.contents import meta_of
    from codex_server_cli.disk.turn.layout import TurnDir

    here = os.path.realpath(cwd)
    for turn_id in queue.holders(queue.folder_of(settings.turns_path), only_living=True):
        turn = TurnDir(settings.turns_path / turn_id)
        meta = meta_of(turn)
        if turn_id == parent or turn.marker is not None or meta.get("sandbox", Sandbox.READ_ONLY) == Sandbox.READ_ONLY:
            continue
        there = _place_of(meta)
        if there is not None and _overlap(here, there):
            name = f" ({meta['name']})" if meta.get("name") else ""
            where = "here" if there == here else f"in {there}"
            return (f"turn {turn_id}{name} may be writing {where} just now; --worktree gives a turn its own copy",)
    return ()


def _is_anything_running(settings: Settings) -> bool:
    """Whether a slot has a holder, living or dead: its file is empty otherwise (`disk.queue.queue`)."""
    try:
        with os.scandir(settings.home / "queue") as entries:
            return any(entry.name.startswith(("slot-", "below-")) and entry.stat().st_size for entry in entries)
    except OSError:  # no turn has ever run here
        return False


def _place_of(meta: dict[str, Any]) -> str | None:
    """Where a turn writes; None where that is unknown or on another host, or its worktree is still being made."""
    record, cwd = meta.get("worktree"), meta.get("cwd")
    if is_elsewhere(meta.get("server")):
        return None
    if record is not None:
        cwd = record["path"]
    return os.path.realpath(cwd) if cwd is not None else None


def _overlap(one: str, other: str) -> bool:
    return os.path.commonpath((one, other)) in (one, other)
