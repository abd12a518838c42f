"""What stands in a turn directory, read in one place. Owns what becomes of a file that is missing or makes no sense.

Needs no lock but for `append_text`. Must stay light: every command reads turns.
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
"""What `open_regular` says where nothing is there, or something else: that was never written by a worker of ours."""


def facts_of(turn: TurnDir, *, lock_held: bool) -> Facts:
    """What the directory tells of the turn's end, for a caller that has probed the lock before (law 2).

    Raises:
        PermissionError: we may not read the error marker.
    """
    marker = turn.marker
    error = read_permitted_json(turn.error) if marker is Marker.ERROR else None
    return Facts(turn.exists, lock_held, marker, error["kind"] if is_error(error) else None)


def end_of(turn: TurnDir) -> tuple[State, str | None] | None:
    """State and error kind of a turn without a worker, as its record has them; None where it has no marker.

    Raises:
        PermissionError: we may not read the record.
    """
    facts = facts_of(turn, lock_held=False)
    state = derive_state(facts)
    if state is not None and state.is_end and read_record(turn) is None:
        return State.FAILED, ErrorKind.INTERNAL
    return None if state is None else (state, facts.error_kind)


def ended_at_ms(turn: TurnDir) -> int | None:
    """When the end of a turn was published, by the marker itself; None for one without."""
    for path in (turn.done, turn.error):
        with contextlib.suppress(OSError):
            return path.lstat().st_mtime_ns // 1_000_000
    return None


class Record(NamedTuple):
    """What the small files of an ended turn tell.

    Attributes:
        meta: `meta.json`.
        result: `result.json`.
        error: why the turn is not complete, with every member that an error has; None for a complete one.
    """

    meta: dict[str, Any]
    result: dict[str, Any]
    error: dict[str, Any] | None


def read_record(turn: TurnDir) -> Record | None:
    """The record of an ended turn; None where any of its files is missing, or was damaged or edited.

    Raises:
        PermissionError: we may not read it.
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
    """The content of `result.json`, where it tells an end: the worker's own last word, or a repairer's."""
    result = read_json(turn.result)
    return result if is_result(result) else None


def read_meta(turn: TurnDir) -> dict[str, Any] | None:
    """The content of `meta.json`; None where it cannot be read.

    Raises:
        PermissionError: we may not read it.
    """
    meta = read_permitted_json(turn.meta)
    return meta if is_meta(meta) else None


def meta_of(turn: TurnDir) -> dict[str, Any]:
    """The content of `meta.json`, or as much as is known without it."""
    meta = read_json(turn.meta)
    return meta if is_meta(meta) else {"version": 1, "turn_id": turn.turn_id}


def answer_text(turn: TurnDir) -> str | None:
    """What `answer.txt` holds; None where there is no such file.

    Raises:
        PermissionError: we may not read it.
    """
    try:
        return read_bytes(turn.answer).decode("utf-8", "replace")
    except PermissionError:
        raise
    except OSError:
        return None


def request_of(turn: TurnDir, meta: dict[str, Any]) -> TurnRequest | None:
    """What was asked, to run it; None where `meta.json` does not tell it, or in words of a newer version."""
    from codex_server_cli.core.model.request import TurnRequest  # most readers ask for the state alone

    try:
        return TurnRequest.from_json(meta["request"], turn.turn_id, str(turn.prompt))
    except (KeyError, ValueError):
        return None


def told_request(turn: TurnDir, meta: dict[str, Any]) -> TurnRequest | None:
    """What was asked, to tell of it; a bare request where a newer version's words say it, None where nothing does."""
    return (request_of(turn, meta) or bare_request(turn)) if "request" in meta else None


def bare_request(turn: TurnDir) -> TurnRequest:
    """What stands for a request that cannot be read: nothing but the turn itself."""
    from codex_server_cli.core.model.request import TurnRequest

    return TurnRequest(turn.turn_id, cwd="/", prompt_path=str(turn.prompt))


def requests_in(turn: TurnDir) -> list[dict[str, Any]]:
    """The entries of `pending.json`: to be believed only of a turn that runs."""
    return objects_in((read_json(turn.pending) or {}).get("pending"))


def event_lines(turn: TurnDir) -> Iterator[bytes]:
    """The lines of `events.jsonl`, however long it is; none where there is no such file.

    Raises:
        OSError: it is there and cannot be read.
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
    """There is no such file, or something that is none."""


def _open(path: Path, flags: int) -> int:
    try:
        return open_regular(path, flags)
    except OSError as error:
        if error.errno in _NOT_A_FILE:
            raise _MissingError from error
        raise


def shown_text(turn: TurnDir) -> bytes:
    """What `out.txt` holds; empty where there is no such file."""
    return b"".join(_pieces(turn.out))


def append_text(turn: TurnDir, text: bytes) -> None:
    """Add to `out.txt`, which is never truncated; it is made where it is missing, and nothing else is written to."""
    with contextlib.suppress(_MissingError):
        fd = _open(turn.out, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            write_all(fd, text)
        finally:
            os.close(fd)
