"""The `notify` program of the user's own Codex: how it is distinguished from a turn's processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.worker.cleanup import user_program
from codex_server_cli.worker.cleanup.dead_worker import clean_up
from codex_server_cli.worker.cleanup.user_program import UserProgram, clock_s, see_off
from tests.kit.support import DEADLINE_S, wait_until
from tests.kit.turns_on_disk import TurnsOnDisk

PAUSE = "import signal; signal.pause()"
PAYLOAD = json.dumps({"type": "agent-turn-complete", "thread-id": "thread-1", "turn-id": "turn-1"})
APP_SERVER = """
import os, subprocess, sys
for line in sys.stdin:
    words = eval(line)
    new_session = words.pop(0) == "own"
    null = subprocess.DEVNULL
    process = subprocess.Popen(words, start_new_session=new_session, stdin=null, stdout=null)
    print(process.pid, flush=True)
"""


class SessionLeader:
    """The leader of a session that starts what it is asked to; exits without ending its children."""

    def __init__(self, turn_id: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", APP_SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "CODEX_SERVER_TURN_ID": turn_id},
        )
        self.pid = self._process.pid
        self.started: list[int] = []

    def start(self, *words: str, session: str = "same") -> int:
        """Have it start something that never exits."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(repr([session, sys.executable, "-c", PAUSE, *words]) + "\n")
        self._process.stdin.flush()
        self.started.append(int(self._process.stdout.readline()))
        return self.started[-1]

    def die(self) -> None:
        """Exit and leave its children behind."""
        self._process.kill()
        self._process.communicate()

    def close(self) -> None:
        """End all of it."""
        self.die()
        for pid in self.started:
            if _is_running(pid):
                os.kill(pid, 9)


def _is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def turn_id() -> str:
    return f"20261120-165501-482-{os.getpid() & 0xFFFF:04x}"


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[TurnsOnDisk]:
    with TurnsOnDisk(tmp_path / "home" / "turns") as made:
        yield made


@pytest.fixture
def server(turn_id: str) -> Iterator[SessionLeader]:
    server = SessionLeader(turn_id)
    yield server
    server.close()


def test_it_is_known_by_what_it_is_told_and_by_the_session_that_it_is_in(server: SessionLeader) -> None:
    program = server.start("an argument", PAYLOAD)
    server.start("an argument", PAYLOAD.replace("turn-1", "turn-2"))
    server.start("turn-1")
    server.start('["turn-1"]')
    server.start(PAYLOAD, session="own")  # what the model runs leads its own session
    server.die()
    wait_until(lambda: UserProgram(server.pid, "turn-1").pids() == {program}, what="the program alone")


def test_what_it_left_behind_is_known_by_when_it_began(server: SessionLeader) -> None:
    server.start("of the turn")
    margin_ends_s = clock_s() + 1.2  # the allowance for a loaded machine
    wait_until(lambda: clock_s() > margin_ends_s, what="a later second")
    ended_s = clock_s()
    left = server.start("of the program")
    server.die()
    assert UserProgram(server.pid, "turn-1", ended_s).pids() == {left}
    assert UserProgram(server.pid, "turn-1").pids() == set()


def test_one_that_had_its_time_is_the_users_no_more(server: SessionLeader, monkeypatch: pytest.MonkeyPatch) -> None:
    program = server.start(PAYLOAD)
    wait_until(lambda: UserProgram(server.pid, "turn-1").pids() == {program}, what="the program")
    monkeypatch.setattr(user_program, "TIMEOUT_S", 0.0)
    assert UserProgram(server.pid, "turn-1").pids() == set()


def test_it_is_seen_off_and_ended_when_its_time_is_over(
    server: SessionLeader, turn_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(user_program, "TIMEOUT_S", 1.0)
    monkeypatch.setattr(signal, "signal", lambda *_: None)  # the tests keep their own
    pid = server.start(PAYLOAD)
    server.die()
    started = time.monotonic()
    see_off(turn_id, UserProgram(server.pid, "turn-1", clock_s()))
    assert time.monotonic() - started < DEADLINE_S
    wait_until(lambda: not _is_running(pid), what="its end")


def test_a_repairer_spares_itself_and_ends_the_rest_of_the_turn(turns: TurnsOnDisk, server: SessionLeader) -> None:
    turn = turns.dead(codex_turn_id="turn-1", app_server_pid=server.pid)
    mine = SessionLeader(turn.turn_id)
    turn_with = turns.dead(codex_turn_id="turn-1", app_server_pid=mine.pid)
    try:
        program, command = mine.start(PAYLOAD), mine.start("a command", session="own")
        mine.die()
        wait_until(lambda: UserProgram(mine.pid, "turn-1").pids() == {program}, what="the program")
        turn.meta.write_text(turn_with.meta.read_text())
        clean_up(turn)
        wait_until(lambda: not _is_running(command), what="the end of the command")
        assert _is_running(program)
        turn.meta.write_text("{}")
        clean_up(turn)
        wait_until(lambda: not _is_running(program), what="the end of the program")
    finally:
        mine.close()
