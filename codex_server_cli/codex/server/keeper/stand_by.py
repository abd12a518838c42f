"""The process above the keeper, for the case that the keeper is killed. Sleeps otherwise; must import next to nothing.

It makes the server drain then, and ends what the turns have detached, which becomes children of this process. Where
both are killed, the next start of a generation does that, or `server stop` (`retiring`).
"""

from __future__ import annotations

import os
import signal
import time

from codex_server_cli.codex.server.keeper.leftovers import end_all, left_behind

_POLL_S = 1.0


def stand_by(keeper_pid: int, directory: str, lock_fd: int) -> None:
    """Wait for the keeper's end; where it was killed, make its server drain, wait for that, and end what is left.

    Args:
        keeper_pid: our child.
        directory: where its state is.
        lock_fd: the lock, which is the keeper's alone: it has to fall with it.
    """
    os.close(lock_fd)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):  # they mean the keeper: it goes, and so do we
        signal.signal(signum, signal.SIG_IGN)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):  # the client waits for the end of its pipe
        os.dup2(null, number)
    if os.waitpid(keeper_pid, 0)[1] != 0:  # killed; or it has failed, and there may be nothing left to do
        _take_over(keeper_pid, directory)


def _take_over(keeper_pid: int, directory: str) -> None:
    from codex_server_cli.codex.server.retiring import tell  # 3 MB, for this case alone
    from codex_server_cli.codex.server.state import generations_in

    found = next((each for each in generations_in(directory) if each.keeper_pid == keeper_pid), None)
    if found is not None and found.is_alive():
        tell(found)
    while found is not None and found.is_alive():
        try:
            os.waitpid(-1, 0)  # the server is our child by now, and so are the orphans
        except ChildProcessError:  # not where the kernel is no Linux
            time.sleep(_POLL_S)
    end_all(lambda: set(left_behind(0, directory)))
    if found is None:
        return
    # `server.json` may be the next generation's by now: the next start puts away what a dead one has left there.
    for path in (found.draining_path, found.socket_path, found.clients_path, found.told_path):
        try:
            os.unlink(path)  # noqa: PTH108
        except OSError:  # put away already
            continue
