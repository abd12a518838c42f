"""Every invalid prompt is refused with a message and creates nothing; every unusual but valid one is accepted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.core.inputs import MAX_CHARS
from tests.kit.home import COMMAND
from tests.kit.shell import Shell, assert_refused
from tests.kit.support import DEADLINE_S
from tests.kit.turns_on_disk import TurnsOnDisk

BAD_UTF8 = b"caf\xe9"


def assert_nothing_made(shell: Shell) -> None:
    assert shell.left == []


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "expected"),
    [
        ([], b"", 64, "a prompt is missing"),
        ([""], b"", 65, "the prompt is empty"),
        ([" \n\t "], b"", 65, "the prompt is empty"),
        (["-"], b"", 65, "the prompt is empty"),
        (["-"], b"\n\n", 65, "the prompt is empty"),
        (["-"], b"a\0b", 65, "NUL"),
        (["-"], BAD_UTF8, 65, "not valid UTF-8"),
        ([BAD_UTF8], b"", 65, "not valid UTF-8"),
        (["one", "two"], b"", 64, "unexpected extra argument"),
    ],
    ids=lambda value: repr(value)[:24] if isinstance(value, list | bytes) else None,
)
def test_a_wrong_prompt_is_refused(
    shell: Shell, arguments: list[str | bytes], stdin: bytes, code: int, expected: str
) -> None:
    run = shell.run("new", *arguments, stdin=stdin)
    assert_refused(run, code, expected, as_json=True)
    assert run.error["hint"]
    assert_nothing_made(shell)


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "expected"),
    [([], b"", 64, "a prompt is missing"), ([" "], b"", 65, "the prompt is empty"), (["-"], b"a\0b", 65, "NUL")],
    ids=["none", "blank", "NUL"],
)
def test_continue_takes_no_wrong_prompt_either(
    shell: Shell, turns: TurnsOnDisk, arguments: list[str], stdin: bytes, code: int, expected: str
) -> None:
    earlier = turns.complete(thread_id="01a1f9ff-9cbc-76c1-b5ee-b92ff9d7aa40", cwd=str(shell.project))
    run = shell.run("continue", *arguments, stdin=stdin)
    assert_refused(run, code, expected, as_json=True)
    assert shell.left == [earlier.turn_id]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "the prompt is empty"),
        (b" \r\n", "the prompt is empty"),
        (b"a\0b", "NUL"),
        (BAD_UTF8, "not valid UTF-8"),
        (b"\xed\xa0\x80", "not valid UTF-8"),  # a surrogate, encoded
        (b"x" * (MAX_CHARS + 1), f"the prompt has {MAX_CHARS + 1} characters; Codex takes {MAX_CHARS}"),
        ("é".encode() * (MAX_CHARS + 1), f"the prompt has {MAX_CHARS + 1} characters"),
    ],
    ids=lambda value: repr(value)[:16],
)
def test_a_file_with_a_wrong_prompt_is_refused(shell: Shell, data: bytes, expected: str) -> None:
    path = shell.root / "prompt.md"
    path.write_bytes(data)
    assert_refused(shell.run("new", "--file", str(path)), 65, expected, as_json=True)
    assert_nothing_made(shell)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("missing.md", "No such file or directory"), (".", "Is a directory"), ("project/.git/x/y", "No such file")],
)
def test_a_file_that_cannot_be_read_is_named(shell: Shell, name: str, expected: str) -> None:
    path = str(shell.root / name)
    run = shell.run("new", "--file", path)
    assert_refused(run, 65, expected, as_json=True)
    assert path in run.error["message"]
    assert_nothing_made(shell)


def test_a_prompt_and_a_file_are_one_too_many(shell: Shell) -> None:
    (shell.root / "prompt.md").write_text("hi")
    run = shell.run("new", "hi", "--file", str(shell.root / "prompt.md"))
    assert_refused(run, 64, "not both", as_json=True)
    assert_nothing_made(shell)


def test_without_any_stdin_a_dash_is_an_empty_prompt(shell: Shell) -> None:
    run = shell.run("new", "-", under=["sh", "-c", 'exec "$0" "$@" <&-'])
    assert_refused(run, 65, "the prompt is empty", as_json=True)
    assert_nothing_made(shell)


@pytest.mark.parametrize("prompt", ["-x marks the spot", "--verbose?", "- one\n- two"])
def test_a_prompt_that_looks_like_an_option_gets_a_hint(shell: Shell, prompt: str) -> None:
    run = shell.run("new", prompt)
    assert_refused(run, 64, "No such option", as_json=True)
    assert "after --" in run.error["hint"]
    assert_nothing_made(shell)


def taken_prompt(shell: Shell, *arguments: str, stdin: bytes = b"") -> bytes:
    """Start a turn, wait for its end (this codex exits at once), and return the prompt that was stored."""
    started = shell.run("new", *arguments, stdin=stdin)
    assert started.code == 0, started
    assert shell.run("wait", started.json["turn_id"], "--print", "none").code == 1
    return Path(started.json["turn_dir"], "prompt.txt").read_bytes()


def test_a_prompt_that_looks_like_an_option_is_taken_after_two_dashes(shell: Shell) -> None:
    assert taken_prompt(shell, "--", "-x marks the spot") == b"-x marks the spot"


def test_a_prompt_that_looks_like_an_option_is_taken_from_stdin_and_from_a_file(shell: Shell) -> None:
    path = shell.root / "-prompt.md"
    path.write_text("--help me")
    assert taken_prompt(shell, "-", stdin=b"-x marks the spot") == b"-x marks the spot"
    assert taken_prompt(shell, "--file", str(path)) == b"--help me"


def test_the_longest_prompt_is_taken(shell: Shell) -> None:
    prompt = "é".encode() * MAX_CHARS
    assert taken_prompt(shell, "-", stdin=prompt) == prompt


def test_stdin_is_read_only_for_a_dash(shell: Shell) -> None:
    command = subprocess.Popen(  # its stdin is never written and never closed: reading it would hang
        [COMMAND, "new", "hi"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=shell.project, env=shell.env
    )
    assert command.stdout is not None
    turn_id = json.loads(command.stdout.read())["turn_id"]
    assert command.wait(DEADLINE_S) == 0
    command.communicate()
    assert shell.run("wait", turn_id, "--print", "none").code == 1
