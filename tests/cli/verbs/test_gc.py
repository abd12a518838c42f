"""The verb `gc`: what it would delete and why, what it says of what stays, and what it refuses."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.disk.turn.layout import TurnDir
from tests.kit.shell import Shell, assert_refused
from tests.kit.turns_on_disk import TurnsOnDisk

TURN_ID_CHARS = 24


def aged(turns: TurnsOnDisk, days: float, **meta: Any) -> TurnDir:
    return turns.complete(finished_at=format_time_ms(int((time.time() - days * 86400) * 1000)), **meta)


def test_a_dry_run_is_a_table_oldest_first_with_a_total(shell: Shell, turns: TurnsOnDisk) -> None:
    young, old, named = aged(turns, 1), aged(turns, 9), aged(turns, 40, name="rev")
    aged(turns, 20, name="kept")
    run = shell.run("gc", "--dry-run", "--keep", "2")
    heading, *rows, total = run.stdout.splitlines()
    assert heading.split() == ["TURN", "AGE", "SIZE", "WHY", "STATE", "NAME"]
    assert [row[:TURN_ID_CHARS] for row in rows] == [named.turn_id, old.turn_id]
    assert rows[0].split()[-2:] == ["complete", "rev"]
    assert total.startswith("would delete 2 turns, ")
    assert (run.code, run.stderr) == (0, "kept: 1 named\n")
    assert all(turn.done.exists() for turn in (young, old, named))


def test_without_it_the_ids_of_what_is_gone_are_printed(shell: Shell, turns: TurnsOnDisk) -> None:
    first, second, third = aged(turns, 3), aged(turns, 2), aged(turns, 1)
    run = shell.call("gc", "--keep", "1")
    assert (run.code, run.stdout) == (0, f"{first.turn_id}\n{second.turn_id}\n")
    assert run.stderr.startswith("deleted 2 turns, ")
    assert third.done.exists()


def test_json_is_one_object(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = aged(turns, 9)
    aged(turns, 1, name="kept")
    document = shell.call("gc", "--max-size", "1K", "--json").json
    assert document["turns"][0] | {"bytes": 0} == {
        **{"turn_id": turn.turn_id, "state": "complete", "age_s": 9 * 86400, "bytes": 0, "why": "age"},
    }
    assert (document["dry_run"], document["kept"], document["exceeded"]) == (False, {"named": 1}, ["max_size"])
    assert shell.call("gc", "--dry-run", "--full").json["turns"] == []


def test_a_size_that_cannot_be_reached_is_told_and_is_no_failure(shell: Shell, turns: TurnsOnDisk) -> None:
    aged(turns, 1, name="rev")
    run = shell.call("gc", "--max-size", "1K")
    assert run.code == 0
    assert "kept: 1 named\nthe ended turns that are left take " in run.stderr
    assert run.stderr.endswith(", more than --max-size 1K\n")


def test_the_days_of_named_turns_come_from_the_configuration(shell: Shell, turns: TurnsOnDisk) -> None:
    shell.configure(json.dumps({"gc_days": 1, "gc_named_days": 3}))
    young, old = aged(turns, 2, name="a"), aged(turns, 4, name="b")
    assert shell.call("gc").stdout == f"{old.turn_id}\n"
    assert young.done.exists()


@pytest.mark.parametrize("dry", [False, True])
def test_no_size_no_number_and_nonsense_are_refused_and_nothing_is_deleted(
    shell: Shell, turns: TurnsOnDisk, dry: bool
) -> None:
    turn = aged(turns, 40)
    for arguments, expected in (
        (("--max-size", "0"), "--max-size takes a size above 0 with its unit, not '0'"),
        (("--max-size", "0G"), "--max-size takes a size above 0 with its unit, not '0G'"),
        (("--max-size", "-1G"), "--max-size takes a size above 0 with its unit, not '-1G'"),
        (("--max-size", "lots"), "--max-size takes a size above 0 with its unit, not 'lots'"),
        (("--keep", "0"), "0 is less than 1"),
        (("--keep", "-1"), "-1 is less than 1"),
        (("--keep", "few"), "'few' is no whole number"),
    ):
        run = shell.call("gc", *arguments, *(("--dry-run",) if dry else ()))
        assert_refused(run, 64, expected, as_json=False, case=arguments)
    assert turn.done.exists()
