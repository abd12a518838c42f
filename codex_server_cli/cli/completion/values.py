"""The values for shell completion: turns, threads, models, directories. Owns how each is named and described.

A description is text of a user, a model or a file name: it is made safe here, before any shell gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from codex_server_cli.actions.read import offered, read
from codex_server_cli.cli.completion.line import Candidate, CursorContext, fitting
from codex_server_cli.cli.parameters import Offer
from codex_server_cli.core.model.short_ids import short_ids
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.errors import CodexServerError
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.turns.titles import title
from codex_server_cli.settings.places import Settings

_MOST = 20
_TITLE_CHARS = 60
_LAST = Candidate("last", "the newest of this directory")
_SERVERS = (
    Candidate("spawn", "one of its own (default)"),
    Candidate("shared", "ours, for many turns"),
    Candidate("unix://", "a socket: unix:///PATH"),
    Candidate("ws://", "a TCP port: ws://HOST:PORT"),
    Candidate("wss://", "the same, encrypted"),
    Candidate("ssh://", "on another machine: ssh://HOST"),
)


def looked_up(context: CursorContext) -> list[Candidate]:
    """The values for a context, whether or not they begin with the typed text; none if they cannot be read."""
    if context.offers is None:
        return []
    try:
        return list(_FINDERS[context.offers](Settings.load(), context))
    except (CodexServerError, OSError):  # an error would appear in the line being typed
        return []


def complete_turn(incomplete: str) -> list[tuple[str, str]]:
    """The newest turns whose id, short id or name begins like this, each with its title; and `last`."""
    context = CursorContext(offers=Offer.TURNS, typed=incomplete)
    return [(word, what) for word, what in fitting(context, looked_up(context))]


def _turns(views: list[TurnView], settings: Settings, typed: str, *, has_last: bool = False) -> Iterator[Candidate]:
    """Each turn by its name, else its short id; with typed text by each name or id that begins with it."""
    shorts = short_ids((view.turn_id for view in views), offered.turn_ids(settings))
    seen: set[str] = set()
    count = 0
    for view in views:
        name = str(view.meta.get("name") or "")
        words = [word for word in (name, shorts[view.turn_id], view.turn_id) if word and word not in seen]
        offered_words = [word for word in words if word.startswith(typed)] if typed else words[:1]
        seen.add(name)  # an older turn with this name can only be selected by its id
        if not offered_words or count == _MOST:
            continue
        count += 1
        what = _told(view)
        yield from (Candidate(word, what) for word in offered_words)
    if has_last:
        yield _LAST


def _told(view: TurnView) -> str:
    untitled = view._replace(meta={**view.meta, "name": None})
    return f"{view.state}: {title(untitled, read.prompt_beginning(view), _TITLE_CHARS)}"


def _all(settings: Settings, context: CursorContext) -> Iterable[Candidate]:
    return _turns(offered.turns(settings), settings, context.typed, has_last=True)


def _running(settings: Settings, context: CursorContext) -> Iterable[Candidate]:
    return _turns(offered.running(settings), settings, context.typed)


def _waiting(settings: Settings, context: CursorContext) -> Iterable[Candidate]:
    return _turns(offered.waiting(settings), settings, context.typed)


def _ended(settings: Settings, context: CursorContext) -> Iterable[Candidate]:
    return _turns(offered.ended(settings), settings, context.typed, has_last=True)


def _with_worktree(settings: Settings, context: CursorContext) -> Iterable[Candidate]:
    return _turns(offered.with_worktree(settings), settings, context.typed)


def _requests(settings: Settings, context: CursorContext) -> Iterable[Candidate]:
    for each in offered.requests(settings, context.others.get("turn", "")):
        yield Candidate(str(each["id"]), one_line(str(each.get("message") or each.get("kind") or ""), _TITLE_CHARS))


def _threads(settings: Settings, _context: CursorContext) -> Iterable[Candidate]:
    for thread_id, text in offered.threads(settings, _MOST):
        yield Candidate(thread_id, one_line(text, _TITLE_CHARS))


def _models(settings: Settings, _context: CursorContext) -> Iterable[Candidate]:
    for model in offered.models(settings):
        if not model.is_hidden:
            yield Candidate(model.name, one_line(model.description or model.display_name, _TITLE_CHARS))


def _efforts(settings: Settings, context: CursorContext) -> Iterable[Candidate]:
    """The efforts of the model that the line names, else of all models."""
    models = offered.models(settings)
    named = [model for model in models if model.name == context.others.get("model")]
    return map(Candidate, dict.fromkeys(effort for model in named or models for effort in model.efforts))


def _profiles(settings: Settings, _context: CursorContext) -> Iterable[Candidate]:
    return map(Candidate, offered.profiles(settings))


def _servers(_settings: Settings, _context: CursorContext) -> Iterable[Candidate]:
    return _SERVERS


def _shared(_settings: Settings, _context: CursorContext) -> Iterable[Candidate]:
    return _SERVERS[1:2]


def _notify(_settings: Settings, _context: CursorContext) -> Iterable[Candidate]:
    return (Candidate("bell", "ring in the terminal that started the turn"),)


_FINDERS: Final[dict[Offer, Callable[[Settings, CursorContext], Iterable[Candidate]]]] = {
    Offer.TURNS: _all,
    Offer.RUNNING: _running,
    Offer.WAITING: _waiting,
    Offer.ENDED: _ended,
    Offer.WORKTREES: _with_worktree,
    Offer.REQUESTS: _requests,
    Offer.THREADS: _threads,
    Offer.MODELS: _models,
    Offer.EFFORTS: _efforts,
    Offer.PROFILES: _profiles,
    Offer.SERVERS: _servers,
    Offer.SHARED: _shared,
    Offer.NOTIFY: _notify,
}
