"""The candidates of shell completion: turns, threads, models, profiles, requests.

Reads our files and Codex's, and asks no other process. Must never be slow: the user has pressed TAB.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from codex_server_cli.actions.read import read
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.disk.turn import lookup
from codex_server_cli.disk.turn.contents import requests_in
from codex_server_cli.settings.places import Settings

if TYPE_CHECKING:
    from codex_server_cli.core.account.account import Model

_LOOKED_AT = 200
"""How many turns are read at most: more would be noticeably slow."""


def turn_ids(settings: Settings) -> list[str]:
    """The ids of all turns, newest first."""
    return lookup.turn_ids(settings.turns_path)


def turns(settings: Settings) -> list[TurnView]:
    """The newest turns, newest first."""
    return read.list_turns(settings, _LOOKED_AT, read.TurnFilter())


def ended(settings: Settings) -> list[TurnView]:
    """The newest turns that have ended."""
    return _only(turns(settings), lambda view: view.state is not State.RUNNING)


def with_worktree(settings: Settings) -> list[TurnView]:
    """The newest turns that worked in a worktree."""
    return _only(turns(settings), lambda view: bool(view.meta.get("worktree")))


def running(settings: Settings) -> list[TurnView]:
    """The turns that run, newest first."""
    return _only(read.running(settings), lambda view: view.state is State.RUNNING)


def waiting(settings: Settings) -> list[TurnView]:
    """The turns that wait for an answer, newest first."""
    return _only(running(settings), lambda view: bool(requests_in(read.directory_of(view))))


def requests(settings: Settings, selector: str) -> list[dict[str, Any]]:
    """The requests of a turn that wait for an answer, oldest first.

    Raises:
        NotFoundError: there is no such turn.
    """
    return requests_in(read.find(settings, selector))


def models(settings: Settings) -> list[Model]:
    """The models that any codex listed last; empty where none was asked yet."""
    from codex_server_cli.disk import model_cache

    return model_cache.read_any_models(settings.home)


def profiles(settings: Settings) -> list[str]:
    """The names of the profiles in `CODEX_HOME`."""
    from codex_server_cli.actions.start.profile import profile_names

    return profile_names(settings.codex_home)


def threads(settings: Settings, limit: int) -> Iterator[tuple[str, str]]:
    """The newest threads of Codex: the id of each, and its name or first prompt, raw."""
    from codex_server_cli.disk.codex_sessions import list_threads

    for each in list_threads(settings.codex_home, limit=limit, cwd=None, search=None):
        yield each.thread_id, each.name or each.first_prompt or ""


def _only(views: list[TurnView], is_wanted: Callable[[TurnView], bool]) -> list[TurnView]:
    return [view for view in views if is_wanted(view)]
