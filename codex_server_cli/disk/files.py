"""Atomic writes and safe reads of any file: no reader ever sees a half-written one."""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from codex_server_cli.disk.safe_open import open_regular

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""The errnos of a disk that accepts no more data, independent of writer and content."""


def write_atomic(path: Path, data: bytes, *, is_durable: bool = False) -> None:
    """Replace `path` by a complete file of mode 0600, via a hidden sibling and an atomic rename.

    Args:
        is_durable: fsync the content before the rename.

    Raises:
        OSError: the directory cannot be written; nothing is left behind.
    """
    write_pieces(path, (data,), is_durable=is_durable)


def write_pieces(path: Path, pieces: Iterable[bytes], *, is_durable: bool = False) -> None:
    """As `write_atomic`, for content that need not be in memory at once."""
    neighbour = path.with_name(f".{path.name}.{os.getpid()}")
    fd = _create_replacing(neighbour)
    try:
        try:
            for piece in pieces:
                write_all(fd, piece)
            if is_durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        neighbour.rename(path)
    except Exception:
        neighbour.unlink(missing_ok=True)
        raise


def _create_replacing(path: Path) -> int:
    """Create an empty file, replacing an existing one, which a dead process with our pid left or someone planted."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    try:
        return open_regular(path, flags)
    except FileExistsError:
        path.unlink()
        return open_regular(path, flags)


def create_file(path: Path, data: bytes) -> None:
    """Create a new file of mode 0600.

    Raises:
        OSError: it cannot be created, or the path exists.
    """
    fd = open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    try:
        write_all(fd, data)
    finally:
        os.close(fd)


def write_json(path: Path, value: Any, *, is_durable: bool = False) -> None:
    """Replace `path` by a JSON document, as `write_atomic` does."""
    write_atomic(path, encode_json(value), is_durable=is_durable)


def encode_json(value: Any) -> bytes:
    """A JSON document in the format of a turn's files: human-readable, safe for any text."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=1).encode() + b"\n"
    except UnicodeEncodeError:  # a lone surrogate: only the escaped form can be written
        return json.dumps(value, indent=1).encode() + b"\n"


def read_json(path: Path | str) -> dict[str, Any] | None:
    """The JSON object in a file; None where the file is missing or unreadable, or holds no object (torn, or edited by
    hand)."""
    try:
        return read_permitted_json(path)
    except PermissionError:
        return None


def read_permitted_json(path: Path | str) -> dict[str, Any] | None:
    """As `read_json`, for callers that must tell an unreadable file from a missing one.

    Raises:
        PermissionError: not readable: another user's.
    """
    try:
        value = _DECODER.decode(read_bytes(path).decode().removeprefix(_BOM))
    except PermissionError:
        raise
    except (OSError, ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse(text)
    return number


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")  # and could not be written back


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)
_BOM = "\ufeff"  # without the codec `utf-8-sig`, a module of its own


def read_bytes(path: Path | str, offset: int = 0, max_bytes: int = -1) -> bytes:
    """The content of a regular file from an offset on, all of it or at most `max_bytes`.

    Raises:
        OSError: as `open_regular`.
    """
    with open(open_regular(path), "rb") as file:  # noqa: PTH123 — a descriptor, not a path
        file.seek(offset)
        return file.read(max_bytes)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, continuing after short writes."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def fsync_directory(path: Path) -> None:
    """Make the entries of a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def tail_text(path: Path, max_bytes: int) -> str:
    """The last `max_bytes` of a text file, from the first complete line on; empty where it cannot be read."""
    try:
        with open(open_regular(path), "rb") as file:  # noqa: PTH123 — a descriptor, not a path
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - max_bytes))
            data = file.read()
    except OSError:
        return ""
    if size > max_bytes:
        data = data.partition(b"\n")[2] or data
    return data.decode("utf-8", "replace").strip()


def read_end(path: Path, size: int) -> tuple[bytes, bool]:
    """At most `size` bytes from a file's end, and whether that is all of it; empty where it cannot be read."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, os.SEEK_END) - size)
            file.seek(start)
            return file.read(size), start == 0
    except OSError:  # gone, or not readable (another user's)
        return b"", True
