"""`--notify`: the check of the command before a turn begins, and its run when there is something to tell.

Must never say what the command is told: that is the face's.
"""

from __future__ import annotations

import os
from pathlib import Path

from codex_server_cli.core.view import TurnView
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.config import Config
from codex_server_cli.settings.places import Settings


def choose_command(settings: Settings, asked: str | None, config: Config) -> str | None:
    """The command line that a new turn notifies with: what was asked for, else the one of `config.json`.

    Its program is found now, as the user's shell would, and named by its whole path: neither another directory nor
    another `PATH` makes something else of it later. In `config.json` a path must be absolute, for any project's
    directory may be the current one. Of a turn that such a command itself starts only its own flag tells: the one of
    `config.json` would start the next, and so on.

    Raises:
        BadInputError: there is no such program, or it is no command.
    """
    of_config = None if settings.is_told else config.notify
    if asked is None and of_config is None:
        return None
    import shlex

    from codex_server_cli.core.command_line import split_command

    source = "--notify" if asked is not None else f"notify in {settings.config_path}"
    program, *arguments = split_command((asked if asked is not None else of_config) or "", source)
    if program.startswith("~/"):
        program = str(settings.user_home / program[2:])
    if asked is None and "/" in program and not program.startswith("/"):
        raise BadInputError(f"{source}: {program} is no absolute path", hint=f"Mend {settings.config_path}.")
    return shlex.join([_find(program, settings.search_path, source), *arguments])


def _find(program: str, search_path: str, source: str) -> str:
    from shutil import which

    found = which(program, path=search_path)
    if found is None:
        hint = "Give a program on PATH or its path; a shell's line as: sh -c '…'."
        raise BadInputError(f"{source}: there is no program {program!r} that can be run", hint=hint)
    return os.path.abspath(found)  # noqa: PTH100 — as given, links and all


def run_command(view: TurnView, document: str) -> None:
    """Run the command of a turn with a document on its standard input. Runs in the notifier; waits for its end.

    It runs in the turn's directory: not in the project, whose files a program might take for its own.
    """
    from codex_server_cli.core.command_line import split_command
    from codex_server_cli.proc import notify

    request = view.meta.get("request")
    command = request.get("notify") if isinstance(request, dict) else None
    if isinstance(command, str):
        notify.run_command(split_command(command, "notify"), document.encode(), Path(view.path))
