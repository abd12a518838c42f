"""The home's log of all turns, which monitors follow: one line for each phase change, attention, end and recovery.

    journal/lock                        held exclusively by the writer
    journal/00000000000000000000.jsonl  a segment, named by the offset at which it begins in the whole log

A cursor is the logical offset behind a line: it stays valid as long as the journal exists, even after old segments are
dropped. Any turn may write; a reader takes no lock. The journal only notifies: the source of truth of a turn is its
directory, so a writer that fails (`OSError`) continues without the line, and a monitor adds a missing end.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from codex_server_cli.disk import lock
from codex_server_cli.disk.journal import segments
from codex_server_cli.disk.safe_open import opened_regular

Entry = dict[str, object]
"""One line: `ts` (Unix ms), `turn_id`, `event`, then `phase`, or `state` and `kind`, and last `name`.

An `attention` also has `request`, the id of the waiting request, and `message`, its question.
"""

MAX_SEGMENT_BYTES = 4 * 1024 * 1024
LOCK_TIMEOUT_S = 5.0
"""How long a writer waits for others, each of which needs 30 µs: enough for hundreds on a busy machine, and a bound
where one of them is stopped while it holds the lock."""

_MAX_MESSAGE = 300  # characters of the question: `pending.json` has all of it
_TAIL_BYTES = 1 << 16
_DAY_S = 86400


def folder_of(home: Path) -> Path:
    """The journal of a home."""
    return home / "journal"


# --- the lines


def phase_entry(turn_id: str, phase: str, name: object) -> Entry:
    """A turn has entered a phase."""
    return {"ts": _now_ms(), "turn_id": turn_id, "event": "phase", "phase": phase, "name": name}


def attention_entry(turn_id: str, phase: str, request: str, message: str, name: object) -> Entry:
    """A turn has begun to wait for a person to decide a request, and entered `phase` with it."""
    details: Entry = {"request": request, "message": message[:_MAX_MESSAGE]}
    return {"ts": _now_ms(), "turn_id": turn_id, "event": "attention", "phase": phase, **details, "name": name}


def end_entry(turn_id: str, state: str, kind: str | None, name: object) -> Entry:
    """A turn has ended; `kind` is that of its error, None for a complete turn."""
    return {"ts": _now_ms(), "turn_id": turn_id, "event": "end", "state": state, "kind": kind, "name": name}


def recovered_entry(turn_id: str, state: str, kind: str | None, name: object) -> Entry:
    """More of an ended turn was recovered; `state` and `kind` are those of its new end."""
    return end_entry(turn_id, state, kind, name) | {"event": "recovered"}


# --- writing


def append(home: Path, entry: Entry, timeout_s: float = LOCK_TIMEOUT_S) -> None:
    """Add a line.

    Raises:
        OSError: the journal cannot be written, is not a folder (a symlink), or stayed locked for `timeout_s`.
    """
    with _locked(home, timeout_s) as folder_fd:
        _write(folder_fd, _line_of(entry))


def append_once(home: Path, entry: Entry) -> bool:
    """Add the end of a turn; idempotent.

    Returns:
        Whether it was added.

    Raises:
        OSError: as `append`.
    """
    with _locked(home, LOCK_TIMEOUT_S) as folder_fd:
        _write(folder_fd, b"")  # a torn line may lack only its newline
        if _has_end(folder_fd, str(entry["turn_id"])):
            return False
        _write(folder_fd, _line_of(entry))
        return True


def drop_before(home: Path, age_s: float) -> int:
    """Delete the segments whose last line is older than `age_s`; never the newest one, to which the log is appended.

    Returns:
        How many.

    Raises:
        OSError: the journal cannot be written.
    """
    if not folder_of(home).is_dir():
        return 0
    dropped = 0
    with _locked(home, LOCK_TIMEOUT_S) as folder_fd:
        for base in segments.bases_of(folder_fd)[:-1]:
            facts = segments.facts_of(folder_fd, base)
            if facts is not None and time.time() - facts.st_mtime <= age_s:
                break  # all newer ones stay, so that the log has no gap
            segments.delete(folder_fd, base)
            dropped += 1
    return dropped


def prepare(home: Path) -> None:
    """Create the folder, mode 0700, if missing in its home: a watch needs an existing folder.

    Raises:
        OSError: it cannot be created, or is a symlink.
    """
    os.close(segments.open_folder(folder_of(home), may_create=True))


# --- reading


def read(home: Path, after: int = 0) -> Iterator[tuple[int, Entry]]:
    """The lines behind a cursor, oldest first, each with its own cursor.

    Only complete lines count: a later read returns one that is being written. An unparsable line (torn by a crash, then
    terminated by the next writer) is skipped. A missing journal has no lines.
    """
    try:
        folder_fd = segments.open_folder(folder_of(home))
    except OSError:  # nothing written yet, or not readable (another user's)
        return
    try:
        # Listed before they are read: a segment with a successor is no longer written.
        bases = segments.bases_of(folder_fd)
        for base, following in zip(bases, [*bases[1:], None], strict=False):
            if following is None or following > after:
                start = max(after, base)
                segment_end = None if following is None else following - base
                yield from _entries(segments.read(folder_fd, base, start - base, segment_end), start)
    finally:
        os.close(folder_fd)


def bounds(home: Path) -> tuple[int, int] | None:
    """The cursors before the first retained line and behind the last whole one; None without a journal."""
    with contextlib.suppress(OSError), segments.opened(folder_of(home)) as folder_fd:  # as of `read`
        bases = segments.bases_of(folder_fd) or [0]
        facts = segments.facts_of(folder_fd, bases[-1])  # None where nothing was written yet
        start = max(0, facts.st_size - _TAIL_BYTES) if facts is not None else 0  # far more than a line
        return bases[0], bases[-1] + start + segments.read(folder_fd, bases[-1], start).rfind(b"\n") + 1
    return None


def end(home: Path) -> int:
    """The cursor behind the last whole line; 0 without a journal."""
    found = bounds(home)
    return found[1] if found is not None else 0


def _entries(data: bytes, offset: int) -> Iterator[tuple[int, Entry]]:
    position = 0
    while (line_end := data.find(b"\n", position)) >= 0:
        entry = _parse(data[position:line_end])
        position = line_end + 1
        if entry is not None:
            yield offset + position, entry


def _parse(line: bytes) -> Entry | None:
    try:
        value = json.loads(line)
    except ValueError:  # torn by a crash, or a cursor in the middle of a line
        return None
    return value if isinstance(value, dict) else None


# --- under the lock


@contextlib.contextmanager
def _locked(home: Path, timeout_s: float) -> Iterator[int]:
    with (
        segments.opened(folder_of(home), may_create=True) as folder_fd,
        opened_regular("lock", os.O_RDWR | os.O_CREAT, dir_fd=folder_fd) as fd,
    ):
        if not lock.take(fd, timeout_s):
            raise TimeoutError(errno.ETIMEDOUT, "another process keeps the journal locked")
        yield folder_fd


def _write(folder_fd: int, line: bytes) -> None:
    """Append one line, under the lock, in one write. A torn line is terminated first, so that it damages no other."""
    base = max(segments.bases_of(folder_fd), default=0)
    with segments.opened_for_writing(folder_fd, base) as fd:
        size = os.fstat(fd).st_size
        torn_end = b"\n" if size and os.pread(fd, 1, size - 1) != b"\n" else b""
        if size < MAX_SEGMENT_BYTES:
            _put(fd, torn_end + line)
            return
        _put(fd, torn_end)
    with segments.opened_for_writing(folder_fd, base + size + len(torn_end)) as fd:
        _put(fd, line)


def _put(fd: int, data: bytes) -> None:
    if os.write(fd, data) != len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _has_end(folder_fd: int, turn_id: str) -> bool:
    """Whether a turn's end is in any segment written to since the turn was created."""
    needle = turn_id.encode()
    made_on = min(turn_id[:8], _day_of(time.time()))  # an id may lie in the future after a clock was set back
    for base in reversed(segments.bases_of(folder_fd)):
        facts = segments.facts_of(folder_fd, base)
        if facts is not None and _day_of(facts.st_mtime + _DAY_S) < made_on:  # a day, for clocks that step
            return False
        data = segments.read(folder_fd, base)
        if needle not in data:
            continue
        for line in data.split(b"\n"):
            entry = _parse(line) if needle in line else None
            if entry is not None and (entry.get("turn_id"), entry.get("event")) == (turn_id, "end"):
                return True
    return False


def _day_of(unix_s: float) -> str:
    """The date in the format with which turn ids begin."""
    return time.strftime("%Y%m%d", time.gmtime(unix_s))


def _line_of(entry: Entry) -> bytes:
    return json.dumps(entry, separators=(",", ":")).encode() + b"\n"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
