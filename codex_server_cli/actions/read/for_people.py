"""What a person is told of turns, and a program is not: short ids, names, the queue. Must never print."""

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
    """The shortest part of each of these ids that selects its turn in this home, by the whole id."""
    return short_ids(given, turn_ids(settings.turns_path))


def shortened_threads(settings: Settings, names: Mapping[str, str | None]) -> dict[str, str]:
    """The shortest part of each thread's id that selects it, and can mean no turn, by the whole id.

    Args:
        names: of the threads by their ids; None for one without a name.
    """
    from codex_server_cli.disk.session_files import thread_ids  # no turn needs it

    others = [*thread_ids(settings.codex_home), *filter(None, names.values()), *turn_ids(settings.turns_path)]
    return short_ids(names, others, THREAD_END_CHARS)


def newest_called(view: TurnView, short_id: str) -> str:
    """What a user would call a turn that was started just now: its name, `last` in its own directory, or its short id.

    A name that could be the end of an id, too, may not be told from one.
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
    """A turn that was started just now, with its phase; queued also where its worker has not got so far yet.

    Raises:
        BadInputError: `config.json` is broken.
    """
    now = read.status(read.directory_of(view))
    if now.state is not State.RUNNING or now.phase not in (None, Phase.STARTING):
        return now
    is_held = bool((view.meta.get("request") or {}).get("is_after_reset"))
    is_queued = is_held or len(read.running(settings)) > read_config(settings.config_path).max_running
    return now._replace(phase=Phase.QUEUED) if is_queued else now
