"""The files from which threads are forked that share a prompt cache. Owns where they are, and that none stays.

Codex reads such a file once, while it forks: so each is written for one fork, in a directory of ours, and deleted
behind it. Nothing is written into Codex's home, and no list of Codex's shows anything. What a process that was killed
left behind, the next one deletes some minutes later.
Never here: what is in them (`core.openai.thread_terms`), when a thread is forked (`opening`).
"""

from __future__ import annotations

import math
import os
import secrets
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from anyio import to_thread

from codex_server_cli import __version__
from codex_server_cli.core.openai.thread_terms import anchor_id, anchor_line

_SUFFIX = ".jsonl"
"""Codex forks from no file without it."""
_ABANDONED_S = 600.0
"""A fork takes some milliseconds, and is given up after half a minute."""


class Anchors:
    """The anchors of one gateway.

    Args:
        directory: for the files; made when it is needed.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seed, self._unix_ms = secrets.token_bytes(16), time.time_ns() // 1_000_000
        self._swept_s = -math.inf

    def id_of(self, key: str) -> str:
        """The id of the anchor with this key: the same for as long as this process lives."""
        return anchor_id(key, seed=self._seed, unix_ms=self._unix_ms)

    @asynccontextmanager
    async def file(self, anchor: str, cwd: str) -> AsyncIterator[str]:
        """The path of a file with this anchor, which is there as long as the context is.

        Args:
            cwd: the working directory of its threads.

        Raises:
            OSError: it cannot be written.
        """
        path = await to_thread.run_sync(self._write, anchor, cwd)
        try:
            yield str(path)
        finally:
            with suppress(OSError):  # on a directory that was made read-only meanwhile: the next process tries again
                path.unlink()

    def _write(self, anchor: str, cwd: str) -> Path:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if time.monotonic() - self._swept_s >= _ABANDONED_S:
            self._swept_s = time.monotonic()
            self._sweep()
        descriptor, path = tempfile.mkstemp(_SUFFIX, dir=self._directory)
        with os.fdopen(descriptor, "w") as file:
            file.write(anchor_line(anchor, cwd=cwd, version=__version__, unix_ms=self._unix_ms))
        return Path(path)

    def _sweep(self) -> None:
        """Delete what others left. Another gateway of this home may be at work, so only what is old."""
        for path in self._directory.glob(f"*{_SUFFIX}"):
            with suppress(OSError):  # another one was faster
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink()
