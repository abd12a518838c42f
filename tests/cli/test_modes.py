"""All that the program creates is private to its owner, whatever the umask; modes of existing files are left alone."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.kit.cases import in_full
from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk


def modes(home: Path) -> dict[str, str]:
    """Each file below a home whose mode is not as it should be, and the mode."""
    found = {path: path.lstat().st_mode for path in (home, *home.rglob("*"))}
    wanted = {path: 0o700 if stat.S_ISDIR(mode) else 0o600 for path, mode in found.items()}
    return {str(path): oct(mode) for path, mode in found.items() if stat.S_IMODE(mode) != wanted[path]}


@contextmanager
def masked(umask: str) -> Iterator[None]:
    """This process has that umask."""
    before = os.umask(int(umask, 8))
    try:
        yield
    finally:
        os.umask(before)


@pytest.mark.parametrize("umask", ["0000", in_full("0277"), in_full("0777")])
def test_every_file_of_a_home_is_its_owners_alone_whatever_the_umask(shell: Shell, umask: str) -> None:
    under = ["sh", "-c", f'umask {umask}; exec "$0" "$@"']
    shell.env["CODEX_SERVER_HOME"] = str(shell.root / "deep" / "er" / "home")
    home = Path(shell.env["CODEX_SERVER_HOME"])
    new = shell.run("new", "hi", under=under)
    assert new.code == 0, new
    turn_id = new.json["turn_id"]
    with masked(umask):
        assert shell.call("wait", turn_id).code == 1  # this codex breaks
        shell.call("doctor")
    shell.install("silent")
    running = shell.run("new", "hi", under=under).json["turn_id"]
    with masked(umask):
        assert shell.call("cancel", running).json["state"] == "cancelled"
        assert shell.call("gc").code == 0
    assert {path.name for path in home.iterdir()} >= {"turns"}
    assert (home / "turns" / turn_id / "result.json").exists()
    assert (home / "turns" / running / "inbox").is_dir()
    assert modes(home) == {}
    assert modes(home.parent) == {}


def test_setup_writes_a_config_that_is_its_owners_alone(shell: Shell) -> None:
    shell.run("setup", under=["sh", "-c", 'umask 0777; exec "$0" "$@"'])
    assert (shell.home / "config.json").exists()
    assert modes(shell.home) == {}


@pytest.mark.full
def test_doctor_says_so_where_others_can_look_into_the_home_and_leaves_it_as_it_is(shell: Shell) -> None:
    shell.home.mkdir()
    shell.home.chmod(0o755)
    assert f"Others can look into it: chmod 700 {shell.home}" in shell.call("doctor").stdout
    assert stat.S_IMODE(shell.home.stat().st_mode) == 0o755
    shell.home.chmod(0o700)
    assert "Others can look into it" not in shell.call("doctor").stdout


def test_a_config_that_its_user_keeps_elsewhere_is_written_there_and_its_link_lives_on(shell: Shell) -> None:
    dotfiles = shell.root / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "codex-server.json").write_text('{"gc_days": 3}')
    shell.home.mkdir()
    (shell.home / "config.json").symlink_to(dotfiles / "codex-server.json")
    shell.call("setup")
    assert (shell.home / "config.json").is_symlink()
    written = json.loads((dotfiles / "codex-server.json").read_bytes())
    assert written == {"gc_days": 3, "codex": str(shell.bin / "codex")}


def test_a_config_link_that_leads_to_no_config_is_not_written_through(shell: Shell) -> None:
    precious = shell.root / "precious"
    precious.write_text("no JSON\n")
    shell.home.mkdir()
    (shell.home / "config.json").symlink_to(precious)
    assert shell.call("setup").code == 65
    assert precious.read_text() == "no JSON\n"


def test_a_fifo_in_place_of_the_config_does_not_block(shell: Shell) -> None:
    shell.home.mkdir()
    os.mkfifo(shell.home / "config.json")
    for command in (["new", "hi"], ["setup"], ["gc"]):
        run = shell.call(*command)
        assert run.code == 65, command
        assert "is not a regular file" in run.stderr, command
    assert shell.call("list-turns").code == 0


@pytest.mark.parametrize("planted", ["fifo", "link", "folder"])
def test_commands_neither_hang_nor_break_over_what_was_planted(shell: Shell, turns: TurnsOnDisk, planted: str) -> None:
    secret = shell.root / "secret"
    secret.write_text("secret")
    plants: dict[str, Callable[[Path], object]] = {
        "fifo": lambda path: os.mkfifo(path),
        "link": lambda path: path.symlink_to(secret),
        "folder": lambda path: path.mkdir(),
    }
    turn = turns.dead()
    for path in (turn.meta, turn.events, turn.out, turn.log, turn.lock, turn.prompt, turn.wake, turn.inbox):
        path.rmdir() if path.is_dir() else path.unlink()
        plants[planted](path)
    for command in (["status"], ["tail"], ["wait"], ["answer"], ["cancel"]):
        run = shell.call(*command, turn.turn_id)
        assert run.code in (0, 1, 3), (command, run)  # 1: a record that cannot be read
        assert "defect" not in run.stderr, (command, run)
    assert "failed" in shell.call("list-turns").stdout
    assert shell.call("gc", "--older-than", "0s").code == 0
    assert secret.read_text() == "secret"
