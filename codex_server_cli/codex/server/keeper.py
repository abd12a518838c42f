"""Our process above the shared app-server: starts it, ends what its turns leave, stops it when idle.

One keeper for each generation. It holds the lock of the server's directory from before its start (the client that
starts it takes the lock and passes it on) until its server is to take no more turns: then the next client may start the
next generation beside it, while this one runs its last turns.

    SIGTERM   drain: no new turns; the server runs the present ones to their end, and goes; so do we
    SIGINT    end at once

Where this process is killed, its server drains by itself (`generations`). Must stay small: it lives as long as the
server, and wakes up once a second. So it imports next to nothing; what needs more runs in a process of its own.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import sys
import time

from codex_server_cli.codex.server import generations
from codex_server_cli.codex.server.generations import CodexServer
from codex_server_cli.codex.server.leftovers import end_all, left_behind
from codex_server_cli.codex.server.process import boot_id, start_ticks
from codex_server_cli.codex.server.server_log import ServerLog
from codex_server_cli.settings.environment import inherited_environment, interpreter

LOCK_FD = 3
"""Where the lock comes to us."""
_TICK_S = 1.0
_READY_S = 30.0
_READY_POLL_S = 0.005
_ASK_PAUSE_S = 5.0
_UNATTENDED_S = 600.0
"""How long a draining server may run turns that no client attends."""
_END_S = 0.5
"""For each signal; a server without a turn needs 5 to 65 ms."""


def main() -> None:
    """Entry point of the keeper's process: `DIRECTORY CODEX IDLE_S FACTS [ARGUMENT…]`.

    `FACTS` is the beginning of `server.json`, a JSON object without its closing brace. Standard output is a pipe to the
    client that starts us: one line, `ready N` or `failed KIND`, and what there is to say about the failure.
    """
    directory, codex, idle_s, facts, *arguments = sys.argv[1:]
    if os.fork():
        os._exit(0)  # so that we are no child of a client that lives on, as a zombie at the end
    os.chdir("/")
    os.set_inheritable(LOCK_FD, False)
    keeper = Keeper(directory, codex, float(idle_s), facts, arguments)
    try:
        is_ready = keeper.start()
        if is_ready:
            keeper.keep()
    finally:
        keeper.clean_up()
    os._exit(0 if is_ready else 1)


class Keeper:
    """See the module."""

    def __init__(self, directory: str, codex: str, idle_s: float, facts: str, arguments: list[str]) -> None:
        self._directory, self._codex, self._facts, self._arguments = directory, codex, facts, arguments
        self._idle_s = idle_s
        self._server: CodexServer | None = None
        self._record: str | None = None
        self._is_draining = False
        self._unattended_since: float | None = None
        self._asked_at = 0.0
        self._asking: tuple[int, set[int]] | None = None
        self._wakeup_fd = _signals_into_a_pipe()

    # --- the start

    def start(self) -> bool:
        """Start the server and publish it; False, with the reason told to the client, where that fails."""
        generations.become_subreaper()
        try:
            self._log = ServerLog(f"{self._directory}/server.log")
            number = self._take_number()
            self._clients_fd = os.open(
                f"{self._directory}/g{number}.clients", os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600
            )
        except OSError as error:
            return _failed("disk", f"{error.filename or self._directory}: {error.strerror}")
        try:
            server = CodexServer(self._codex, self._arguments, self._directory, number, self._log.fd)
        except OSError as error:
            return _failed("room", error.strerror or str(error))
        self._server = server
        version = generations.read_codex_version(self._codex)
        if not generations.wait_until_it_accepts(server, _READY_S, _READY_POLL_S, self._wakeup_fd):
            status, words = server.exit_status, self._log.tail()
            self._end_server()
            return _failed("silent" if status is None else "exit", words)
        try:
            self._publish(server, version)
        except OSError as error:
            self._end_server()
            return _failed("disk", f"{self._directory}/server.json: {error.strerror}")
        self._log.say(f"generation {number} accepts: codex {version or '?'}, pid {server.pid}")
        _tell(f"ready {number}\n")
        self._let_go_of_the_client()
        return True

    def _take_number(self) -> int:
        """The generation's number, noted in the lock file, so that none comes twice."""
        text = os.pread(LOCK_FD, 20, 0).strip()
        number = generations.next_number(self._directory, int(text) if text.isdigit() else 0)
        os.pwrite(LOCK_FD, b"%-20d\n" % number, 0)
        return number

    def _publish(self, server: CodexServer, version: str) -> None:
        now = time.time()
        started_at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(now)) + f".{int(now * 1000) % 1000:03d}Z"
        is_bound = "true" if sys.platform == "linux" else "false"
        text = (
            f'{self._facts}, "number": {server.number}, "pid": {server.pid}, "start_ticks": {server.start_ticks}, '
            f'"keeper_pid": {os.getpid()}, "keeper_start_ticks": {start_ticks(os.getpid())}, "boot_id": "{boot_id()}", '
            f'"codex_version": "{version}", "started_at": "{started_at}", "is_bound": {is_bound}}}\n'
        )
        new = f"{self._directory}/.server.json.new"
        fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            data = text.encode("utf-8", "surrogateescape")
            if os.write(fd, data) != len(data):
                raise OSError(28, os.strerror(28))
        finally:
            os.close(fd)
        self._record = f"{self._directory}/server.json"
        os.rename(new, self._record)  # noqa: PTH104

    def _let_go_of_the_client(self) -> None:
        null = os.open(os.devnull, os.O_RDWR)
        for fd, number in ((null, 0), (null, 1), (self._log.fd, 2)):
            os.dup2(fd, number)
        os.close(null)

    # --- the life

    def keep(self) -> None:
        """Stay until the server has ended."""
        assert self._server is not None
        tick_at = time.monotonic() + _TICK_S
        while self._server.exit_status is None:
            ready = select.select([self._wakeup_fd], [], [], max(tick_at - time.monotonic(), 0))[0]
            signums = os.read(self._wakeup_fd, 512) if ready else b""
            if signal.SIGINT in signums:
                self._log.say("ended at once, by request")
                self._end_server()
            elif signal.SIGTERM in signums:
                self._drain("by request")
            self._reap()
            if time.monotonic() >= tick_at:
                self._tick(time.monotonic())
                tick_at = time.monotonic() + _TICK_S
        self._log.say(f"generation {self._server.number} has ended: {_ending(self._server.exit_status)}")

    def _drain(self, why: str) -> None:
        """Let the server run its present turns to their end, and the next generation start. Once: a second signal would
        end the turns."""
        if self._is_draining or self._server is None:
            return
        self._is_draining = True
        self._log.say(f"generation {self._server.number} takes no more turns: {why}")
        self._withdraw(f"{self._directory}/draining-{self._server.number}.json")
        self._server.signal(signal.SIGTERM)
        os.close(LOCK_FD)

    def _withdraw(self, path: str | None) -> None:
        """Rename our record, or delete it, while it is certainly ours: we hold the lock, or it has our number."""
        record, self._record = self._record, path
        try:
            if record is not None and path is not None:
                os.rename(record, path)  # noqa: PTH104
            elif record is not None:
                os.unlink(record)  # noqa: PTH108
        except OSError:  # the directory was deleted
            self._record = None

    def _reap(self) -> None:
        assert self._server is not None
        try:
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                if ended[0] == self._server.pid:
                    self._server.exit_status = ended[1]
                elif self._asking is not None and ended[0] == self._asking[0]:
                    self._answered(ended[1], self._asking[1])
        except ChildProcessError:
            return

    def _tick(self, now: float) -> None:
        assert self._server is not None
        self._log.bound()
        if not self._is_draining and not os.path.lexists(f"{self._directory}/server.json"):
            self._drain("its directory was deleted")
        if not self._try_alone():
            self._unattended_since = None
            return
        fcntl.flock(self._clients_fd, fcntl.LOCK_UN)
        since = self._unattended_since = self._unattended_since or now
        orphans = set(left_behind(self._server.pid))
        if orphans and self._asking is None and now - self._asked_at >= _ASK_PAUSE_S:
            self._ask(orphans, now)
        if self._is_draining and now - since >= _UNATTENDED_S:
            self._log.say("ended: nobody attends its turns")
            self._end_server()
        elif not self._is_draining and now - since >= self._idle_s:
            self._stop_if_idle()

    def _try_alone(self) -> bool:
        """Lock out clients; False where there is one."""
        try:
            fcntl.flock(self._clients_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def _stop_if_idle(self) -> None:
        self._unattended_since = None  # else it would be asked again each second
        from codex_server_cli.codex.server.idle import may_stop

        if may_stop(self._directory):
            self._drain(f"idle for {self._idle_s:.0f} s")

    # --- what its turns leave behind

    def _ask(self, orphans: set[int], now: float) -> None:
        """Ask the server, in a process of its own, whether a turn is active: one of a client that holds no lease, such
        as a phone's, or one whose worker was killed."""
        assert self._server is not None
        code = "from codex_server_cli.codex.server.activity import main; main()"
        self._asked_at = now
        try:
            pid = os.posix_spawn(sys.executable, interpreter(code, self._server.socket_path), inherited_environment())
        except OSError:  # no room: another time
            return
        self._asking = pid, orphans

    def _answered(self, status: int, orphans: set[int]) -> None:
        """End those leftovers that were there before the question, where no turn was active and none has begun."""
        assert self._server is not None
        self._asking = None
        if status != 0 or not self._try_alone():
            return
        try:
            ended = end_all(lambda: set(left_behind(self._server.pid)) & orphans if self._server else set())
        finally:
            fcntl.flock(self._clients_fd, fcntl.LOCK_UN)
        self._log.say(f"ended what turns left running: {', '.join(map(str, sorted(ended)))}")

    # --- the end

    def _end_server(self) -> None:
        """End it at once: a second SIGTERM ends one that drains."""
        server = self._server
        if server is None:
            return
        for signum in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + _END_S
            server.signal(signum)
            while server.exit_status is None and time.monotonic() < deadline:
                pid, status = os.waitpid(server.pid, os.WNOHANG)
                if pid:
                    server.exit_status = status
                    return
                time.sleep(_READY_POLL_S)
        if server.exit_status is None:
            server.exit_status = os.waitpid(server.pid, 0)[1]

    def clean_up(self) -> None:
        """Leave no process and no file behind."""
        self._end_server_if_it_runs()
        end_all(lambda: set(left_behind(0)))
        self._withdraw(None)
        if self._server is not None:
            for suffix in ("sock", "clients"):
                try:
                    os.unlink(f"{self._directory}/g{self._server.number}.{suffix}")  # noqa: PTH108
                except OSError:  # codex has removed its link itself
                    continue

    def _end_server_if_it_runs(self) -> None:
        if self._server is not None and self._server.exit_status is None:
            self._end_server()


def _signals_into_a_pipe() -> int:
    """Make each signal a byte that `select` sees.

    Returns:
        The reading end.
    """
    reading, writing = os.pipe()
    for fd in (reading, writing):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(signum, lambda *_: None)
    for signum in (signal.SIGHUP, signal.SIGPIPE):
        signal.signal(signum, signal.SIG_IGN)
    return reading


def _failed(kind: str, words: str) -> bool:
    _tell(f"failed {kind}\n{words}")
    return False


def _tell(text: str) -> None:
    """Answer the client; one that was killed meanwhile is answered in vain."""
    with contextlib.suppress(OSError):
        os.write(1, text.encode("utf-8", "replace"))


def _ending(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"exit code {code}" if code >= 0 else f"signal {-code}"
