"""Piped input follows the prompt, and no command waits for input that may never arrive.

Where only the stdin, the shell and the command matter, the command keeps the prompt itself instead of handing it to a
worker: see `conftest.TAKING`. One of each kind is the real command, with its worker.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import subprocess
import termios
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from codex_server_cli.core.inputs import MAX_CHARS
from tests.kit.home import COMMAND
from tests.kit.in_process import CapturedLaunch
from tests.kit.shell import Shell, assert_refused
from tests.kit.support import DEADLINE_S, wait_until

SOON_S = 30.0
"""For a command that waits a second or three, on a busy machine; a wait for the end of stdin has no end."""
DIFF = "+ line\n- line\n"
SHELLS = [name for name in ("sh", "bash", "zsh", "ksh") if shutil.which(name)]


def prompts(shell: Shell) -> list[str]:
    """The prompts of all turns, oldest first."""
    return [path.read_text(encoding="utf-8") for path in sorted(shell.home.glob("turns/*/prompt.txt"))]


def started(
    shell: Shell, *arguments: str, stdin: int, command: str = COMMAND, **options: object
) -> tuple[int, str, float]:
    """Run `codex-server ARGUMENTS` on this stdin, which is left open; its exit code, stderr and seconds."""
    began = time.monotonic()
    run = subprocess.run(
        [command, *arguments],
        stdin=stdin,
        capture_output=True,
        cwd=shell.project,
        env=shell.env,
        timeout=DEADLINE_S,
        check=False,
        **options,  # type: ignore[call-overload]
    )
    return run.returncode, run.stderr.decode(), time.monotonic() - began


def in_shell(
    shell: Shell, script: str, name: str = "sh", *, stdin: int | None = None, command: str = COMMAND
) -> subprocess.CompletedProcess[str]:
    """Run a script in which `new` stands for `codex-server new`."""
    return subprocess.run(
        [name, "-c", script.replace("new ", f"{command} new ")],
        stdin=stdin,
        cwd=shell.project,
        env=shell.env,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


# --- what is read


BEHIND_THE_PROMPT = [
    (["review this"], DIFF, f"review this\n\n{DIFF}"),
    (["review this", "-"], DIFF, f"review this\n\n{DIFF}"),
    (["-", "review this"], DIFF, f"review this\n\n{DIFF}"),
    ([], DIFF, DIFF),
    (["--file", "-", "review this"], DIFF, f"review this\n\n{DIFF}"),
    (["--file", "prompt.md"], DIFF, f"from a file\n\n{DIFF}"),
    (["review this"], "", "review this"),
    (["é", "-"], " \n\ufeff\u200b\n", "é"),
    ([], f"\ufeff{DIFF}", DIFF),
]


def test_what_is_piped_in_comes_behind_the_prompt(shell: Shell) -> None:
    shell.configure(json.dumps({"codex": str(shell.bin / "codex")}))  # pinned, so it is not probed
    (shell.project / "prompt.md").write_text("\ufefffrom a file\n")
    for arguments, stdin, prompt in BEHIND_THE_PROMPT:
        taken = CapturedLaunch()
        run = shell.call("new", *arguments, stdin=stdin.encode(), launch=taken)
        assert (run.code, run.stderr, taken.prompts) == (0, "", [prompt]), (arguments, stdin)
    run = shell.run("new", "review this", stdin=DIFF.encode())
    assert (run.code, run.stderr, prompts(shell)) == (0, "", [f"review this\n\n{DIFF}"])


@pytest.mark.measured
def test_a_large_input_comes_whole(shell: Shell) -> None:
    data = "x" * (MAX_CHARS - 100)
    assert shell.run("new", "what is it?", stdin=data.encode()).code == 0
    assert prompts(shell) == [f"what is it?\n\n{data}"]


PIPELINES = [
    ("(sleep 1; echo data) | new x", "data\n"),
    ("{ echo a; sleep 1.2; echo b; } | cat | new x", "a\nb\n"),
    ("echo data | (cd . && new x; true)", "data\n"),
    ("echo data | timeout 30 env A=1 sh -c 'new x; true'", "data\n"),
    ("new x <<END\ndata\nEND", "data\n"),
    ("echo data > file; new x < file; true", "data\n"),
    ("mkfifo fifo; (sleep 0.5; echo data) > fifo & new x < fifo", "data\n"),
    ("new x < <(sleep 1; echo data)", "data\n"),
]


@pytest.mark.parametrize(("script", "piped"), PIPELINES)
def test_a_pipeline_and_a_file_are_read_to_their_end(shell: Shell, taking: str, script: str, piped: str) -> None:
    run = in_shell(shell, script, "bash", stdin=subprocess.DEVNULL, command=taking)
    assert (run.returncode, run.stderr) == (0, "")
    assert prompts(shell) == [f"x\n\n{piped}"]


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.full
def test_every_shell_has_released_its_pipeline_by_then(shell: Shell, name: str) -> None:
    run = in_shell(shell, "(sleep 0.5; echo data) | new x", name)  # the real one: its worker holds no end of the pipe
    assert (run.returncode, run.stderr, prompts(shell)) == (0, "", ["x\n\ndata\n"])


@pytest.mark.measured
def test_a_pipeline_that_a_program_made_is_read_to_its_end(shell: Shell, taking: str) -> None:
    with subprocess.Popen(["sh", "-c", "sleep 1; echo data"], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        code, stderr, _ = started(
            shell, "new", "x", stdin=writer.stdout.fileno(), command=taking, start_new_session=True
        )
    assert (code, stderr, prompts(shell)) == (0, "", ["x\n\ndata\n"])


# --- what is not waited for


@contextmanager
def idle(kind: str) -> Iterator[int]:
    """A stdin of this kind, whose other end the test holds open and never writes to."""
    if kind == "pipe":
        ours, theirs = reversed(os.pipe())
    elif kind == "socket":
        ours, theirs = (end.detach() for end in socket.socketpair())
    elif kind == "terminal":
        ours, theirs = os.openpty()
    else:
        ours = theirs = os.open("/dev/zero" if kind == "device" else os.devnull, os.O_RDONLY)
    try:
        yield theirs
    finally:
        for fd in {ours, theirs}:
            os.close(fd)


@pytest.mark.parametrize(
    ("kind", "under"),
    [
        *((kind, []) for kind in ("pipe", "socket", "terminal", "device", "nothing")),
        ("pipe", ["sh", "-c", '"$0" "$@"; exit $?']),
    ],
)
def test_a_stdin_that_may_never_end_is_not_waited_for(shell: Shell, taking: str, kind: str, under: list[str]) -> None:
    with idle(kind) as stdin:
        began = time.monotonic()
        command = [*under, COMMAND if kind == "pipe" else taking, "new", "hi"]
        run = subprocess.run(
            command, stdin=stdin, capture_output=True, cwd=shell.project, env=shell.env, timeout=DEADLINE_S, check=False
        )
        assert time.monotonic() - began < SOON_S
    assert (run.returncode, run.stderr, prompts(shell)) == (0, b"", ["hi"])


@pytest.mark.measured
def test_a_closed_stdin_is_none(shell: Shell) -> None:
    run = shell.run("new", "hi", under=["sh", "-c", 'exec "$0" "$@" <&-'])
    assert (run.code, run.stderr, prompts(shell)) == (0, "", ["hi"])


@pytest.mark.parametrize("kind", ["pipe", "socket", "terminal", "nothing"])
@pytest.mark.full
def test_without_a_prompt_it_is_missing_soon(shell: Shell, taking: str, kind: str) -> None:
    with idle(kind) as stdin:
        command = COMMAND if kind == "pipe" else taking
        code, stderr, seconds = started(shell, "new", stdin=stdin, command=command)
    assert (code, stderr.partition("\n")[0]) == (64, "codex-server: a prompt is missing")
    assert seconds < SOON_S
    assert shell.left == []


def unread_bytes(fd: int) -> int:
    """How many bytes of a pipe or a socket its reader has not read yet."""
    count = array("i", [0])
    fcntl.ioctl(fd, termios.FIONREAD, count)
    return count[0]


@pytest.mark.parametrize("kind", ["pipe", "socket"])
@pytest.mark.measured
@pytest.mark.full
def test_a_caller_may_write_in_pieces(shell: Shell, taking: str, kind: str) -> None:
    ours, theirs = reversed(os.pipe()) if kind == "pipe" else (end.detach() for end in socket.socketpair())
    process = subprocess.Popen(
        [taking, "new", "x"],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=shell.project,
        env=shell.env,
    )
    for piece in (b"a", b"b", b"c"):
        os.write(ours, piece)
        wait_until(lambda: unread_bytes(theirs) == 0, what="a reader that has taken the piece, and waits for the next")
    os.close(theirs)
    os.close(ours)
    _, stderr = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, stderr, prompts(shell)) == (0, b"", ["x\n\nabc"])


@pytest.mark.full
def test_a_caller_that_writes_and_stays_is_heard_as_far_as_it_came(shell: Shell) -> None:
    theirs, ours = os.pipe()
    os.write(ours, b"some of it")
    code, stderr, seconds = started(shell, "new", "x", stdin=theirs)
    os.close(ours)
    os.close(theirs)
    assert (code, prompts(shell)) == (0, ["x\n\nsome of it"])
    assert stderr == (
        "codex-server: stdin was still open and was read as far as it had arrived; - reads it to its end\n"
    )
    assert seconds < SOON_S


def test_a_dash_waits_for_any_process_that_holds_stdin(shell: Shell, taking: str) -> None:
    theirs, ours = os.pipe()
    process = subprocess.Popen(
        [taking, "new", "x", "-"], stdin=theirs, stdout=subprocess.PIPE, cwd=shell.project, env=shell.env
    )
    os.close(theirs)
    with suppress(subprocess.TimeoutExpired):
        process.wait(1.5)
    assert process.poll() is None
    os.write(ours, b"late")
    os.close(ours)
    process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, prompts(shell)) == (0, ["x\n\nlate"])


@pytest.mark.measured
def test_a_writer_from_elsewhere_is_not_waited_for_and_that_is_said(shell: Shell, taking: str, tmp_path: Path) -> None:
    theirs, ours = os.pipe()
    os.set_inheritable(ours, True)
    script = f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60' > /dev/null 2>&1 < /dev/null &"
    subprocess.run(["sh", "-c", script], close_fds=False, check=True)
    os.close(ours)
    pid = int(wait_until(lambda: _text(tmp_path / "pid"), what="the writer"))
    try:
        code, stderr, seconds = started(shell, "new", "x", stdin=theirs, command=taking)
    finally:
        os.kill(pid, 9)
        os.close(theirs)
    assert (code, prompts(shell)) == (0, ["x"])
    assert stderr == "codex-server: stdin was not read, because it may never end; - reads it to its end\n"
    assert seconds < SOON_S


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""


# --- what belongs to another process


@pytest.mark.parametrize(
    ("name", "kind", "command"),
    [
        *((name, "pipe", "new one") for name in SHELLS),
        *(("bash", kind, "(new one; true)") for kind in ("pipe", "file", "socket", "pipe of a pipeline")),
        ("sh", "file", "{ new one; }"),
        ("bash", "pipe", "sh -c 'new one; true'"),
    ],
)
@pytest.mark.measured
@pytest.mark.full
def test_the_next_commands_of_a_shell_are_no_part_of_a_prompt(
    shell: Shell, taking: str, name: str, kind: str, command: str
) -> None:
    is_real = command == "new one"
    script = f"{command}\necho next; echo data | (new two; true)\n"
    script = script.replace("new ", f"{COMMAND if is_real else taking} new ")
    with holding(shell, kind, script.encode()) as stdin:
        run = subprocess.run(
            [name], stdin=stdin, capture_output=True, cwd=shell.project, env=shell.env, timeout=DEADLINE_S, check=False
        )
    assert (b"\nnext\n" in run.stdout, run.stderr) == (True, b"")
    assert prompts(shell) == ["one", "two\n\ndata\n"]


@contextmanager
def holding(shell: Shell, kind: str, data: bytes) -> Iterator[int]:
    """A stdin of this kind from which this can be read."""
    path = shell.root / "data"
    path.write_bytes(data)
    if kind == "pipe of a pipeline":
        with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            yield writer.stdout.fileno()
        return
    ours = -1
    if kind == "file":
        theirs = os.open(path, os.O_RDONLY)
    elif kind == "pipe":
        theirs, ours = os.pipe()
    else:
        theirs, ours = (end.detach() for end in socket.socketpair())
    try:
        if ours >= 0:
            os.write(ours, data)
            os.close(ours)
        yield theirs
    finally:
        os.close(theirs)


def test_a_loop_over_the_lines_of_a_file_keeps_them(shell: Shell, taking: str) -> None:
    script = "printf 'a\\nb\\nc\\n' > lines; while read line; do new \"$line\"; done < lines"
    run = in_shell(shell, script, command=taking)
    assert prompts(shell) == ["a", "b", "c"]
    left = "codex-server: stdin was not read, because part of that file was read before; - reads the rest\n"
    assert run.stderr == left * 2  # the last line has been consumed


def test_a_file_that_is_read_otherwise_is_not_read_once_more(shell: Shell) -> None:
    text = '{"type": "object", "properties": {}, "required": [], "additionalProperties": false}'
    (shell.project / "input").write_text(text)
    for flag, path in ((flag, path) for flag in ("--file", "--schema") for path in ("input", "/dev/stdin")):
        taken = CapturedLaunch()
        words = ["hi"] if flag == "--schema" else []
        with (shell.project / "input").open("rb") as opened:
            run = shell.call("new", *words, flag, path, stdin=opened.fileno(), launch=taken)
        assert (run.code, run.stderr, taken.prompts) == (0, "", words or [text]), (flag, path)


# --- what is refused


REFUSED: list[tuple[list[str], bytes, str]] = [
    (["x"], b"caf\xe9", "what was piped in is not valid UTF-8"),
    ([], b"caf\xe9", "what was piped in is not valid UTF-8"),
    (["x", "-"], b"caf\xe9", "the prompt is not valid UTF-8"),
    (["x"], b"a\0b", "NUL"),
    ([""], DIFF.encode(), "the prompt is empty"),
    (["\u200b"], DIFF.encode(), "the prompt is empty"),
    (["-"], b"\xef\xbb\xbf", "the prompt is empty"),
    (["--file", "blank.md"], DIFF.encode(), "the prompt is empty"),
]
TOO_MUCH = [
    (["x" * 100], b"y" * MAX_CHARS, f"the prompt has {MAX_CHARS + 102} characters"),
    (["x"], b"y" * 4 * (MAX_CHARS + 1), "more than 1048576 characters"),
]


def test_what_cannot_be_a_prompt_is_refused_with_one_line(shell: Shell) -> None:
    (shell.project / "blank.md").write_text("\ufeff\n")
    for arguments, stdin, expected in REFUSED:
        run = shell.call("new", *arguments, stdin=stdin)
        assert_refused(run, 65, expected, as_json=True, case=(arguments, stdin))
        assert shell.left == []


@pytest.mark.measured
def test_more_than_a_prompt_may_have_is_refused_with_one_line(shell: Shell) -> None:
    for arguments, stdin, expected in TOO_MUCH:
        run = shell.run("new", *arguments, stdin=stdin)
        assert_refused(run, 65, expected, as_json=True, case=expected)
        assert shell.left == []


def test_a_stdin_that_cannot_be_read_is_told(shell: Shell) -> None:
    fd = os.open(shell.project / "file", os.O_WRONLY | os.O_CREAT)
    taken = CapturedLaunch()
    dash, word = shell.call("new", "x", "-", stdin=fd), shell.call("new", "x", stdin=fd, launch=taken)
    os.close(fd)
    assert_refused(dash, 65, "cannot read stdin: Bad file descriptor", as_json=True)
    assert (word.code, word.stderr, taken.prompts) == (0, "", ["x"])


def test_three_words_are_a_usage_error(shell: Shell) -> None:
    for words in (["a", "b"], ["a", "-", "b"], ["a b", "c", "-"]):
        assert_refused(shell.call("new", *words), 64, "unexpected extra argument", as_json=True, case=words)


# --- the other verbs


def test_the_instructions_of_a_review_take_it_too(shell: Shell) -> None:
    taken = CapturedLaunch()
    for text, code in (("look at this", 0), ("-", 0), ("\u200b", 64)):
        run = shell.call("review", "--instructions", text, stdin=DIFF.encode(), launch=taken)
        assert run.code == code, (text, run)
    assert taken.prompts == [f"look at this\n\n{DIFF}", DIFF]
