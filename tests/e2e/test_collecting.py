"""`gc` beside turns that run, end and are read: it deletes whole ended turns, and nothing else."""

from __future__ import annotations

import json
import threading
import time

from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.disk.files import read_json, write_json
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home, Turn
from tests.kit.played_turn import PlayedTurn, finish, hold
from tests.kit.support import DEADLINE_S, wait_until

COUNT = 10


def end_long_ago(turn: Turn) -> None:
    """Backdate the end of a turn by eight days."""
    path = turn.path / "meta.json"
    long_ago = format_time_ms(int((time.time() - 8 * 86400) * 1000))
    write_json(path, (read_json(path) or {}) | {"finished_at": long_ago})


def test_collecting_while_ten_turns_run_and_end_takes_each_whole_and_after_its_end(one_home: Home) -> None:
    turns = [hold(one_home) for _ in range(COUNT)]
    assert one_home.run("gc", "--older-than", "0").stdout == ""
    assert one_home.turn_ids == sorted(turn.id for turn in turns)
    waiting = [one_home.spawn("wait", turn.id, "--print", "answer") for turn in turns]
    ending = threading.Thread(target=lambda: list(map(finish, turns)))
    ending.start()
    taken: list[str] = []

    def collect() -> bool:
        collectors = [one_home.spawn("gc", "--older-than", "0") for _ in range(2)]  # two at once, each time
        taken.extend(turn_id for gc in collectors for turn_id in gc.communicate(timeout=DEADLINE_S)[0].split())
        return not one_home.turn_ids

    wait_until(collect, what="the end of ten turns")
    ending.join()
    assert sorted(taken) == sorted(turn.id for turn in turns)
    for process in waiting:
        stdout, _ = process.communicate(timeout=DEADLINE_S)
        # A turn that was deleted before its waiter had read it is reported as missing, never as anything else.
        assert (process.returncode, stdout) in ((0, f"{FIRST_HALF}{SECOND_HALF}\n"), (66, "")), stdout


def test_a_shell_that_stands_in_a_turn_and_one_that_follows_it_hinder_nothing(one_home: Home) -> None:
    turn = hold(one_home)
    follower = one_home.spawn("tail", turn.id, "--follow", cwd=turn.path)
    finish(turn)
    assert follower.communicate(timeout=DEADLINE_S)[0].endswith(f"{FIRST_HALF}{SECOND_HALF}\n")
    end_long_ago(turn)
    gc = one_home.run("gc", cwd=turn.path)
    assert (gc.code, gc.stdout) == (0, f"{turn.id}\n")
    assert "deleted 1 turn," in gc.stderr
    assert one_home.turn_ids == []


def test_setup_collects_too_and_says_so(one_home: Home) -> None:
    one_home.model([])
    turn = PlayedTurn(one_home)
    turn.end()
    end_long_ago(turn)
    run = one_home.run("setup")
    assert run.code == 0, run
    assert "collected   1 old turns" in run.stdout
    assert "pinned already" in run.stdout
    assert one_home.turn_ids == []
    checks = json.loads(one_home.run("doctor", "--json").stdout)
    assert [check["name"] for check in checks if not check["ok"]] == []
