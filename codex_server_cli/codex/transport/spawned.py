"""A process whose stdin and stdout lead to an app-server; the usual one is a spawned `codex app-server`.

Owns the process, its stderr and its end; `stdio` and the session own the bytes of stdin and stdout. Runs in the worker,
and in a client's process. Must never start a shell here, or a codex with more of the environment than
`settings.environment.codex_environment` allows.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

from codex_server_cli.codex.transport.base import GRACE_S
from codex_server_cli.codex.transport.stdio import StdioPipes
from codex_server_cli.core.result.failures import without_colours
from codex_server_cli.core.result.plain_log import PlainLog
from codex_server_cli.settings.environment import codex_environment

_TAIL_LINES = 200
_TAIL_CHARS = 32 * 1024
_LINE_BYTES = 2000
_MOST_READS = 4
_LOG_BYTES = 64 * 1024


class ServerProcess:
    """A running process that leads to an app-server, in a process group of its own: a `Link`.

    Attributes:
        stderr_fd: readable when there is input for `drain_stderr`.
        exit_fd: readable once the process has ended; None where the system has no pidfd (macOS).
    """

    def __init__(
        self,
        argv: Sequence[str | Path],
        cwd: str,
        environment: dict[str, str],
        *,
        is_swept: bool,
        on_stderr: Callable[[bytes], None] | None,
    ) -> None:
        """Spawn it.

        Args:
            is_swept: whether a sweep ends the rest of its process group.
            on_stderr: called with the beginning and the end of its stderr as they arrive; None only keeps the tail.

        Raises:
            OSError: it cannot be run, or `cwd` cannot be entered.
        """
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            bufsize=0,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        # `StdioPipes` closes stdin by its number: Popen's file object must not own the same one.
        self._pipes = StdioPipes(os.dup(self._process.stdin.fileno()), self._process.stdout.fileno())
        self._process.stdin.close()
        self.stderr_fd = self._process.stderr.fileno()
        os.set_blocking(self.stderr_fd, False)
        self._is_stderr_open = True
        self.exit_fd = _open_pidfd(self._process.pid)
        self._is_swept = is_swept
        self._tail: deque[bytes] = deque(maxlen=_TAIL_LINES)
        self._on_stderr = on_stderr
        self._plain = PlainLog()  # codex colours its stderr even without a terminal
        self._stderr_bytes = 0
        self._is_line_open = False  # the last line of the tail is incomplete

    @property
    def pid(self) -> int:
        """Its process id, and that of its group."""
        return self._process.pid

    def fds(self) -> tuple[int, ...]:
        """See `Link`."""
        found = (self._pipes.read_fd, self.stderr_fd if self._is_stderr_open else None, self.exit_fd)
        return tuple(fd for fd in found if fd is not None)

    def write_fd(self) -> int | None:
        """See `Link`."""
        return self._pipes.write_fd()

    def read(self, fd: int) -> bytes | None:
        """See `Link`. Returns all that codex wrote before reporting its end, even if a child holds stdout open."""
        if fd == self.stderr_fd:
            self._is_stderr_open = self.drain_stderr()
            return b""
        data = self._pipes.read()
        return None if data == b"" and fd == self.exit_fd else data

    def send(self, data: bytes) -> None:
        """See `Link`."""
        self._pipes.send(data)

    def tick(self) -> None:
        """See `Link`: a pipe reports EOF by itself."""

    def drain_stderr(self) -> bool:
        """Read codex's stderr; its beginning goes to `on_stderr`, its tail is kept.

        Reads a limited amount, slightly more than a pipe holds: a flood of output must not block the caller.

        Returns:
            False at EOF.
        """
        for _ in range(_MOST_READS):
            try:
                data = os.read(self.stderr_fd, 1 << 16)
            except BlockingIOError:  # nothing more just now
                return True
            if not data:
                return False
            self._keep(data)
        return True

    def _keep(self, data: bytes) -> None:
        """Process output for people: log its beginning, keep its tail."""
        if self._stderr_bytes < _LOG_BYTES:
            self._log(self._plain.feed(data[: _LOG_BYTES - self._stderr_bytes]))
        self._stderr_bytes += len(data)
        lines = data.split(b"\n")
        if self._is_line_open:  # a read may end within a line, and lines are searched for texts
            lines[0] = self._tail.pop() + lines[0]
        self._is_line_open = bool(lines[-1].strip())
        self._tail.extend(line[:_LINE_BYTES] for line in lines if line.strip())

    def stderr_tail(self) -> str:
        """The tail of stderr so far, without colours."""
        if self._is_stderr_open:
            self.drain_stderr()
        text = b"\n".join(self._tail).decode("utf-8", "replace")[-_TAIL_CHARS:]
        return without_colours(text)

    def end(self, first_grace_s: float = GRACE_S) -> str:
        """End the process: EOF on stdin, then SIGTERM, then SIGKILL to its process group. Idempotent.

        For a turn only the app-server gets the signals: the sweep ends the rest of its group, except the user's own.

        Args:
            first_grace_s: how long it has after EOF on its stdin.

        Returns:
            How it ended, for people: `exit code 0`, `signal 9`.
        """
        if self._process.returncode is None:
            self._end(first_grace_s)
        code = self._process.returncode
        return f"exit code {code}" if code >= 0 else f"signal {-code}"

    def _end(self, first_grace_s: float) -> None:
        self._pipes.close()
        # Not reaped before the last step, so the group id cannot be reused.
        if not self._has_ended_within(first_grace_s):
            self._signal(signal.SIGTERM)
            if not self._has_ended_within(GRACE_S):
                self._signal(signal.SIGKILL)
                self._process.wait()
        self.drain_stderr()
        if self._stderr_bytes > _LOG_BYTES:
            rest = f"\n[{self._stderr_bytes} bytes of stderr in all; its end:]\n{self.stderr_tail()}\n"
            self._log(rest.encode())

    def _log(self, data: bytes) -> None:
        if self._on_stderr is not None:
            self._on_stderr(data)

    def _signal(self, signum: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # macOS: a group of zombies refuses
            (os.kill if self._is_swept else os.killpg)(self._process.pid, signum)

    def close(self) -> None:
        """Close its pipes, after `end`."""
        self._is_stderr_open = False
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        if self.exit_fd is not None:
            os.close(self.exit_fd)
            self.exit_fd = None

    def _has_ended_within(self, timeout_s: float) -> bool:
        # Popen's own wait polls with growing delays: it would notice an exit after 16 ms only after 32.
        if self.exit_fd is not None:
            select.select([self.exit_fd], [], [], timeout_s)
            timeout_s = 0.0  # only reap
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return False
        return True


class AppServer(ServerProcess):
    """A running `codex app-server` of our own."""

    def __init__(
        self,
        codex: Path,
        cwd: str,
        *,
        may_bill_api_key: bool,
        turn_id: str | None = None,
        codex_home: str | None = None,
        on_stderr: Callable[[bytes], None] | None = None,
        provider: str | None = None,
    ) -> None:
        """Spawn it.

        Args:
            turn_id: the turn whose mark it and its children get.
            codex_home: a `CODEX_HOME` other than ours.
            on_stderr: see `ServerProcess`.
            provider: the model provider to configure; None means that of Codex's configuration.

        Raises:
            OSError: the binary cannot be run, or `cwd` cannot be entered.
        """
        super().__init__(
            [codex, "app-server", *([] if provider is None else ["-c", f"model_provider={toml_string(provider)}"])],
            cwd,
            codex_environment(may_bill_api_key=may_bill_api_key, turn_id=turn_id, codex_home=codex_home),
            is_swept=turn_id is not None,
            on_stderr=on_stderr,
        )


def toml_string(text: str) -> str:
    """A string of TOML."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", r"\u007f")


def _open_pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):  # not Linux, or an old kernel; or a limit on open files
        return None
