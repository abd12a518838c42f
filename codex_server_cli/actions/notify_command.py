"""`--notify`: checks the command, or the bell, before a turn begins. `worker.notifier` runs it."""

from __future__ import annotations

import json
import os
import stat

from codex_server_cli.core.model.request import BELL
from codex_server_cli.errors import BadInputError, UsageError
from codex_server_cli.settings.config import Config
from codex_server_cli.settings.places import Settings


def choose_command(settings: Settings, asked: str | None, config: Config) -> str | None:
    """The notify command of a new turn: the one that was asked for, else the one of `config.json`.

    Its program is resolved now, as the user's shell would, to an absolute path, so that another directory or `PATH`
    cannot change it later. In `config.json` a path must be absolute, because any project's directory may be the current
    one. In a turn that a notify command itself starts only `--notify` counts, because the command of `config.json`
    would start the next one, and so on. Shell syntax is refused, because no shell reads it; for a glob pattern see
    `warn_of_pattern`. The word `bell` stands for the terminal of this process; in `config.json` only where it has one.

    Raises:
        BadInputError: there is no such program, or the line is no command, or one that needs a shell.
        UsageError: `--notify bell` without a terminal.
    """
    if asked == BELL or (asked is None and config.notify == BELL):
        bell = _own_bell()
        if bell is None and asked is not None:
            hint = "Give a command instead; or run it where stdin, stdout or stderr is a terminal."
            raise UsageError("--notify bell: there is no terminal that it could ring", hint=hint)
        return None if bell is None or (asked is None and settings.is_told) else bell
    if asked is not None:
        return _checked(settings, asked, "--notify", is_flag=True)
    if config.notify is None or settings.is_told:
        return None
    return _checked(settings, config.notify, f"notify in {settings.config_path}", is_flag=False)


def _own_bell() -> str | None:
    """The bell of the terminal of this process, as it is stored; None where it has none that can be opened again."""
    from codex_server_cli.core.model.bell import Bell  # few turns have one

    for fd in range(3):
        try:
            path, found = os.ttyname(fd), os.fstat(fd)
            if stat.S_ISCHR(found.st_mode) and os.stat(path).st_rdev == found.st_rdev and os.access(path, os.W_OK):  # noqa: PTH116
                return Bell(path, found.st_rdev, found.st_uid).line
        except OSError:  # closed, no terminal, or one of another mount namespace: try the next
            continue
    return None


def warn_of_pattern(settings: Settings, asked: str | None, config: Config) -> tuple[str, ...]:
    """A warning for a command, as in `choose_command`, with a pattern that a shell would expand."""
    source, text = "--notify", asked
    if text is None and not settings.is_told:
        source, text = f"notify in {settings.config_path}", config.notify
    if text is None:
        return ()
    from codex_server_cli.core.command_line import pattern_in

    pattern = pattern_in(text)
    return (f"{source}: no shell reads it, so {pattern!r} stays as it is; quoted, it is meant so",) if pattern else ()


def _checked(settings: Settings, text: str, source: str, *, is_flag: bool) -> str:
    import shlex
    from shutil import which

    from codex_server_cli.core.command_line import shell_syntax_in, split_command, with_shell

    program, *arguments = split_command(text, source)
    with_a_shell = _as_given(with_shell(text), is_flag=is_flag)
    syntax = shell_syntax_in(text)
    if syntax is not None:
        as_it_stands = _as_given(shlex.join([program, *arguments]), is_flag=is_flag)
        hint = f"For a shell: {with_a_shell}\nFor these very words: {as_it_stands}"
        raise BadInputError(f"{source}: no shell reads it, and only one would understand {syntax!r}", hint=hint)
    if program.startswith("~/"):
        program = str(settings.user_home / program[2:])
    if not is_flag and "/" in program and not program.startswith("/"):
        raise BadInputError(f"{source}: {program} is no absolute path", hint=f"Fix {settings.config_path}.")
    found = which(program, path=settings.search_path)
    if found is None:
        hint = f"Give a program on PATH or its path; if it is a shell's line: {with_a_shell}"
        raise BadInputError(f"{source}: there is no program {program!r} that can be run", hint=hint)
    return shlex.join([os.path.abspath(found), *arguments])  # noqa: PTH100 — as given, links and all


def _as_given(command: str, *, is_flag: bool) -> str:
    """A command line in the user's notation: as a flag for their shell, or as a member of `config.json`."""
    if not is_flag:
        return f'"notify": {json.dumps(command, ensure_ascii=False)}'
    from codex_server_cli.core.command_line import quoted

    return f"--notify {quoted(command)}"
