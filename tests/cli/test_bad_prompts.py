"""Every invalid prompt is refused with a message and creates nothing; every unusual but valid one is accepted."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from codex_server_cli.core.inputs import MAX_CHARS
from tests.kit.home import COMMAND
from tests.kit.in_process import CapturedLaunch
from tests.kit.shell import Shell, assert_refused
from tests.kit.support import DEADLINE_S
from tests.kit.turns_on_disk import TurnsOnDisk

BAD_UTF8 = b"caf\xe9"
PROMPTS: list[tuple[list[str | bytes], bytes, int, str]] = [
    ([], b"", 64, "a prompt is missing"),
    ([""], b"", 65, "the prompt is empty"),
    ([" \n\t "], b"", 65, "the prompt is empty"),
    (["-"], b"", 65, "the prompt is empty"),
    (["-"], b"\n\n", 65, "the prompt is empty"),
    (["-"], b"a\0b", 65, "NUL"),
    (["-"], BAD_UTF8, 65, "not valid UTF-8"),
    ([BAD_UTF8], b"", 65, "not valid UTF-8"),
    (["one", "two"], b"", 64, "unexpected extra argument"),
]
FILES = [
    (b"", "the prompt is empty"),
    (b" \r\n", "the prompt is empty"),
    (b"a\0b", "NUL"),
    (BAD_UTF8, "not valid UTF-8"),
    (b"\xed\xa0\x80", "not valid UTF-8"),  # a surrogate, encoded
    (b"x" * (MAX_CHARS + 1), f"the prompt has {MAX_CHARS + 1} characters; Codex takes {MAX_CHARS}"),
    ("é".encode() * (MAX_CHARS + 1), f"the prompt has {MAX_CHARS + 1} characters"),
]


def test_a_wrong_prompt_is_refused(shell: Shell) -> None:
    for arguments, stdin, code, expected in PROMPTS:
        case = (arguments, stdin)
        run = shell.call("new", *arguments, stdin=stdin)
        assert_refused(run, code, expected, as_json=True, case=case)
        assert run.error["hint"], case
        assert shell.left == [], case


def test_a_wrong_prompt_is_refused_where_its_worker_is_there_already(shell: Shell) -> None:
    for arguments, stdin, code, expected in ([], b"", 64, "a prompt is missing"), (["-"], b"a\0b", 65, "NUL"):
        assert_refused(shell.run("new", *arguments, stdin=stdin), code, expected, as_json=True, case=arguments)
    assert_refused(shell.run("new", BAD_UTF8), 65, "not valid UTF-8", as_json=True)
    assert shell.left == []


def test_continue_takes_no_wrong_prompt_either(shell: Shell, turns: TurnsOnDisk) -> None:
    earlier = turns.complete(thread_id="01a1f9ff-9cbc-76c1-b5ee-b92ff9d7aa40", cwd=str(shell.project))
    cases: tuple[tuple[list[str], bytes, int, str], ...] = (
        ([], b"", 64, "a prompt is missing"),
        ([" "], b"", 65, "the prompt is empty"),
        (["-"], b"a\0b", 65, "NUL"),
    )
    for arguments, stdin, code, expected in cases:
        run = shell.call("continue", *arguments, stdin=stdin)
        assert_refused(run, code, expected, as_json=True, case=(arguments, stdin))
        assert shell.left == [earlier.turn_id], arguments


def test_a_file_with_a_wrong_prompt_is_refused(shell: Shell) -> None:
    path = shell.root / "prompt.md"
    for data, expected in FILES:
        path.write_bytes(data)
        assert_refused(shell.call("new", "--file", str(path)), 65, expected, as_json=True, case=data[:16])
        assert shell.left == [], data[:16]


def test_a_file_that_cannot_be_read_is_named(shell: Shell) -> None:
    cases = {"missing.md": "No such file or directory", ".": "Is a directory", "project/.git/x/y": "No such file"}
    for name, expected in cases.items():
        path = str(shell.root / name)
        run = shell.call("new", "--file", path)
        assert_refused(run, 65, expected, as_json=True, case=name)
        assert path in run.error["message"], name
        assert shell.left == [], name


def test_a_prompt_and_a_file_are_one_too_many(shell: Shell) -> None:
    (shell.root / "prompt.md").write_text("hi")
    run = shell.call("new", "hi", "--file", str(shell.root / "prompt.md"))
    assert_refused(run, 64, "not both", as_json=True)
    assert shell.left == []


def test_without_any_stdin_a_dash_is_an_empty_prompt(shell: Shell) -> None:
    run = shell.run("new", "-", under=["sh", "-c", 'exec "$0" "$@" <&-'])
    assert_refused(run, 65, "the prompt is empty", as_json=True)
    assert shell.left == []


def test_a_prompt_that_looks_like_an_option_gets_a_hint(shell: Shell) -> None:
    for prompt in ("-x marks the spot", "--verbose?", "- one\n- two"):
        run = shell.call("new", prompt)
        assert_refused(run, 64, "No such option", as_json=True, case=prompt)
        assert "after --" in run.error["hint"], prompt
        assert shell.left == [], prompt


def test_a_prompt_that_looks_like_an_option_is_taken_after_two_dashes_from_stdin_and_from_a_file(shell: Shell) -> None:
    path = shell.root / "-prompt.md"
    path.write_text("--help me")
    taken = CapturedLaunch()
    for arguments, stdin in (["--", "-x marks"], b""), (["-"], b"-y marks"), (["--file", str(path)], b""):
        run = shell.call("new", *arguments, stdin=stdin, launch=taken)
        assert (run.code, run.stderr) == (0, ""), (arguments, run)
    assert taken.prompts == ["-x marks", "-y marks", "--help me"]


def taken_prompt(shell: Shell, *arguments: str, stdin: bytes = b"") -> bytes:
    """Start a turn, wait for its end (this codex exits at once), and return the prompt that was stored."""
    started = shell.run("new", *arguments, stdin=stdin)
    assert started.code == 0, started
    assert shell.run("wait", started.json["turn_id"], "--print", "none").code == 1
    return Path(started.json["turn_dir"], "prompt.txt").read_bytes()


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
