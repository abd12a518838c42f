"""Which turn a key of `--once` stands for: found by a scan of the turns, without an index."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from codex_server_cli.core.model.turn_id import make_turn_id
from codex_server_cli.disk.turn import once
from codex_server_cli.disk.turn.layout import TurnDir, create

DAY_S = 86400.0


def _make(turns_path: Path, age_s: float, key: object) -> TurnDir:
    """A turn that was started so long ago, with this as its key."""
    turn_id = make_turn_id(time.time_ns() // 1_000_000 - int(age_s * 1000), int.from_bytes(os.urandom(2)))
    turn, lock_fd = create(turns_path, turn_id, "hi", {"version": 1, "request": {"cwd": "/"}, "once": {"key": key}})
    os.close(lock_fd)
    return turn


def test_a_key_stands_for_the_newest_turn_that_has_it_within_its_time(tmp_path: Path) -> None:
    assert once.turn_of_key(tmp_path, "k", DAY_S) is None
    old = _make(tmp_path, 2 * DAY_S, "k")
    assert once.turn_of_key(tmp_path, "k", DAY_S) is None
    assert once.turn_of_key(tmp_path, "k", 3 * DAY_S) == old.turn_id
    young, _ = _make(tmp_path, 3600, "k"), _make(tmp_path, 60, "another k")
    assert once.turn_of_key(tmp_path, "k", 3 * DAY_S) == young.turn_id
    assert once.turn_of_key(tmp_path, "k", 1800) is None
    assert once.turn_of_key(tmp_path, "k", 200 * 365 * DAY_S) == young.turn_id  # longer than there is time


def test_a_turn_of_a_clock_that_ran_ahead_is_within_any_time(tmp_path: Path) -> None:
    ahead = _make(tmp_path, -3600, "k")
    assert once.turn_of_key(tmp_path, "k", 1) == ahead.turn_id


@pytest.mark.parametrize("key", ["k", 'with "quotes" \\ and blanks', "prüfung-1", "審査"])
def test_any_line_of_text_is_a_key_in_either_form_of_json(tmp_path: Path, key: str) -> None:
    turn = _make(tmp_path, 60, key)
    assert once.turn_of_key(tmp_path, key, DAY_S) == turn.turn_id
    turn.meta.write_bytes(turn.meta.read_text(encoding="utf-8").encode("ascii", "backslashreplace"))
    turn.meta.write_bytes(turn.meta.read_bytes().replace(rb"\xfc", rb"\u00fc"))
    assert once.turn_of_key(tmp_path, key, DAY_S) == turn.turn_id


def test_what_has_the_key_elsewhere_or_damaged_has_it_not(tmp_path: Path) -> None:
    named, _ = _make(tmp_path, 60, ["k"]), _make(tmp_path, 50, {"k": "k"})
    named.meta.write_text('{"name": "k", "once": "k"}')
    torn, planted, empty = (_make(tmp_path, age_s, "k") for age_s in (40, 30, 20))
    torn.meta.write_bytes(torn.meta.read_bytes()[:-3])
    planted.meta.unlink()
    planted.meta.symlink_to("/dev/zero")
    empty.meta.unlink()
    (tmp_path / "20261120-165501-482-7f3a.txt").write_text('"k"')
    assert once.turn_of_key(tmp_path, "k", DAY_S) is None


def test_a_key_is_free_again_once_its_turn_is_deleted(tmp_path: Path) -> None:
    turn = _make(tmp_path, 60, "k")
    turn.path.rename(tmp_path / f".gone-{turn.turn_id}")
    assert once.turn_of_key(tmp_path, "k", DAY_S) is None


def test_of_two_who_look_for_keys_one_waits_for_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(once, "_TIMEOUT_S", 0.01)
    with once.locked(tmp_path / "turns"), pytest.raises(TimeoutError, match="another process keeps it locked"):
        once.hold(tmp_path / "turns")
    os.close(once.hold(tmp_path / "turns"))
    assert [path.name for path in tmp_path.iterdir()] == ["once.lock"]
