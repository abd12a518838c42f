"""The verb `usage`: a table in a pipe, bars on a terminal, JSON for programs, and a clear word for what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.month import fill
from tests.kit.shell import Shell, assert_refused
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def month(shell: Shell, turns: TurnsOnDisk, tmp_path: Path) -> list[Path]:
    """Ten days of ten turns."""
    specimen = turns.complete().path.rename(tmp_path / "specimen")
    return fill(specimen, shell.home / "turns", days=10, a_day=10, shares_files=True)


def test_a_pipe_gets_a_plain_table_of_the_last_seven_days(shell: Shell, month: list[Path]) -> None:
    run = shell.run("usage")
    heading, *days, total, ends = run.stdout.splitlines()
    assert heading.split()[:3] == ["DAY", "TURNS", "FAILED"]
    assert 7 <= len(days) <= 8
    assert total.split()[:2] == ["total", "69"]  # one is just older
    assert ends.startswith(("failed: ", "cancelled: "))
    assert "\x1b" not in run.stdout
    assert (run.code, run.stderr) == (0, "")


def test_json_has_a_group_for_each_and_all_of_them_together(shell: Shell, month: list[Path]) -> None:
    month[-1].joinpath("result.json").write_text("{")
    run = shell.call("usage", "--by", "state", "--since", "30d", "--json")
    document = run.json
    assert list(document) == ["version", "since", "by", "groups", "total", "unreadable"]
    assert {group["state"] for group in document["groups"]} >= {"complete"}
    assert document["total"]["turns"] == sum(group["turns"] for group in document["groups"]) == 99
    assert document["total"]["total_tokens"] == sum(group["total_tokens"] for group in document["groups"]) > 0
    assert document["unreadable"] == 1
    assert run.stderr == "codex-server: 1 turn is left out: the record cannot be read\n"
    assert "failures" not in next(group for group in document["groups"] if group["state"] == "complete")
    full = shell.call("usage", "--by", "state", "--since", "30d", "--full").json
    assert all("failures" in group for group in full["groups"])


def test_where_there_are_no_turns_that_is_said(shell: Shell) -> None:
    shell.configure("{}")
    assert shell.call("usage", "--since", "12h").stdout == "There is no turn of the last 12h.\n"
    assert shell.call("usage", "--json").json["total"]["turns"] == 0
    (shell.home / "config.json").unlink()
    shell.home.rmdir()
    run = shell.call("usage")
    assert (run.code, run.stdout) == (66, "")
    assert "there is no such directory" in run.stderr
    assert_refused(shell.call("gc"), 66, "there is no such directory", as_json=False)


def test_what_is_no_age_or_no_group_is_refused(shell: Shell) -> None:
    for arguments, expected in (
        (("--since", "7"), "--since takes a number with its unit, not '7'"),
        (("--since", "long"), "--since takes a duration, not 'long'"),
        (("--by", "colour"), "'colour' is not one of"),
    ):
        run = shell.call("usage", *arguments)
        assert_refused(run, 64, expected, as_json=False, case=arguments)


def test_a_terminal_gets_bars(shell: Shell, month: list[Path]) -> None:
    shown = shell.show("usage", "--by", "model")
    assert "█" in shown
    assert "\x1b" not in shown  # of a dumb terminal
