"""Listing turns, and finding the one that a user means. Owns law 3: there is no index; listing scans in name order.

Must never write a turn directory, or determine the state of a turn (`reader` does).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from codex_server_cli.core.model.turn import is_turn_id, is_turn_id_end, is_turn_id_prefix, is_turn_name
from codex_server_cli.disk.files import read_bytes
from codex_server_cli.disk.turn.contents import meta_of, read_meta
from codex_server_cli.disk.turn.layout import META_NAME, TurnDir
from codex_server_cli.disk.turn.refusal import refusal_of
from codex_server_cli.errors import AmbiguousError, HomeError, NotFoundError


def turn_ids(turns_path: Path, before: str | None = None) -> list[str]:
    """The ids of all turns, newest first.

    Args:
        before: only those older than this one.

    Raises:
        HomeError: the folder is there and cannot be read.
    """
    try:
        with os.scandir(turns_path) as entries:
            names = [entry.name for entry in entries if is_turn_id(entry.name) and entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:  # nothing was ever started here
        return []
    except OSError as error:  # not the same as an empty folder: there may be hundreds
        hint = "Look at its owner, or set CODEX_SERVER_HOME to a directory of your own."
        raise HomeError(f"cannot read {turns_path}: {error.strerror}", hint=hint) from error
    return sorted((name for name in names if before is None or name < before), reverse=True)


def iter_meta(turns_path: Path, before: str | None = None) -> Iterator[tuple[TurnDir, dict[str, Any]]]:
    """All turns with their `meta.json`, newest first, as of `turn_ids`; unreadable ones are skipped."""
    for turn_id in turn_ids(turns_path, before):
        turn = TurnDir(turns_path / turn_id)
        meta = meta_of(turn)
        if "request" in meta:
            yield turn, meta


def resolve(turns_path: Path, selector: str, cwd: str | None) -> TurnDir:
    """The turn that a user means: an id, a unique prefix or end of one, a name, or `last`.

    Args:
        cwd: the directory whose newest turn `last` means; None is the current one.

    Raises:
        NotFoundError: none, or several, or an invalid selector (`../x`): no path is ever made of it.
        HomeError: none that is readable; it may be an unreadable one of another user.
    """
    if selector == "last":
        return _last(turns_path, cwd)
    if is_turn_id(selector) and (turn := TurnDir(turns_path / selector)).exists:
        return turn
    if is_turn_id_prefix(selector) or is_turn_id_end(selector):
        return _by_part(turns_path, selector)
    if is_turn_name(selector):
        return _by_name(turns_path, selector)
    raise NotFoundError(f"not a turn id, prefix or name: {selector!r}", hint="codex-server list-turns shows them.")


def is_pattern(selector: str) -> bool:
    """Whether it is a glob pattern for names of turns; no id or name is one."""
    return any(character in selector for character in "*?[")


def has_name(meta: Mapping[str, Any], pattern: str) -> bool:
    """Whether the name in a turn's `meta.json` matches."""
    name = meta.get("name")
    return isinstance(name, str) and fnmatchcase(name, pattern)


def matching(turns_path: Path, pattern: str) -> list[str]:
    """The ids of the newest turn of each name that matches, oldest first.

    Raises:
        NotFoundError: there is none.
        HomeError: there is none that is readable.
    """
    newest: dict[str, str] = {}
    for turn, meta in iter_meta(turns_path):
        if has_name(meta, pattern):
            newest.setdefault(str(meta["name"]), turn.turn_id)
    if not newest:
        _refuse_if_unknown(turns_path, f"no turn's name matches {pattern!r}")
        raise NotFoundError(f"no turn's name matches {pattern!r}", hint="codex-server list-turns shows them.")
    return sorted(newest.values())


def _last(turns_path: Path, cwd: str | None) -> TurnDir:
    try:
        wanted = os.path.realpath(cwd or ".")
    except OSError as error:
        raise NotFoundError("the current directory is gone", hint="Name another with --cwd.") from error
    for turn, meta in iter_meta(turns_path):
        if is_of(meta, wanted):
            return turn
    _refuse_if_unknown(turns_path, f"no turn was started in {wanted}")
    raise NotFoundError(f"no turn was started in {wanted}", hint="codex-server list-turns shows those of other places.")


def _refuse_if_unknown(turns_path: Path, nothing_found: str) -> None:
    """Raise `HomeError` if any turn is not readable: the one that was not found may be among those."""
    for turn_id in turn_ids(turns_path):
        turn = TurnDir(turns_path / turn_id)
        try:
            read_meta(turn)
        except PermissionError as error:
            refusal = refusal_of(turn, error)
            message = f"{nothing_found}, of those that may be read; {refusal.message}"
            raise HomeError(message, hint=refusal.hint) from error


def is_of(meta: Mapping[str, Any], real_path: str) -> bool:
    """Whether a turn was started in this directory, or works in it; with a worktree these differ."""
    record = meta.get("worktree") or {}
    return is_place(meta.get("cwd"), real_path) or is_place(record.get("started_in"), real_path)


def is_place(path: str | None, real_path: str) -> bool:
    """Whether a recorded directory is this one."""
    return path is not None and os.path.realpath(path) == real_path


def _by_part(turns_path: Path, part: str) -> TurnDir:
    """The turn whose id begins with this; else the one whose id ends with it, or which has this name."""
    ids = turn_ids(turns_path)
    if found := [turn_id for turn_id in ids if turn_id.startswith(part)]:
        return _only(turns_path, found, f"begin with {part}")
    named = _named(turns_path, part) if is_turn_name(part) else None
    found = [turn_id for turn_id in ids if is_turn_id_end(part) and turn_id.endswith(f"-{part}")]
    if named is not None:
        found = [named.turn_id, *(turn_id for turn_id in found if turn_id != named.turn_id)]
    if not found:
        raise NotFoundError(f"no such turn: {part}", hint="codex-server list-turns shows the turns there are.")
    return _only(turns_path, found, f"have {part} as the end of their id, or as their name")


def _only(turns_path: Path, found: list[str], what: str) -> TurnDir:
    if len(found) == 1:
        return TurnDir(turns_path / found[0])
    some = ", ".join(found[:3]) + (" …" if len(found) > 3 else "")
    raise AmbiguousError(f"{len(found)} turns {what}: {some}", hint="Give more of the id.")


def _named(turns_path: Path, name: str) -> TurnDir | None:
    """The newest turn of this name. Of 10,000 turns only those whose `meta.json` contains the text are parsed."""
    for turn_id in turn_ids(turns_path):
        if not _holds(f"{turns_path}/{turn_id}/{META_NAME}", name.encode()):
            continue
        turn = TurnDir(turns_path / turn_id)
        meta = meta_of(turn)
        if "request" in meta and meta.get("name") == name:
            return turn
    return None


def _holds(path: str, text: bytes) -> bool:
    try:
        return text in read_bytes(path)
    except OSError:  # a turn without a readable one is skipped
        return False


def _by_name(turns_path: Path, name: str) -> TurnDir:
    turn = _named(turns_path, name)
    if turn is not None:
        return turn
    _refuse_if_unknown(turns_path, f"no turn is named {name}")
    raise NotFoundError(f"no turn is named {name}", hint="codex-server list-turns shows the turns there are.")
