"""Gates: where the scripted model blocks until a test (or another process) opens them.

Owns: the two kinds of gate. Never here: HTTP or Responses API events.
"""

from __future__ import annotations

import time
from pathlib import Path
from threading import Event

_POLL_S = 0.005


class Gate:
    """A gate within one process.

    `reached` is set when the model blocks on it, `opened` when it may continue.
    """

    def __init__(self) -> None:
        self.reached = Event()
        self.opened = Event()

    def hold(self) -> None:
        """Block until the gate is open (the model's side)."""
        self.reached.set()
        self.opened.wait()

    def wait_until_reached(self, timeout_s: float = 120.0) -> None:
        """Block until the model has reached the gate; raise `TimeoutError` after `timeout_s`."""
        if not self.reached.wait(timeout_s):
            raise TimeoutError(f"the model did not reach the gate within {timeout_s:g} s")

    def open(self) -> None:
        """Let the model continue, now and each time it reaches this gate again."""
        self.opened.set()

    def release(self) -> None:
        """Same as `open`: the server is closing."""
        self.open()


class FileGate:
    """A gate between processes: open once `path` exists; `<path>.reached` appears when the model blocks on it."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self.reached_path = self.path.with_name(self.path.name + ".reached")
        self._released = Event()

    def hold(self) -> None:
        """Block until the file exists (the model's side)."""
        self.reached_path.touch()
        while not self.path.exists() and not self._released.wait(_POLL_S):
            pass

    def wait_until_reached(self, timeout_s: float = 120.0) -> None:
        """Block until the model has reached the gate; raise `TimeoutError` after `timeout_s`."""
        deadline = time.monotonic() + timeout_s
        while not self.reached_path.exists():
            if time.monotonic() > deadline:
                raise TimeoutError(f"the model did not reach {self.path.name} within {timeout_s:g} s")
            time.sleep(_POLL_S)

    def open(self) -> None:
        """Create the file."""
        self.path.touch()

    def release(self) -> None:
        """Let the model continue without the file: the server is closing."""
        self._released.set()
