"""What is reported of a turn that did not complete: the same members everywhere, all known facts, the next step."""

from __future__ import annotations

import json
import re
import shlex
import signal
from collections.abc import Callable
from functools import partial

import pytest

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.result.hints import End, hint_of
from codex_server_cli.demo.replies import say
from codex_server_cli.errors import ErrorKind
from tests.fakes.faulty import LIMITS, TOKENS
from tests.kit.cases import in_full
from tests.kit.faults import FIRST_HALF, change_workers, pin_fake_codex
from tests.kit.home import Home, Turn
from tests.kit.support import Json, wait_until

MEMBERS = {
    *("version", "kind", "message", "hint", "retryable", "resets_at", "codex_error", "stderr_tail", "partial_answer"),
}
STALLS_SOON = (
    "from codex_server_cli.core.model import timers\nfrom codex_server_cli.core.session import session\n"
    "session.STALL_CHECK_MS = timers.LIMIT_MS[timers.Timer.RECONCILE] = 500\n"
    "timers.LIMIT_MS[timers.Timer.STALL] = 2000"
)
ANY_TIME: list[list[str]] = [[]]
DEADLINES = [["--deadline", str(deadline_s)] for deadline_s in (1, 8, 32)]
"""The machine's speed decides no result."""


def cancel(home: Home, turn: Turn) -> None:
    home.run("cancel", turn.id)


def kill_codex(_home: Home, turn: Turn) -> None:
    turn.app_server().kill()


def kill_worker(_home: Home, turn: Turn) -> None:
    turn.kill_worker()


def stop_worker(_home: Home, turn: Turn) -> None:
    turn.worker().send_signal(signal.SIGTERM)


def nothing(_home: Home, _turn: Turn) -> None:
    """It ends by itself."""


def is_half_or_over(turn: Turn) -> bool:
    return FIRST_HALF in turn.out or turn.is_ended


def start_and_see_half(home: Home, tries: list[list[str]]) -> Turn:
    """Start a turn with the first of these options that leave it the time to say its first half."""
    for options in tries:
        turn = home.start("new", "hi", *options)
        wait_until(partial(is_half_or_over, turn), what="the first half")
        if FIRST_HALF in turn.out:
            break
    return turn


def errors_of(home: Home, turn: Turn) -> list[Json]:
    """The turn's error, from every place that reports it."""
    marker: Json = json.loads((turn.path / "error").read_text())
    del marker["finished_at"]
    rows = json.loads(home.call("list-turns", "--full").stdout)
    (listed,) = (row for row in rows if row["turn_id"] == turn.id)
    return [marker, turn.result["error"], turn.status()["error"], turn.wait()["error"], listed["error"]]


@pytest.mark.parametrize(
    ("kind", "app_server", "options", "end"),
    [
        in_full("cancelled", "sends all", ANY_TIME, cancel),
        in_full("deadline", "sends all", DEADLINES, nothing),
        in_full("stalled", "sends all", ANY_TIME, nothing),
        ("codex_crashed", "sends all", ANY_TIME, kill_codex),
        ("worker_died", "sends all", ANY_TIME, kill_worker),
        in_full("worker_died", "sends all", ANY_TIME, stop_worker),
        ("usage_limit", "bare error", ANY_TIME, nothing),
    ],
    ids=["cancelled", "deadline", "stalled", "codex killed", "worker killed", "worker stopped", "usage limit"],
)
def test_every_end_keeps_usage_limits_stderr_tail_and_the_part_that_had_come(
    one_home: Home, kind: str, app_server: str, options: list[list[str]], end: Callable[[Home, Turn], None]
) -> None:
    if kind == "stalled":
        change_workers(one_home, STALLS_SOON)
    pin_fake_codex(one_home, app_server)
    turn = start_and_see_half(one_home, options)
    end(one_home, turn)
    ended = turn.wait()
    errors = errors_of(one_home, turn)
    error = errors[0]
    assert all(other == error for other in errors), errors
    assert set(error) == MEMBERS
    assert (error["kind"], error["partial_answer"], error["version"]) == (kind, FIRST_HALF, 1)
    assert "ERROR out of cheese" in error["stderr_tail"]
    assert (error["resets_at"] == "2033-05-18T03:33:20.000Z") is (kind == "usage_limit")
    assert error["retryable"] is ErrorKind(kind).is_retryable
    for document in (turn.result, ended):
        assert (document["usage"]["total_tokens"], document["limits"]) == (TOKENS, LIMITS)
    assert error["hint"] in one_home.call("wait", turn.id, "--print", "none").stderr


def test_what_codex_never_told_is_null(one_home: Home) -> None:
    pin_fake_codex(one_home, "no thread/start")
    turn = one_home.start("new", "hi", "--deadline", "1")
    ended = turn.wait()
    assert (ended["usage"], ended["limits"]) == (None, None)
    error = ended["error"]
    assert set(error) == MEMBERS
    absent = ("resets_at", "codex_error", "stderr_tail", "partial_answer")
    assert [error[name] for name in absent] == [None] * 4


@pytest.mark.parametrize("defect", ["run._drive", "run.sweep"])
@pytest.mark.measured
def test_a_defect_of_ours_ends_the_turn_and_its_place_is_in_the_log(one_home: Home, defect: str) -> None:
    change_workers(one_home, f"from codex_server_cli.worker import run\n{defect} = lambda *_, **__: 1 / 0")
    one_home.model([say("Hello")])
    turn = one_home.start("new", "hi")
    ended = turn.wait()
    assert "ZeroDivisionError" in (turn.path / "worker.log").read_text()
    if defect == "run.sweep":
        assert (ended["state"], ended["answer"]) == ("complete", "Hello")
        return
    error = ended["error"]
    assert (set(error), error["kind"]) == (MEMBERS, "internal")
    assert error["message"] == "ZeroDivisionError: division by zero"
    assert "worker.log" in error["hint"]


def commands_of_hints(turn: Turn) -> tuple[list[list[str]], list[list[str]]]:
    """The words of the commands that hints name: of those that start a turn, and of the others."""
    request = TurnRequest.from_json(turn.meta["request"], turn.id, str(turn.path / "prompt.txt"))
    continued = request._replace(thread_id=turn.meta["thread_id"], flags=None)
    hints = [
        hint_of(End(kind, is_resumable=is_resumable), asked)
        for kind in ErrorKind
        for asked in (request, continued, continued._replace(is_fork=True))
        for is_resumable in (True, False)
    ]
    commands = sorted({command for hint in hints for command in re.findall("`([^`]+)`", hint)})
    words = [shlex.split(command)[1:] for command in commands]
    starting = [args for args in words if args[0] in ("new", "continue")]
    return starting, [args for args in words if args not in starting]


def ended_turn(home: Home) -> Turn:
    home.model([say("Hello")])
    turn = home.start("new", "hi")
    turn.wait()
    return turn


def test_the_command_of_every_hint_works_as_it_stands(one_home: Home) -> None:
    starting, others = commands_of_hints(ended_turn(one_home))
    assert (len(starting) > 5, len(others) > 5) == (True, True)
    for args in others:
        run = one_home.call(*args, *(["--help"] if args == ["login"] else []))  # it would wait for a browser
        assert run.code == 0, args


@pytest.mark.full  # the same commands are read in `tests/cli/test_next_steps.py`, and some run in `test_next_steps.py`
def test_the_command_of_every_hint_that_starts_a_turn_works_as_it_stands(one_home: Home) -> None:
    for args in commands_of_hints(ended_turn(one_home))[0]:
        run = one_home.run(*args)
        assert run.code == 0, args
        assert one_home.turn(run.json["turn_id"]).wait()["answer"] == "Hello", args
