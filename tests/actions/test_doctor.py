"""`doctor`, `gc` and `setup` where something is wrong: each fault has its own message, and none hides another."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from codex_server_cli.actions import config_file, system
from codex_server_cli.actions.doctor import doctor as diagnosis
from codex_server_cli.actions.doctor import place
from codex_server_cli.actions.doctor.check import Check
from codex_server_cli.core.model.surroundings import ENDING_OF_LOGOUT
from codex_server_cli.core.size import size
from codex_server_cli.disk.gc.sizes import size_of
from codex_server_cli.errors import CodexMissingError, Exit, HomeError
from codex_server_cli.settings.places import Settings
from tests.fakes import codex as fake
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture(autouse=True)
def no_other_codex(monkeypatch: pytest.MonkeyPatch) -> None:
    """The codex that the `codex` extra installs does not count: only the one on PATH does. Nor does process 1."""
    monkeypatch.setattr("codex_server_cli.codex.binary._bundled", lambda: None)
    monkeypatch.setattr(diagnosis, "Orphan", lambda: SimpleNamespace(problem=lambda: None))


def checks(settings: Settings) -> dict[str, Check]:
    return {check.name: check for check in diagnosis.doctor(settings)}


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


@pytest.mark.parametrize(
    ("server", "is_ok", "told"),
    [
        ("shared", True, "shared: none runs; the first turn starts it"),
        ("unix:///nonexistent/x.sock", False, "/nonexistent/x.sock"),
        ("ws://127.0.0.1:1", False, "127.0.0.1:1"),
        ("https://example.org", False, "speaks HTTP"),
    ],
)
def test_the_server_that_is_configured_is_asked(
    settings: Settings, tmp_path: Path, server: str, is_ok: bool, told: str
) -> None:
    on_path = fake.write(tmp_path / "bin" / "codex", "exits")
    configure(settings, f'{{"server": "{server}"}}')
    found = checks(settings._replace(search_path=str(on_path.parent)))["server"]
    assert (found.is_ok, told in found.detail) == (is_ok, True), found
    assert is_ok or found.hint


def test_a_turns_own_app_server_is_no_server_to_ask(settings: Settings) -> None:
    assert "server" not in checks(settings)
    configure(settings, '{"server": "spawn"}')
    assert "server" not in checks(settings)
    configure(settings, "{")
    assert "server" not in checks(settings)


def test_what_the_configuration_warns_of_is_shown(settings: Settings) -> None:
    configure(settings, '{"colour": "red"}')
    found = checks(settings)["config.json"]
    assert (found.is_ok, found.hint) == (True, f"Fix {settings.config_path}.")
    assert "unknown key 'colour'" in found.detail


def test_a_pinned_codex_that_is_gone_and_a_home_that_is_open_are_warnings(settings: Settings) -> None:
    configure(settings, '{"codex": "/nonexistent/codex"}')
    settings.home.chmod(0o755)
    found = checks(settings)
    assert "the pinned codex /nonexistent/codex is gone" in found["config.json"].detail
    assert found["config.json"].hint == "Pin another: codex-server setup"
    assert found["home"].hint.endswith(f"Others can look into it: chmod 700 {settings.home}")
    assert found["home"].is_ok


def test_a_home_without_locks_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_server_cli.disk.lock.is_held", lambda _path: False)
    home = checks(settings)["home"]
    assert (home.is_ok, home.exit_code) == (False, Exit.CANNOT_WRITE)
    assert "without flock" in home.detail
    assert list(settings.turns_path.iterdir()) == []


def test_a_home_that_is_nearly_full_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _path: SimpleNamespace(free=5 * 2**20))
    assert "only 5.0 MB are free" in checks(settings)["home"].detail


def test_a_home_that_cannot_be_written_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("codex_server_cli.disk.lock.create_locked", failing())
    assert checks(settings)["home"].detail == f"cannot write {settings.home}: Permission denied"


def test_the_version_of_codex_is_none_where_there_is_no_codex(settings: Settings, tmp_path: Path) -> None:
    assert diagnosis.codex_version(settings) is None
    on_path = fake.write(tmp_path / "bin" / "codex")
    assert diagnosis.codex_version(settings._replace(search_path=str(on_path.parent))) == "0.163.0"


def test_what_cannot_be_tidied_is_told(settings: Settings, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    turn = turns.complete()
    monkeypatch.setattr("codex_server_cli.disk.gc.collect.collect", failing())
    with pytest.raises(HomeError, match="cannot tidy"):
        system.gc(settings, 0, is_dry_run=False, includes_named=True)
    assert turn.done.exists()


def test_setup_that_cannot_pin_says_where(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    on_path = fake.write(tmp_path / "bin" / "codex")
    monkeypatch.setattr(config_file, "write_json", failing())
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


# --- what an operator should know


@pytest.mark.parametrize("what", ["flock", "FIFOs"])
def test_a_home_on_a_file_system_that_lacks_something_says_what(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    trial = {"flock": "has_locks", "FIFOs": "has_fifos"}[what]
    monkeypatch.setattr(f"codex_server_cli.disk.machine.home_trial.{trial}", lambda _path: False)
    found = checks(settings)
    assert found["home"].detail == f"{settings.home} is on a file system without {what}"
    assert found["home"].hint == "Set CODEX_SERVER_HOME elsewhere."
    assert "turns" not in found


@pytest.mark.parametrize(
    ("kind", "words", "hint"),
    [
        ("ext4", " on ext4,", ""),
        ("nfs4", " on nfs4,", "one machine"),
        ("tmpfs", " on tmpfs,", "volume"),
        (None, ", ", ""),
    ],
)
def test_the_file_system_of_the_home_is_named_and_a_doubtful_one_is_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, kind: str | None, words: str, hint: str
) -> None:
    monkeypatch.setattr("codex_server_cli.disk.machine.home_trial.type_of", lambda _home: kind)
    home = checks(settings)["home"]
    assert home.is_ok
    assert f"{settings.home}{words}" in home.detail
    assert hint in home.hint
    assert bool(home.hint) == bool(hint)


def test_what_turns_take_is_told_with_those_that_gc_keeps(settings: Settings, turns: TurnsOnDisk) -> None:
    turns.complete(), turns.complete(name="keep"), turns.running()
    (settings.home / "journal").mkdir()
    (settings.home / "journal" / "00000001").write_bytes(b"x" * 5000)
    (settings.turns_path / ".gc-half").mkdir()
    detail = checks(settings)["turns"].detail
    assert re.fullmatch(
        r"[\d.]+ KB in 3 turns; journal [\d.]+ KB; unfinished [\d.]+ KB; gc keeps 2: 1 running, 1 named", detail
    ), detail


def test_of_too_many_turns_the_newest_tell_what_all_take(
    settings: Settings, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(4):
        turns.complete(name="keep")
    looks = iter((True, True, False))
    monkeypatch.setattr("codex_server_cli.actions.doctor.storage._has_time", lambda: lambda: next(looks, False))
    whole = 2 * size_of(turns.path / max(path.name for path in turns.path.iterdir()))
    assert checks(settings)["turns"].detail == (
        f"about {size(2 * whole)} in 4 turns, by the newest 2; gc keeps at least 2: 2 named"
    )


def test_codexs_own_sessions_are_told_and_that_they_stay(settings: Settings) -> None:
    sessions = settings.codex_home / "sessions" / "2026"
    sessions.mkdir(parents=True)
    (sessions / "rollout-a.jsonl").write_bytes(b"x" * 5000)
    detail = checks(settings)["sessions"].detail
    assert detail == f"8.0 KB in 1 file below {settings.codex_home}: Codex's own, never deleted by codex-server"


def test_what_would_end_a_worker_is_a_warning_with_its_remedy(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("codex_server_cli.disk.machine.surroundings.find_ending", lambda *_: None)
    workers = checks(settings)["workers"]
    assert workers == Check("workers", True, "outlive the shell, the terminal and the connection that start them")
    monkeypatch.setattr("codex_server_cli.disk.machine.surroundings.find_ending", lambda *_: ENDING_OF_LOGOUT)
    workers = checks(settings)["workers"]
    assert (workers.is_ok, workers.hint) == (True, "loginctl enable-linger")
    assert workers.detail.startswith("one that is started here ends with your last logout")


def first_process(proc: Path, pid: str, state: str) -> None:
    """The table of processes after a trial: the orphan `pid`, and the process that inherited it."""
    (proc / pid).mkdir(parents=True)
    (proc / pid / "stat").write_text(f"{pid} (sleep) {state} 1 {pid} {pid} 0")
    (proc / "1").mkdir()
    (proc / "1" / "comm").write_text("node\n")
    (proc / "self").mkdir()


@pytest.mark.parametrize("state", ["Z", "S", None])
def test_a_first_process_that_collects_nothing_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str | None
) -> None:
    monkeypatch.setattr(place, "_COLLECTED_S", 0)
    monkeypatch.setattr("subprocess.run", lambda *_, **__: SimpleNamespace(stdout="77\n"))
    first_process(tmp_path, "77" if state else "78", state or "Z")
    problem = place.Orphan(tmp_path).problem()
    if state != "Z":  # gone; or another process has its number
        assert problem is None
        return
    assert problem is not None
    assert problem[0].startswith("process 1 (node) does not collect ended processes")
    assert "docker run --init" in problem[1]


def test_without_proc_or_as_the_first_process_or_without_a_shell_nothing_is_known_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert place.Orphan(tmp_path).problem() is None
    (tmp_path / "self").mkdir()
    monkeypatch.setattr("subprocess.run", failing())
    assert place.Orphan(tmp_path).problem() is None
    monkeypatch.setattr("subprocess.run", lambda *_, **__: SimpleNamespace(stdout=""))
    (tmp_path / "stat").write_text("cpu 1 2 3")  # of the whole machine
    assert place.Orphan(tmp_path).problem() is None
    monkeypatch.setattr("os.getpid", lambda: 1)
    assert place.Orphan().problem() is None
