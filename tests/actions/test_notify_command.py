"""The `--notify` command is checked before anything is created, and stays the program that was checked."""

from __future__ import annotations

import json
import os
import shlex
from pathlib import Path

import pytest

from codex_server_cli.actions.notify_command import choose_command, warn_of_pattern
from codex_server_cli.core.model.bell import read_bell
from codex_server_cli.errors import BadInputError, UsageError
from codex_server_cli.settings.config import Config
from codex_server_cli.settings.places import Settings

PATH = os.environ["PATH"]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A user in a project, with a program `tell` on PATH, in the project and in the home directory."""
    for name in ("bin", "project", "home"):
        (tmp_path / name).mkdir()
        program = tmp_path / name / "tell"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "project" / "text").touch()
    monkeypatch.chdir(tmp_path / "project")
    home = tmp_path / "home"
    return Settings(home / ".codex-server", home / ".codex", home, str(tmp_path / "bin"), None)


def test_without_a_command_no_notification_is_sent(settings: Settings) -> None:
    assert choose_command(settings, None, Config()) is None


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        ("tell", "{root}/bin/tell"),
        ("tell  --to 'the team' '$HOME'", "{root}/bin/tell --to 'the team' '$HOME'"),
        ("./tell", "{root}/project/tell"),
        ("~/tell '~/x'", "{root}/home/tell '~/x'"),
        ("{root}/home/tell", "{root}/home/tell"),
    ],
)
def test_the_program_is_named_by_its_whole_path(settings: Settings, tmp_path: Path, asked: str, command: str) -> None:
    config = Config(notify="/no/such/program")
    assert choose_command(settings, asked.format(root=tmp_path), config) == command.format(root=tmp_path)


@pytest.mark.parametrize(("notify", "place"), [("tell --all", "bin"), ("~/tell --all", "home")])
def test_the_configuration_counts_where_nothing_was_asked_for(
    settings: Settings, tmp_path: Path, notify: str, place: str
) -> None:
    assert choose_command(settings, None, Config(notify=notify)) == f"{tmp_path / place / 'tell'} --all"


def test_a_turn_of_a_command_that_is_told_tells_no_other_by_itself(settings: Settings, tmp_path: Path) -> None:
    reported = settings._replace(is_told=True)
    assert choose_command(reported, None, Config(notify="tell")) is None
    assert choose_command(reported, "tell", Config(notify="tell")) == f"{tmp_path}/bin/tell"


@pytest.mark.parametrize("asked", ["nope", "./nope", "text", "./text", "~/nope", "/no/such/program", ".", "tell 'it"])
def test_what_cannot_be_run_is_refused(settings: Settings, asked: str) -> None:
    with pytest.raises(BadInputError, match=r"^--notify"):
        choose_command(settings, asked, Config())


@pytest.mark.parametrize("notify", ["nope", "", "./tell", "../home/tell"])
def test_the_configuration_is_named_where_it_is_wrong_and_never_means_a_projects_program(
    settings: Settings, notify: str
) -> None:
    with pytest.raises(BadInputError, match=r"^notify in .*config\.json") as caught:
        choose_command(settings, None, Config(notify=notify))
    assert caught.value.hint


@pytest.mark.parametrize("asked", ["tell hi > x; false", "tell $HOME", "tell 'a b' | tell"])
def test_a_line_for_a_shell_is_refused_and_both_ways_out_work(settings: Settings, tmp_path: Path, asked: str) -> None:
    with pytest.raises(BadInputError, match=r"^--notify: no shell reads it") as caught:
        choose_command(settings, asked, Config())
    for line in caught.value.hint.splitlines():
        flag, command = shlex.split(line.partition(": ")[2])
        assert flag == "--notify"
        program, *words = shlex.split(
            choose_command(settings._replace(search_path=f"{tmp_path}/bin:{PATH}"), command, Config()) or ""
        )
        assert [Path(program).name, *words] == (["sh", "-c", asked] if "shell" in line else shlex.split(asked))


def test_what_a_shell_would_expand_is_the_programs_and_is_told(settings: Settings, tmp_path: Path) -> None:
    config = Config(notify="tell http://h/?x=1&y=2 *.md")
    command = f"{tmp_path}/bin/tell 'http://h/?x=1&y=2' '*.md'"
    assert choose_command(settings, None, config) == command
    (warning,) = warn_of_pattern(settings, None, config)
    assert warning.startswith(f"notify in {settings.config_path}: no shell reads it, so '*' stays as it is")
    (warning,) = warn_of_pattern(settings, "tell ~/x", config)
    assert warning.startswith("--notify: no shell reads it, so '~' stays as it is")
    assert warn_of_pattern(settings, command, config) == ()


def test_nothing_is_told_of_a_command_that_is_not_run(settings: Settings) -> None:
    assert warn_of_pattern(settings._replace(is_told=True), None, Config(notify="tell *")) == ()
    assert warn_of_pattern(settings, None, Config()) == ()


def test_the_configuration_is_shown_as_it_is_to_stand_there(settings: Settings) -> None:
    with pytest.raises(BadInputError, match=r"^notify in .*config\.json: no shell reads it") as caught:
        choose_command(settings, None, Config(notify='tell "$USER" > x'))
    shown = [json.loads("{" + line.partition(": ")[2] + "}") for line in caught.value.hint.splitlines()]
    assert shown == [{"notify": "sh -c 'tell \"$USER\" > x'"}, {"notify": "tell '$USER' '>' x"}]


def test_what_is_no_program_may_be_a_line_for_a_shell(settings: Settings) -> None:
    with pytest.raises(BadInputError, match="there is no program 'A=1' that can be run") as caught:
        choose_command(settings, "A=1 tell", Config())
    assert caught.value.hint.endswith("""--notify "sh -c 'A=1 tell'\"""")


def test_a_bell_is_that_of_the_first_stream_that_is_a_terminal(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    master, slave = os.openpty()
    saved = os.dup(1)
    try:
        os.dup2(slave, 1)
        for config, asked in ((Config(), "bell"), (Config(notify="bell"), None)):
            line = choose_command(settings, asked, config) or ""
            assert read_bell(shlex.split(line)) == (os.ttyname(slave), os.fstat(slave).st_rdev, os.fstat(slave).st_uid)
        assert choose_command(settings._replace(is_told=True), None, Config(notify="bell")) is None
    finally:
        os.dup2(saved, 1)
        for fd in (saved, master, slave):
            os.close(fd)


def test_without_a_terminal_a_bell_is_refused_and_left_out_where_it_is_only_the_configurations(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_terminal(fd: int) -> str:
        raise OSError(fd)

    monkeypatch.setattr("os.ttyname", no_terminal)
    assert choose_command(settings, None, Config(notify="bell")) is None
    with pytest.raises(UsageError, match="no terminal that it could ring") as caught:
        choose_command(settings, "bell", Config())
    assert caught.value.hint
