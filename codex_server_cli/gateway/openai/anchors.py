"""The files from which threads that share a prompt cache are forked. Owns their location and deletion.

Codex reads such a file once, during the fork: so each is written for one fork, in a directory of ours, and deleted
afterwards. Nothing is written into Codex's home, and no list of Codex shows the file. Files of a killed process are
deleted by the next process some minutes later.
Never here: their content (`core.openai.thread_terms`), when to fork (`opening`).
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
"""Codex requires it in a file to fork from."""
_ABANDONED_S = 600.0
"""A fork takes some milliseconds, and times out after half a minute."""


class Anchors:
    """The anchors of one gateway.

    Args:
        directory: for the files; created on demand.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seed, self._unix_ms = secrets.token_bytes(16), time.time_ns() // 1_000_000
        self._swept_s = -math.inf

    def id_of(self, key: str) -> str:
        """The id of the anchor with this key: constant for the lifetime of this process."""
        return anchor_id(key, seed=self._seed, unix_ms=self._unix_ms)

    @asynccontextmanager
    async def file(self, anchor: str, cwd: str) -> AsyncIterator[str]:
        """The path of an anchor file that exists while the context is open.

        Args:
            cwd: the working directory of its threads.

        Raises:
            OSError: it cannot be written.
        """
        path = await to_thread.run_sync(self._write, anchor, cwd)
        try:
            yield str(path)
        finally:
            with suppress(OSError):  # if the directory has become read-only, the next process tries again
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
        """Delete abandoned files. Another gateway may use this home now, so only old ones."""
        for path in self._directory.glob(f"*{_SUFFIX}"):
            with suppress(OSError):  # another process was faster
                if time.time() - path.stat().st_mtime > _ABANDONED_S:
                    path.unlink()
