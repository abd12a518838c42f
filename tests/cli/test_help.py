"""The help is a document: stored, compared, and correct."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from codex_server_cli import __version__
from codex_server_cli.cli.table import VERBS
from tests.kit.help_text import REFERENCE, REGENERATE
from tests.kit.shell import Shell


def test_the_stored_help_is_what_the_commands_say() -> None:
    root = Path(__file__).parents[2]
    said = subprocess.run(
        [sys.executable, "-m", "tests.kit.help_text"], cwd=root, capture_output=True, text=True, check=True
    )
    assert REFERENCE.read_text(encoding="utf-8") == said.stdout, f"the help has changed; run: {REGENERATE}"


def test_every_verb_stands_in_a_panel_that_there_is() -> None:
    assert {verb.panel for verb in VERBS.values()} == {"Start", "Read", "Control", "Account", "System"}


def test_every_verb_and_option_is_explained() -> None:
    text = REFERENCE.read_text(encoding="utf-8")
    assert re.findall(r"^\$ codex-server (\S.*) --help$", text, re.MULTILINE) == list(VERBS)
    bare = re.findall(r"^│ \*?\s*(-\S+.*?)\s*│$", text, re.MULTILINE)
    assert bare
    assert [line for line in bare if not re.search(r"\s{2,}\S.*[a-z]", line)] == []


def test_help_is_no_error_and_names_every_verb(shell: Shell) -> None:
    runs = {words: shell.call(*words.split()) for words in ("", "--help", "-h", "help")} | {"a real one": shell.run()}
    for words, run in runs.items():
        assert (run.code, run.stderr) == (0, ""), words
        assert all(re.search(rf"\b{verb.split()[0]}\b", run.stdout) for verb in VERBS), words
    assert shell.left == []


def test_help_of_a_verb_starts_no_turn(shell: Shell) -> None:
    run = shell.run("new", "--help")
    assert (run.code, run.stderr) == (0, "")
    assert "Start a turn on a new thread" in run.stdout
    assert not shell.home.exists()


def test_the_version_is_told_without_asking_codex(shell: Shell) -> None:
    (shell.bin / "codex").unlink()
    for option in ("--version", "-V"):
        assert shell.call(option).stdout == f"codex-server {__version__}\n"


def test_version_tells_the_version_of_codex_too(shell: Shell) -> None:
    shell.install("silent", version="codex-cli 0.169.0")
    assert shell.call("version").stdout == f"codex-server {__version__} (codex 0.169.0)\n"
