"""What the keeper does while its server runs: drains it, stops it when idle, ends what its turns leave behind.

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
"""How long a draining server may run turns that no client attends."""
_END_S = 0.5
"""For each signal; a server without a turn needs 5 to 65 ms."""
_SWITCH_ON = "from codex_server_cli.codex.server.keeper.remote_control import main; main()"
_ASK = "from codex_server_cli.codex.server.keeper.activity import main; main()"
_ASK_WHETHER_IT_DRAINS = "from codex_server_cli.codex.server.draining import main; main()"


class Keeping:
    """The life of one generation.

    Attributes:
        server: its app-server.
        log: `server.log`.
    """

    def __init__(
        self, directory: str, server: CodexServer, log: ServerLog, idle_s: float, fds: tuple[int, int, int]
    ) -> None:
        """Take over a server that was just started.

        Args:
            directory: where its state is.
            idle_s: how long it stays without a client.
            fds: the lock, the file of its clients, and the pipe in which each signal is a byte.
        """
        self.server, self.log = server, log
        self._directory, self._idle_s = directory, idle_s
        self._lock_fd, self._clients_fd, self._wakeup_fd = fds
        self._record: str | None = None
        self._is_draining = False
        self._told_at: float | None = None  # when the server is to be told that it drains
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
        """End what still runs, and leave no file behind but the log and the lock."""
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
        """Let the server run its present turns to their end, and the next generation start. Once: a second signal would
        end the turns.

        Codex loses a turn that it began in the moment before the signal: clients that are there already get the time to
        begin theirs.
        """
        if self._is_draining:
            return
        self._is_draining = True
        self.log.say(f"generation {self.server.number} takes no more turns: {why}")
        self._withdraw(f"{self._directory}/draining-{self.server.number}.json")
        self._told_at = time.monotonic()
        self.server.signal(signal.SIGCONT)  # one that was stopped would never hear of it
        if self._try_alone():
            fcntl.flock(self._clients_fd, fcntl.LOCK_UN)
        else:
            self._told_at += _BEGIN_S
        if may_have_turns and self.server.to_ask:
            self._ask_whether_it_drains()
        os.close(self._lock_fd)

    def _ask_whether_it_drains(self) -> None:
        """Somebody may have sent it a signal, and who tells us now has found that out: ours would be the second one."""
        try:
            command = interpreter(_ASK_WHETHER_IT_DRAINS, *self.server.to_ask)
            self._asking_whether_it_drains = os.posix_spawn(sys.executable, command, inherited_environment())
        except OSError:  # no room: it most likely does not
            return

    def _has_been_told(self) -> None:
        """Note that for those who look after the server once we were killed: see `retiring`."""
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
        """Rename our record, or delete it. It is ours: we hold the lock, or it has our number."""
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
        """Whether our files are still there: a user may have deleted the home, and another keeper made it anew."""
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
            self._unattended_since = None  # else it would be asked again each second
            self._stop_if_idle()

    def _try_alone(self) -> bool:
        """Lock out clients; False where there is one."""
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
        """Do so where `config.json` may want it, in a process of its own: most users never do."""
        if not self.server.is_of_turns:
            return  # two of one home would be the same device; and on a TCP port we have no token to ask it with
        try:
            with open(f"{self._directory}/../../config.json", "rb") as file:  # noqa: PTH123
                is_wanted = b'"remote_control"' in file.read(_MOST_CONFIG_BYTES)
            if is_wanted:
                command = interpreter(_SWITCH_ON, self.server.socket_path, self._directory)
                self._switching_on = os.posix_spawn(sys.executable, command, inherited_environment())
        except OSError:  # no such file, or no room: `remote enable` does it as well
            return

    # --- what its turns leave behind

    def _orphans(self) -> set[int]:
        ours = {self._switching_on, self._asking_whether_it_drains, None if self._asking is None else self._asking[0]}
        return set(left_behind(self.server.pid, self._directory)) - ours

    def _ask(self, orphans: set[int], now: float) -> None:
        """Ask the server, in a process of its own, whether a turn is active: one of a client that holds no lease, such
        as a phone's, or one whose worker was killed."""
        self._asked_at = now
        try:
            command = interpreter(_ASK, *self.server.to_ask)
            pid = os.posix_spawn(sys.executable, command, inherited_environment())
        except OSError:  # no room: another time
            return
        self._asking = pid, orphans

    def _answered(self, status: int, orphans: set[int]) -> None:
        """End those leftovers that were there before the question, where no turn was active and none has begun."""
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
        """End it at once: the second SIGTERM ends the turns of one that drains."""
        for signum in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            self.server.signal(signum)
            deadline = time.monotonic() + _END_S
            while time.monotonic() < deadline:
                if self.server.has_ended():
                    return
                time.sleep(_POLL_S)
        self.server.exit_status = os.waitpid(self.server.pid, 0)[1]
