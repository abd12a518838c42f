"""Two hundred turns at the same moment: none is lost, and each reports its true end."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil
import pytest

from codex_server_cli.core.model.turn import is_turn_id
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import Message, ReplyLike
from codex_server_cli.demo.replies import hold, pause, reply, say
from codex_server_cli.demo.request import Request
from codex_server_cli.demo.scripted_model import Script
from tests.e2e.test_queue import ever_queued
from tests.kit.home import Home, Turn
from tests.kit.processes import has, is_over
from tests.kit.support import wait_until

pytestmark = [pytest.mark.judge, pytest.mark.alone, pytest.mark.timeout(1500)]

TURNS = 200
VICTIMS = 20
SEED = 20261120
MAX_RUNNING = 8
VICTIM = "victim"
MAX_QUEUED_PSS_KB = 8 * 1024
ALL_ENDED_S = 600


def prompt_of(number: int, victims: Sequence[int] = ()) -> str:
    """The prompt of one turn."""
    return f"{VICTIM if number in victims else 'prompt'} {number}"


def answer_to(prompt: str) -> str:
    """The model's reply to a prompt: long enough to be cut in the middle, and different for each."""
    return "".join(f"{prompt}: line {number}, ünïcode ✓\n" for number in range(40))


def answer_slowly(request: Request) -> Message:
    """A model that takes a moment."""
    whole = answer_to(request.prompt)
    return say(whole[:300], pause(0.05), whole[300:700], pause(0.05), whole[700:])


def start_all(home: Home, script: Script = answer_slowly, victims: Sequence[int] = ()) -> list[Turn]:
    """Start `TURNS` turns from as many shells at the same moment; the turns in the order of their prompts."""
    home.configure(max_running=MAX_RUNNING)
    home.model(script)
    launchers = [home.spawn("new", prompt_of(number, victims)) for number in range(TURNS)]
    outputs = [launcher.communicate(timeout=ALL_ENDED_S) for launcher in launchers]
    failed = [output for launcher, output in zip(launchers, outputs, strict=True) if launcher.returncode]
    assert failed == []
    return [home.turn(json.loads(stdout)["turn_id"]) for stdout, _ in outputs]


def phase_of(turn: Turn) -> str | None:
    """The phase in `live.json` of a turn that has not ended."""
    with contextlib.suppress(OSError, ValueError):
        if not turn.is_ended:
            phase: str = json.loads((turn.path / "live.json").read_bytes())["phase"]
            return phase
    return None


def queued_pss_kb(home: Home, turn: Turn) -> int | None:
    """The proportional memory of a turn's worker; None where it is not queued, or no longer."""
    with contextlib.suppress(OSError, psutil.Error):
        is_light = "worker.queue_wait" in " ".join(turn.worker().cmdline())
        smaps = Path(f"/proc/{turn.meta['pid']}/smaps_rollup").read_text(encoding="ascii").splitlines()
        slots = [path.read_text(encoding="ascii") for path in (home.path / "queue").glob("slot-*")]
        has_begun = any(turn.id in slot for slot in slots) or (turn.path / "events.jsonl").stat().st_size > 0
        if is_light and not has_begun:  # in a slot it loads the rest, and keeps that to its end
            return next(int(line.split()[1]) for line in smaps if line.startswith("Pss:"))
    return None


def test_two_hundred_turns_at_once_all_complete_in_the_order_of_their_ids(one_home: Home) -> None:
    gate = Gate()  # until a queued one was measured: however long the starts take, there is a queue then
    turns = start_all(one_home, lambda request: reply(hold(gate), answer_slowly(request)))
    assert len({turn.id for turn in turns}) == TURNS
    most, heaviest = 0, 0

    def measure() -> int:
        nonlocal heaviest
        heaviest = max([heaviest, *(pss for turn in turns[::20] if (pss := queued_pss_kb(one_home, turn)) is not None)])
        return heaviest

    def all_ended() -> bool:
        nonlocal most
        most = max(most, len(one_home.app_servers()))
        measure()
        return all(turn.is_ended for turn in turns)

    wait_until(measure, ALL_ENDED_S, "a turn in line")
    gate.open()
    wait_until(all_ended, ALL_ENDED_S, "the end of all turns")
    assert Counter(turn.result["state"] for turn in turns) == {"complete": TURNS}
    for number, turn in enumerate(turns):
        assert turn.result["answer"] == answer_to(f"prompt {number}")
        assert (turn.path / "answer.txt").read_text(encoding="utf-8") == answer_to(f"prompt {number}")
    queued_ids, by_id = ever_queued(one_home), sorted(turns, key=lambda turn: turn.id)
    assert queued_ids.isdisjoint(turn.id for turn in by_id[:MAX_RUNNING])
    starts = [turn.events[0]["ts"] for turn in by_id[MAX_RUNNING:]]
    assert starts == sorted(starts)
    assert most <= MAX_RUNNING
    assert 0 < heaviest <= MAX_QUEUED_PSS_KB
    listed = json.loads(one_home.run("list-turns", "--limit", "1000", "--json").stdout)
    assert len(listed) == TURNS


@dataclass(frozen=True, slots=True)
class Shot:
    """When a target is to be killed.

    Attributes:
        target: `worker` or `codex`.
        is_queued: counted from the time it is queued, not from its start to run.
        may_miss: the turn runs on meanwhile, so that the shot hits its last moments or comes too late. Any other turn
            pauses in the middle of its answer until the shot was fired, so that the machine's speed does not matter.
    """

    target: Literal["worker", "codex"]
    delay_s: float
    is_queued: bool
    may_miss: bool


def plan(victims: Sequence[int], target: Literal["worker", "codex"], dice: random.Random) -> dict[str, Shot]:
    """A shot for each of these turns, by its prompt: most while it runs, some while it is queued, a few too late."""
    shots = {}
    for place, number in enumerate(victims):
        is_queued = target == "worker" and place % 3 == 0
        may_miss = place % 5 == 1
        shots[prompt_of(number, victims)] = Shot(target, dice.uniform(0, 1.2), is_queued, may_miss)
    return shots


class Killer:
    """Kills the worker or the codex of some turns, each at its own moment; at the end of the `with` it has ended.

    Attributes:
        killed: how many of each were still alive then.
        missed: why the others were not hit.
    """

    def __init__(self, home: Home, shots: Mapping[str, Shot]) -> None:
        self.killed: Counter[str] = Counter()
        self.missed: list[str] = []
        self._home = home
        self._shots = shots
        self._has_fallen = {prompt: Gate() for prompt, shot in shots.items() if not shot.may_miss}
        self._is_called_off = threading.Event()
        self._hunters: list[threading.Thread] = []
        self._watcher = threading.Thread(target=self._watch)

    def __enter__(self) -> Killer:
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_called_off.set()
        self.join()

    def answer_slowly(self, request: Request) -> ReplyLike:
        """A model that takes a moment, and waits for the shot at those that are to be killed."""
        prompt = request.prompt
        if prompt not in self._shots:
            return answer_slowly(request)
        whole = answer_to(prompt)
        stop = hold(self._has_fallen[prompt]) if prompt in self._has_fallen else pause(0.4)
        return say(whole[:300], pause(0.4), whole[300:700], stop, whole[700:])

    def _watch(self) -> None:
        """Start a hunter for each target as soon as its turn exists."""
        seen: set[str] = set()
        shots = dict(self._shots)
        deadline = time.monotonic() + ALL_ENDED_S
        while shots and time.monotonic() < deadline and not self._is_called_off.wait(0.01):
            for turn_id in set(filter(is_turn_id, self._home.turn_ids)) - seen:
                seen.add(turn_id)
                turn = self._home.turn(turn_id)
                prompt = (turn.path / "prompt.txt").read_text()
                if (shot := shots.pop(prompt, None)) is not None:
                    self._hunters.append(threading.Thread(target=self._hunt, args=(turn, prompt, shot)))
                    self._hunters[-1].start()

    def _hunt(self, turn: Turn, prompt: str, shot: Shot) -> None:
        try:
            if not shot.is_queued:
                self._wait(lambda: phase_of(turn) not in (None, "queued") or turn.is_ended, "its turn to run")
            self._is_called_off.wait(shot.delay_s)
            # As long as it takes: a queued turn has no codex yet, and one that starts may be replaced by another.
            what = self._wait(lambda: self._hits(turn, shot) or (turn.is_ended and "it had ended"), "a target")
            if what is not True:
                self.missed.append(f"{prompt} ({turn.id}), {shot}: {what or 'called off'}")
        except Exception as error:
            self.missed.append(f"{prompt} ({turn.id}), {shot}: {error!r}")
        finally:
            if prompt in self._has_fallen:
                self._has_fallen[prompt].open()

    def _wait(self, predicate: Callable[[], bool | str], what: str) -> bool | str:
        """The predicate's value once it is truthy; falsy where the hunt was cancelled first."""

        said: bool | str = False

        def look() -> bool:
            nonlocal said
            said = predicate()
            return bool(said) or self._is_called_off.is_set()

        wait_until(look, ALL_ENDED_S, what)
        return said

    def _hits(self, turn: Turn, shot: Shot) -> bool:
        """Kill the target if it exists and lives."""
        with contextlib.suppress(psutil.NoSuchProcess):  # it ends at this moment; the next check sees that
            for target in targets(turn, shot.target):
                target.kill()
                self.killed[shot.target] += 1
                return True
        return False

    def join(self) -> None:
        """Wait for the last shot."""
        self._watcher.join()
        for hunter in self._hunters:
            hunter.join()


def targets(turn: Turn, target: Literal["worker", "codex"]) -> list[psutil.Process]:
    """The worker of a turn or its codex, if alive."""
    pid = turn.meta["pid"]
    if pid is None or is_over(worker := psutil.Process(pid)):
        return []
    return [worker] if target == "worker" else [each for each in worker.children() if has(each, ("app-server",))]


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


def test_of_two_hundred_turns_with_forty_kills_none_is_lost(one_home: Home) -> None:
    dice = random.Random(SEED)
    victims = dice.sample(range(TURNS), 2 * VICTIMS)
    shots = plan(victims[:VICTIMS], "worker", dice) | plan(victims[VICTIMS:], "codex", dice)
    with Killer(one_home, shots) as killer:
        turns = start_all(one_home, killer.answer_slowly, victims)
        killer.join()
    # No turn was read so far: a reader is what ends the turns of dead workers.
    states = Counter[str]()
    for number, turn in enumerate(turns):
        answer = answer_to(prompt_of(number, victims))
        ended = one_home.run("wait", turn.id, "--print", "json", timeout_s=ALL_ENDED_S).json
        states[ended["state"]] += 1
        if ended["state"] == "complete":
            assert ended["answer"] == answer
            continue
        assert number in victims
        assert ended["state"] in ("abandoned", "failed")
        assert answer.startswith(ended.get("answer") or "")  # nothing had come yet
        if has_codex_completed(one_home, turn):
            run = one_home.run("recover", turn.id)
            assert (run.code, run.json["state"], run.json["answer"]) == (0, "complete", answer)
    assert sum(states.values()) == TURNS
    assert killer.killed >= Counter(shot.target for shot in shots.values() if not shot.may_miss), killer.missed
    assert min(states["abandoned"], states["failed"]) >= VICTIMS // 2, states
    assert one_home.left_running() == []
