"""One place maps errors to exit codes: every class of the tree, every end of a turn, and unexpected exceptions."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import psutil
import pytest

from codex_server_cli.actions.read import read
from codex_server_cli.cli import app
from codex_server_cli.errors import CodexServerError, ErrorKind
from tests.kit.shell import Shell, assert_refused
from tests.kit.support import DEADLINE_S, wait_until
from tests.kit.turns_on_disk import ANSWER, TurnsOnDisk
from tests.test_errors import FAMILY

ENDS: dict[str, tuple[ErrorKind | None, int]] = {
    "complete": (None, 0),
    "failed": (ErrorKind.NETWORK, 1),
    "abandoned": (ErrorKind.WORKER_DIED, 3),
    "cancelled": (ErrorKind.CANCELLED, 4),
}

INTERRUPTED_AT_START = """
from codex_server_cli.cli import app, entry
def interrupt(*_, **__):
    raise KeyboardInterrupt
app.run = interrupt
entry.main()
"""

Fail = Callable[[BaseException], int]


@pytest.fixture
def fail_with(monkeypatch: pytest.MonkeyPatch) -> Fail:
    """Run `status` with an action that raises this; returns the exit code."""

    def fail(error: BaseException) -> int:
        def raise_it(_settings: object) -> NoReturn:
            raise error

        monkeypatch.setattr(read, "running", raise_it)
        return app.run(["status"])

    return fail


@pytest.mark.parametrize("cls", FAMILY)
def test_every_error_ends_with_its_own_code_and_says_so(
    fail_with: Fail, capfdbinary: pytest.CaptureFixture[bytes], cls: type[CodexServerError]
) -> None:
    error = cls("what is wrong", hint="what to do\nand what else")
    assert fail_with(error) == cls.exit_code
    stdout, stderr = capfdbinary.readouterr()
    assert json.loads(stdout) == error.to_json()
    assert stderr == b"codex-server: what is wrong\n"


@pytest.mark.parametrize("error", [RuntimeError("boom"), KeyError("boom"), RecursionError("boom"), MemoryError("boom")])
def test_an_unexpected_exception_is_our_defect_in_one_line(
    fail_with: Fail, capfdbinary: pytest.CaptureFixture[bytes], error: Exception
) -> None:
    assert fail_with(error) == 1
    stdout, stderr = capfdbinary.readouterr()
    document = json.loads(stdout)["error"]
    assert (document["kind"], document["exit_code"]) == ("internal", 1)
    assert stderr.startswith(f"codex-server: a defect of codex-server: {type(error).__name__}: ".encode())
    assert b"Traceback" not in stderr
    assert "report it" in document["hint"]


def test_ctrl_c_is_130_wherever_it_comes(fail_with: Fail) -> None:
    assert [fail_with(error) for error in (KeyboardInterrupt(), EOFError())] == [130, 130]
    run = subprocess.run([sys.executable, "-c", INTERRUPTED_AT_START, "status"], capture_output=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (130, b"", b"")


def test_text_that_no_terminal_should_obey_is_neutral_in_messages_too(
    fail_with: Fail, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    fail_with(CodexServerError("a \x1b[2J b"))
    assert capfdbinary.readouterr().err.decode() == "codex-server: a ␛[2J b\n"


@pytest.mark.parametrize("state", ENDS)
def test_a_command_that_ends_with_its_turn_ends_with_its_code(shell: Shell, turns: TurnsOnDisk, state: str) -> None:
    kind, code = ENDS[state]
    turn = turns.complete() if kind is None else turns.failed(kind, ANSWER)
    turn.out.write_text("what was shown\n")
    expected = {
        "wait": "what was shown\n",
        "wait --print answer": f"{ANSWER}\n",
        "wait --print none": "",
        "answer": f"{ANSWER}\n",
        "tail --follow": "what was shown\n",
    }
    for command, stdout in expected.items():
        run = (shell.run if command == "wait" else shell.call)(*command.split(), turn.turn_id)
        assert (run.code, run.stdout) == (code, stdout), command
        assert run.stderr.startswith(f"codex-server: turn {turn.turn_id} {state}") or code == 0
    assert shell.call("tail", turn.turn_id).code == 0
    assert shell.call("tail", turn.turn_id, "--events").code == 0
    status = shell.call("status", turn.turn_id)
    assert (status.code, status.json["state"]) == (0, state)
    cancel = shell.call("cancel", turn.turn_id)
    assert (cancel.code, cancel.json["state"]) == (0, state)


def test_a_follower_of_a_deleted_turn_ends_with_66_in_words(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turn.out.write_text("begun\n")
    turn.events.write_text('{"seq":1}\n')
    tails = [shell.spawn("tail", turn.turn_id, "--follow", *options) for options in ([], ["--json"])]
    assert [tail.stdout.readline() for tail in tails if tail.stdout] == ["begun\n", '{"seq":1}\n']
    waits = [shell.spawn("wait", turn.turn_id, "--print", what) for what in ("answer", "out")]
    wait_until(lambda: all(has_open(wait.pid, turn.lock) for wait in waits), what="two who wait")
    shutil.rmtree(turn.path)
    turns.drop_lock(turn.turn_id)
    for process in tails + waits:
        stdout, stderr = process.communicate(timeout=DEADLINE_S)
        words = f"codex-server: no such turn: {turn.turn_id}\ncodex-server list-turns shows the turns there are.\n"
        assert (process.returncode, stdout, stderr) == (66, "", words)


def has_open(pid: int, path: Path) -> bool:
    return str(path) in {file.path for file in psutil.Process(pid).open_files()}


def test_a_running_turn_is_75_for_its_answer_and_124_for_a_wait_that_runs_out(shell: Shell, turns: TurnsOnDisk) -> None:
    turn_id = turns.running().turn_id
    answer = shell.run("answer", turn_id)
    assert (answer.code, answer.stdout) == (75, "")
    first, so_far = f"codex-server wait {turn_id} --timeout 100 --print answer", f"codex-server tail {turn_id}"
    assert answer.stderr.splitlines()[1] == f"First: `{first}`. Its text so far: `{so_far}`"
    wait = shell.run("wait", turn_id, "--timeout", "0")
    assert (wait.code, wait.json["state"]) == (124, "running")
    assert wait.stderr.splitlines()[1].startswith(f"codex-server wait {turn_id}")
    assert shell.call("wait", turn_id, "--timeout", "0", "--print", "none").stdout == ""
    turns.drop_lock(turn_id)


def test_a_turn_that_cannot_be_cancelled_is_75_and_its_worker_is_named(
    shell: Shell, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn = turns.running()  # the test holds the lock and reads no inbox; its record names no worker to kill
    monkeypatch.setattr("codex_server_cli.actions.control.control.CANCEL_TIMEOUT_S", 0.1)
    run = shell.call("cancel", turn.turn_id)
    assert (run.code, run.json["version"]) == (75, 2)
    assert "worker.log" in run.stderr
    turns.drop_lock(turn.turn_id)


def test_no_room_for_a_worker_is_75_and_leaves_no_traceback(shell: Shell) -> None:
    shell.configure(json.dumps({"codex": str(shell.bin / "codex")}))  # pinned, so it is not probed
    run = shell.run("new", "hi", under=["sh", "-c", 'ulimit -n 6; exec "$0" "$@"'])  # too few for the worker's pipes
    assert_refused(run, 75, "the worker could not start: Too many open files", as_json=True)
    assert "ulimit -n" in run.told
    assert shell.left == []


def test_the_module_runs_like_the_command(shell: Shell) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "codex_server_cli", "status"], env=shell.env, capture_output=True, check=True
    )
    assert json.loads(run.stdout) == {"version": 2, "turns": []}
