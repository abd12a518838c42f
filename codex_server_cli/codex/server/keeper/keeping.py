"""The keeper's work while its server runs: draining it, stopping it when idle, ending orphans of its turns.

Must import next to nothing: see `keeper`.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import sys
import time

from codex_server_cli.codex.server.keeper.generations import CodexServer
from codex_server_cli.codex.server.keeper.leftovers import end_all, left_behind
from codex_server_cli.codex.server.keeper.server_log import ServerLog
from codex_server_cli.settings.environment import inherited_environment, interpreter

_TICK_S = 1.0
_POLL_S = 0.005
_BEGIN_S = 1.0
_ASK_PAUSE_S = 5.0
_MOST_CONFIG_BYTES = 1 << 16
_UNATTENDED_S = 600.0
"""How long a draining server may run turns without a client."""
_END_S = 0.5
"""For each signal; a server without a turn needs 5 to 65 ms."""
_SWITCH_ON = "from codex_server_cli.codex.server.keeper.remote_control import main; main()"
_ASK = "from codex_server_cli.codex.server.keeper.activity import main; main()"
_ASK_WHETHER_IT_DRAINS = "from codex_server_cli.codex.server.draining import main; main()"


class Keeping:
    """The lifetime of one generation.

    Attributes:
        server: its app-server.
        log: `server.log`.
    """

    def __init__(
        self, directory: str, server: CodexServer, log: ServerLog, idle_s: float, fds: tuple[int, int, int]
    ) -> None:
        """Take over a server that was just started.

        Args:
            directory: for its state.
            idle_s: how long it runs without a client.
            fds: the lock, the file of its clients, and the pipe that gets a byte for each signal.
        """
        self.server, self.log = server, log
        self._directory, self._idle_s = directory, idle_s
        self._lock_fd, self._clients_fd, self._wakeup_fd = fds
        self._record: str | None = None
        self._is_draining = False
        self._told_at: float | None = None  # when the server gets the signal to drain
        self._unattended_since: float | None = None
        self._asked_at = 0.0
        self._asking: tuple[int, set[int]] | None = None
        self._switching_on: int | None = None
        self._asking_whether_it_drains: int | None = None

    def record(self, text: str) -> None:
        """Write `server.json`, by which clients find the server.

        Raises:
            OSError: it cannot be written.
        """
        path, new = f"{self._directory}/server.json", f"{self._directory}/.server.json.new"
        data = text.encode("utf-8", "surrogateescape")
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            if os.write(fd, data) != len(data):
                raise OSError(28, os.strerror(28))
        finally:
            os.close(fd)
        os.rename(new, path)  # noqa: PTH104
        self._record = path

    def keep(self) -> None:
        """Stay until the server has ended."""
        self._switch_on_remote_control()
        tick_s = min(_TICK_S, self._idle_s)
        tick_at = time.monotonic() + tick_s
        while self.server.exit_status is None:
            told_at = None if self._asking_whether_it_drains is not None else self._told_at
            due_at = tick_at if told_at is None else min(tick_at, told_at)
            ready = select.select([self._wakeup_fd], [], [], max(due_at - time.monotonic(), 0))[0]
            signums = os.read(self._wakeup_fd, 512) if ready else b""
            if signal.SIGINT in signums:
                self.log.say("ended at once, by request")
                self._end_server()
            elif signal.SIGTERM in signums:
                self._drain("by request")
            self._reap()
            if told_at is not None and self._told_at is not None and time.monotonic() >= told_at:
                self.server.signal(signal.SIGTERM)
                self._has_been_told()
            if time.monotonic() >= tick_at:
                self._tick(time.monotonic())
                tick_at = time.monotonic() + tick_s
        self.log.say(f"generation {self.server.number} has ended: {self.server.exit_text()}")

    def clean_up(self) -> None:
        """End what still runs, and delete all files except the log and the lock."""
        if self.server.exit_status is None:
            self._end_server()
        end_all(lambda: set(left_behind(self.server.pid, self._directory)))
        if not self._has_our_directory():
            return
        self._withdraw(None)
        for suffix in ("sock", "clients", "told"):
            try:
                os.unlink(f"{self._directory}/g{self.server.number}.{suffix}")  # noqa: PTH108
            except OSError:  # codex has removed its link itself
                continue

    def _drain(self, why: str, *, may_have_turns: bool = True) -> None:
        """Make the server finish its present turns and take no new ones, and let the next generation start. Sent only
        once: a second signal would end the turns.

        Codex loses a turn that it began just before the signal: so clients that are connected get time to begin theirs.
        """
        if self._is_draining:
            return
        self._is_draining = True
        self.log.say(f"generation {self.server.number} takes no more turns: {why}")
        self._withdraw(f"{self._directory}/draining-{self.server.number}.json")
        self._told_at = time.monotonic()
        self.server.signal(signal.SIGCONT)  # a stopped process would never handle it
        if self._try_alone():
            fcntl.flock(self._clients_fd, fcntl.LOCK_UN)
        else:
            self._told_at += _BEGIN_S
        if may_have_turns and self.server.to_ask:
            self._ask_whether_it_drains()
        os.close(self._lock_fd)

    def _ask_whether_it_drains(self) -> None:
        """Ask the server whether it already drains: if another program sent it a signal, ours would be the second."""
        try:
            command = interpreter(_ASK_WHETHER_IT_DRAINS, *self.server.to_ask)
            self._asking_whether_it_drains = os.posix_spawn(sys.executable, command, inherited_environment())
        except OSError:  # no process: it most likely does not drain
            return

    def _has_been_told(self) -> None:
        """Record that the server was told to drain, for processes that retire it if we are killed: see `retiring`."""
        self._told_at = None
        if not self._has_our_directory():
            return
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            fd = os.open(f"{self._directory}/g{self.server.number}.told", flags, 0o600)
            try:
                os.write(fd, b"1")
            finally:
                os.close(fd)
        except OSError:  # a full disk
            return

    def _withdraw(self, path: str | None) -> None:
        """Rename our record, or delete it. Safe because we hold the lock, or the name has our number."""
        record, self._record = self._record, path
        if record is None or not self._has_our_directory():
            return
        try:
            if path is not None:
                os.rename(record, path)  # noqa: PTH104
            else:
                os.unlink(record)  # noqa: PTH108
        except OSError:  # it was deleted
            self._record = None

    def _has_our_directory(self) -> bool:
        """Whether our files still exist: a user may have deleted the home, and another keeper recreated it."""
        try:
            found = os.lstat(f"{self._directory}/g{self.server.number}.clients")
        except OSError:
            return False
        return os.path.samestat(found, os.fstat(self._clients_fd))

    def _reap(self) -> None:
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self.server.pid:
                    self.server.exit_status = ended[1]
                elif self._asking is not None and ended[0] == self._asking[0]:
                    self._answered(ended[1], self._asking[1])
                elif ended[0] == self._switching_on:
                    self._switching_on = None
                elif ended[0] == self._asking_whether_it_drains:
                    self._asking_whether_it_drains = None
                    if ended[1] == 0:
                        self.log.say("somebody else has made it drain")
                        self._has_been_told()
        except ChildProcessError:
            return

    def _tick(self, now: float) -> None:
        self.log.bound()
        if not self._is_draining and not (self._has_our_directory() and os.path.lexists(self._record or "")):
            self._drain("its files were deleted")
        if not self._try_alone():
            self._unattended_since = None
            return
        fcntl.flock(self._clients_fd, fcntl.LOCK_UN)
        since = self._unattended_since = self._unattended_since or now
        orphans = self._orphans()
        if orphans and self.server.to_ask and self._asking is None and now - self._asked_at >= _ASK_PAUSE_S:
            self._ask(orphans, now)
        if self._is_draining and now - since >= _UNATTENDED_S:
            self.log.say("ended: no client attends its turns")
            self._end_server()
        elif not self._is_draining and now - since >= self._idle_s:
            self._unattended_since = None  # else this would run again every second
            self._stop_if_idle()

    def _try_alone(self) -> bool:
        """Lock out clients; False where there is a client."""
        try:
            fcntl.flock(self._clients_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _stop_if_idle(self) -> None:
        from codex_server_cli.codex.server.keeper.idle import may_stop

        if not self.server.is_of_turns or may_stop(self._directory):
            self._drain(f"idle for {self._idle_s:.0f} s", may_have_turns=False)

    def _switch_on_remote_control(self) -> None:
        """Switch it on where `config.json` may ask for it, in a separate process: most users never need that."""
        if not self.server.is_of_turns:
            return  # two servers of one home would be the same device; and for a TCP port we have no token
        try:
            with open(f"{self._directory}/../../config.json", "rb") as file:  # noqa: PTH123
                is_wanted = b'"remote_control"' in file.read(_MOST_CONFIG_BYTES)
            if is_wanted:
                command = interpreter(_SWITCH_ON, self.server.socket_path, self._directory)
                self._switching_on = os.posix_spawn(sys.executable, command, inherited_environment())
        except OSError:  # no such file, or no process: `remote enable` can do it later
            return

    # --- orphans of its turns

    def _orphans(self) -> set[int]:
        ours = {self._switching_on, self._asking_whether_it_drains, None if self._asking is None else self._asking[0]}
        return set(left_behind(self.server.pid, self._directory)) - ours

    def _ask(self, orphans: set[int], now: float) -> None:
        """Ask the server, in a separate process, whether a turn is active: from a client without a lease, such as a
        phone, or from a killed worker."""
        self._asked_at = now
        try:
            command = interpreter(_ASK, *self.server.to_ask)
            pid = os.posix_spawn(sys.executable, command, inherited_environment())
        except OSError:  # no process: retried later
            return
        self._asking = pid, orphans

    def _answered(self, status: int, orphans: set[int]) -> None:
        """End the orphans that existed before the query, if no turn was active and none has begun since."""
        self._asking = None
        if status != 0 or not self._try_alone():
            return
        try:
            ended = end_all(lambda: self._orphans() & orphans)
        finally:
            fcntl.flock(self._clients_fd, fcntl.LOCK_UN)
        if ended:
            self.log.say(f"ended what turns had left running: {', '.join(map(str, sorted(ended)))}")

    # --- the end

    def _end_server(self) -> None:
        """End it at once: the second SIGTERM ends the turns of a draining server."""
        for signum in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            self.server.signal(signum)
            deadline = time.monotonic() + _END_S
            while time.monotonic() < deadline:
                if self.server.has_ended():
                    return
                time.sleep(_POLL_S)
        self.server.exit_status = os.waitpid(self.server.pid, 0)[1]
