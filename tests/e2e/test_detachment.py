"""A turn depends on no other process: not its launcher, not its terminal, not the turn that started it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import hold, reply, run_command, say
from codex_server_cli.demo.request import Request
from tests.kit.home import COMMAND, FIRST_HALF, SECOND_HALF, Home
from tests.kit.story import is_alive
from tests.kit.support import wait_until

WHOLE = f"{FIRST_HALF}{SECOND_HALF}"
FULL_ACCESS = ("--sandbox", "danger-full-access", "--skip-git-check")
# Runs a command on a terminal of its own; killing this process closes that terminal.
TERMINAL = "import pty, sys; pty.spawn(sys.argv[1:])"


def test_a_kill_of_the_launchers_whole_process_group_does_not_reach_the_turn(one_home: Home) -> None:
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    shell = subprocess.Popen(
        ["bash", "-c", f"{COMMAND} new hi; exec cat"],
        cwd=one_home.project,
        env=one_home.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        process_group=0,
    )
    with shell:
        assert shell.stdout is not None
        turn = one_home.turn(json.loads(shell.stdout.readline())["turn_id"])
        os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == -signal.SIGKILL
    gate.open()
    assert turn.wait()["answer"] == WHOLE


def test_a_launcher_killed_before_it_could_answer_leaves_a_turn_that_completes(one_home: Home) -> None:
    one_home.model([say(WHOLE)])
    launcher = subprocess.Popen(
        [COMMAND, "new", "hi"], cwd=one_home.project, env=one_home.env, stdout=subprocess.PIPE, process_group=0
    )
    with launcher:
        turn = one_home.new_turn()
        os.killpg(launcher.pid, signal.SIGKILL)
    assert turn.wait()["answer"] == WHOLE


def test_closing_the_launchers_terminal_does_not_reach_the_turn(one_home: Home) -> None:
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    terminal = subprocess.Popen(
        [sys.executable, "-c", TERMINAL, "bash", "-c", f"{COMMAND} new --json hi; exec cat"],
        cwd=one_home.project,
        env=one_home.env,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with terminal:
        assert terminal.stdout is not None
        lines = [terminal.stdout.readline()]
        while lines[-1].rstrip() != b"}":  # indented, because it is a terminal
            lines.append(terminal.stdout.readline())
        (in_terminal,) = psutil.Process(terminal.pid).children()
        terminal.kill()
    wait_until(lambda: not is_alive(in_terminal), what="the hang-up of the terminal's own process")
    turn = one_home.turn(json.loads(b"".join(lines))["turn_id"])
    gate.open()
    assert turn.wait()["answer"] == WHOLE


def test_a_turn_holds_nothing_that_its_launcher_had_open(one_home: Home) -> None:
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    read_end, write_end = os.pipe()
    with ExitStack() as fds, (one_home.root / "inherited").open("w") as inherited:
        fds.callback(os.close, read_end)
        launcher = subprocess.run(
            [COMMAND, "new", "hi"],
            cwd=one_home.project,
            env=one_home.env,
            pass_fds=(write_end, inherited.fileno()),
            capture_output=True,
            check=True,
        )
        os.close(write_end)
        assert os.read(read_end, 1) == b"", "somebody still holds the pipe"
    turn = one_home.turn(json.loads(launcher.stdout)["turn_id"])
    gate.wait_until_reached()
    worker = Path(f"/proc/{turn.worker().pid}")
    own = {"events.jsonl", "lock", "out.txt", "wake", "worker.log"}
    shared = {f"{one_home.path}/queue/slot-0", f"{one_home.path}/threads/{turn.meta['thread_id']}.lock"}

    def files() -> set[str]:
        return {path.removeprefix(f"{turn.path}/") for path in _open_files(worker)}

    # Files that are open for a moment (`live.json`, the journal) may be seen open.
    wait_until(lambda: files() == {"/dev/null", *own, *shared}, what=f"no more than that; there is {files()}")
    assert (worker / "cwd").readlink() == Path("/")
    gate.open()
    turn.wait()


def _open_files(process: Path) -> list[str]:
    """The open files of a process of `/proc`, except those that it closes meanwhile."""
    paths = []
    for fd in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            paths.append(str(fd.readlink()))
    return [path for path in paths if path.startswith("/")]


@pytest.mark.parametrize("closed", ["<&-", ">&-", "<&- >&- 2>&-"])
def test_a_launcher_without_standard_streams_starts_a_turn_all_the_same(one_home: Home, closed: str) -> None:
    one_home.model([say(WHOLE)])
    shell = ["bash", "-c", f"{COMMAND} new hi {closed}"]
    run = subprocess.run(shell, cwd=one_home.project, env=one_home.env, capture_output=True, check=True)
    (turn_id,) = one_home.turn_ids
    assert run.stdout == b"" or json.loads(run.stdout)["turn_id"] == turn_id
    assert one_home.turn(turn_id).wait()["answer"] == WHOLE


def test_a_turn_started_inside_a_turn_outlives_it_and_a_third_level_is_refused(home: Home) -> None:
    gate = Gate()
    start = shlex.join([COMMAND, "new", *FULL_ACCESS])

    def script(request: Request) -> ReplyLike:
        match request.prompt, request.is_follow_up:
            case "parent", False:
                return run_command(f"{start} child")
            case "child", False:
                return reply(hold(gate), run_command(f"{start} grandchild", call_id="third"))
            case prompt, _:
                return say(f"{prompt} is done")

    model = home.model(script)
    parent = home.start("new", "parent", *FULL_ACCESS)
    assert parent.wait()["answer"] == "parent is done"
    (child_id,) = set(home.turn_ids) - {parent.id}
    child = home.turn(child_id)
    assert (parent.meta["parent_turn"], child.meta["parent_turn"]) == (None, parent.id)
    assert child.status()["state"] == "running"
    gate.open()
    assert child.wait()["answer"] == "child is done"
    refused = model.model_requests[-1].tool_outputs["third"]
    assert "exited with code 64" in refused
    assert "--allow-nested" in refused
    assert set(home.turn_ids) == {parent.id, child.id}
