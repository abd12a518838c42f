"""Two hundred turns on the shared server, while workers, servers and connections are lost: none is lost itself."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil
import pytest

from codex_server_cli.core.model.turn import is_turn_id
from tests.e2e.test_continuing import ended
from tests.e2e.test_load import (
    ALL_ENDED_S,
    TURNS,
    answer_slowly,
    answer_to,
    has_codex_completed,
    phase_of,
    prompt_of,
    start_all,
)
from tests.kit.faults import change_workers
from tests.kit.home import Turn
from tests.kit.places import TransportHome
from tests.kit.processes import is_over, is_running
from tests.kit.support import wait_until

pytestmark = [pytest.mark.judge, pytest.mark.alone, pytest.mark.timeout(1500)]

SEED = 20261130
SHOTS: Mapping[str, int] = {"worker": 20, "server": 5, "cut": 5}
STEADY = 100
"""So many equal looks are a second at least."""
LAST = TURNS - 20
"""The last shot falls when so many turns have ended at the latest."""
CUT_BY_SIGNAL = """
import os, signal, socket

def _cut(*_):
    for name in os.listdir("/proc/self/fd"):
        try:
            with socket.socket(fileno=os.dup(int(name))) as connection:
                connection.getpeername()
                connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # no socket, or none that is connected
            continue

signal.signal(signal.SIGUSR1, _cut)
"""
"""Lets a worker lose its connection at any moment."""


class Storm:
    """Fires every shot at a moment of its own, told by how many turns have ended: the machine's speed decides nothing.

    Attributes:
        fired: how many of each have hit.
        killed: the ids of turns whose worker was killed.
        crashed: the ids of turns that ran when a server was killed.
    """

    def __init__(self, place: TransportHome) -> None:
        self.fired: Counter[str] = Counter()
        self.killed: set[str] = set()
        self.crashed: set[str] = set()
        self._place, self._dice = place, random.Random(SEED)
        kinds = [kind for kind, count in SHOTS.items() for _ in range(count)]
        self._dice.shuffle(kinds)
        self._plan = list(zip(sorted(self._dice.sample(range(LAST), len(kinds))), kinds, strict=True))
        self._is_called_off = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Storm:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_called_off.set()
        self._thread.join()

    def wait(self) -> None:
        """Wait for the last shot."""
        wait_until(lambda: not self._thread.is_alive(), ALL_ENDED_S, "the last shot")

    def _run(self) -> None:
        for count, kind in self._plan:
            fire: Callable[[Turn], bool] = getattr(self, f"_fire_at_{kind}")
            while not self._is_called_off.wait(0.01):
                turns = [self._place.turn(turn_id) for turn_id in filter(is_turn_id, self._place.turn_ids)]
                if sum(turn.is_ended for turn in turns) < count:
                    continue
                self._is_called_off.wait(self._dice.uniform(0, 0.2))
                running = [turn for turn in turns if phase_of(turn) not in (None, "queued")]
                if running and fire(self._dice.choice(running)):
                    self.fired[kind] += 1
                    break

    def _fire_at_worker(self, turn: Turn) -> bool:
        has_hit = self._signal(turn, signal.SIGKILL)
        if has_hit:
            self.killed.add(turn.id)
        return has_hit

    def _fire_at_cut(self, turn: Turn) -> bool:
        has_connected = (turn.meta["server"] or {}).get("pid") is not None  # and so has its handler
        return has_connected and self._signal(turn, signal.SIGUSR1)

    def _fire_at_server(self, turn: Turn) -> bool:
        pid = (turn.meta["server"] or {}).get("pid")
        if pid is None or not is_running(pid):
            return False
        on_it = self._turns_on(pid)  # before: a turn whose server has gone looks for itself on the next one
        os.kill(pid, signal.SIGKILL)
        self.crashed |= on_it | self._turns_on(pid)
        return True

    def _turns_on(self, pid: int) -> set[str]:
        ids = filter(is_turn_id, self._place.turn_ids)
        return {turn_id for turn_id in ids if (self._place.turn(turn_id).meta["server"] or {}).get("pid") == pid}

    def _signal(self, turn: Turn, signum: int) -> bool:
        with contextlib.suppress(psutil.Error, OSError):
            pid = turn.meta["pid"]
            if pid is not None and not is_over(worker := psutil.Process(pid)) and not turn.is_ended:
                worker.send_signal(signum)
                return True
        return False


def descriptors(pid: int) -> Counter[str]:
    """What a process has open, by kind: files under their names, sockets and pipes as such."""
    found: Counter[str] = Counter()
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            target = os.readlink(path)  # noqa: PTH115 — what is no file has no path
            found["file" if target.startswith("/") else target.partition(":")[0]] += 1
    return found


def test_of_two_hundred_turns_on_a_shared_server_with_thirty_losses_none_is_lost(shared_place: TransportHome) -> None:
    change_workers(shared_place, CUT_BY_SIGNAL)
    with Storm(shared_place) as storm:
        turns = start_all(shared_place, answer_slowly)
        storm.wait()
    assert storm.fired == Counter(SHOTS), f"seed {SEED}"
    states = Counter[str]()
    for number, turn in enumerate(turns):
        answer = answer_to(prompt_of(number))
        done = shared_place.run("wait", turn.id, "--print", "json", timeout_s=ALL_ENDED_S).json
        states[done["state"]] += 1
        if done["state"] == "complete":
            assert (done["answer"], (turn.path / "answer.txt").read_text(encoding="utf-8")) == (answer, answer)
            continue
        told = f"seed {SEED}: {turn.id} {done}"
        assert done["state"] == ("abandoned" if turn.id in storm.killed else "failed"), told
        assert turn.id in storm.killed | storm.crashed, told
        assert answer.startswith(done.get("answer") or ""), told
        if has_codex_completed(shared_place, turn):
            run = shared_place.run("recover", turn.id)
            assert (run.code, run.json["state"], run.json["answer"]) == (0, "complete", answer)
    assert sum(states.values()) == TURNS
    assert states["complete"] > TURNS // 2, states
    assert shared_place.left_running() == []
    assert_nothing_is_open(shared_place)


def assert_nothing_is_open(place: TransportHome) -> None:
    """The server and its keeper have open what those have that have run a single turn, and no client more."""
    used = pair_of(ended(place, "new", "one"))
    after_many = opened_when_idle(used)
    assert [child.pid for child in used[0].children()] == [used[1].pid]
    assert place.run("server", "restart").code == 0
    fresh = pair_of(ended(place, "new", "one"))
    assert fresh[1].pid != used[1].pid
    after_one = opened_when_idle(fresh)
    assert after_many[0] == after_one[0]
    assert after_many[1]["socket"] <= after_one[1]["socket"]


def pair_of(turn: Turn) -> tuple[psutil.Process, psutil.Process]:
    """The keeper and the server of a turn."""
    server = psutil.Process(turn.meta["server"]["pid"])
    keeper = server.parent()
    assert keeper is not None
    return keeper, server


def opened_when_idle(processes: tuple[psutil.Process, psutil.Process]) -> tuple[Counter[str], Counter[str]]:
    """What the two have open once that has not changed for a while: a connection is closed after its turn has ended."""
    seen: list[tuple[Counter[str], Counter[str]]] = []

    def is_steady() -> bool:
        seen.append((descriptors(processes[0].pid), descriptors(processes[1].pid)))
        return len(seen) > STEADY and all(each == seen[-1] for each in seen[-STEADY:])

    wait_until(is_steady, what="descriptors that do not change")
    return seen[-1]
