"""How a turn directory is created: complete, locked, private, or not at all."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from codex_server_cli.core.model.turn import Marker
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.turn.layout import UNPUBLISHED, TurnDir, create, home_error, prepare_home
from codex_server_cli.disk.turn.lookup import turn_ids
from codex_server_cli.errors import ErrorKind, Exit, HomeError
from tests.disk.conftest import FullDisk

TURN_ID = "20261120-165501-482-7f3a"
CREATE_MANY = """
import os, pathlib, sys
from codex_server_cli.disk.turn.layout import create
for number in range(300):
    create(pathlib.Path(sys.argv[1]), f"20261120-165501-{number:03d}-7f3a", "hi", {"version": 1})
"""


@pytest.fixture
def turns_path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "turns"


def test_a_new_turn_has_all_that_a_reader_needs(turns_path: Path) -> None:
    turn, lock_fd = create(turns_path, TURN_ID, "what\r\n\tis é?", {"version": 1, "name": "x"})
    names = {"prompt.txt", "meta.json", "events.jsonl", "out.txt", "worker.log", "inbox", "wake", "lock"}
    assert {path.name for path in turn.path.iterdir()} == names
    assert turn.path == turns_path / TURN_ID
    assert turn.prompt.read_bytes() == "what\r\n\tis é?".encode()
    assert read_json(turn.meta) == {"version": 1, "name": "x", "turn_id": TURN_ID}
    assert stat.S_ISFIFO(turn.wake.stat().st_mode)
    assert turn.marker is None
    assert lock.is_held(turn.lock)
    assert not os.get_inheritable(lock_fd)
    os.close(lock_fd)
    assert not lock.is_held(turn.lock)


def test_pictures_are_kept_by_value(turns_path: Path) -> None:
    pictures = {"images/1-a.png": b"\x89PNG", "images/2-a.png": b"\x89PNG"}
    turn, lock_fd = create(turns_path, TURN_ID, "hi", {}, pictures)
    os.close(lock_fd)
    assert {str(path.relative_to(turn.path)): path.read_bytes() for path in turn.path.glob("images/*")} == pictures


def test_no_other_user_may_look_in_whatever_the_umask(turns_path: Path) -> None:
    before = os.umask(0)
    try:
        turn, lock_fd = create(turns_path, TURN_ID, "hi", {}, {"images/1.png": b"\x89PNG"})
    finally:
        os.umask(before)
    os.close(lock_fd)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (turns_path, *turn.path.rglob("*"))}
    assert {modes[path] for path in (turns_path, turn.inbox, turn.path / "images")} == {0o700}
    assert {mode for path, mode in modes.items() if not path.is_dir()} == {0o600}
    assert stat.S_IMODE(turn.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(turns_path.parent.stat().st_mode) == 0o700


def test_an_id_that_is_taken_gets_another_random_end(turns_path: Path) -> None:
    first, first_fd = create(turns_path, TURN_ID, "first", {})
    second, second_fd = create(turns_path, TURN_ID, "second", {})
    assert second.turn_id != first.turn_id
    assert second.turn_id[:-4] == TURN_ID[:-4]
    assert (read_json(second.meta) or {})["turn_id"] == second.turn_id
    assert first.prompt.read_text() == "first"
    os.close(first_fd)
    os.close(second_fd)


def test_an_id_that_another_worker_is_filling_is_left_to_it(turns_path: Path) -> None:
    prepare_home(turns_path)
    hidden = TurnDir(turns_path / f"{UNPUBLISHED}{TURN_ID}")
    hidden.path.mkdir()
    hidden_fd = lock.create_locked(hidden.lock)
    hidden.prompt.write_text("its own")
    turn, lock_fd = create(turns_path, TURN_ID, "hi", {})
    assert turn.turn_id != TURN_ID
    assert turn.turn_id[:-4] == TURN_ID[:-4]
    assert {path.name for path in hidden.path.iterdir()} == {"lock", "prompt.txt"}
    assert hidden.prompt.read_text() == "its own"
    os.close(lock_fd)
    os.close(hidden_fd)


def test_a_reader_never_sees_half_of_a_turn_or_one_without_a_holder(turns_path: Path) -> None:
    maker = subprocess.Popen([sys.executable, "-c", CREATE_MANY, str(turns_path)])
    seen: set[str] = set()
    while maker.poll() is None or len(seen) < 300:
        assert maker.poll() in (None, 0)
        for turn_id in set(turn_ids(turns_path)) - seen:
            turn = TurnDir(turns_path / turn_id)
            assert turn.lock.exists()
            assert (read_json(turn.meta) or {})["turn_id"] == turn_id
            assert turn.prompt.read_text() == "hi"
            assert turn.inbox.is_dir()
            assert turn.wake.exists()
            seen.add(turn_id)


def _refuse(*_: object, **__: object) -> NoReturn:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["mkdir", "mkfifo", "rename"])
def test_a_failed_creation_leaves_nothing(turns_path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    prepare_home(turns_path)
    monkeypatch.setattr(os, step, _refuse)
    with pytest.raises(HomeError, match=r"cannot write .*home: No space left on device") as caught:
        create(turns_path, TURN_ID, "hi", {})
    monkeypatch.undo()
    assert (caught.value.exit_code, caught.value.kind) == (Exit.CANNOT_WRITE, ErrorKind.DISK)
    assert "CODEX_SERVER_HOME" in caught.value.hint
    assert list(turns_path.iterdir()) == []


@pytest.mark.parametrize("pictures", [{}, {"images/1.png": b"\x89PNG"}])
def test_a_disk_that_is_full_leaves_nothing(turns_path: Path, full_disk: FullDisk, pictures: dict[str, bytes]) -> None:
    with full_disk(), pytest.raises(HomeError):
        create(turns_path, TURN_ID, "hi", {}, pictures)
    assert list(turns_path.iterdir()) == []


def test_a_home_below_a_file_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match="Not a directory"):
        prepare_home(tmp_path / "file" / "home" / "turns")


def as_a_file(path: Path) -> None:
    path.touch()


def as_a_link(path: Path) -> None:
    path.with_name("elsewhere").mkdir()
    path.symlink_to("elsewhere")


@pytest.mark.parametrize(
    ("name", "put", "reason"),
    [
        ("queue", as_a_file, "File exists"),
        ("queue", as_a_link, "File exists"),
        ("queue/order", Path.mkdir, "Is a directory"),
        ("queue/order", os.mkfifo, "Not a regular file"),
    ],
)
def test_what_stands_in_the_place_of_something_of_ours_is_named(
    turns_path: Path, name: str, put: Callable[[Path], None], reason: str
) -> None:
    prepare_home(turns_path)
    path = turns_path.parent / name
    path.parent.mkdir(exist_ok=True)
    put(path)
    with pytest.raises(OSError, match=reason) as caught, queue.in_order(turns_path.parent / "queue"):
        pass
    error = home_error(turns_path.parent, caught.value)
    assert error.message == f"cannot write {path}: {reason}"
    assert error.hint.startswith("Check what is there")


def test_a_home_that_is_there_stays_as_it_is(turns_path: Path) -> None:
    turns_path.mkdir(parents=True)
    turns_path.parent.chmod(0o755)
    prepare_home(turns_path)
    assert stat.S_IMODE(turns_path.parent.stat().st_mode) == 0o755


def test_the_marker_is_the_file_that_stands_there(turns_path: Path) -> None:
    turn, lock_fd = create(turns_path, TURN_ID, "hi", {})
    os.close(lock_fd)
    seen = [turn.marker]
    for path in (turn.error, turn.done):
        path.touch()
        seen.append(turn.marker)
    assert seen == [None, Marker.ERROR, Marker.DONE]  # an answer that was given is never hidden by an error
