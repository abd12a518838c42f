"""The process above the keeper, for the case that the keeper is killed. Sleeps otherwise; must import next to nothing.

Without it, what the turns have detached would then become children of the machine's first process, where a command with
an emptied environment cannot be found. Killed together with the keeper it is of no use.
"""

from __future__ import annotations

import os

from codex_server_cli.codex.server.keeper.leftovers import end_all, left_behind


def stand_by(keeper_pid: int, directory: str, lock_fd: int) -> None:
    """Wait for the keeper's end; where it was killed, for that of its server, which drains, and end what is left.

    Args:
        keeper_pid: our child.
        directory: where its state is.
        lock_fd: the lock, which is the keeper's alone: it has to fall with it.
    """
    os.close(lock_fd)
    null = os.open(os.devnull, os.O_RDWR)
    for number in range(3):  # the client waits for the end of its pipe
        os.dup2(null, number)
    if os.WIFSIGNALED(os.waitpid(keeper_pid, 0)[1]):
        _take_over(keeper_pid, directory)


def _take_over(keeper_pid: int, directory: str) -> None:
    from codex_server_cli.codex.server.state import generations_in  # 3 MB, for this case alone

    found = next((each for each in generations_in(directory) if each.keeper_pid == keeper_pid), None)
    while found is not None and found.is_alive():
        os.waitpid(-1, 0)  # the server is our child by now, and so are the orphans
    end_all(lambda: set(left_behind(0)))
    if found is None:
        return
    # `server.json` may be the next generation's by now: the next start puts away what a dead one has left there.
    for path in (f"{directory}/draining-{found.number}.json", found.socket_path, found.clients_path):
        try:
            os.unlink(path)  # noqa: PTH108
        except OSError:  # put away already
            continue
