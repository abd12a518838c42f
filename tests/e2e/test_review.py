"""Findings of a code review of the whole project: checked from outside, with a real codex."""

from __future__ import annotations

import json
import subprocess

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from tests.kit.faults import cancel_and_wait
from tests.kit.home import COMMAND, Home
from tests.kit.support import DEADLINE_S, wait_until

FULL_ACCESS = ("--sandbox", "danger-full-access", "--skip-git-check")


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077], ids="{:03o}".format)
@pytest.mark.full
def test_commands_run_under_the_users_umask_and_our_files_are_the_users_alone(one_home: Home, umask: int) -> None:
    model = one_home.model([run_command("umask; touch made; mkdir made.d", call_id="umask"), say("done")])
    run = subprocess.run(
        [COMMAND, "new", "hi", *FULL_ACCESS],
        cwd=one_home.project,
        env=one_home.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        umask=umask,
        check=True,
    )
    turn = one_home.turn(json.loads(run.stdout)["turn_id"])
    assert turn.wait()["state"] == "complete"
    assert f"{umask:04o}" in model.model_requests[-1].tool_outputs["umask"].split()
    made = [(one_home.project / name).stat().st_mode & 0o777 for name in ("made", "made.d")]
    assert made == [0o666 & ~umask, 0o777 & ~umask]
    modes = {path: path.stat().st_mode & 0o777 for path in (turn.path.parent, turn.path, *turn.path.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if not path.is_dir()} == {0o600}


def test_a_worker_that_is_slow_to_react_delays_no_other_turn_of_the_same_cancel(one_home: Home) -> None:
    cancel_and_wait(one_home)
    gate = Gate()
    one_home.model([reply(hold(gate), say("never"))])
    slow, other = (one_home.start("new", "hi") for _ in range(2))
    other.worker()
    worker = slow.worker()
    worker.suspend()
    cancel = one_home.spawn("cancel", slow.id, other.id)
    try:
        wait_until(lambda: other.is_ended, what="the end of the other turn")
    finally:
        worker.resume()
        stdout, _ = cancel.communicate(timeout=DEADLINE_S)
    assert cancel.returncode == 0
    assert [turn["state"] for turn in json.loads(stdout)["turns"]] == ["cancelled", "cancelled"]
