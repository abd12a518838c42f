"""The command of `--notify` is checked before anything is made, and stays the program that was checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.actions.notify import choose_command
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.config import Config
from codex_server_cli.settings.places import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A user who stands in a project, and has a program `tell` on PATH, in the project, and at home."""
    for name in ("bin", "project", "home"):
        (tmp_path / name).mkdir()
        program = tmp_path / name / "tell"
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    (tmp_path / "project" / "text").touch()
    monkeypatch.chdir(tmp_path / "project")
    home = tmp_path / "home"
    return Settings(home / ".codex-server", home / ".codex", home, str(tmp_path / "bin"), None)


def test_without_a_command_nobody_is_told(settings: Settings) -> None:
    assert choose_command(settings, None, Config()) is None


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        ("tell", "{root}/bin/tell"),
        ("tell  --to 'the team' $HOME", "{root}/bin/tell --to 'the team' '$HOME'"),
        ("./tell", "{root}/project/tell"),
        ("~/tell ~/x", "{root}/home/tell '~/x'"),
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
    told = settings._replace(is_told=True)
    assert choose_command(told, None, Config(notify="tell")) is None
    assert choose_command(told, "tell", Config(notify="tell")) == f"{tmp_path}/bin/tell"


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
