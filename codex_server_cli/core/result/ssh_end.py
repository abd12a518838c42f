"""Why an app-server on another host ended, or never began: ssh's exit codes and texts. Owns our messages about them.

Sources: OpenSSH 9.2 (its texts are never translated) and transport notes, section 9. Must never run anything.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

from codex_server_cli.core.model.server.address import ServerAddress
from codex_server_cli.core.result.failures import kind_of_exit, telling_line
from codex_server_cli.errors import ErrorKind

NO_DIRECTORY = 77
"""The exit code of our remote command if it cannot enter the working directory: a shell's own text would be in the
language of that host. Neither a shell nor codex uses this code."""
_OF_SSH = 255
"""ssh's own failure, or a remote process that was killed by a signal."""
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126
_ANSWERS = "See that this answers without a question: `{by_hand} true`."
_UNREACHABLE = (  # by ssh's text before any login: its meaning, and the next step
    (
        r"Permission denied|Too many authentication failures",
        "{host} accepts no login without a password",
        "A key that ssh may use unasked is needed: ssh-copy-id it there, load it with ssh-add. " + _ANSWERS,
        ErrorKind.BAD_INPUT,
    ),
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|[Hh]ost key for .* has changed",
        "{host} has another host key than the one that is known here",
        "Ask who runs that host whether its key was changed; if so, forget the old one (ssh-keygen -R), then accept "
        "the new one: `{by_hand} true`.",
        ErrorKind.BAD_INPUT,
    ),
    (
        r"Host key verification failed|host key is known for",
        "the host key of {host} is not known here",
        "Log in once by hand, compare its fingerprint and accept it: `{by_hand} true`.",
        ErrorKind.BAD_INPUT,
    ),
    (
        r"Could not resolve hostname",
        "there is no host {name}",
        "Look at the name; a short one stands in ~/.ssh/config.",
        ErrorKind.NETWORK,
    ),
    (
        r"Connection refused",
        "nothing accepts ssh at {host}",
        "See that its sshd runs, and at which port: ssh://[USER@]HOST[:PORT].",
        ErrorKind.NETWORK,
    ),
    (
        r"timed out|No route to host|[Uu]nreachable|Connection (?:closed|reset)",
        "{host} cannot be reached by ssh",
        _ANSWERS,
        ErrorKind.NETWORK,
    ),
)
_LOST = r"not responding|[Bb]roken pipe|Connection .*(?:reset|closed|timed out|abort)|[Uu]nreachable|No route to host"


class SshEnd(NamedTuple):
    """An end in words.

    Attributes:
        kind: what it means for a turn.
        hint: the next step.
    """

    kind: ErrorKind
    message: str
    hint: str


def by_hand(address: ServerAddress) -> str:
    """The command that logs in to the host of an `SSH` address by hand."""
    port = [] if address.port is None else ["-p", str(address.port)]
    return shlex.join(["ssh", *port, _host(address)])


def explain(
    code: int | None, said: str, address: ServerAddress, *, has_answered: bool, command: str, cwd: str | None
) -> SshEnd:
    """Why it ended.

    Args:
        code: ssh's exit code, negative for a signal; None if it was terminated after a timeout.
        said: what it wrote to stderr, and the login shell to stdout.
        has_answered: whether the app-server had sent a message.
        command: the command that was run there as `codex`.
        cwd: the working directory there.
    """
    host, line = _host(address), telling_line(said)
    told = f": {line}" if line else ""
    words = {"host": host, "name": address.host, "by_hand": by_hand(address)}
    if code is None:
        return SshEnd(ErrorKind.NETWORK, f"{host} does not answer in time{told}", _ANSWERS.format(**words))
    if has_answered:
        return _lost(code, said, host, told)
    if code == _OF_SSH:
        for pattern, message, hint, kind in _UNREACHABLE:
            if re.search(pattern, said):
                return SshEnd(kind, message.format(**words) + told, hint.format(**words))
        return SshEnd(ErrorKind.NETWORK, f"ssh to {host} failed{told}", _ANSWERS.format(**words))
    if code in (_NOT_FOUND, _NOT_EXECUTABLE):
        hint = (
            'Name it in config.json, in the words of that host\'s shell: {"server_command": "/path/to/codex"}. '
            "The PATH of a command that ssh runs lacks what a login adds to it (nvm, ~/.local/bin)."
        )
        return SshEnd(ErrorKind.CODEX_MISSING, f"{host} cannot run {command}{told}", hint)
    if code == NO_DIRECTORY and cwd is not None:
        hint = "The working directory is that host's: name one of it with --cwd."
        return SshEnd(ErrorKind.BAD_INPUT, f"{host} has no directory {cwd} that can be entered{told}", hint)
    how = f"exit code {code}" if code >= 0 else f"signal {-code}"
    message = f"no app-server began on {host} ({how}){told}"
    return SshEnd(kind_of_exit(said), message, _ANSWERS.format(**words))


def _lost(code: int, said: str, host: str, told: str) -> SshEnd:
    """The app-server had responded: it, or the connection to it, was lost."""
    if code == _OF_SSH and re.search(_LOST, said):
        return SshEnd(ErrorKind.NETWORK, f"the connection to {host} was lost{told}", "")
    if code == _OF_SSH:
        return SshEnd(ErrorKind.CODEX_CRASHED, f"the app-server on {host} was killed, or cut off{told}", "")
    if code < 0:
        return SshEnd(ErrorKind.CODEX_CRASHED, f"the ssh to {host} was killed here (signal {-code})", "")
    return SshEnd(kind_of_exit(said), f"the app-server on {host} ended (exit code {code}){told}", "")


def _host(address: ServerAddress) -> str:
    return address.host if address.user is None else f"{address.user}@{address.host}"
