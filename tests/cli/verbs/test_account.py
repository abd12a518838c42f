"""The account verbs where something is wrong: each a clear line and the right code, and nothing is changed."""

from __future__ import annotations

import json
import sys

import pytest

from tests.cli.test_bad_codex import WITHOUT_THE_EXTRA
from tests.fakes import codex as fake
from tests.kit.home import COMMAND
from tests.kit.shell import Shell, assert_refused
from tests.kit.tmux import Terminal

VERBS = (["account"], ["limits"], ["models"], ["logout"], ["login"], ["login", "--device"], ["login", "--api-key", "-"])
KEY = "sk-a-very-secret-key"


def allow_keys(shell: Shell) -> None:
    shell.configure(json.dumps({"auth": "any"}))


def test_without_a_codex_every_verb_is_69(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codex_cli_bin", None)  # as where the `codex` extra is not installed
    allow_keys(shell)
    (shell.bin / "codex").unlink()
    for verb in VERBS:
        run = shell.call(*verb, stdin=KEY.encode())
        assert_refused(run, 69, "no codex binary was found on PATH", as_json=False, case=verb)
    run = shell.run("account", under=WITHOUT_THE_EXTRA)
    assert_refused(run, 69, "no codex binary was found on PATH", as_json=False)


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [("exits", fake.STDERR_TAIL), ("refuses", "codex app-server does not answer: it printed nothing")],
)
def test_a_codex_that_does_not_talk_is_69(shell: Shell, behaviour: str, expected: str) -> None:
    shell.install(behaviour)
    for verb in ("account", "login"):
        assert_refused(shell.run(verb), 69, expected, as_json=False)


def test_a_codex_home_that_is_a_file_or_cannot_be_made_is_told(shell: Shell) -> None:
    allow_keys(shell)
    (shell.root / "file").write_text("a file")
    shell.env["CODEX_HOME"] = str(shell.root / "file")
    for verb in VERBS:
        run = shell.call(*verb, stdin=KEY.encode())
        assert_refused(run, 65, "/file is not a directory", as_json=False, case=verb)
    shell.env["CODEX_HOME"] = str(shell.root / "file" / "below")
    assert_refused(shell.call("login"), 73, "cannot make ", as_json=False)


def test_a_broken_config_of_ours_is_65(shell: Shell) -> None:
    shell.configure("{")
    for verb in VERBS:
        assert_refused(shell.call(*verb), 65, "is not JSON", as_json=False, case=verb)


def test_a_key_in_the_arguments_is_refused_and_not_repeated(shell: Shell) -> None:
    allow_keys(shell)
    run = shell.call("login", "--api-key", KEY)
    assert_refused(run, 64, "an API key is read from stdin alone", as_json=False)
    assert KEY not in run.stderr
    assert "codex-server login --api-key -" in run.stderr


def test_a_key_goes_with_no_page(shell: Shell) -> None:
    for option in ("--device", "--no-browser"):
        run = shell.call("login", "--api-key", "-", option, stdin=KEY.encode())
        assert_refused(run, 64, "--api-key opens no page", as_json=False, case=option)


def test_a_key_is_refused_before_it_is_read_where_config_json_does_not_allow_one(shell: Shell) -> None:
    run = shell.run("login", "--api-key", "-", stdin=KEY.encode())
    assert_refused(run, 2, "API keys are not allowed here", as_json=False)
    assert '"auth": "any"' in run.stderr
    assert not (shell.codex_home / "auth.json").exists()


def test_what_is_no_key_is_65(shell: Shell) -> None:
    allow_keys(shell)
    for stdin, expected in (
        (b"", "there is no API key on stdin"),
        (b" \n", "there is no API key on stdin"),
        (b"two words", "what is on stdin is no API key"),
        (b"one\ntwo", "what is on stdin is no API key"),
        ("schlüssel".encode(), "what is on stdin is no API key"),
        (b"\xff", "what is on stdin is no API key"),
        (b"x" * 5000, "what is on stdin is no API key"),
    ):
        run = shell.call("login", "--api-key", "-", stdin=stdin)
        assert_refused(run, 65, expected, as_json=False, case=stdin[:20])


@pytest.mark.measured
def test_a_key_that_is_typed_is_not_shown(shell: Shell) -> None:
    allow_keys(shell)
    with Terminal(shell.root, [COMMAND, "login", "--api-key", "-"], shell.env, cwd=shell.project) as terminal:
        terminal.wait_for("API key:")
        terminal.enter(KEY)
        assert terminal.wait_for_exit() == 69  # this codex breaks
        assert KEY not in terminal.history()
