"""A usage limit that is reached, and turns that wait until it has reset: no other turn waits for them."""

from __future__ import annotations

import os
import shlex
import signal
import time
from dataclasses import replace

import psutil
import pytest

from codex_server_cli.core.model.turn import parse_time_ms
from codex_server_cli.demo.chatgpt import usage_headers, usage_windows
from codex_server_cli.demo.replies import say, usage_limit
from codex_server_cli.demo.scripted_model import ScriptedModel
from codex_server_cli.disk import lock
from tests.e2e.test_queue import MAX_QUEUED_PSS_KB, handles, is_light, pss_kb, started_at_ms
from tests.kit.home import Home, Turn
from tests.kit.story import is_alive
from tests.kit.support import delete_tree, wait_until

FAR_S = 2_000_000_000
SOON_S = 3


def chatgpt(home: Home, reset_s: int) -> ScriptedModel:
    """ChatGPT mode with the five hours used up until then: so it says on request, and refuses the first turn."""
    headers = usage_headers(primary_percent=100, reset_at=reset_s)
    model = home.chatgpt([replace(usage_limit(resets_at=reset_s), headers=headers), say("Done.")])
    model.wham_usage = usage_windows(primary_percent=100, reset_at=reset_s)
    return model


def start_waiting(home: Home, *args: str) -> Turn:
    """Start a turn that has to wait for a reset."""
    turn = home.start(*(args or ("new", "hi", "--after-reset")))
    reported = wait_until(lambda: (status := turn.status())["resets_at"] and status, what="until when it waits")
    assert reported["phase"] == "queued"
    return turn


def test_who_meets_the_limit_is_told_until_when_and_goes_on_by_the_command_of_the_hint(home: Home) -> None:
    chatgpt(home, FAR_S)
    ended = home.start("new", "hi").wait()
    error = ended["error"]
    assert (ended["state"], error["kind"], parse_time_ms(error["resets_at"])) == ("failed", "usage_limit", FAR_S * 1000)
    assert ended["resets_at"] == error["resets_at"]
    command = shlex.split(error["hint"].split("`")[1])
    assert command == ["codex-server", "continue", "--turn", ended["turn_id"], "go on", "--after-reset"]
    turn = start_waiting(home, *command[1:])
    assert turn.status()["resets_at"] == error["resets_at"]
    run = home.run("wait", turn.id, "--timeout", "0.1")
    assert (run.code, f"queued until the usage limit resets at {error['resets_at']}" in run.stderr) == (124, True)
    assert home.run("cancel", turn.id).json["state"] == "cancelled"


@pytest.mark.full
def test_where_no_turn_has_met_the_limit_codex_is_asked(home: Home) -> None:
    model = chatgpt(home, FAR_S)
    turn = start_waiting(home)
    assert parse_time_ms(turn.status()["resets_at"]) == FAR_S * 1000
    wait_until(lambda: not home.app_servers(), what="the end of the one that was asked")
    assert (model.model_requests, turn.events) == ([], [])
    assert home.run("cancel", turn.id).json["state"] == "cancelled"


@pytest.mark.full
def test_a_held_turn_runs_once_the_limit_has_reset(one_home: Home) -> None:
    reset_s = int(time.time()) + SOON_S
    model = chatgpt(one_home, reset_s)
    met = one_home.start("new", "hi")
    assert met.wait()["error"]["kind"] == "usage_limit"
    turn = one_home.start("continue", "--turn", met.id, "go on", "--after-reset")
    assert turn.wait()["answer"] == "Done."
    assert turn.meta["thread_id"] == met.meta["thread_id"]
    assert started_at_ms(turn) >= reset_s * 1000
    assert len(model.model_requests) == 2


@pytest.mark.full
def test_where_no_limit_holds_the_turn_starts_at_once(one_home: Home) -> None:
    model = one_home.chatgpt([say("Done.")])
    assert one_home.start("new", "hi", "--after-reset").wait()["answer"] == "Done."
    assert "/backend-api/wham/usage" in {request.path for request in model.requests}
    assert sorted(path.name for path in (one_home.path / "queue").iterdir()) == ["order", "slot-0", "wake"]


@pytest.mark.measured
def test_a_provider_without_limits_holds_no_turn(one_home: Home) -> None:
    one_home.model([say("Done.")])
    turn = one_home.start("new", "hi", "--after-reset")
    assert turn.wait()["answer"] == "Done."
    assert "the usage limit is not known" in (turn.path / "worker.log").read_text()


@pytest.mark.full
@pytest.mark.measured
def test_a_new_login_ends_what_the_turns_of_the_old_one_tell(one_home: Home) -> None:
    model = chatgpt(one_home, FAR_S)
    assert one_home.start("new", "hi").wait()["error"]["kind"] == "usage_limit"
    model.wham_usage = usage_windows()
    later_s = time.time() + 5
    os.utime(one_home.codex_home / "auth.json", (later_s, later_s))
    assert one_home.start("new", "hi", "--after-reset").wait()["answer"] == "Done."


def test_a_held_turn_blocks_no_other_waits_light_and_idle_and_is_cancelled_at_once(one_home: Home) -> None:
    one_home.configure(max_running=1)
    chatgpt(one_home, FAR_S)
    first, second = start_waiting(one_home), start_waiting(one_home)
    one_home.model([say("Done.")])  # another provider: its turns overtake those that wait
    assert one_home.start("new", "hi").wait()["answer"] == "Done."
    workers = [turn.worker() for turn in (first, second)]
    wait_until(lambda: not any(worker.children() for worker in workers), what="the end of those who asked")
    wait_until(lambda: all(map(is_light, workers)), what="the light processes")
    before = [sum(worker.cpu_times()[:2]) for worker in workers]
    assert all(pss_kb(worker) <= MAX_QUEUED_PSS_KB for worker in workers)
    run = one_home.run("cancel", first.id)
    assert (run.code, run.json["state"], first.events) == (0, "cancelled", [])
    assert sum(workers[1].cpu_times()[:2]) - before[1] <= 0.02
    assert not list((one_home.path / "queue").glob("2*"))
    assert one_home.run("cancel", second.id).json["state"] == "cancelled"


def listening_worker(turn: Turn) -> psutil.Process:
    worker = turn.worker()
    wait_until(lambda: handles(worker, signal.SIGINT), what="its handlers")
    return worker


@pytest.mark.full
@pytest.mark.measured
def test_a_held_turn_ends_like_any_other_in_the_queue(one_home: Home) -> None:
    chatgpt(one_home, FAR_S)
    late = one_home.start("new", "hi", "--after-reset", "--deadline", "3")
    killed, stopped, deleted = start_waiting(one_home), start_waiting(one_home), start_waiting(one_home)
    listening_worker(killed).kill()
    listening_worker(stopped).terminate()
    assert [turn.wait()["state"] for turn in (killed, stopped)] == ["abandoned", "abandoned"]
    worker = listening_worker(deleted)
    delete_tree(deleted.path)
    worker.terminate()
    wait_until(lambda: not is_alive(worker), what="the end of its worker")
    assert late.wait()["error"]["kind"] == "deadline"
    assert late.events == []


@pytest.mark.full
def test_held_turns_come_forward_when_their_time_has_come_and_never_too_many(one_home: Home) -> None:
    one_home.configure(max_running=2)
    reset_s = int(time.time()) + SOON_S
    chatgpt(one_home, reset_s)
    assert one_home.start("new", "hi").wait()["state"] == "failed"
    turns = [one_home.start("new", "hi", "--after-reset") for _ in range(5)]
    most = 0

    def are_over() -> bool:
        nonlocal most
        most = max(most, len(one_home.app_servers()))
        return all(turn.is_ended for turn in turns)

    wait_until(are_over, what="the end of all turns")
    assert {turn.wait()["answer"] for turn in turns} == {"Done."}
    assert min(map(started_at_ms, turns)) >= reset_s * 1000
    assert most <= 2
    names = {path.name for path in (one_home.path / "queue").iterdir()}
    assert names | {"slot-1"} == {"order", "slot-0", "slot-1", "wake"}  # a slow machine may need one slot alone


def test_a_thread_that_a_held_turn_will_write_is_its(one_home: Home) -> None:
    chatgpt(one_home, FAR_S)
    met = one_home.start("new", "hi")
    assert met.wait()["state"] == "failed"
    waiting = start_waiting(one_home, "continue", "--turn", met.id, "more", "--after-reset")
    run = one_home.run("continue", "--turn", met.id, "and more")
    assert (run.code, waiting.id in run.error["message"]) == (75, True)
    assert lock.is_held(waiting.path / "lock")
    assert one_home.run("cancel", waiting.id).json["state"] == "cancelled"
