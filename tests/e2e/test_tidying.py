"""Once a day a worker deletes old turns after the end of its own: automatically, and without delaying a command."""

from __future__ import annotations

import os
import shutil
import time

from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.demo.replies import say
from codex_server_cli.disk.files import read_json, write_json
from tests.kit.home import Home, Turn
from tests.kit.played_turn import PlayedTurn
from tests.kit.support import wait_until

DAY_S = 86400.0


def old_copy(home: Home, turn: Turn, age_days: float) -> Turn:
    """A turn like this one that ended so many days ago."""
    copy = turn.path.with_name(f"{turn.id[:-4]}{int(turn.id[-4:], 16) ^ int(age_days):04x}")
    shutil.copytree(turn.path, copy, ignore=shutil.ignore_patterns("wake"))
    ended_at = format_time_ms(int((time.time() - age_days * DAY_S) * 1000))
    meta = (read_json(copy / "meta.json") or {}) | {"turn_id": copy.name, "finished_at": ended_at}
    write_json(copy / "meta.json", meta)
    return home.turn(copy.name)


def test_a_turn_that_ends_deletes_old_ones_once_a_day_at_the_age_of_the_configuration(one_home: Home) -> None:
    one_home.model([say("done")])
    template = PlayedTurn(one_home)
    template.end()
    older, younger = old_copy(one_home, template, 8), old_copy(one_home, template, 2)
    one_home.start("new", "hi").wait()
    stamp = one_home.path / ".collected"
    wait_until(lambda: stamp.exists() and not older.path.exists(), what="the first collection")
    assert younger.path.exists()
    one_home.configure(gc_days=1)
    wait_until(lambda: not one_home.processes(), what="the end of the first worker")
    one_home.start("new", "hi").wait()
    wait_until(lambda: not one_home.processes(), what="the end of the second worker")
    assert younger.path.exists()  # not within a day
    os.utime(stamp, (time.time() - DAY_S - 60,) * 2)
    last = one_home.start("new", "hi")
    last.wait()
    wait_until(lambda: not younger.path.exists(), what="the collection")
    assert template.path.exists()
    assert last.path.exists()
