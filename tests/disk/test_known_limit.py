"""The usage limit as the last turns met it: the newest end with a limit counts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.known_limit import KnownLimit, last_known_limit
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind
from tests.kit.turns_on_disk import TurnsOnDisk

FREE: dict[str, Any] = {"primary": {"usedPercent": 40, "resetsAt": 2_000_000_000}}
USED_UP: dict[str, Any] = {"primary": {"usedPercent": 100, "resetsAt": 2_000_000_000}}


@pytest.fixture
def turns(tmp_path: Path) -> Iterator[TurnsOnDisk]:
    with TurnsOnDisk(tmp_path / "home" / "turns") as made:
        yield made


def ends(turn: TurnDir, at_s: int, **result: Any) -> None:
    """Make a turn that ended at this time, with these members in its result."""
    write_json(turn.result, {**(read_json(turn.result) or {}), **result})
    os.utime(turn.done if turn.done.exists() else turn.error, (at_s, at_s))


def test_without_turns_nothing_is_known(turns: TurnsOnDisk) -> None:
    assert last_known_limit(turns.path) is None
    turns.complete()
    turns.running()
    turns.failed(ErrorKind.NETWORK)
    assert last_known_limit(turns.path) is None


def test_the_one_that_ended_last_counts_and_not_the_one_that_was_started_last(turns: TurnsOnDisk) -> None:
    long_one, short_one = turns.complete(), turns.complete()
    ends(long_one, 200, limits=USED_UP)
    ends(short_one, 100, limits=FREE)
    assert last_known_limit(turns.path) == KnownLimit(2_000_000_000, 200)
    ends(short_one, 300)
    assert last_known_limit(turns.path) == KnownLimit(None, 300)


def test_ends_that_tell_nothing_are_passed_over(turns: TurnsOnDisk) -> None:
    limited, other, broken = turns.failed(ErrorKind.USAGE_LIMIT), turns.complete(), turns.complete()
    ends(limited, 100, error={"kind": "usage_limit", "message": "m", "resets_at": "2026-11-20T17:28:00.000Z"})
    ends(other, 200, limits=None)
    ends(broken, 300)
    broken.result.write_text("{")
    assert last_known_limit(turns.path) == KnownLimit(1_795_195_680, 100, is_met=True)
