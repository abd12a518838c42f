"""A turn that ends with the place that it was started in: a caller that starts it and leaves is told so once."""

from __future__ import annotations

import pytest

from tests.kit.shell import Shell

JOB = {"RUNNER_TRACKING_ID": "github_1a2b"}
WARNING = (
    "codex-server: this turn ends with its CI job, whose runner ends every process that has RUNNER_TRACKING_ID: "
    "codex-server wait TURN, before the job ends; on a machine of your own "
    "`RUNNER_TRACKING_ID= codex-server new …` outlives it\n"
)


def test_the_first_turn_of_a_ci_job_says_on_stderr_that_it_ends_with_it_and_no_later_one(shell: Shell) -> None:
    first = shell.run("new", "hi", env=JOB)
    assert first.json["state"] == "running"
    assert first.stderr == WARNING
    assert shell.run("new", "hi", env=JOB).stderr == ""
    assert shell.run("review", "--instructions", "x", env=JOB).stderr == ""


def test_outside_of_one_nothing_is_said_and_nothing_is_left_in_the_home(shell: Shell) -> None:
    assert shell.run("new", "hi", env={"RUNNER_TRACKING_ID": ""}).stderr == ""
    assert not list(shell.home.glob(".warned-*"))


def test_one_that_waits_for_its_turn_is_not_told(shell: Shell) -> None:
    for flag in ("--wait", "--follow"):
        assert "CI job" not in shell.run("new", "hi", flag, env=JOB).stderr
    assert not list(shell.home.glob(".warned-*"))


@pytest.mark.full
def test_doctor_says_so_each_time_as_a_warning_that_changes_no_exit_code(shell: Shell) -> None:
    quiet = shell.call("doctor")
    assert "✓ workers" in quiet.stdout
    shell.env |= JOB
    for _ in range(2):
        warned = shell.call("doctor")
        assert warned.code == quiet.code
        assert (
            "! workers       one that is started here ends with its CI job, whose runner ends every process"
            in warned.stdout
        )
        assert "codex-server wait TURN, before the job ends; on a machine of your own" in warned.stdout
