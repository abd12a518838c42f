"""Output: stdout has the answer, stderr the diagnostics for people. Owns all printing of the command line."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from typing import TYPE_CHECKING, Any, Literal

from codex_server_cli.core.documents.turn import dump
from codex_server_cli.errors import CodexServerError, HomeError
from codex_server_cli.render.escape import neutralise
from codex_server_cli.settings import terminal

if TYPE_CHECKING:
    from codex_server_cli.render.style.ink import Ink
    from codex_server_cli.render.style.wrap import Display

_NAME = "codex-server:"
"""The beginning of our messages on stderr."""


StyleName = Literal["PLAIN", "RED", "YELLOW"]


class ReaderGoneError(Exception):
    """The reader of our stdout has closed it. Not a failure: `tail | head` has read enough."""


def is_terminal() -> bool:
    """Whether stdout is a terminal."""
    return sys.stdout.isatty()


def width() -> int:
    """Columns that a table may use; wide enough for whole lines in a pipe."""
    if not is_terminal():
        return 160
    from shutil import get_terminal_size  # 3 ms that a pipe need not spend

    return get_terminal_size().columns


def wants_json(*asked: object) -> bool:
    """Whether a verb prints JSON, which is for programs, instead of text for people.

    Args:
        asked: the values of `--json`, `--full` and `--fields`, if the verb has them.
    """
    return any(asked) or not is_terminal()


def display() -> Display:
    """The layout settings of stdout, a terminal."""
    import time

    from codex_server_cli.render.style.wrap import Display  # a pipe needs none of it

    return Display(width(), ink(), time.time_ns() // 1_000_000, os.path.expanduser("~"))  # noqa: PTH111 — no pathlib


def error_display() -> Display | None:
    """The same for stderr; None if that is not a terminal."""
    if not sys.stderr.isatty():
        return None
    return display()._replace(width=_error_width(), ink=err_ink())


def _error_width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:  # it is gone
        return 80


def show_json(document: Any) -> None:
    """Print one JSON document on stdout: on one line, indented on a terminal."""
    show(dump(document, is_indented=is_terminal()) + "\n")


def show(text: str) -> None:
    """Print text on stdout: raw into a pipe or file, neutralised on a terminal."""
    show_bytes((neutralise(text) if is_terminal() else text).encode("utf-8", "replace"))


def can_redraw() -> bool:
    """Whether stdout is a terminal whose output can be erased."""
    return is_terminal() and terminal.can_redraw()


def ink() -> Ink:
    """The colours for short texts on stdout: only on a terminal that supports them, unless `NO_COLOR` is set."""
    from codex_server_cli.render.style.ink import Ink  # a pipe needs none of it

    return Ink(is_coloured=can_redraw() and terminal.has_color())


def err_ink() -> Ink:
    """The same for stderr, which may be a terminal even if stdout is not."""
    from codex_server_cli.render.style.ink import Ink

    return Ink(is_coloured=sys.stderr.isatty() and terminal.can_redraw() and terminal.has_color())


def say(text: str) -> None:
    """Print one of our messages on stdout; on a terminal wrapped at words.

    Args:
        text: with its last line end.
    """
    show(f"{_wrapped(text[:-1], width())}\n" if is_terminal() else text)


def _wrapped(text: str, columns: int) -> str:
    from codex_server_cli.render.style.wrap import wrapped  # a pipe gets the text as it is

    return "\n".join(wrapped(text, columns))


def show_styled(text: str) -> None:
    """Print text on stdout that is already safe, with the escape sequences of `ink`.

    Raises:
        ReaderGoneError: see `show_bytes`.
    """
    show_bytes(text.encode("utf-8", "replace"))


def draw(text: str) -> None:
    """Write text that is already safe, with our own control sequences, to a terminal; ignore one that is gone."""
    with contextlib.suppress(OSError):
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.flush()


def is_reader_gone() -> bool:
    """Whether stdout is a pipe without a reader, checked without writing; False if it is not a pipe."""
    import select

    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)  # POLLERR and POLLHUP are always reported
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


def show_line(line: bytes) -> None:
    """Print one line of a JSON stream; JSON already escapes its control characters."""
    show(line.decode("utf-8", "replace") + "\n")


def note(text: str, style: StyleName = "PLAIN") -> None:
    """Print a message for people on stderr: on a terminal wrapped at words.

    Args:
        style: of our name at its beginning, on a terminal that has colours.
    """
    safe = neutralise(text)
    if sys.stderr.isatty():
        from codex_server_cli.render.style.ink import Style

        safe = _wrapped(safe, _error_width())
        if safe.startswith(_NAME):
            safe = err_ink()(_NAME, Style[style]) + safe[len(_NAME) :]
    note_styled(safe + "\n")


def note_styled(text: str) -> None:
    """Print text on stderr that is already safe, with our own control sequences in it."""
    with contextlib.suppress(OSError):  # stderr is closed
        sys.stderr.write(text)
        sys.stderr.flush()


def note_told(text: str) -> None:
    """Print only the first line of a message if the JSON on stdout has the rest; on a terminal all of it."""
    note(text if is_terminal() else text.partition("\n")[0], "RED")


def note_if(problem: str | None) -> None:
    """Print a problem that is not a failure on stderr; nothing for None."""
    if problem is not None:
        note(f"{_NAME} {problem}", "YELLOW")


def note_problem(problem: CodexServerError, style: StyleName = "YELLOW") -> None:
    """Print an error that does not fail the command on stderr, with its hint."""
    note(f"{_NAME} {problem.message}" + (f"\n{problem.hint}" if problem.hint else ""), style)


def show_error(error: CodexServerError, *, as_json: bool) -> None:
    """Report a failure: one line and its hint on stderr. With `as_json` only the line, and the contract's JSON on
    stdout, which has the hint.
    """
    hint = "" if as_json else error.hint
    if as_json:
        from codex_server_cli.core.documents.lean import without_empty

        try:
            show_json(without_empty(error.to_json()))
        except (ReaderGoneError, CodexServerError):
            abandon_stdout()
    note(f"{_NAME} {error.message}" + (f"\n{hint}" if hint else ""), "RED")


def abandon_stdout() -> None:
    """Redirect stdout to the null device after its reader is gone: the interpreter's last flush would fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def refuse_stdout() -> None:
    """Make every write to stdout fail, because the caller has closed it."""
    os.dup2(os.open(os.devnull, os.O_RDONLY), sys.stdout.fileno())


def show_bytes(data: bytes) -> None:
    """Print bytes on stdout unchanged: they must be safe for a terminal, or never go to one."""
    # Bytes, because the locale may be ASCII while answers are not; an unencodable surrogate becomes "?".
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError as error:
        raise ReaderGoneError from error
    except OSError as error:
        abandon_stdout()
        if error.errno == errno.EBADF:
            raise HomeError("cannot write to stdout: it is closed") from error
        message = f"cannot write to stdout: {error.strerror}"
        raise HomeError(message, hint="What was done is done: codex-server list-turns shows it.") from error
