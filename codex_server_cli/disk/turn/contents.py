"""Reading the files of a turn directory. Owns what a missing or invalid file means.

Needs no lock except for `append_text`. Must stay light to import: every command reads turns.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from codex_server_cli.core.model.turn import Facts, Marker, State, derive_state
from codex_server_cli.core.model.turn_files import is_error, is_meta, is_result, whole_error
from codex_server_cli.core.protocol.jsonl import LineDecoder
from codex_server_cli.core.protocol.rpc import objects_in
from codex_server_cli.disk.files import read_bytes, read_json, read_permitted_json, write_all
from codex_server_cli.disk.safe_open import open_regular
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind

if TYPE_CHECKING:
    from codex_server_cli.core.model.request import TurnRequest

_READ_BYTES = 1 << 20
_NOT_A_FILE = (errno.ENOENT, errno.EINVAL, errno.ELOOP, errno.EISDIR, errno.ENXIO)
"""The errnos of `open_regular` for a missing or non-regular file, which no worker of ours wrote."""


def facts_of(turn: TurnDir, *, lock_held: bool) -> Facts:
    """The facts about the turn's end, for a caller that has probed the lock before (law 2).

    Raises:
        PermissionError: the error marker is not readable.
    """
    marker = turn.marker
    error = read_permitted_json(turn.error) if marker is Marker.ERROR else None
    return Facts(turn.exists, lock_held, marker, error["kind"] if is_error(error) else None)


def end_of(turn: TurnDir) -> tuple[State, str | None] | None:
    """State and error kind of a turn without a worker, from its record; None where it has no marker.

    Raises:
        PermissionError: the record is not readable.
    """
    facts = facts_of(turn, lock_held=False)
    state = derive_state(facts)
    if state is not None and state.is_end and read_record(turn) is None:
        return State.FAILED, ErrorKind.INTERNAL
    return None if state is None else (state, facts.error_kind)


def ended_at_ms(turn: TurnDir) -> int | None:
    """When the end of a turn was published, from the marker itself; None without a marker."""
    for path in (turn.done, turn.error):
        with contextlib.suppress(OSError):
            return path.lstat().st_mtime_ns // 1_000_000
    return None


class Record(NamedTuple):
    """The small files of an ended turn.

    Attributes:
        meta: `meta.json`.
        result: `result.json`.
        error: why the turn is not complete, with every member of an error; None for a complete turn.
    """

    meta: dict[str, Any]
    result: dict[str, Any]
    error: dict[str, Any] | None


def read_record(turn: TurnDir) -> Record | None:
    """The record of an ended turn; None where any of its files is missing, damaged or edited.

    Raises:
        PermissionError: it is not readable.
    """
    meta, result, error = read_meta(turn), read_permitted_json(turn.result), None
    marker = turn.marker
    if marker is Marker.ERROR:
        error = read_permitted_json(turn.error)
        if not is_error(error):
            return None
    if marker is None or meta is None or not is_result(result):
        return None
    if marker is Marker.DONE and result["state"] != State.COMPLETE:
        return None
    return Record(meta, result, None if error is None else whole_error(result.get("error") or error))


def finished_result(turn: TurnDir) -> dict[str, Any] | None:
    """The content of `result.json`, by the worker or a repairer; None where it holds no end."""
    result = read_json(turn.result)
    return result if is_result(result) else None


def read_meta(turn: TurnDir) -> dict[str, Any] | None:
    """The content of `meta.json`; None where it is missing or invalid.

    Raises:
        PermissionError: it is not readable.
    """
    meta = read_permitted_json(turn.meta)
    return meta if is_meta(meta) else None


def meta_of(turn: TurnDir) -> dict[str, Any]:
    """The content of `meta.json`; a minimal one where it is missing or invalid."""
    meta = read_json(turn.meta)
    return meta if is_meta(meta) else {"version": 1, "turn_id": turn.turn_id}


def answer_text(turn: TurnDir) -> str | None:
    """The content of `answer.txt`; None where there is no such file.

    Raises:
        PermissionError: it is not readable.
    """
    try:
        return read_bytes(turn.answer).decode("utf-8", "replace")
    except PermissionError:
        raise
    except OSError:
        return None


def request_of(turn: TurnDir, meta: dict[str, Any]) -> TurnRequest | None:
    """The request, to run it; None where `meta.json` has none, or one in a newer version's format."""
    from codex_server_cli.core.model.request import TurnRequest  # most readers need only the state

    try:
        request = TurnRequest.from_json(meta["request"], turn.turn_id, str(turn.prompt))
    except (KeyError, ValueError):
        return None
    return request if meta.get("worktree") is None else request._replace(worktree_cwd=meta.get("cwd"))


def told_request(turn: TurnDir, meta: dict[str, Any]) -> TurnRequest | None:
    """The request, to report it; a bare one for a newer version's format, None where there is none."""
    return (request_of(turn, meta) or bare_request(turn)) if "request" in meta else None


def bare_request(turn: TurnDir) -> TurnRequest:
    """A placeholder for an unreadable request: nothing but the turn itself."""
    from codex_server_cli.core.model.request import TurnRequest

    return TurnRequest(turn.turn_id, cwd="/", prompt_path=str(turn.prompt))


def requests_in(turn: TurnDir) -> list[dict[str, Any]]:
    """The entries of `pending.json`: valid only while the turn runs."""
    return objects_in((read_json(turn.pending) or {}).get("pending"))


def event_lines(turn: TurnDir) -> Iterator[bytes]:
    """The lines of `events.jsonl`, streamed, however long it is; empty where there is no such file.

    Raises:
        OSError: it exists and cannot be read.
    """
    decoder = LineDecoder()
    for piece in _pieces(turn.events):
        yield from decoder.feed(piece)
    rest = decoder.flush()
    if rest is not None:
        yield rest


def _pieces(path: Path) -> Iterator[bytes]:
    with contextlib.suppress(_MissingError), open(_open(path, os.O_RDONLY), "rb") as file:
        while piece := file.read(_READ_BYTES):
            yield piece


class _MissingError(Exception):
    """There is no such regular file."""


def _open(path: Path, flags: int) -> int:
    try:
        return open_regular(path, flags)
    except OSError as error:
        if error.errno in _NOT_A_FILE:
            raise _MissingError from error
        raise


def shown_text(turn: TurnDir) -> bytes:
    """The content of `out.txt`; empty where there is no such file."""
    return b"".join(_pieces(turn.out))


def append_log(turn: TurnDir, line: str) -> None:
    """Append a line to `worker.log`.

    Raises:
        OSError: it cannot be written.
    """
    fd = open_regular(turn.log, os.O_WRONLY | os.O_APPEND)
    try:
        write_all(fd, f"{line}\n".encode("utf-8", "replace"))
    finally:
        os.close(fd)


def append_text(turn: TurnDir, text: bytes) -> None:
    """Append to `out.txt`, which is never truncated; creates it if missing, skips it if not a regular file."""
    with contextlib.suppress(_MissingError):
        fd = _open(turn.out, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            write_all(fd, text)
        finally:
            os.close(fd)
