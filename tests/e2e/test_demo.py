"""`demo`: a whole turn that needs neither a login nor a network, in a temporary home."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit.home import COMMAND, Home
from tests.kit.tmux import Terminal


def caches(home: Home) -> list[Path]:
    """The temporary homes that are left."""
    return sorted((Path(home.env["XDG_CACHE_HOME"]) / "codex-server").glob("demo-*"))


@pytest.fixture
def demo_home(one_home: Home) -> Home:
    """A home with a cache directory of its own."""
    one_home.env["XDG_CACHE_HOME"] = str(one_home.root / "cache")
    return one_home


def test_the_demo_runs_a_turn_and_leaves_nothing(demo_home: Home) -> None:
    run = demo_home.run("demo")
    assert run.code == 0, run
    (command,) = [line for line in run.stderr.splitlines() if line.startswith("$ codex-server ")]
    assert command.split()[2] == "new"
    assert "hello from" in run.stdout
    assert "Model metadata" not in run.stdout
    assert caches(demo_home) == []
    assert demo_home.turn_ids == []


@pytest.mark.full
@pytest.mark.measured
def test_the_home_of_the_demo_can_be_kept_for_a_look(demo_home: Home) -> None:
    run = demo_home.run("demo", "--keep")
    assert run.code == 0, run
    (kept,) = caches(demo_home)
    assert f"kept: {kept}" in run.stderr
    demo_home.env["CODEX_SERVER_HOME"] = str(kept)
    assert demo_home.run("status", "demo").json["state"] == "complete"


def test_a_demo_whose_turn_cannot_be_run_ends_with_the_code_of_its_command(demo_home: Home) -> None:
    demo_home.wrap_codex("echo 'codex-cli 0.163.0'; test \"$1\" = --version")
    assert demo_home.run("demo").code == 1
    assert caches(demo_home) == []


@pytest.mark.measured
def test_the_demo_fits_on_a_small_screen_in_words_and_colour(demo_home: Home) -> None:
    with Terminal(demo_home.root, [COMMAND, "demo"], demo_home.env, cwd=demo_home.project) as terminal:
        assert terminal.wait_for_exit() == 0
        lines = terminal.history().rstrip("\n").split("\n")
        assert len(lines) < 15
        assert any(line.startswith("Hello! ") for line in lines)
        assert lines[-1] == '  codex-server new "What is here?" -f'
        assert "\x1b[36m" in terminal.screen(has_styles=True)
