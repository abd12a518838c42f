"""The app-server is killed, silent, or talks nonsense: the turn ends with its kind, and keeps what had come."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import psutil
import pytest

from codex_server_cli.demo.codex_home import write_custom_provider
from tests.fakes import faulty
from tests.kit.faults import (
    FIRST_HALF,
    NOWHERE,
    WHOLE,
    assert_ended,
    change_workers,
    methods,
    pin_fake_codex,
    shorten,
    shorten_requests,
    start_silent,
)
from tests.kit.home import Home, Turn, sleepers, start_sleeping
from tests.kit.support import DEADLINE_S, Json, wait_until

KILLS = pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM], ids=["SIGKILL", "SIGTERM"])


def start_with(home: Home, app_server: str) -> Turn:
    pin_fake_codex(home, app_server)
    return home.start("new", "hi")


def assert_crashed(
    home: Home, turn: Turn, answer: str | None = None, *, tokens: int | None = None, how: str | None = None
) -> Json:
    """Assert that the turn failed because codex exited, and that the error has its exit status."""
    ended = assert_ended(home, turn, "failed", "codex_crashed", answer, tokens=tokens)
    assert ended["error"]["retryable"]
    assert "codex app-server ended before the turn did" in ended["error"]["message"]
    assert how is None or f"({how})" in ended["error"]["message"]
    return ended


# --- killed


@KILLS
def test_codex_killed_before_it_answers_initialize(one_home: Home, signum: signal.Signals) -> None:
    turn = start_with(one_home, "no initialize")
    turn.app_server().send_signal(signum)
    ended = assert_crashed(one_home, turn, how=f"signal {int(signum)}")
    assert "codex-server new" in ended["error"]["hint"]


@KILLS
def test_codex_killed_after_it_has_opened_the_thread(one_home: Home, signum: signal.Signals) -> None:
    turn = start_with(one_home, "no turn/start")
    wait_until(lambda: turn.meta["thread_id"], what="the thread")
    turn.app_server().send_signal(signum)
    assert_crashed(one_home, turn, how=f"signal {int(signum)}")


@KILLS
@pytest.mark.full
def test_codex_killed_in_the_middle_of_an_answer(home: Home, signum: signal.Signals) -> None:
    turn, _ = home.start_held()
    turn.app_server().send_signal(signum)
    ended = assert_crashed(home, turn, FIRST_HALF)
    assert f"codex-server continue --turn {turn.id}" in ended["error"]["hint"]


@KILLS
def test_codex_killed_while_a_command_runs_takes_the_command_along(home: Home, signum: signal.Signals) -> None:
    turn, sleep = start_sleeping(home, "(setsid {nap} &); {nap}", "--sandbox", "danger-full-access", "--skip-git-check")
    turn.app_server().send_signal(signum)
    assert_crashed(home, turn, FIRST_HALF)
    assert sleepers(sleep) == []


@KILLS
@pytest.mark.full
def test_codex_killed_after_it_has_completed_the_turn(one_home: Home, signum: signal.Signals) -> None:
    change_workers(one_home, "from codex_server_cli.codex.transport import base\nbase.GRACE_S = 1.0")
    turn = start_with(one_home, "stubborn at the end")
    wait_until(lambda: "turn/completed" in methods(turn), what="the end")
    turn.app_server().send_signal(signum)
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)


# --- silent


@pytest.mark.parametrize("method", ["initialize", "thread/start", "turn/start"])
def test_a_request_that_is_never_answered(one_home: Home, method: str) -> None:
    shorten_requests(one_home, 300, repr([method]))
    turn = start_with(one_home, f"no {method}")
    ended = assert_ended(one_home, turn, "failed", "protocol", None)
    assert f"Codex did not answer {method} within" in ended["error"]["message"]


def test_a_turn_whose_end_is_never_told_is_complete_once_codex_has_it_on_record(one_home: Home) -> None:
    shorten(one_home, COMPLETION=100)
    turn = start_with(one_home, "forgets the end")
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)
    assert "thread/turns/list" in methods(turn)


@pytest.mark.full
def test_a_turn_that_falls_silent_and_has_no_end_on_record_is_stalled(one_home: Home) -> None:
    shorten(one_home, STALL=2000)
    turn = start_with(one_home, "loses the end")
    ended = assert_ended(one_home, turn, "failed", "stalled", FIRST_HALF, tokens=faulty.TOKENS)
    assert ended["error"]["retryable"]


@pytest.mark.full
def test_a_codex_that_ignores_interrupts_and_only_tries_the_network_is_stalled(one_home: Home) -> None:
    shorten(one_home, RETRIES=300, STOP=200)
    turn = start_with(one_home, "unreachable")
    assert_ended(one_home, turn, "failed", "stalled", FIRST_HALF, tokens=faulty.TOKENS)


@pytest.mark.full
def test_a_network_that_stays_out_of_reach_is_stalled(home: Home) -> None:
    shorten(home, RETRIES=1000)
    write_custom_provider(home.codex_home, NOWHERE, stream_max_retries=1000)
    turn = home.start("new", "hi")
    assert_ended(home, turn, "failed", "stalled", None)
    assert "turn/interrupt" in methods(turn)


@pytest.mark.full
def test_a_codex_that_ignores_sigterm_is_killed(one_home: Home) -> None:
    change_workers(one_home, "from codex_server_cli.codex.transport import base\nbase.GRACE_S = 1.0")
    turn = start_with(one_home, "stubborn at the end")
    wait_until(lambda: turn.events, what="events")
    server = turn.app_server()
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)
    assert not psutil.pid_exists(server.pid)


# --- nonsense


@pytest.mark.parametrize("app_server", ["chatty", "ends twice"])
def test_what_is_no_message_or_comes_twice_changes_nothing(one_home: Home, app_server: str) -> None:
    turn = start_with(one_home, app_server)
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)
    assert turn.out.count(WHOLE) == 1


@pytest.mark.full
def test_nothing_but_garbage(one_home: Home) -> None:
    shorten(one_home, REQUEST=4000)
    turn = start_with(one_home, "garbage")
    assert_ended(one_home, turn, "failed", "protocol", None)
    assert any(event.get("invalid") == "Welcome!" for event in turn.events)


def test_half_a_line_and_then_the_end(one_home: Home) -> None:
    turn = start_with(one_home, "half a line")
    assert_crashed(one_home, turn, FIRST_HALF, tokens=faulty.TOKENS, how="exit code 0")
    assert turn.events[-1]["invalid"].startswith('{"method": "item/agentMessage/delta"')


def test_an_exit_in_the_middle_of_an_answer(one_home: Home) -> None:
    turn = start_with(one_home, "exits mid-turn")
    ended = assert_crashed(one_home, turn, FIRST_HALF, tokens=faulty.TOKENS, how="exit code 0")
    assert ended["error"]["stderr_tail"] == "I have better things to do"


@pytest.mark.full
def test_an_exit_while_a_child_of_codex_holds_its_stdout_open(one_home: Home) -> None:
    turn = start_with(one_home, "leaves a child")
    started_s = time.monotonic()
    assert_crashed(one_home, turn, FIRST_HALF, tokens=faulty.TOKENS, how="exit code 0")
    assert time.monotonic() - started_s < DEADLINE_S  # the end of its stdout would come after 300 s


@pytest.mark.full
def test_a_line_of_50_megabytes(one_home: Home) -> None:
    turn = start_with(one_home, "long line")
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)
    assert (turn.path / "events.jsonl").stat().st_size > faulty.LONG_LINE_BYTES


@pytest.mark.full
def test_a_hundred_thousand_lines_without_a_pause(one_home: Home) -> None:
    turn = start_with(one_home, "many lines")
    answer = FIRST_HALF + "word " * faulty.DELTAS
    assert_ended(one_home, turn, "complete", None, answer, tokens=faulty.TOKENS, is_compacted=True)
    assert turn.events[-1]["seq"] > faulty.DELTAS


def test_a_flood_on_stderr(one_home: Home) -> None:
    turn = start_with(one_home, "flood")
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)
    assert (turn.path / "worker.log").stat().st_size < 200_000


@pytest.mark.full
def test_a_worker_killed_under_a_line_of_50_megabytes_is_repaired(one_home: Home) -> None:
    turn = start_silent(one_home)
    turn.kill_worker()
    wait_until(lambda: not one_home.processes("worker.main"), what="the worker's death")
    append(turn.path / "events.jsonl", b'{"seq":9,"ts":1,"dir":"in","method":"x","params":"' + b"x" * 50_000_000)
    ended = turn.wait()
    assert (ended["state"], ended["answer"]) == ("abandoned", FIRST_HALF)
    assert one_home.left_running() == []


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)
