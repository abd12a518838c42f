"""The collection that workers run: once a day, by the first of them, and without delaying a turn."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.disk import lock
from codex_server_cli.disk.gc import collect
from codex_server_cli.disk.gc.bounds import by_age
from codex_server_cli.disk.gc.collect import collect_if_due
from codex_server_cli.disk.gc.stamp import DAY_S, STAMP
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from tests.kit.support import DEADLINE_S
from tests.kit.turns_on_disk import TurnsOnDisk

LONG_AGO = format_time_ms(int((time.time() - 8 * DAY_S) * 1000))


def ended(_turn: TurnDir) -> int:
    """A sweep that finds nothing."""
    return 0


@pytest.fixture
def home(turns: TurnsOnDisk) -> Path:
    """A home with one old turn in it."""
    turns.complete(finished_at=LONG_AGO)
    return turns.path.parent


def turns_left(home: Path) -> int:
    return len(list((home / "turns").iterdir()))


def stamp_of_age(home: Path, age_s: float) -> Path:
    stamp = home / STAMP
    stamp.write_text("\n")
    os.utime(stamp, (time.time() - age_s,) * 2)
    return stamp


def test_a_home_that_never_was_collected_is_due_and_then_is_not(home: Path, turns: TurnsOnDisk) -> None:
    assert collect_if_due(home, by_age(7 * DAY_S, 30), TurnReader(ended))
    assert turns_left(home) == 0
    turns.complete(finished_at=LONG_AGO)
    assert not collect_if_due(home, by_age(7 * DAY_S, 30), TurnReader(ended))
    assert turns_left(home) == 1
    assert (home / STAMP).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("age_s", "is_due"),
    [(DAY_S + 60, True), (DAY_S - 60, False), (0, False), (-3600, True)],
    ids=["a day ago", "within a day", "now", "in the future"],
)
def test_a_day_must_have_passed(home: Path, age_s: float, is_due: bool) -> None:
    stamp = stamp_of_age(home, age_s)
    assert collect_if_due(home, by_age(7 * DAY_S, 30), TurnReader(ended)) is is_due
    assert (turns_left(home) == 0) is is_due
    assert abs(time.time() - stamp.stat().st_mtime) < 120 or not is_due


def test_days_may_be_parts_of_one(home: Path) -> None:
    assert collect_if_due(home, by_age(9.5 * DAY_S, 30), TurnReader(ended))
    assert turns_left(home) == 1


def test_the_day_is_noted_before_the_work(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        raise SystemExit

    monkeypatch.setattr(collect, "collect", die)
    with pytest.raises(SystemExit):
        collect_if_due(home, by_age(7 * DAY_S, 30), TurnReader(ended))
    monkeypatch.undo()
    assert not collect_if_due(home, by_age(7 * DAY_S, 30), TurnReader(ended))


def test_who_comes_while_another_collects_goes_away_at_once(home: Path) -> None:
    stamp = stamp_of_age(home, 2 * DAY_S)
    fd = lock.try_lock(stamp)
    assert fd is not None
    assert not collect_if_due(home, by_age(7 * DAY_S, 30), TurnReader(ended))
    os.close(fd)
    assert turns_left(home) == 1


def test_who_gets_the_lock_after_another_is_done_leaves_it_at_that(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = stamp_of_age(home, 2 * DAY_S)
    try_acquire = lock.try_acquire

    def come_late(path: Path) -> int | None:
        fd = try_acquire(path)
        os.utime(stamp)
        return fd

    monkeypatch.setattr(lock, "try_acquire", come_late)
    assert not collect_if_due(home, by_age(7 * DAY_S, 30), TurnReader(ended))
    assert turns_left(home) == 1


_ASK = """
import sys
from pathlib import Path
from codex_server_cli.disk.gc.bounds import by_age
from codex_server_cli.disk.gc.collect import collect_if_due
sys.stdin.readline()
print(collect_if_due(Path(sys.argv[1]), by_age(7 * 86400, 30), lambda turn_id: 0))
"""


def test_of_many_workers_that_end_at_once_one_collects(home: Path) -> None:
    command = [sys.executable, "-c", _ASK, str(home)]
    collectors = [subprocess.Popen(command, stdin=-1, stdout=-1, text=True) for _ in range(10)]
    for process in collectors:
        assert process.stdin is not None
        process.stdin.write("now\n")
        process.stdin.flush()
    said = [process.communicate(timeout=DEADLINE_S)[0].strip() for process in collectors]
    assert sorted(said) == ["False"] * 9 + ["True"]
    assert turns_left(home) == 0


def test_a_stamp_that_is_a_link_is_not_followed(home: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs")
    (home / STAMP).symlink_to(theirs)
    os.utime(home / STAMP, (0, 0), follow_symlinks=False)
    with pytest.raises(OSError, match="symbolic link"):
        collect_if_due(home, by_age(7 * DAY_S, 30), TurnReader(ended))
    assert theirs.read_text() == "theirs"


def test_a_home_that_is_gone_is_told_and_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        collect_if_due(tmp_path / "gone", by_age(7 * DAY_S, 30), TurnReader(ended))
    assert not (tmp_path / "gone").exists()


def test_asking_costs_no_heavy_import(home: Path) -> None:
    stamp_of_age(home, 0)
    code = (
        "import sys\nfrom pathlib import Path\nfrom codex_server_cli.disk.gc.stamp import is_due\n"
        "assert not is_due(Path(sys.argv[1]))\n"
        "print([name for name in sys.modules if name == 'shutil' or name.startswith('codex_server_cli.')])"
    )
    run = subprocess.run([sys.executable, "-c", code, str(home)], capture_output=True, text=True, check=True)
    packages = "'codex_server_cli.disk', 'codex_server_cli.disk.gc'"
    assert run.stdout.strip() == f"[{packages}, 'codex_server_cli.disk.gc.stamp']"
