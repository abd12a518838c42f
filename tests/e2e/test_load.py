"""Two hundred turns at the same moment: none is lost or lies about its end."""

from __future__ import annotations

import contextlib
import json
import random
import threading
from collections import Counter
from pathlib import Path

import psutil
import pytest

from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import pause, say
from codex_server_cli.demo.request import Request
from tests.e2e.home import Home, Turn
from tests.support import wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TURNS = 200
VICTIMS = 20
MAX_RUNNING = 8
MAX_QUEUED_PSS_KB = 8 * 1024
ALL_ENDED_S = 300


def answer_to(prompt: str) -> str:
    """What the model says to a prompt: long enough to be cut in the middle, and different for each."""
    return "".join(f"{prompt}: line {number}, ünïcode ✓\n" for number in range(40))


def speak(request: Request) -> ReplyLike:
    """A model that takes a moment."""
    whole = answer_to(request.prompt)
    return say(whole[:300], pause(0.05), whole[300:700], pause(0.05), whole[700:])


def start_all(home: Home) -> list[Turn]:
    """Start `TURNS` turns from as many shells at the same moment; the turns in the order of their prompts."""
    home.configure(max_running=MAX_RUNNING)
    home.model(speak)
    launchers = [home.spawn("new", f"prompt {number}") for number in range(TURNS)]
    outputs = [launcher.communicate(timeout=200) for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0] * TURNS, outputs
    return [home.turn(json.loads(stdout)["turn_id"]) for stdout, _ in outputs]


def app_servers(home: Home) -> list[psutil.Process]:
    return home.processes("app-server")


def phase_of(turn: Turn) -> str | None:
    """What `live.json` says of a turn that has not ended."""
    with contextlib.suppress(OSError, ValueError):
        if not turn.is_ended:
            phase: str = json.loads((turn.path / "live.json").read_bytes())["phase"]
            return phase
    return None


def queued_pss_kb(turn: Turn) -> int | None:
    """The proportional memory of a turn's worker; None where it is not, or no longer, in line."""
    with contextlib.suppress(OSError, psutil.Error):
        smaps = Path(f"/proc/{turn.meta['pid']}/smaps_rollup").read_text(encoding="ascii").splitlines()
        if "proc.line" in " ".join(turn.worker().cmdline()) and phase_of(turn) == "queued":
            return next(int(line.split()[1]) for line in smaps if line.startswith("Pss:"))
    return None


def test_two_hundred_turns_at_once_all_complete_in_the_order_of_their_ids(one_home: Home) -> None:
    turns = start_all(one_home)
    assert len({turn.id for turn in turns}) == TURNS
    most, heaviest = 0, 0

    def all_ended() -> bool:
        nonlocal most, heaviest
        most = max(most, len(app_servers(one_home)))
        heaviest = max([heaviest, *(pss for turn in turns[::20] if (pss := queued_pss_kb(turn)) is not None)])
        return all(turn.is_ended for turn in turns)

    wait_until(all_ended, ALL_ENDED_S, "the end of all turns")
    assert Counter(turn.result["state"] for turn in turns) == {"complete": TURNS}
    for number, turn in enumerate(turns):
        assert turn.result["answer"] == answer_to(f"prompt {number}")
        assert (turn.path / "answer.txt").read_text(encoding="utf-8") == answer_to(f"prompt {number}")
    starts = [turn.events[0]["ts"] for turn in sorted(turns, key=lambda turn: turn.id)]
    assert starts == sorted(starts)
    assert most <= MAX_RUNNING
    assert heaviest <= MAX_QUEUED_PSS_KB
    listed = json.loads(one_home.run("list-turns", "--limit", "1000", "--json").stdout)
    assert len(listed) == TURNS


class Killer:
    """Kills the worker or the codex of some turns, each at a moment of its own after its turn has begun to run."""

    def __init__(self, home: Home, seed: int) -> None:
        self.killed: Counter[str] = Counter()
        self._home = home
        self._random = random.Random(seed)
        self._threads: list[threading.Thread] = []

    def aim(self, turn: Turn, *, is_codex: bool) -> None:
        """Kill this one, as soon as its moment has come."""
        thread = threading.Thread(target=self._hunt, args=(turn, is_codex, self._random.uniform(0, 0.45)))
        self._threads.append(thread)
        thread.start()

    def _hunt(self, turn: Turn, is_codex: bool, delay_s: float) -> None:
        with contextlib.suppress(psutil.Error, OSError, ValueError):  # too late: it has ended by itself
            wait_until(lambda: phase_of(turn) != "queued" or turn.is_ended, ALL_ENDED_S, "its turn to run")
            threading.Event().wait(delay_s)
            (turn.app_server() if is_codex else turn.worker()).kill()
            self.killed["codex" if is_codex else "worker"] += 1

    def join(self) -> None:
        """Wait for the last shot."""
        for thread in self._threads:
            thread.join()


def has_codex_completed(home: Home, turn: Turn) -> bool:
    """Whether Codex's own session file says that the turn was completed."""
    thread_id, codex_turn_id = turn.meta.get("thread_id"), turn.meta.get("codex_turn_id")
    for path in (home.codex_home / "sessions").rglob(f"*{thread_id}.jsonl"):
        for line in path.read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):  # a line that a kill tore
                payload = json.loads(line).get("payload", {})
                if payload.get("type") == "task_complete" and payload.get("turn_id") in (codex_turn_id, None):
                    return True
    return False


@pytest.mark.parametrize("seed", [20261120])
def test_of_two_hundred_turns_with_forty_kills_none_is_lost(one_home: Home, seed: int) -> None:
    turns = start_all(one_home)
    killer = Killer(one_home, seed)
    victims = random.Random(seed).sample(range(TURNS), 2 * VICTIMS)
    for index in victims:
        killer.aim(turns[index], is_codex=index in victims[VICTIMS:])
    killer.join()
    # Nobody has asked for any turn so far: a reader's question is what ends the turns of dead workers.
    states = Counter[str]()
    for number, turn in enumerate(turns):
        run = one_home.run("wait", turn.id, "--print", "json", timeout_s=ALL_ENDED_S)
        states[run.json["state"]] += 1
        if run.json["state"] == "complete":
            assert run.json["answer"] == answer_to(f"prompt {number}")
        else:
            assert run.json["state"] in ("abandoned", "failed")
            assert answer_to(f"prompt {number}").startswith(run.json["answer"] or "")
            assert number in victims
            if not has_codex_completed(one_home, turn):
                continue
            recovered = one_home.run("recover", turn.id)
            assert (recovered.code, recovered.json["state"]) == (0, "complete"), recovered
            assert recovered.json["answer"] == answer_to(f"prompt {number}")
    assert sum(states.values()) == TURNS
    assert killer.killed["worker"] + killer.killed["codex"] >= VICTIMS, killer.killed
    assert states["abandoned"] > 0
    assert states["failed"] > 0
    assert one_home.left_running() == []
