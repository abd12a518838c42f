"""`doctor`, `gc` and `setup` where something is wrong: each fault has its own message, and none hides another."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from codex_server_cli.actions import system
from codex_server_cli.actions.system import Check
from codex_server_cli.errors import CodexMissingError, Exit, HomeError
from codex_server_cli.settings.places import Settings
from tests.fakes import codex as fake
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture(autouse=True)
def no_other_codex(monkeypatch: pytest.MonkeyPatch) -> None:
    """The codex that the `codex` extra installs does not count: only the one on PATH does."""
    monkeypatch.setattr("codex_server_cli.codex.binary._bundled", lambda: None)


def checks(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in system.doctor(settings)}


def configure(settings: Settings, text: str) -> None:
    settings.home.mkdir(exist_ok=True)
    settings.config_path.write_text(text)


def failing() -> Callable[..., NoReturn]:
    """An operation that the file system refuses."""

    def fail(*_: object, **__: object) -> NoReturn:
        raise PermissionError(13, "Permission denied")

    return fail


def test_without_a_codex_the_rest_is_looked_at_all_the_same(settings: Settings) -> None:
    found = checks(settings)
    assert (found["codex"].is_ok, found["codex"].exit_code) == (False, Exit.CODEX_MISSING)
    assert found["home"].is_ok
    assert found["config.json"].detail == "none yet: `codex-server setup` writes it"
    assert "app-server" not in found


def test_a_configuration_that_cannot_be_read_is_one_fault_and_no_more(settings: Settings, tmp_path: Path) -> None:
    on_path = fake.write(tmp_path / "bin" / "codex", "exits")
    configure(settings, "{")
    settings = settings._replace(search_path=str(on_path.parent))
    found = checks(settings)
    assert (found["config.json"].is_ok, found["config.json"].exit_code) == (False, Exit.BAD_INPUT)
    assert found["codex"].is_ok


def test_what_the_configuration_warns_of_is_shown(settings: Settings) -> None:
    configure(settings, '{"colour": "red"}')
    assert "unknown key 'colour'" in checks(settings)["config.json"].detail


def test_a_home_without_locks_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_server_cli.disk.lock.is_held", lambda _path: False)
    home = checks(settings)["home"]
    assert (home.is_ok, home.exit_code) == (False, Exit.CANNOT_WRITE)
    assert "without flock" in home.detail
    assert list(settings.turns_path.iterdir()) == []


def test_a_home_that_is_nearly_full_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=5 * 2**20))
    assert "only 5 MB are free" in checks(settings)["home"].detail


def test_a_home_that_cannot_be_written_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_server_cli.disk.lock.create_locked", failing())
    assert checks(settings)["home"].detail == f"cannot write {settings.home}: Permission denied"


def test_the_version_of_codex_is_none_where_there_is_no_codex(settings: Settings, tmp_path: Path) -> None:
    assert system.codex_version(settings) is None
    on_path = fake.write(tmp_path / "bin" / "codex")
    assert system.codex_version(settings._replace(search_path=str(on_path.parent))) == "0.163.0"


def test_what_cannot_be_tidied_is_told(settings: Settings, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turns.complete()
    monkeypatch.setattr("codex_server_cli.disk.gc.collect.collect", failing())
    with pytest.raises(HomeError, match="cannot tidy"):
        system.gc(settings, 0, is_dry_run=False, includes_named=True)
    assert turn.done.exists()


def test_setup_that_cannot_pin_says_where(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = fake.write(tmp_path / "bin" / "codex")
    monkeypatch.setattr(system, "write_json", failing())
    with pytest.raises(HomeError, match=r"cannot write .*config\.json"):
        system.setup(settings._replace(search_path=str(on_path.parent)))


def test_a_codex_home_that_cannot_be_made_is_told(settings: Settings, tmp_path: Path) -> None:
    on_path = fake.write(tmp_path / "bin" / "codex")
    (tmp_path / "file").touch()
    settings = settings._replace(search_path=str(on_path.parent), codex_home=tmp_path / "file" / "codex")
    with pytest.raises(HomeError, match="cannot make"):
        system.setup(settings)


def test_two_setups_at_once_may_both_have_initialised_codex(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_path = fake.write(tmp_path / "bin" / "codex", "exits")
    settings = settings._replace(search_path=str(on_path.parent))

    def lose(codex: Path, _home: Path) -> NoReturn:
        if os.environ.get("OTHER_SETUP"):
            (settings.codex_home / "state.sqlite").touch()
        raise CodexMissingError(f"{codex} failed to initialize sqlite state runtime")

    monkeypatch.setattr(system, "read_user_agent", lose)
    with pytest.raises(CodexMissingError):
        system.setup(settings)
    monkeypatch.setenv("OTHER_SETUP", "1")
    assert system.setup(settings).has_initialised_codex_home
