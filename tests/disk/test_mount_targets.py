"""What Codex's sandbox leaves in a project is removed at the end of the turn; nothing else is, and nothing in use."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.disk import mount_targets
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.queue.queue import Slot
from codex_server_cli.disk.turn.layout import TurnDir
from tests.kit.turns_on_disk import TurnsOnDisk

NAMES = mount_targets.NAMES


class MountWorld:
    """A project, a temporary directory with Codex's register, and turns that run.

    Attributes:
        register: the folder in which Codex records which process uses what.
    """

    def __init__(self, root: Path, turns: TurnsOnDisk) -> None:
        self.project, self.temporary = root / "project", root / "tmp"
        self.register = self.temporary / f"codex-bwrap-synthetic-mount-targets-{os.geteuid()}"
        for folder in (self.project, self.register):
            folder.mkdir(parents=True)
        (self.register / "lock").touch()
        self._turns, self._slots = turns, list[Slot]()

    def turn(self) -> TurnDir:
        """A turn that runs: its lock and a slot are held."""
        turn = self._turns.running()
        slot = queue.take_slot(queue.folder_of(self._turns.path), turn.turn_id, 8)
        assert slot is not None
        self._slots.append(slot)
        return turn

    def note(self, turn: TurnDir) -> None:
        """As its worker does, before Codex starts."""
        mount_targets.note(turn, [str(self.project)], [str(self.temporary)])

    def die(self, turn: TurnDir) -> None:
        """The worker of a turn is killed."""
        os.close(self._slots.pop().fd)
        self._turns.drop_lock(turn.turn_id)

    def use(self, name: str, pid: int, content: str = "synthetic\n") -> None:
        """Codex runs a command in a sandbox: the target exists, and a process is registered for it."""
        path = self.project / name
        path.mkdir(exist_ok=True)
        marker = self.register / f"{mount_targets._hash_of(str(path)):016x}" / str(pid)
        marker.parent.mkdir(exist_ok=True)
        marker.write_text(content)

    @property
    def left(self) -> set[str]:
        """The contents of the project."""
        return {path.name for path in self.project.iterdir()}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[MountWorld]:
    with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
        yield MountWorld(tmp_path, turns)


@pytest.fixture
def living() -> Iterator[int]:
    """A process that lives as long as the test."""
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield process.pid
    process.communicate(b"\n")


@pytest.fixture
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_came_since_is_removed_by_the_worker_or_by_its_repairer(world: MountWorld, dead: int) -> None:
    for _ in range(2):
        turn = world.turn()
        world.note(turn)
        for name in NAMES:
            world.use(name, dead)
        mount_targets.clean(turn)
        assert world.left == set()
        assert not (turn.path / "mounts.json").exists()


def test_the_worker_needs_no_file_for_it(world: MountWorld) -> None:
    turn = world.turn()
    noted = mount_targets.note(turn, [str(world.project)], [str(world.temporary)])
    (turn.path / "mounts.json").unlink()
    (world.project / ".git").mkdir()
    (world.temporary / ".aws").mkdir()
    mount_targets.clean(turn, noted)
    assert world.left == set()
    assert not (world.temporary / ".aws").exists()


def test_what_was_there_before_stays(world: MountWorld, dead: int) -> None:
    (world.project / ".codex").mkdir()
    (world.project / ".git").write_text("gitdir: elsewhere")
    (world.project / ".aws").symlink_to(world.temporary)
    turn = world.turn()
    world.note(turn)
    world.use(".codex", dead, "existing\n")
    world.use(".agents", dead)
    mount_targets.clean(turn)
    assert world.left == {".codex", ".git", ".aws"}


def test_what_holds_anything_or_is_no_directory_stays(world: MountWorld) -> None:
    turn = world.turn()
    world.note(turn)
    (world.project / ".git").mkdir()
    (world.project / ".git" / "HEAD").touch()
    (world.project / ".codex").touch()
    (world.project / ".agents").symlink_to(world.temporary)
    (world.project / ".aws").mkdir()
    (world.project / "empty").mkdir()
    mount_targets.clean(turn)
    assert world.left == {".git", ".codex", ".agents", "empty"}


@pytest.mark.parametrize("content", ["synthetic\n", "existing\n"])
def test_what_another_codex_uses_stays(world: MountWorld, living: int, content: str) -> None:
    turn = world.turn()
    world.note(turn)
    world.use(".git", living, content)
    world.use(".aws", 2**22 + 1)
    mount_targets.clean(turn)
    assert world.left == {".git"}


@pytest.mark.parametrize("content", ["synthetic\n", "existing\n"])
def test_what_is_there_for_another_codex_alone_goes_when_that_is_gone(
    world: MountWorld, living: int, content: str
) -> None:
    world.use(".git", living, content)
    turn = world.turn()
    world.note(turn)
    (world.register / f"{mount_targets._hash_of(str(world.project / '.git')):016x}" / str(living)).unlink()
    mount_targets.clean(turn)
    assert world.left == (set() if content == "synthetic\n" else {".git"})


def test_of_two_turns_the_last_one_cleans(world: MountWorld, dead: int) -> None:
    first, second = world.turn(), world.turn()
    world.note(first)
    world.use(".git", dead)
    world.note(second)  # it exists for the first one
    mount_targets.clean(first)
    assert world.left == {".git"}
    mount_targets.clean(second)
    assert world.left == set()


def test_a_dead_turn_blocks_no_other_and_is_no_excuse(world: MountWorld, dead: int) -> None:
    first, second = world.turn(), world.turn()
    world.note(second)
    world.use(".git", dead)
    world.die(second)  # the last one, so its slot is the one that is released
    world.note(first)
    mount_targets.clean(first)
    assert world.left == set()


def test_a_register_that_somebody_keeps_locked_keeps_all(world: MountWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mount_targets, "_LOCK_TIMEOUT_S", 0.05)
    turn = world.turn()
    world.note(turn)
    (world.project / ".git").mkdir()
    with (world.register / "lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        mount_targets.clean(turn)
    assert world.left == {".git"}


def test_a_register_of_odd_things_keeps_all_and_blocks_no_reader(world: MountWorld) -> None:
    (world.register / "lock").unlink()
    os.mkfifo(world.register / "lock")
    turn = world.turn()
    world.note(turn)
    (world.project / ".git").mkdir()
    mount_targets.clean(turn)
    assert world.left == {".git"}


def test_another_directory_in_the_place_of_the_project_is_left_alone(world: MountWorld) -> None:
    turn = world.turn()
    world.note(turn)
    world.project.rename(world.project.with_name("moved"))
    world.project.mkdir()
    (world.project / ".git").mkdir()
    mount_targets.clean(turn)
    assert world.left == {".git"}


# --- what a permission profile denies


def shield(world: MountWorld, name: str, pid: int) -> None:
    """Codex runs a command in a sandbox: a file is made for a denied path that does not exist."""
    path = world.project / name
    world.use(name, pid)
    path.rmdir()
    path.touch(0o444)


def note_denied(world: MountWorld, turn: TurnDir, *names: str) -> None:
    paths = [str(world.project / name) for name in names]
    mount_targets.note_denied(turn, paths, [str(world.temporary)])


@pytest.mark.parametrize("is_writing", [True, False], ids=["in a turn that writes", "in one that may by approval"])
def test_what_stood_for_something_denied_is_removed(world: MountWorld, dead: int, is_writing: bool) -> None:
    (world.project / "sub").mkdir()
    turn = world.turn()
    if is_writing:
        world.note(turn)
    note_denied(world, turn, ".env", "deep/er/secret", "sub/no")
    for name in (".env", "deep", "sub/no"):
        shield(world, name, dead)
    world.use(".git", dead)
    mount_targets.clean(turn)
    assert world.left == ({"sub"} if is_writing else {"sub", ".git"})
    assert list((world.project / "sub").iterdir()) == []
    assert not (turn.path / "mounts.json").exists()


def test_a_denied_file_that_somebody_made_stays(world: MountWorld, dead: int) -> None:
    (world.project / "before").touch(0o444)
    (world.project / "link").symlink_to("nowhere")
    turn = world.turn()
    names = ("before", "link", "filled", "writable", "folder")
    note_denied(world, turn, *names)
    for name in ("filled", "writable", "folder"):
        shield(world, name, dead)
    (world.project / "filled").chmod(0o644)
    (world.project / "filled").write_text("mine")
    (world.project / "filled").chmod(0o444)
    (world.project / "writable").chmod(0o644)
    (world.project / "folder").unlink()
    (world.project / "folder").mkdir()
    mount_targets.clean(turn)
    assert world.left == set(names)


def test_what_shields_the_command_of_another_stays_until_that_is_gone(
    world: MountWorld, living: int, dead: int
) -> None:
    first, second = world.turn(), world.turn()
    note_denied(world, first, ".env", "other")
    shield(world, ".env", dead)
    shield(world, "other", living)
    note_denied(world, second, ".env")  # it exists for the first one
    mount_targets.clean(first)
    assert world.left == {".env", "other"}
    mount_targets.clean(second)
    assert world.left == {"other"}


def test_where_all_that_is_denied_is_there_nothing_is_noted(world: MountWorld) -> None:
    turn = world.turn()
    (world.project / "there").touch()
    note_denied(world, turn, "there", ".")
    assert not (turn.path / "mounts.json").exists()


@pytest.mark.parametrize(
    "content",
    [
        "[]",
        "{}",
        '{"registers": [], "roots": [["PROJECT", [1, 2], 3]]}',
        '{"registers": [1], "roots": []}',
        '{"registers": [], "roots": [["PROJECT", "ab", [".git"]]]}',
        '{"registers": [], "roots": [["PROJECT", [IDENTITY], ["precious", "../precious"]]]}',
        '{"registers": [], "roots": [], "denied": [["PROJECT", [IDENTITY], ["precious-file"]]]}',
        '{"registers": [], "roots": [], "denied": 7}',
    ],
)
def test_a_note_that_a_command_of_the_turn_has_written_to_removes_nothing_precious(
    world: MountWorld, content: str
) -> None:
    for name in (".git", "precious"):
        (world.project / name).mkdir()
    (world.project / "precious-file").touch()
    info = world.project.stat()
    content = content.replace("PROJECT", str(world.project)).replace("IDENTITY", f"{info.st_dev}, {info.st_ino}")
    turn = world.turn()
    (turn.path / "mounts.json").write_text(content)
    mount_targets.clean(turn)
    assert world.left == {".git", "precious", "precious-file"}


def test_the_note_tells_the_real_place_once(world: MountWorld, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(world.project)
    turn = world.turn()
    mount_targets.note(turn, [str(tmp_path / "link"), str(world.project), "/nowhere"], [str(world.temporary)])
    roots = json.loads((turn.path / "mounts.json").read_text())["roots"]
    assert [root[0] for root in roots] == [str(world.project), str(world.temporary)]


def test_codexs_names_for_paths() -> None:
    assert f"{mount_targets._hash_of('/tmp/.git'):016x}" == "9dddf21f25fb79fe"  # seen on 0.163.0 and 0.171.0
