"""Where things are, what a child process inherits, and what `config.json` may hold."""

from __future__ import annotations

import json
import os
import pwd
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.errors import BadInputError, Exit, HomeError
from codex_server_cli.settings import environment as settings_environment
from codex_server_cli.settings.config import Config, read_config, read_config_values
from codex_server_cli.settings.environment import (
    codex_environment,
    demo_environment,
    import_path,
    interpreter,
    make_paths_absolute,
    notifier_environment,
    server_environment,
    server_variables,
    told_environment,
    turn_environment,
    unmarked_environment,
    worker_environment,
)
from codex_server_cli.settings.places import Settings

TURN_ID = "20261120-165501-482-7f3a"
VARIABLES = ("HOME", "CODEX_SERVER_HOME", "CODEX_HOME", "CODEX_SERVER_TURN_ID", "PATH")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The environment without any variable that this program reads, but a home."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/dev")
    return monkeypatch


# --- where things are


def test_everything_is_below_the_users_home_unless_told_otherwise(environment: pytest.MonkeyPatch) -> None:
    assert Settings.load() == Settings(
        home=Path("/home/dev/.codex-server"),
        codex_home=Path("/home/dev/.codex"),
        user_home=Path("/home/dev"),
        search_path=os.defpath,
        parent_turn=None,
        is_codex_home_named=False,
    )
    assert Settings.load().turns_path == Path("/home/dev/.codex-server/turns")
    assert Settings.load().config_path == Path("/home/dev/.codex-server/config.json")


def test_the_environment_says_otherwise(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CODEX_SERVER_HOME", "/srv/ours")
    environment.setenv("CODEX_HOME", "/srv/codex")
    environment.setenv("PATH", "/opt/bin")
    environment.setenv("CODEX_SERVER_TURN_ID", TURN_ID)
    settings = Settings.load()
    assert (settings.home, settings.codex_home) == (Path("/srv/ours"), Path("/srv/codex"))
    assert (settings.search_path, settings.parent_turn) == ("/opt/bin", TURN_ID)


def test_an_empty_variable_counts_as_unset(environment: pytest.MonkeyPatch) -> None:
    for name in ("CODEX_SERVER_HOME", "CODEX_HOME", "CODEX_SERVER_TURN_ID"):
        environment.setenv(name, "")
    settings = Settings.load()
    assert (settings.home, settings.codex_home) == (Path("/home/dev/.codex-server"), Path("/home/dev/.codex"))
    assert settings.parent_turn is None


@pytest.mark.parametrize("home", [None, ""])
def test_without_home_the_users_entry_tells(environment: pytest.MonkeyPatch, home: str | None) -> None:
    environment.delenv("HOME")
    if home is not None:
        environment.setenv("HOME", home)
    assert Settings.load().user_home == Path(pwd.getpwuid(os.getuid()).pw_dir)


def test_a_user_without_any_home_is_told_which_variable_to_set(environment: pytest.MonkeyPatch) -> None:
    def nobody(_uid: int) -> None:
        raise KeyError("getpwuid(): uid not found: 12345")

    environment.delenv("HOME")
    environment.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(BadInputError, match="no home directory") as caught:
        Settings.load()
    assert "HOME" in caught.value.hint


def test_a_relative_directory_is_made_absolute_and_links_are_kept(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    environment.chdir(tmp_path)
    environment.setenv("CODEX_SERVER_HOME", "link/../link/ours")
    environment.setenv("CODEX_HOME", "link")
    settings = Settings.load()
    assert (settings.home, settings.codex_home) == (tmp_path / "link" / "ours", tmp_path / "link")


def test_a_relative_directory_leads_nowhere_once_the_current_one_is_gone(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "gone").mkdir()
    environment.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    environment.setenv("CODEX_HOME", "rel")
    make_paths_absolute()
    assert os.environ["CODEX_HOME"] == "rel"
    with pytest.raises(BadInputError, match="CODEX_HOME is a relative path"):
        Settings.load()


# --- what a child process inherits


def test_every_path_that_codex_gets_means_where_the_user_stands(
    environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    environment.chdir(tmp_path)
    names = ("HOME", "CODEX_HOME", "CODEX_SERVER_HOME", "CODEX_SQLITE_HOME", "TMPDIR", "SSL_CERT_FILE")
    for name in names:
        environment.setenv(name, "./some/../dir")
    environment.setenv("CODEX_CA_CERTIFICATE", "")
    environment.setenv("SSL_CERT_DIR", "/etc/../certs")
    make_paths_absolute()
    assert {os.environ[name] for name in names} == {str(tmp_path / "dir")}
    assert (os.environ["CODEX_CA_CERTIFICATE"], os.environ["SSL_CERT_DIR"]) == ("", "/etc/../certs")


def test_a_worker_does_not_bear_the_mark_of_the_turn_that_it_is_started_from(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CODEX_SERVER_TURN_ID", "the turn that we run in")
    environment.setenv("OPENAI_API_KEY", "sk")
    assert worker_environment() == {**os.environ, "CODEX_SERVER_TURN_ID": "worker"}


def test_codex_gets_all_but_what_could_bill_an_api_key(environment: pytest.MonkeyPatch) -> None:
    keys = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")
    kept = {"HTTPS_PROXY": "http://proxy", "CODEX_HOME": "/srv", "SSL_CERT_FILE": "/ca", "OPENAI_BASE_URL": "http://x"}
    for name, value in {**kept, **dict.fromkeys(keys, "sk")}.items():
        environment.setenv(name, value)
    for_codex = codex_environment(may_bill_api_key=False)
    assert not set(keys) & for_codex.keys()
    assert kept.items() <= for_codex.items()
    assert codex_environment(may_bill_api_key=True) == dict(os.environ)


def test_the_shared_server_gets_what_a_codex_does_and_belongs_to_no_turn(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CODEX_SERVER_TURN_ID", TURN_ID)
    environment.setenv("OPENAI_API_KEY", "sk")
    made = server_environment(may_bill_api_key=False)
    assert made == {**codex_environment(may_bill_api_key=False), "CODEX_SERVER_TURN_ID": "server"}


def test_what_a_server_reads_for_itself_is_told_and_a_key_only_where_it_gets_it(
    environment: pytest.MonkeyPatch,
) -> None:
    values = {"HTTPS_PROXY": "p", "no_proxy": "n", "MINE": "m", "OPENAI_API_KEY": "sk", "PATH": "/bin"}
    for name in list(os.environ):
        environment.delenv(name)
    for name, value in values.items():
        environment.setenv(name, value)
    found = server_variables({"MINE", "ABSENT", "OPENAI_API_KEY"}, may_bill_api_key=False)
    assert found == [("HTTPS_PROXY", "p"), ("MINE", "m"), ("no_proxy", "n")]
    assert ("OPENAI_API_KEY", "sk") in server_variables((), may_bill_api_key=True)


def test_what_helps_a_turn_bears_its_mark_and_who_tells_of_it_bears_none(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CODEX_SERVER_TURN_ID", "worker")
    environment.setenv("CODEX_SERVER_HOME", "ours")
    assert turn_environment(TURN_ID) == {**os.environ, "CODEX_SERVER_TURN_ID": TURN_ID}
    for_notifier = notifier_environment(Path("/srv/ours"))
    assert (for_notifier["CODEX_SERVER_TURN_ID"], for_notifier["CODEX_SERVER_HOME"]) == ("notifier", "/srv/ours")
    assert "CODEX_SERVER_TURN_ID" not in unmarked_environment()
    assert told_environment() == unmarked_environment() | {"CODEX_SERVER_NOTIFY": "1"}


def test_a_command_that_is_told_of_a_turn_is_known_for_it(environment: pytest.MonkeyPatch) -> None:
    assert not Settings.load().is_told
    environment.setenv("CODEX_SERVER_NOTIFY", "1")
    assert Settings.load().is_told


def test_the_demo_runs_in_a_home_of_its_own_and_outside_of_any_turn(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("CODEX_SERVER_TURN_ID", TURN_ID)
    for_demo = demo_environment(Path("/tmp/ours"), Path("/tmp/codex"))
    assert (for_demo["CODEX_SERVER_HOME"], for_demo["CODEX_HOME"]) == ("/tmp/ours", "/tmp/codex")
    assert "CODEX_SERVER_TURN_ID" not in for_demo


# --- config.json


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "config.json"


def read(path: Path, values: object) -> Config:
    path.write_text(json.dumps(values))
    return read_config(path)


def test_a_file_of_another_user_cannot_be_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    path.write_text("{}")
    monkeypatch.setattr(Path, "read_text", refuse)  # root may read everything
    with pytest.raises(HomeError, match=r"cannot read .*config\.json: Permission denied") as caught:
        read_config(path)
    assert "CODEX_SERVER_HOME" in caught.value.hint


def test_no_file_is_an_empty_one(path: Path) -> None:
    assert read_config(path) == Config()
    assert read_config_values(path) == {}
    path.touch()
    assert read_config(path / "below" / "a file") == Config()


def test_every_key_is_read(path: Path) -> None:
    values = {
        "codex": "/opt/codex",
        "auth": "any",
        "max_running": 3,
        "server": "unix:///run/codex.sock",
        "server_command": "/opt/codex",
        "model": "gpt-5.5",
        "sandbox": "workspace-write",
        "notify": "notify-send",
        "events": "full",
        "gc_days": 0.5,
        "gc_named_days": 90,
        "server_idle": 60.5,
        "remote_control": True,
        "serve": {"listen": "127.0.0.1:8787"},
    }
    switches = {"may_bill_api_key": True, "keeps_events": True}
    known = {name: value for name, value in values.items() if name not in ("auth", "events")}
    assert read(path, values)._replace(warnings=())._asdict() == {**known, **switches, "warnings": ()}
    assert read_config_values(path) == values


def test_null_means_the_default_and_the_names_of_defaults_may_be_given(path: Path) -> None:
    keys = ("codex", "auth", "model", "sandbox", "events", "gc_days", "server_idle", "remote_control")
    assert read(path, dict.fromkeys(keys)) == Config()
    assert read(path, {"auth": "chatgpt", "events": "compact"}) == Config()


def test_an_unknown_key_is_a_warning(path: Path) -> None:
    config = read(path, {"modle": "x", "model": "y"})
    assert config.model == "y"
    assert config.warnings == (f"{path}: unknown key 'modle' is ignored",)


BAD_VALUES: dict[str, tuple[object, ...]] = {
    "codex": (7, [], "", "codex", "~/bin/codex", "./codex"),
    "auth": ("apikey", True, "ANY", ""),
    "max_running": (0, -1, 1.5, "8", True, float("inf"), float("nan")),
    "sandbox": ("write", "read_only", 1),
    "events": ("FULL", "lean", "", True, [], {}),
    "gc_days": (0, -7, "7d", False, float("nan")),
    "gc_named_days": (0, "30d"),
    "server_idle": (0, -1, "30m", True, float("nan")),
    "remote_control": (0, 1, "true", [], {}),
    "server": (1, [], {}),
    "server_command": (1, [], {}, "", " "),
    "model": (1, [], {}),
    "notify": (1, [], {}),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in BAD_VALUES.items() for value in values])
def test_a_value_that_cannot_be_meant_is_named(path: Path, name: str, value: object) -> None:
    with pytest.raises(BadInputError, match=f"config.json: {name} must be ") as caught:
        read(path, {name: value})
    assert caught.value.exit_code is Exit.BAD_INPUT
    assert str(path) in caught.value.hint


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is not JSON"),
        (b"{", "is not JSON"),
        (b"model = 'x'", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "does not hold a JSON object"),
        (b'"text"', "does not hold a JSON object"),
        (b"\xff\xfe{}", "cannot read"),
    ],
    ids=lambda data: str(data)[:20],
)
def test_a_broken_file_is_named_and_what_to_do(path: Path, data: bytes, expected: str) -> None:
    path.write_bytes(data)
    with pytest.raises(BadInputError, match=expected) as caught:
        read_config(path)
    assert str(path) in caught.value.message
    assert caught.value.hint == f"Fix {path}, or delete it."


def test_a_file_that_cannot_be_read_is_named(path: Path) -> None:
    path.mkdir()
    with pytest.raises(BadInputError, match=r"is not a regular file"):
        read_config(path)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from([*Config._fields, "auth", "more"]), json_values))
def test_whatever_a_file_holds_it_is_read_or_refused_in_words(
    tmp_path_factory: pytest.TempPathFactory, values: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any-config.json"
    with suppress(BadInputError):
        assert isinstance(read(path, values), Config)


# --- what a child Python imports from


@pytest.fixture
def own_path(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The path of an interpreter that found nothing but its own; tests may put something before or behind it."""
    library = str(Path(os.__file__).parent)
    path = [library, f"{library}/lib-dynload", f"{library}/site-packages"]
    monkeypatch.setattr(sys, "path", path)
    return path


PACKAGE = str(Path(settings_environment.__file__).parents[2])


def test_what_the_user_added_comes_last_and_we_before_what_is_installed(own_path: list[str]) -> None:
    own_path[:0] = ["/the/script", "/his/modules", PACKAGE]
    library, dynload, site = own_path[3:]
    assert import_path() == [library, dynload, PACKAGE, site, "/his/modules"]


def test_the_order_is_the_same_when_it_is_asked_for_again(own_path: list[str]) -> None:
    own_path[:0] = ["/the/script", "/his/modules"]
    first = import_path()
    sys.path[:] = first
    assert import_path() == first


def test_a_python_of_ours_is_isolated_and_keeps_what_is_said_of_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "pycache_prefix", "/var/cache")
    code = "print(sys.flags.isolated, sys.flags.utf8_mode, sys.dont_write_bytecode, sys.pycache_prefix, sys.argv[1:])"
    command = interpreter(code, "a", "é")
    env = {"PYTHONPATH": "/nowhere", "PYTHONHOME": "/nowhere", "LC_ALL": "C"}
    run = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", check=True)
    assert run.stdout == "1 1 True /var/cache ['a', 'é']\n"
