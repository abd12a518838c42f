"""Turn directories in every state, made without a worker: for tests of code that reads, repairs or collects them.

Never here: assertions, or processes.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any

from codex_server_cli.core.model.turn import State, state_of_kind
from codex_server_cli.core.result import failures
from codex_server_cli.core.result.outcome import Outcome
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.turn.layout import TurnDir, create
from codex_server_cli.disk.turn.writer import publish
from codex_server_cli.errors import ErrorKind
from tests.kit.captures import captured_turns

ANSWER = "Hello from mock"
"""The answer of the recorded turn `WHOLE_TURN`."""

WHOLE_TURN = captured_turns("basic_turn")[0].events()
"""The `events.jsonl` of a turn that completed."""

CUT_TURN = WHOLE_TURN[: WHOLE_TURN.index(b'"item/completed"', WHOLE_TURN.index(b"from"))].rpartition(b"\n")[0] + b"\n"
"""The same, cut after its last delta, as a worker leaves it that dies in the middle of an answer."""


class TurnsOnDisk:
    """A `turns` directory to put turns into, each newer than the one before; a context manager, which drops all locks.

    Attributes:
        path: the `turns` directory.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._count = 0
        self._lock_fds: dict[str, int] = {}

    def __enter__(self) -> TurnsOnDisk:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for turn_id in list(self._lock_fds):
            self.drop_lock(turn_id)

    def running(self, prompt: str = "hi", **meta: Any) -> TurnDir:
        """A turn whose lock is held, by this process. `meta` goes into `meta.json`."""
        self._count += 1
        # Of this process alone: another test that cleans up after a turn ends all processes that bear its id.
        turn_id = f"20261120-{165500 + self._count}-482-{os.getpid() & 0xFFFF:04x}"
        known: dict[str, Any] = {
            "version": 1,
            "started_at": "2026-11-20T16:55:01.482Z",
            "thread_id": None,
            "finished_at": None,
        }
        known["request"] = {"cwd": "/"}
        turn, self._lock_fds[turn_id] = create(self.path, turn_id, prompt, {**known, **meta})
        return turn

    def dead(self, events: bytes = CUT_TURN, **meta: Any) -> TurnDir:
        """A turn whose worker died after it had recorded these events; its end is not published."""
        turn = self.running(**meta)
        turn.events.write_bytes(events)
        self.drop_lock(turn.turn_id)
        return turn

    def complete(self, answer: str = ANSWER, **meta: Any) -> TurnDir:
        """A turn that ended well."""
        return self._end(Outcome(State.COMPLETE, answer, None, None, None), meta)

    def failed(self, kind: ErrorKind, answer: str | None = None, **meta: Any) -> TurnDir:
        """A turn that ended with an error of this kind."""
        error = failures.make_error(kind, f"it was {kind}")
        return self._end(Outcome(state_of_kind(kind), answer, None, None, error), meta)

    def end(self, turn: TurnDir, answer: str = ANSWER) -> None:
        """Have a running turn end well; its lock stays held."""
        publish(turn, Outcome(State.COMPLETE, answer, None, None, None), read_json(turn.meta) or {})

    def lock_fd(self, turn_id: str) -> int:
        """The descriptor that holds the lock of a running turn."""
        return self._lock_fds[turn_id]

    def drop_lock(self, turn_id: str) -> None:
        """Release a turn's lock, as the death of its worker does."""
        os.close(self._lock_fds.pop(turn_id))

    def _end(self, outcome: Outcome, meta: dict[str, Any]) -> TurnDir:
        turn = self.running(**meta)
        publish(turn, outcome, read_json(turn.meta) or {})
        write_json(turn.meta, {**(read_json(turn.meta) or {}), **meta})  # a `finished_at` given by the test, too
        self.drop_lock(turn.turn_id)
        return turn
