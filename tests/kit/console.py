"""Examples in Markdown as tests: `console` blocks are found, typed into a terminal, and compared.

A block whose fence says ```` ```console test ```` is run at a terminal, one of ```` ```console test pipe ```` in a
pipe. A line `$ …` that names codex-server is a command, `> …` continues it, everything else is what is then shown.
In it `…` stands for anything on that line, alone on a line for any lines. Ids, times and durations match any other of
their kind. Never here: the documents' names, or their content.
"""

from __future__ import annotations

import fcntl
import os
import re
import struct
import subprocess
import termios
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tests.kit.support import DEADLINE_S

COLUMNS = 120
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (?=[^\n]*codex-server)", re.MULTILINE)  # others are commands that a turn ran
_NORMAL = (
    (re.compile(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{4}"), "20261120-165501-482-7f3a"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"), "THREAD-OR-TURN-OF-CODEX"),
    (re.compile(r"((?:[●·!✓–✗]|codex-server [a-z]+(?: -f)?) )(\d{6}-)?(\d{3}-)?[0-9a-f]{4}(?![\w-])"), r"\g<1>7f3a"),
    (re.compile(r"\b\d+ s\b"), "0 s"),
    (re.compile(r"\b(just now|\d+s ago)"), "just now"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d\.\d{3}Z)?"), "TIME"),
    (re.compile(r"\b\d+\.\d s\b"), "0.0 s"),
    (re.compile(r'("elapsed_s": )\d+(\.\d+)?'), r"\g<1>0.0"),
)


@dataclass(frozen=True)
class Example:
    """One command and what is shown after it, at a terminal or in a pipe."""

    command: str
    shown: str
    is_piped: bool = False


def fences(text: str) -> list[tuple[str, str]]:
    """Every fenced block of a document: its info string and its body."""
    return [(match["info"].strip(), match["body"]) for match in _FENCE.finditer(text)]


def examples(text: str) -> list[Example]:
    """The commands of every `console test` block, in their order."""
    found: list[Example] = []
    for info, body in fences(text):
        if info in ("console test", "console test pipe"):
            found += [replace(each, is_piped=info.endswith("pipe")) for each in _parse(body)]
    return found


def _parse(body: str) -> list[Example]:
    found: list[Example] = []
    for chunk in _COMMAND.split(body)[1:]:
        command: list[str] = []
        shown: list[str] = []
        for number, line in enumerate(chunk.splitlines()):
            if number == 0:
                command.append(line)
            elif line[:2] in ("> ", ">") and not shown:
                command.append(line[2:])
            else:
                shown.append(line)
        found.append(Example("\n".join(command), "\n".join(shown).strip("\n")))
    return found


def type_in(command: str, env: Mapping[str, str], cwd: Path) -> str:
    """What a terminal shows while bash runs `command`: stdout and stderr, as a user sees them."""
    dumb = {**env, "TERM": "dumb"}  # no spinner: what an example shows is what stays
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    try:
        process = subprocess.Popen(
            ["bash", "-c", command], stdin=subprocess.DEVNULL, stdout=slave, stderr=slave, env=dumb, cwd=cwd
        )
    finally:
        os.close(slave)
    pieces: list[bytes] = []
    try:
        while piece := _read(master):
            pieces.append(piece)
        process.wait(DEADLINE_S)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def pipe_out(command: str, env: Mapping[str, str], cwd: Path) -> str:
    """What a program reads while bash runs `command`: stdout and stderr, in one pipe."""
    run = subprocess.run(
        ["bash", "-c", command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=env,
        cwd=cwd,
        timeout=DEADLINE_S,
        check=False,
    )
    return run.stdout.decode()


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, 1 << 16)
    except OSError:  # EIO: the other side is closed
        return b""


def matches(expected: str, shown: str) -> bool:
    """Whether `shown` matches an example; see the module's docstring on `…`."""
    lines = [re.escape(line).replace("…", "[^\n]*") + "\n" for line in _normal(expected).split("\n")]
    pattern = "".join("(?:[^\n]*\n)*" if line == "[^\n]*\n" else line for line in lines)
    text = "\n".join(line.rstrip() for line in _normal(shown).strip("\n").split("\n"))
    return re.fullmatch(pattern, text + "\n") is not None


def _normal(text: str) -> str:
    for pattern, replacement in _NORMAL:
        text = pattern.sub(replacement, text)
    return text
