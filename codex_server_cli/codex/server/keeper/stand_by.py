"""The keeper's parent process, which takes over if the keeper is killed. Sleeps otherwise; must import next to nothing.

It then makes the server drain, and ends the processes that turns have detached, which become its children. If both are
killed, the next start of a generation does that, or `server stop` (`retiring`).
"""

from __future__ import annotations

import os
import signal
import time

from codex_server_cli.codex.server.keeper.leftovers import end_all, left_behind

_POLL_S = 1.0


def stand_by(keeper_pid: int, directory: str, lock_fd: int) -> None:
    """Wait for the keeper's end; if it was killed, make its server drain, wait for that, and end orphans.

    Args:
        keeper_pid: our child.
        directory: with its state.
        lock_fd: the lock, closed here: only the keeper may hold it, so that the keeper's death releases it.
    """
    os.close(lock_fd)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # they are for the keeper: we end when it does
        signal.signal(signum, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):  # the client waits for EOF on its pipe
        os.dup2(null, number)
    if os.waitpid(keeper_pid, 0)[1] != 0:  # killed; or it failed, and there may be nothing to do
        _take_over(keeper_pid, directory)


def _take_over(keeper_pid: int, directory: str) -> None:
    from codex_server_cli.codex.server.retiring import tell  # 3 MB, only for this case
    from codex_server_cli.codex.server.state import generations_in

    found = next((each for each in generations_in(directory) if each.keeper_pid == keeper_pid), None)
    if found is not None and found.is_alive():
        tell(found)
    while found is not None and found.is_alive():
        try:
            os.waitpid(-1, 0)  # the server is our child by now, and so are the orphans
        except ChildProcessError:  # they are not, outside Linux
            time.sleep(_POLL_S)
    end_all(lambda: set(left_behind(0, directory)))
    if found is None:
        return
    # `server.json` may be the next generation's by now: the next start deletes that of a dead one.
    for path in (found.draining_path, found.socket_path, found.clients_path, found.told_path):
        try:
            os.unlink(path)  # noqa: PTH108
        except OSError:  # already deleted
            continue
