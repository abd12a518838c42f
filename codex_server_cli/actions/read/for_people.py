"""Facts about turns for people only, not for programs: short ids, names, the queue. Must never print."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping

from codex_server_cli.actions.read import read
from codex_server_cli.core.model.short_ids import THREAD_END_CHARS, short_ids
from codex_server_cli.core.model.turn import Phase, State, is_turn_id_end, is_turn_name
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.disk.turn.lookup import is_of, turn_ids
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings


def shortened(settings: Settings, given: Iterable[str]) -> dict[str, str]:
    """By each of these ids: the shortest part of it that selects its turn in this home."""
    return short_ids(given, turn_ids(settings.turns_path))


def shortened_threads(settings: Settings, names: Mapping[str, str | None]) -> dict[str, str]:
    """By thread id: the shortest part of it that selects the thread, and cannot mean a turn.

    Args:
        names: of the threads by their ids; None for a thread without a name.
    """
    from codex_server_cli.disk.session_files import thread_ids  # no turn needs it

    others = [*thread_ids(settings.codex_home), *filter(None, names.values()), *turn_ids(settings.turns_path)]
    return short_ids(names, others, THREAD_END_CHARS)


def newest_called(view: TurnView, short_id: str) -> str:
    """The selector that a user would type for a turn just started: its name, `last` in its directory, or its short id.

    A name that looks like the end of an id is not used: it may be taken for one.
    """
    name = str(view.meta.get("name") or "")
    if is_turn_name(name) and not is_turn_id_end(name):
        return name
    try:
        is_here = is_of(view.meta, os.path.realpath("."))
    except OSError:  # the current directory is gone
        is_here = False
    return "last" if is_here else short_id


def new_turn(settings: Settings, view: TurnView) -> TurnView:
    """A turn that was started just now, with its phase; `queued` even before its worker has written that.

    Raises:
        BadInputError: `config.json` is broken.
    """
    now = read.status(read.directory_of(view))
    if now.state is not State.RUNNING or now.phase not in (None, Phase.STARTING):
        return now
    is_held = bool((view.meta.get("request") or {}).get("is_after_reset"))
    is_queued = is_held or len(read.running(settings)) > read_config(settings.config_path).max_running
    return now._replace(phase=Phase.QUEUED) if is_queued else now
