"""Codex's own sessions, read from `$CODEX_HOME/sessions`. Owns finding and reading; must never write there.

Only heads and tails of files are read: with 10 000 sessions, a list costs one `stat` each and 4 KB of each file it
opens. The first prompt is 25 to 100 KB into the file, so it is read only for the rows shown (a search reads it for
every candidate). Files that are unreadable, empty, truncated or not Codex's are skipped silently.

Left out: archived sessions (`archived_ids` gives only their ids), and compressed ones (`.jsonl.zst`), which Python
cannot read without a third-party module before 3.14 and which neither 0.163.0 nor 0.171.0 writes unless a feature
under development is switched on. Resuming a thread with 0.163.0 appends a line, and so moves it to the top.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.core.history.entries import ThreadEntry, parse_entries
from codex_server_cli.core.history.session_file import (
    RolloutMeta,
    SessionHead,
    guess_prompt,
    parse_meta,
    parse_names,
    parse_session_head,
)
from codex_server_cli.disk.files import read_end
from codex_server_cli.disk.session_files import SessionFile, newest_first

_META_BYTES = 4096
_MAX_META_BYTES = 256 * 1024
_HEAD_BYTES = (64 * 1024, 512 * 1024)
_TAIL_BYTES = (64 * 1024, 256 * 1024, 1024 * 1024)
_INDEX_BYTES = 256 * 1024
_ID_END = re.compile(r"[0-9a-f]{4,12}")


class ThreadSummary(NamedTuple):
    """One session of Codex.

    Attributes:
        thread_id: the id that `codex resume` and `thread/resume` take (a UUID).
        path: the session file.
        cwd: where the thread was started, as Codex wrote it.
        name: the name given with `thread/name/set`, if any.
        model: the model of the first turn.
        started_at: RFC 3339 UTC with milliseconds.
        updated_at: the same, from the file's modification time.
        first_prompt: the user's first prompt, raw; None where the file has none (a fork keeps its parent's
            history in the parent's file: its first prompt is the first one after the fork).
        source: `cli`, `vscode` (every app-server client), `exec`, `subagent`, …
        originator: the client's name, like `codex_cli_rs` or `codex_server`.
        cli_version: the Codex version that started the thread.
        is_subagent: whether another thread started this one (reviews included).
    """

    thread_id: str
    path: Path
    cwd: str
    name: str | None
    model: str | None
    started_at: str | None
    updated_at: str
    first_prompt: str | None
    source: str | None
    originator: str | None
    cli_version: str | None
    is_subagent: bool


def list_threads(
    codex_home: Path, *, limit: int, cwd: str | None = None, search: str | None = None
) -> list[ThreadSummary]:
    """The newest `limit` top-level threads, newest first.

    Args:
        codex_home: Codex's home; a missing one has no threads.
        limit: the most rows wanted.
        cwd: only threads started in this directory (compared by real path).
        search: only threads whose first prompt or name contains this, ignoring case.
    """
    wanted_cwd = os.path.realpath(cwd) if cwd is not None else None
    needle = search.casefold() if search else None
    names = _read_names(codex_home)
    real_paths: dict[str, str] = {}
    rows: list[ThreadSummary] = []
    for file in newest_first(codex_home):
        if len(rows) >= limit:
            break
        meta = _read_meta(file.path)
        if meta is None or meta.is_subagent:
            continue
        if wanted_cwd is not None and wanted_cwd != _real_path(meta.cwd, real_paths):
            continue
        row = _summarize(file, meta, names)
        if needle is None or needle in f"{row.name or ''}\n{row.first_prompt or ''}".casefold():
            rows.append(row)
    return rows


def newest_thread(codex_home: Path, cwd: str) -> ThreadSummary | None:
    """The most recently used top-level thread of exactly this directory, compared by real path."""
    return next(iter(list_threads(codex_home, limit=1, cwd=cwd)), None)


def find_threads(codex_home: Path, part: str, *, limit: int = 10) -> list[ThreadSummary]:
    """At most `limit` threads whose id begins with `part`, newest first; empty for an empty part.

    Where there are none, those whose id ends with it, if it fits the last group of an id, which is random.
    Two rows mean an ambiguous part. A sub-agent's id shares its first digits (the time) with its parent's,
    so sub-agents are found only where no top-level thread matches.
    """
    wanted = part.lower()
    found = _matching(codex_home, newest_first(codex_home, wanted), limit) if wanted else []
    if not found and _ID_END.fullmatch(wanted):
        return _matching(codex_home, newest_first(codex_home, wanted, is_end=True), limit)
    return found


def _matching(codex_home: Path, files: Iterator[SessionFile], limit: int) -> list[ThreadSummary]:
    names = _read_names(codex_home)
    rows: list[ThreadSummary] = []
    subagents: list[ThreadSummary] = []
    for file in files:
        if len(rows) >= limit:
            break
        if (meta := _read_meta(file.path)) is not None:
            (subagents if meta.is_subagent else rows).append(_summarize(file, meta, names))
    return rows or subagents[:limit]


def find_named(codex_home: Path, name: str) -> list[ThreadSummary]:
    """The threads with exactly this name (`thread/name/set`), newest first: Codex allows duplicates."""
    names = _read_names(codex_home)
    ids = {thread_id for thread_id, given in names.items() if given == name}
    files = (file for file in (newest_first(codex_home) if ids else []) if file.thread_id in ids)
    return [_summarize(file, meta, names) for file in files if (meta := _read_meta(file.path)) is not None]


def archived_ids(codex_home: Path, thread: str) -> list[str]:
    """The ids of the archived threads whose id begins with `thread`, or whose name equals it, newest first."""
    names = _read_names(codex_home)
    files = newest_first(codex_home, folder="archived_sessions")
    return [
        file.thread_id
        for file in files
        if thread and (file.thread_id.startswith(thread.lower()) or names.get(file.thread_id) == thread)
    ]


def damaged_file(codex_home: Path, thread_id: str) -> str | None:
    """The path of a thread's session file without a valid first line; None where there is no such file."""
    return next((f.path for f in newest_first(codex_home, thread_id.lower()) if _read_meta(f.path) is None), None)


def provider_of_thread(codex_home: Path, thread_id: str) -> str | None:
    """The model provider that a thread was created with; None where its session file does not name it."""
    for file in newest_first(codex_home, thread_id.lower()):
        meta = _read_meta(file.path)
        if meta is not None and meta.provider is not None:
            return meta.provider
    return None


def read_tail(summary: ThreadSummary, *, limit: int) -> tuple[ThreadEntry, ...]:
    """The last `limit` messages, commands and changes, oldest first.

    Reads the end of the file only, in growing blocks up to 1 MB: a thread whose last lines are huge may give
    fewer. A fork's file begins at the fork. Empty where the file is gone.
    """
    entries: list[ThreadEntry] = []
    for size in _TAIL_BYTES:
        tail, is_whole = read_end(summary.path, size)
        lines = tail.split(b"\n")
        entries = parse_entries(lines if is_whole else lines[1:])
        if is_whole or len(entries) >= limit:
            break
    return tuple(entries[-limit:]) if limit > 0 else ()


def _summarize(file: SessionFile, meta: RolloutMeta, names: dict[str, str]) -> ThreadSummary:
    session_head = _read_session_head(file.path)
    updated_at = datetime.fromtimestamp(file.mtime_s, UTC).isoformat(timespec="milliseconds")
    return ThreadSummary(
        thread_id=file.thread_id,
        path=Path(file.path),
        cwd=meta.cwd,
        name=names.get(file.thread_id),
        model=session_head.model,
        started_at=meta.started_at,
        updated_at=updated_at.replace("+00:00", "Z"),
        first_prompt=session_head.first_prompt,
        source=meta.source,
        originator=meta.originator,
        cli_version=meta.cli_version,
        is_subagent=meta.is_subagent,
    )


def _read_meta(path: str) -> RolloutMeta | None:
    head = _read_head(path, _META_BYTES)
    meta = parse_meta(head)
    if (meta is None or meta.source is None) and b"\n" not in head and len(head) == _META_BYTES:
        # versions of 2025 wrote the instructions before the source: these need the whole line
        meta = parse_meta(_read_head(path, _MAX_META_BYTES))
    return meta


def _read_session_head(path: str) -> SessionHead:
    head = b""
    session_head = SessionHead(None, None)
    for size in _HEAD_BYTES:
        head = _read_head(path, size)
        session_head = parse_session_head(head)
        if session_head.first_prompt is not None or len(head) < size:
            break
    if session_head.first_prompt is None:
        return SessionHead(guess_prompt(head), session_head.model)
    return session_head


def _read_names(codex_home: Path) -> dict[str, str]:
    """Thread names by id; `session_index.jsonl` names only threads that were given one."""
    tail, _ = read_end(codex_home / "session_index.jsonl", _INDEX_BYTES)
    return parse_names(tail.split(b"\n"))


def _read_head(path: str, size: int) -> bytes:
    """At most `size` bytes from the start; empty where the file cannot be read."""
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123 — thousands of files: no Path object each
            return file.read(size)
    except OSError:  # gone, or not readable (another user's)
        return b""


def _real_path(path: str, known: dict[str, str]) -> str:
    if path not in known:
        known[path] = os.path.realpath(path)
    return known[path]
