"""Once a day a worker deletes old turns after the end of its own: automatically, and without delaying a command."""

from __future__ import annotations

import os
import shutil
import time

from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.demo.replies import say
from codex_server_cli.disk.files import read_json, write_json
from tests.kit.home import Home, Turn
from tests.kit.support import wait_until

DAY_S = 86400.0


def old_copy(home: Home, turn: Turn, age_days: float) -> Turn:
    """A turn like this one that ended so many days ago."""
    copy = turn.path.with_name(f"{turn.id[:-4]}{int(turn.id[-4:], 16) ^ 1:04x}")
    shutil.copytree(turn.path, copy, ignore=shutil.ignore_patterns("wake"))
    ended_at = format_time_ms(int((time.time() - age_days * DAY_S) * 1000))
    meta = (read_json(copy / "meta.json") or {}) | {"turn_id": copy.name, "finished_at": ended_at}
    write_json(copy / "meta.json", meta)
    return home.turn(copy.name)


def test_a_turn_that_ends_deletes_old_ones_once_a_day(one_home: Home) -> None:
    one_home.model([say("done")])
    first = one_home.start("new", "hi")
    first.wait()
    stamp = one_home.path / ".collected"
    wait_until(lambda: stamp.exists() and not one_home.processes(), what="the end of the first collection")
    old = old_copy(one_home, first, 8)
    one_home.start("new", "hi").wait()
    wait_until(lambda: not one_home.processes(), what="the end of the worker")
    assert old.path.exists()  # not within a day
    os.utime(stamp, (time.time() - DAY_S - 60,) * 2)
    last = one_home.start("new", "hi")
    last.wait()
    wait_until(lambda: not old.path.exists(), what="the collection")
    assert first.path.exists()
    assert last.path.exists()


def test_the_age_is_that_of_the_configuration(one_home: Home) -> None:
    one_home.model([say("done")])
    first = one_home.start("new", "hi")
    first.wait()
    stamp = one_home.path / ".collected"
    wait_until(lambda: stamp.exists() and not one_home.processes(), what="the end of the first collection")
    old = old_copy(one_home, first, 2)
    one_home.configure(gc_days=1)
    os.utime(stamp, (time.time() - DAY_S - 60,) * 2)
    one_home.start("new", "hi").wait()
    wait_until(lambda: not old.path.exists(), what="the collection")
