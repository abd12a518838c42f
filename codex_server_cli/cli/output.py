"""Where words go: stdout is the answer, stderr is for people. Owns the only prints of the command line."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from typing import Any

from codex_server_cli.core.documents.turn import dump
from codex_server_cli.errors import CodexServerError, HomeError
from codex_server_cli.render.escape import neutralise
from codex_server_cli.settings import terminal


class ReaderGoneError(Exception):
    """Nobody reads our stdout any more. No `OSError`: typer would end with 1 at a broken pipe."""


def is_terminal() -> bool:
    """Whether a person sees stdout."""
    return sys.stdout.isatty()


def width() -> int:
    """Columns that a table may use; a pipe gets room for whole lines."""
    return shutil.get_terminal_size().columns if is_terminal() else 160


def show_json(document: Any) -> None:
    """One JSON document on stdout: one line, indented where a person looks."""
    show(dump(document, is_indented=is_terminal()) + "\n")


def show(text: str) -> None:
    """Text on stdout: raw into a pipe or file, neutralised on a terminal."""
    _write(neutralise(text) if is_terminal() else text)


def can_redraw() -> bool:
    """Whether a person sees stdout, on a terminal that lets us wipe what we wrote."""
    return is_terminal() and terminal.can_redraw()


def draw(text: str) -> None:
    """Text that is safe already, with our own control sequences, on a terminal; without a word where it is gone."""
    with contextlib.suppress(OSError):
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.flush()


def is_reader_gone() -> bool:
    """Whether the pipe that stdout is has lost its reader, told without writing; False for whatever is no pipe."""
    import select

    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # errors are told in any case
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def show_line(line: bytes) -> None:
    """One line of a JSON stream: on a terminal its escapes are already harmless, elsewhere verbatim."""
    show(line.decode("utf-8", "replace") + "\n")


def note(text: str) -> None:
    """A word for people, on stderr."""
    with contextlib.suppress(OSError):  # nobody is left to tell
        sys.stderr.write(neutralise(text) + "\n")
        sys.stderr.flush()


def note_if(problem: str | None) -> None:
    """A problem that ends nothing, on stderr; without a word where there is none."""
    if problem is not None:
        note(f"codex-server: {problem}")


def show_error(error: CodexServerError, *, as_json: bool) -> None:
    """A failure: one line and its hint on stderr, and the contract's JSON on stdout for commands that promise it."""
    if as_json:
        try:
            show_json(error.to_json())
        except (ReaderGoneError, CodexServerError):
            abandon_stdout()
    note(f"codex-server: {error.message}" + (f"\n{error.hint}" if error.hint else ""))


def abandon_stdout() -> None:
    """The reader went away: keep the interpreter from failing on the last flush."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(text: str) -> None:
    # Bytes, because the locale may be ASCII while answers are not; an unencodable surrogate becomes "?".
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        abandon_stdout()
        message = f"cannot write to stdout: {error.strerror}"
        raise HomeError(message, hint="What was done is done: codex-server list-turns shows it.") from error
