"""App-servers that collide at start-up, or are too busy to answer: retried, and never reported as a failure.

And the mark of a turn's commands, which gets through a policy that withholds the environment from them.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable

import pytest

from codex_server_cli.demo.replies import reply, run_command, say
from tests.kit.cases import in_full
from tests.kit.faults import WHOLE, assert_ended, change_workers, pin_fake_codex
from tests.kit.home import FIRST_HALF, Home, Turn, nap, sleepers
from tests.kit.support import DEADLINE_S, wait_until

LOCKED = "Error: failed to open state DB: error returned from database: (code: 5) database is locked"
STDERR_TAIL = f"{LOCKED}\n\nStack backtrace:\n   0: <unknown>"
NEVER = 10**6
FULL_ACCESS = ("--sandbox", "danger-full-access", "--skip-git-check")
POLICY = "shell_environment_policy"


def _collide(home: Home, times: int) -> None:
    """Let this many app-servers collide with another one before one starts."""
    count, codex = shlex.quote(str(home.root / "starts")), shlex.quote(str(home.codex))
    home.wrap_codex(
        f'[ "$*" = app-server ] || exec {codex} "$@"\necho x >> {count}\n'
        f"[ $(wc -l < {count}) -gt {times} ] || {{ echo {shlex.quote(STDERR_TAIL)} >&2; exit 1; }}\n"
        f"exec {codex} app-server"
    )


def _start_together(home: Home, number: int) -> None:
    """Hold app-servers back until so many are to start, then release them all at once."""
    here, codex = shlex.quote(str(home.root / "here")), shlex.quote(str(home.codex))
    home.wrap_codex(
        f'[ "$*" = app-server ] || exec {codex} "$@"\nmkdir -p {here}/$$\n'
        f"for i in $(seq 1000); do [ $(ls {here} | wc -l) -lt {number} ] || break; sleep 0.01; done\n"
        f"exec {codex} app-server"
    )


def _starts(home: Home) -> int:
    path = home.root / "starts"
    return len(path.read_text().split()) if path.exists() else 0


def _shorten_retries(home: Home, after_ms: int) -> None:
    change_workers(home, f"from codex_server_cli.core.session import backoff\nbackoff.RETRY_LIMIT_MS = {after_ms}")


def _asked(turn: Turn, method: str) -> int:
    return sum(event["dir"] == "out" and event.get("method") == method for event in turn.events)


# --- collisions


def test_a_turn_whose_app_server_met_others_completes_as_if_nothing_had_been(home: Home) -> None:
    _collide(home, 3)
    home.model([say(WHOLE)])
    turn = home.start("new", "hi")
    assert_ended(home, turn, "complete", None, WHOLE, tokens=120)
    assert turn.out.endswith(f"\n{WHOLE}\n")
    assert "locked" not in turn.out
    assert (_asked(turn, "initialize"), _asked(turn, "turn/start")) == (4, 1)
    log = (turn.path / "worker.log").read_text()
    assert "codex is started again, attempt 4" in log


@pytest.mark.full
def test_a_turn_that_never_gets_its_app_server_tells_how_often_it_was_tried(one_home: Home) -> None:
    _collide(one_home, NEVER)
    _shorten_retries(one_home, 1500)
    one_home.model([say(WHOLE)])
    turn = one_home.start("new", "hi")
    error = assert_ended(one_home, turn, "failed", "codex_crashed", None)["error"]
    assert error["retryable"]
    assert LOCKED in error["message"]
    assert f"(started {_starts(one_home)} times)" in error["message"]
    assert LOCKED in error["stderr_tail"]
    assert _starts(one_home) > 2


def _cancel(home: Home, turn: Turn) -> None:
    assert home.run("cancel", turn.id).code == 0


def _terminate(_: Home, turn: Turn) -> None:
    os.kill(turn.worker().pid, signal.SIGTERM)


@pytest.mark.parametrize(
    ("end", "state", "kind"),
    [(_cancel, "cancelled", "cancelled"), (_terminate, "abandoned", "worker_died")],
    ids=["cancel", "SIGTERM"],
)
def test_a_turn_that_waits_for_another_start_is_starting_and_can_be_ended_at_once(
    one_home: Home, end: Callable[[Home, Turn], None], state: str, kind: str
) -> None:
    _collide(one_home, NEVER)
    one_home.model([say(WHOLE)])
    turn = one_home.start("new", "hi")
    wait_until(lambda: _starts(one_home) > 3, what="the fourth start")
    status = turn.status()
    assert (status["state"], status["phase"], status["error"]) == ("running", "starting", None)
    end(one_home, turn)
    assert_ended(one_home, turn, state, kind, None)
    assert _asked(turn, "initialize") <= _starts(one_home)


@pytest.mark.full
def test_the_deadline_holds_between_two_starts(one_home: Home) -> None:
    _collide(one_home, NEVER)
    one_home.model([say(WHOLE)])
    turn = one_home.start("new", "hi", "--deadline", "1")
    assert_ended(one_home, turn, "failed", "deadline", None)


def test_a_codex_that_goes_for_another_reason_is_not_started_again(one_home: Home) -> None:
    count = shlex.quote(str(one_home.root / "starts"))
    one_home.wrap_codex(f'[ "$*" = app-server ] && echo x >> {count}\necho "out of cheese" >&2\nexit 1')
    one_home.model([say(WHOLE)])
    turn = one_home.start("new", "hi")
    error = assert_ended(one_home, turn, "failed", "codex_crashed", None)["error"]
    assert error["message"].endswith("(exit code 1): out of cheese")
    assert _starts(one_home) == 1


@pytest.mark.parametrize("number", [4, pytest.param(8, marks=pytest.mark.full)])
def test_turns_at_once_on_a_fresh_codex_home_all_complete(home: Home, number: int) -> None:
    shutil.rmtree(home.codex_home)
    home.model([say(WHOLE)])
    _start_together(home, number)
    commands = [home.spawn("new", f"number {each}", stdin=subprocess.DEVNULL) for each in range(number)]
    runs = [command.communicate(timeout=DEADLINE_S) for command in commands]
    assert [command.returncode for command in commands] == [0] * number, runs
    assert [errors for _, errors in runs] == [""] * number
    turns = [home.turn(turn_id) for turn_id in home.turn_ids]
    assert len(turns) == number
    for turn in turns:
        ended = turn.wait()
        assert (ended["state"], ended["error"], ended["answer"]) == ("complete", None, WHOLE), ended
        assert turn.out.endswith(f"\n{WHOLE}\n")
        assert "sqlite" not in turn.out
        assert _asked(turn, "turn/start") == 1
        log = (turn.path / "worker.log").read_text()
        assert log.count("codex is started again") == _asked(turn, "initialize") - 1


# --- too busy


def test_what_codex_was_too_busy_for_is_asked_again(one_home: Home) -> None:
    pin_fake_codex(one_home, "too busy")
    turn = one_home.start("new", "hi")
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=120)
    assert {
        method: _asked(turn, method) for method in ("initialize", "account/read", "thread/start", "turn/start")
    } == {
        "initialize": 3,
        "account/read": 3,
        "thread/start": 3,
        "turn/start": 3,
    }


def test_a_codex_that_stays_too_busy_fails_the_turn_as_overloaded(one_home: Home) -> None:
    pin_fake_codex(one_home, "ever too busy")
    _shorten_retries(one_home, 400)
    turn = one_home.start("new", "hi")
    error = assert_ended(one_home, turn, "failed", "overloaded", None)["error"]
    assert error["retryable"]
    assert f"refused initialize {_asked(turn, 'initialize')} times: Server overloaded" in error["message"]


# --- the mark of commands


def _policy_toml(policy: str) -> str:
    return f'[{POLICY}]\n{policy}\n[{POLICY}.set]\nA = "b"\n'


@pytest.mark.parametrize(
    ("policy", "options"),
    [
        ('inherit = "none"', ()),
        in_full('exclude = ["CODEX_*"]', ()),
        in_full("", ("--config", f'{POLICY}={{inherit="none",set={{B="c"}}}}')),
        ("", ("--config", f'{POLICY}.include_only=["PATH","A","B"]', "--config", f"{POLICY}.set.B=c")),
    ],
    ids=["inherit", "exclude", "option-table", "option-include_only"],
)
@pytest.mark.version_free
def test_a_command_kept_from_our_environment_is_found_after_the_death_of_the_worker(
    home: Home, policy: str, options: tuple[str, ...]
) -> None:
    sleep, seen = nap(home), home.project / "environment"
    command = f"export PATH={os.environ['PATH']}; env > {seen.name}; setsid {sleep}; true"
    home.model([reply(say(FIRST_HALF), run_command(command)), reply(say("done"))], extra_toml=_policy_toml(policy))
    turn = home.start("new", "hi", *FULL_ACCESS, *options)
    wait_until(lambda: sleepers(sleep), what=f"the process {sleep}")
    environment = dict(line.split("=", 1) for line in seen.read_text().splitlines() if "=" in line)
    assert environment["CODEX_SERVER_TURN_ID"] == turn.id
    assert environment["A"] == "b"
    assert environment.get("B") == ("c" if options else None)
    assert "CODEX_SERVER_HOME" not in environment
    turn.kill_worker()
    assert turn.status()["state"] == "abandoned"
    assert sleepers(sleep) == []


def test_each_turn_of_a_thread_marks_its_commands_anew(home: Home) -> None:
    record_mark, done = reply(run_command("echo $CODEX_SERVER_TURN_ID >> marks")), reply(say("done"))
    home.model([record_mark, done] * 3, extra_toml=_policy_toml('inherit = "none"'))
    turns = [home.start("new", "hi", *FULL_ACCESS)]
    for more in ([], ["--fork"]):
        assert turns[-1].wait()["state"] == "complete"
        turns.append(home.start("continue", "--last", "again", *more, *FULL_ACCESS))
    assert turns[-1].wait()["state"] == "complete"
    assert (home.project / "marks").read_text().split() == [turn.id for turn in turns]
