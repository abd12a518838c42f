"""Following a file of a running turn as it grows. Owns the wake-ups; must never decide about states.

watchfiles' events are hints: they are sometimes dropped or delayed, so every wake-up reads again from the offset, and
there is also one every second without an event.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from codex_server_cli.disk.safe_open import open_regular

WAKE_INTERVAL_MS = 1000
DEBOUNCE_MS = 50
POLL_S = 0.05
STEP_MS = 8
"""How long watchfiles gathers events: the delay that a reader sees, and the interval at which its thread checks."""


def wakeups(directory: Path, step_ms: int = STEP_MS, deadline: float = float("inf")) -> Iterator[None]:
    """Yield when a directory changes, at a deadline, and at least once a second; endless.

    The first one means that the watch is active, so that no later change can be missed.

    Args:
        step_ms: how long events are gathered before each wake-up, and how often the watch checks for them.
        deadline: of the monotonic clock; after it there is a wake-up at every step.

    Raises:
        KeyboardInterrupt: Ctrl-C.
    """
    watcher = _watcher(directory)
    if watcher is None:
        while True:
            yield
            time.sleep(POLL_S)
    with watcher:
        yield
        while watcher.watch(max(DEBOUNCE_MS, step_ms), step_ms, _timeout_ms(deadline), None) != "signal":
            yield
    raise KeyboardInterrupt


def _timeout_ms(deadline: float) -> int:
    return max(1, int(min(WAKE_INTERVAL_MS, (deadline - time.monotonic()) * 1000)))  # 0 means no timeout


class FoldersWatch:
    """A watch over a changing set of directories; not thread-safe, except for `interrupt`. Must be closed."""

    def __init__(self) -> None:
        self._directories: frozenset[Path] = frozenset()
        self._watcher: Any = None
        from threading import Event  # not needed by a follower of one turn

        self._interrupt = Event()

    def wait(self, directories: frozenset[Path]) -> None:
        """Sleep until something changes in one of these directories, `interrupt` is called, or a second has passed.

        Returns at once where the set has changed, because changes before the watch was active are missed; and after
        `POLL_S` where they cannot be watched, because there are too many watches, or a directory is gone.
        """
        if directories != self._directories:
            self.close()
            self._directories = directories
            self._watcher = _watcher(*directories) if directories else None
            return
        if self._watcher is None:
            self._interrupt.wait(POLL_S if directories else WAKE_INTERVAL_MS / 1000)
        else:
            self._watcher.watch(DEBOUNCE_MS, STEP_MS, WAKE_INTERVAL_MS, self._interrupt)
        self._interrupt.clear()

    def interrupt(self) -> None:
        """Make `wait` return, now or the next time; from any thread."""
        self._interrupt.set()

    def close(self) -> None:
        """Release the watch."""
        if self._watcher is not None:
            self._watcher.close()
        self._watcher, self._directories = None, frozenset()


def _watcher(*directories: Path) -> Any:
    """watchfiles' own watcher; None where it is unavailable, and the caller has to poll."""
    try:
        # Its private "Rust backend", which is why pyproject.toml names the tested versions: the public API imports
        # asyncio, 40 ms for each follower.
        from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError
    except ImportError:  # an untested version, installed by force
        return None
    try:
        return RustNotify([str(each) for each in directories], False, False, 0, False, False)
    except (OSError, UnicodeError, TypeError, WatchfilesRustInternalError):
        # No more watches, or watchers (many systems allow 128 per user), or a name that is not UTF-8; or another
        # signature.
        return None


class GrowingFile:
    """A file that others append to, read piece by piece; a context manager, which closes it.

    It stays open: at the end of a turn `events.jsonl` is replaced by a shorter one, where the offset would be wrong.
    The open file has all lines, because none is appended after the replacement.

    Args:
        last_lines: begin with this many of its present last lines; None begins at the start.
    """

    def __init__(self, path: Path, last_lines: int | None = None) -> None:
        self._path = path
        self._file: FileIO | None = None
        if last_lines is not None and (file := self._open()) is not None:
            data = file.read()
            file.seek(beginning_of_last(data, last_lines))

    def __enter__(self) -> GrowingFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def read_more(self, max_bytes: int = -1) -> bytes:
        """What was appended since the last call, at most `max_bytes` of it; `b""` while the file is missing."""
        file = self._open()
        return b"" if file is None else file.read(max_bytes)

    def _open(self) -> FileIO | None:
        if self._file is None:
            with contextlib.suppress(OSError):  # not created yet, or deleted with its turn
                self._file = FileIO(open_regular(self._path))
        return self._file


def beginning_of_last(data: bytes, lines: int) -> int:
    """The offset at which the last `lines` lines begin."""
    end = len(data) - 1 if data.endswith(b"\n") else len(data)
    for _ in range(lines):
        end = data.rfind(b"\n", 0, max(end, 0))
        if end < 0:
            return 0
    return min(end + 1, len(data))
