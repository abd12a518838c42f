"""Starting a worker, and handing it a turn. Runs in the launcher: the shell command that the user waits for.

A verb spawns its worker first, which starts while the launcher still parses its command line: the two start-ups
overlap, which saves `new` one interpreter start. The worker leads its own session from the start, so neither a kill of
the launcher's process group nor the closing of its terminal reaches it, and shares only two pipes with us. Before it
has received a whole turn it owns nothing: if the launcher fails or dies, it exits at EOF on its pipe.
Must import next to nothing before the spawn: an import there delays everything.
"""

from __future__ import annotations

import os
import sys
import time

from codex_server_cli.settings.environment import interpreter, worker_environment

TYPE_CHECKING = False  # typing itself takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from codex_server_cli.errors import CodexServerError

_SIGINT, _SIGPIPE, _SIGTERM = 2, 13, 15  # POSIX; the signal module waits until after the spawn
_READY_TIMEOUT_S = 30.0
# The collector's usual threshold costs 2 ms of start-up: see `cli.entry`.
_CODE = (
    "import gc; gc.set_threshold(100_000); "
    "from codex_server_cli.settings.light_imports import load_pathlib, load_typing; load_pathlib(); load_typing(); "
    "from codex_server_cli.worker.main import main; main()"
)


class TurnExistsError(Exception):
    """A turn with the key (`once`) exists already; no other was made.

    Args:
        turn_id: that turn.
    """

    def __init__(self, turn_id: str) -> None:
        super().__init__(turn_id)
        self.turn_id = turn_id


class Launch:
    """A worker, from its spawn until `hand_over` sends it a turn; our exit before that ends it, as `drop` does."""

    def __init__(self) -> None:
        self._is_spawned = False
        self._failure: OSError | None = None

    def spawn(self) -> None:
        """Spawn the worker; returns while it is still starting. A failure is raised by `hand_over`."""
        self._is_spawned = True
        try:
            self._pid = self._spawn()
        except OSError as error:  # no process, no descriptor: errors of the command line are reported first
            self._failure = error

    def _spawn(self) -> int:
        child_in, self._to_worker = os.pipe()
        self._from_worker, child_out = os.pipe()
        try:
            return os.posix_spawn(
                sys.executable,
                interpreter(_CODE),
                worker_environment(),
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, child_in, 0),
                    (os.POSIX_SPAWN_DUP2, child_out, 1),
                    (os.POSIX_SPAWN_DUP2, child_out, 2),  # its stderr, in case it dies before it is ready
                ],
                setsid=True,
                setsigdef=[_SIGINT, _SIGPIPE, _SIGTERM],
                setsigmask=[],
            )
        finally:
            os.close(child_in)
            os.close(child_out)

    def hand_over(
        self,
        turns_path: Path,
        prompt: str,
        meta: dict[str, Any],
        max_running: int,
        fork_meta: dict[str, Any] | None = None,
        pictures: Sequence[tuple[str, bytes]] = (),
    ) -> tuple[str, bool]:
        """Send the worker its turn and wait until the turn's directory is published. Spawns the worker if needed.

        Args:
            turns_path: the folder of turns.
            prompt: the prompt.
            meta: the content of `meta.json`; the worker adds the turn id.
            max_running: how many turns may run at once.
            fork_meta: the same for a fork of the thread, where that is allowed while another turn writes it.
            pictures: further files of the turn, by their path within its directory.

        Returns:
            The turn id, and whether it became the fork. From now on the worker is independent.

        Raises:
            HomeError: the directory could not be made.
            BusyError: another turn writes the thread, or there are no resources for a worker.
            InternalError: the worker did not start; nothing was made.
            TurnExistsError: `meta` has a key, and a turn with it exists.

        A worker reports its turn's id once before it publishes the directory and once after. If it dies in between, or
        its second report is late, the directory decides: if it exists, the turn was started, and that is no error.
        """
        import json

        if not self._is_spawned:
            self.spawn()
        if self._failure is not None:
            from codex_server_cli.codex.room import is_without_room, no_room

            if is_without_room(self._failure):
                raise no_room("the worker could not start", self._failure) from self._failure
            raise _not_started(str(self._failure.strerror)) from self._failure
        turn = {"turns_path": str(turns_path), "prompt": prompt, "max_running": max_running}
        turn |= {"meta": meta, "fork_meta": fork_meta, "pictures": [(name, len(data)) for name, data in pictures]}
        try:
            with open(self._to_worker, "wb") as pipe:  # noqa: PTH123 — a descriptor, not a path
                pipe.write(json.dumps(turn).encode() + b"\n")
                for _, data in pictures:
                    pipe.write(data)
        except BrokenPipeError:
            pass  # it is dead: its answer or stderr is read below
        answer = self._read_answer()
        if _is_published(answer, turns_path):
            return str(answer["turn_id"]), bool(answer["has_forked"])
        if "existing" in answer:
            self.reap()
            raise TurnExistsError(answer["existing"])
        error = self._error_of(answer, meta)
        if _is_published(answer, turns_path):  # published just before it was killed
            return str(answer["turn_id"]), bool(answer["has_forked"])
        raise error

    def drop(self) -> None:
        """End a worker that was spawned and is not needed: it owns nothing yet."""
        if self._is_spawned and self._failure is None:
            import signal

            os.close(self._to_worker)
            os.close(self._from_worker)
            os.kill(self._pid, signal.SIGKILL)  # our own child, not reaped: the pid cannot be reused
            self.reap()

    def reap(self) -> None:
        """Wait for the worker's exit and reap it; for a program that outlives its worker."""
        try:
            os.waitpid(self._pid, 0)
        except ChildProcessError:  # reaped already, or by the kernel: a caller may ignore SIGCHLD
            return

    def is_reaped(self) -> bool:
        """Reap the worker if it has exited, without waiting; return whether it is gone, or was never spawned."""
        if not self._is_spawned or self._failure is not None:
            return True
        try:
            is_gone = os.waitpid(self._pid, os.WNOHANG)[0] != 0
        except ChildProcessError:  # as in `reap`
            is_gone = True
        self._is_spawned = not is_gone  # its pid may be another child's from now on
        return is_gone

    def _read_answer(self) -> dict[str, Any]:
        """The worker's last answer, plus its other output and whether it was late (`stderr_tail`, `is_late`)."""
        import select

        answer: dict[str, Any] = {}
        data, deadline = b"", time.monotonic() + _READY_TIMEOUT_S
        poll = select.poll()  # `select.select` fails for a descriptor above 1023, which a gateway may have
        poll.register(self._from_worker, select.POLLIN)
        while (rest_s := deadline - time.monotonic()) > 0 and poll.poll(rest_s * 1000):
            piece = os.read(self._from_worker, 1 << 16)
            data += piece
            answer = _parse_answer(data) or answer
            if answer.get("is_published", bool(answer)) or not piece:
                break
        os.close(self._from_worker)
        return {"stderr_tail": data.decode("utf-8", "replace"), "is_late": time.monotonic() >= deadline} | answer

    def _error_of(self, answer: dict[str, Any], meta: dict[str, Any]) -> CodexServerError:
        import signal

        from codex_server_cli.errors import HomeError

        if "home_error" in answer:
            return HomeError(answer["home_error"], hint=answer["hint"])
        if "busy" in answer:
            from codex_server_cli.core.result.commands import thread_busy

            turn_id = answer["busy"] or None
            holder = f"turn {turn_id}" if turn_id else "a turn that is just starting"
            return thread_busy(meta["thread_id"], holder, turn_id, may_ask=bool(answer.get("may_ask")))
        os.kill(self._pid, signal.SIGKILL)  # our own child, not reaped: the pid cannot be reused
        code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
        if answer.get("is_late"):
            return _not_started(f"it was not ready within {_READY_TIMEOUT_S:.0f} s")
        if code < 0:
            return _not_started(f"signal {-code} ended it")
        from codex_server_cli.core.result.failures import telling_line

        return _not_started(telling_line(str(answer.get("stderr_tail", ""))) or "it printed nothing")


def _is_published(answer: dict[str, Any], turns_path: Path) -> bool:
    """Whether the turn that a worker has reported exists."""
    turn_id = answer.get("turn_id")
    return turn_id is not None and (bool(answer["is_published"]) or (turns_path / turn_id).is_dir())


def _parse_answer(data: bytes) -> dict[str, Any] | None:
    """The answer once it is the last line; before it there may be output of the interpreter."""
    import json

    line = data.removesuffix(b"\n").rpartition(b"\n")[2]
    try:
        answer = json.loads(line) if data.endswith(b"}\n") else None
    except ValueError:  # a traceback may end like JSON
        return None
    return answer if isinstance(answer, dict) else None


def _not_started(reason: str) -> CodexServerError:
    from codex_server_cli.errors import InternalError

    return InternalError(f"the worker could not start: {reason}", hint="`codex-server doctor` looks for the cause.")
