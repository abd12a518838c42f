"""`--once KEY`: an idempotent start: repeated calls give the same turn. Owns what counts as the same call.

The turn is looked up before all other checks, because the first call has changed the state that they read: its turn
holds the thread, is the newest one here, or has committed what was to be reviewed. The worker looks again, under a lock
(`worker.main`), and decides: so two concurrent calls give one turn, too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable

from codex_server_cli.actions.start.checks import check_cwd
from codex_server_cli.actions.start.given_flags import given_flags
from codex_server_cli.actions.start.options import Once, StartOptions, is_path
from codex_server_cli.actions.start.start import Started
from codex_server_cli.core.inputs import is_blank
from codex_server_cli.core.model.request import Flags, TurnRequest
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.protocol.rpc import object_at
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.disk.turn import once as keys
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BadInputError, BusyError
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.launch import Launch, TurnExistsError

_MOST_CHARS = 200
_PERMISSIONS = ("--skip-git-check", "--allow-nested")
"""Flags that allow a start and do not change the turn."""
_KEPT = ("--deadline", "--approval-timeout", "--notify")
"""Flags that may differ: a repeated call may have less time left, or another process to notify. The turn keeps those
that it was started with."""


def only_once(
    settings: Settings,
    options: StartOptions,
    launch: Launch | None,
    call: Flags,
    begin: Callable[[StartOptions], Started],
) -> Started:
    """The turn that was started under the key of `options`, or else a new one.

    Args:
        options: with `once`.
        launch: a worker that is ready already; it is dropped where no turn is started.
        call: what identifies the call besides its options: the verb, and the flags that select a thread or the subject
            of a review; as given, because they may select something else by now.
        begin: starts the turn, given the options to start it with.

    Raises:
        BadInputError: the key is invalid, or its turn was started by a different call.
        CodexServerError: as `begin`.
    """
    assert options.once is not None
    key, for_s, _ = options.once
    _check_key(key)
    asked = _asked(options, call)
    turn_id = keys.turn_of_key(settings.turns_path, key, for_s)
    if turn_id is not None:
        if launch is not None:
            launch.drop()
        return _existing(settings, turn_id, key, asked)
    try:
        return begin(options._replace(once=Once(key, for_s, asked)))
    except TurnExistsError as error:
        return _existing(settings, error.turn_id, key, asked)
    except BusyError:
        turn_id = _turn_by_now(settings, options.once)
        if turn_id is None:
            raise
        return _existing(settings, turn_id, key, asked)


def _check_key(key: str) -> None:
    """A key is one line of text.

    Raises:
        BadInputError: it is not.
    """
    if is_blank(key) or not key.isprintable() or len(key) > _MOST_CHARS:
        shown = repr(key[:40]) + (" …" if len(key) > 40 else "")
        hint = f"A key is what you like, on one line: 1 to {_MOST_CHARS} characters, none of them a control character."
        raise BadInputError(f"not a key for --once: {shown}", hint=hint)


def _asked(options: StartOptions, call: Flags) -> Flags:
    """The call in the form in which two calls are compared: flags as given, files by path, the prompt by its hash."""
    add_dirs = tuple(os.path.abspath(path) for path in options.add_dirs)  # noqa: PTH100 — as given, links and all
    given = given_flags(options, TurnRequest("", "/", writable_roots=add_dirs, notify=options.notify))
    files = {"--schema": (options.schema,) if options.schema else (), "--image": options.images}
    paths = {flag: [_told(given) for given in each] for flag, each in files.items() if each}
    cwd = os.path.abspath(options.cwd) if options.cwd else check_cwd(options.cwd)  # noqa: PTH100
    text = options.prompt.rstrip("\n")  # piped in or from a file it ends with a line break, as an argument it does not
    prompt = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    flags = {name: values for name, values in given.items() if name not in _PERMISSIONS}
    if options.worktree_name is not None:
        flags["--worktree-name"] = [options.worktree_name]
    return {**call, "prompt": [prompt], "directory": [cwd], **flags, **paths}


def _told(given: str) -> str:
    """A schema or a picture in the form in which two calls are compared: its path, or the hash of its content."""
    if is_path(given):
        return os.path.abspath(given)  # noqa: PTH100 — as given, links and all
    return hashlib.sha256(given.encode("utf-8", "surrogatepass")).hexdigest()


def _turn_by_now(settings: Settings, once: Once) -> str | None:
    """The turn that another call has started meanwhile, if that is why the thread is busy."""
    with contextlib.suppress(OSError), keys.locked(settings.turns_path):
        return keys.turn_of_key(settings.turns_path, once.key, once.for_s)
    return None


def _existing(settings: Settings, turn_id: str, key: str, asked: Flags) -> Started:
    """The turn that has the key.

    Raises:
        BadInputError: a different call has started it.
        BusyError: it was deleted just now.
        HomeError: it is another user's.
    """
    from codex_server_cli.actions.read.read import readable

    view = readable(TurnDir(settings.turns_path / turn_id))
    if view.state is State.MISSING:
        raise BusyError(f"turn {turn_id} was deleted just now", hint="The same command again starts another.")
    theirs = object_at(view.meta, "once.asked")
    differing = [name for name in {**theirs, **asked} if theirs.get(name) != asked.get(name)]
    refused = [name if name.startswith("-") else f"the {name}" for name in differing if name not in _KEPT]
    if refused:
        what = " and ".join(filter(None, (", ".join(refused[:-1]), refused[-1])))
        message = f"turn {turn_id} has the key {key!r}, and was started by another call: {what} differ"
        hint = f"Give another key for another turn. What became of that one: `{of_turn('status', turn_id)}`"
        raise BadInputError(message + ("s" if len(refused) == 1 else ""), hint=hint)
    kept = [name for name in differing if name in _KEPT]
    warnings = (f"turn {turn_id} keeps the {', '.join(kept)} that it was started with",) if kept else ()
    return Started(view, warnings, is_existing=True)
