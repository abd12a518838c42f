"""An app-server on another host: a spawned system `ssh` that runs `codex app-server` there. Owns its command lines.

Paths, login and sessions are that host's. Must never ask for a password, or let a name become an option of ssh
(`parse_address` refuses those that begin with `-`). Connections are shared only if the user's ssh configuration does.
"""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.codex.transport.base import GRACE_S
from codex_server_cli.codex.transport.spawned import ServerProcess, toml_string
from codex_server_cli.core.protocol.preamble import Preamble
from codex_server_cli.core.result.failures import telling_line
from codex_server_cli.core.result.ssh_end import NO_DIRECTORY, explain
from codex_server_cli.errors import ErrorKind, ServerError
from codex_server_cli.settings.environment import api_key_variables, ssh_environment

if TYPE_CHECKING:
    from codex_server_cli.codex.transport.connect import Route

CODEX = "codex"
REMOTE_GRACE_S = 2.0
"""For the remote app-server to exit at EOF on its stdin: 70 ms, plus the round trip."""
_CONNECT_TIMEOUT_S = 10
_OPTIONS = (
    "-T",
    *("-o", "BatchMode=yes"),
    *("-o", f"ConnectTimeout={_CONNECT_TIMEOUT_S}"),
    *("-o", "ServerAliveInterval=15", "-o", "ServerAliveCountMax=3"),  # else a dead link is never noticed
)
_SWEEP = (  # the search of `worker.cleanup.sweep`; the mark is $0, and only Linux has such a /proc
    r"""for e in /proc/[0-9]*/environ; do { tr '\0' '\n' <"$e" | grep -Fqx "$0" && p=${e#/proc/} && """
    r"""kill -9 "${p%%/*}" && echo "${p%%/*}" >&3; } 3>&1 >/dev/null 2>&1; done; exit 0"""
)


class SshServer(ServerProcess):
    """A running ssh to an app-server of another host: a `Link`."""

    def __init__(
        self,
        route: Route,
        cwd: str | None = None,
        *,
        may_bill_api_key: bool,
        turn_id: str | None = None,
        on_stderr: Callable[[bytes], None] | None = None,
        provider: str | None = None,
    ) -> None:
        """Start it.

        Args:
            cwd: the directory on that host in which it starts; None for the user's home there.
            turn_id: the turn whose mark the app-server and its children get.
            on_stderr: see `ServerProcess`; also gets the output of a login shell on stdout.
            provider: the model provider to configure; None means that of Codex's configuration.

        Raises:
            ServerError: there is no ssh here.
            OSError: it cannot be run.
        """
        self._route, self._cwd = route, cwd
        self._preamble = Preamble()
        self._has_stream_ended = False
        command = _app_server(route, cwd, turn_id, may_bill_api_key=may_bill_api_key, provider=provider)
        try:
            super().__init__(
                _ssh(route, command),
                "/",
                ssh_environment(may_bill_api_key=may_bill_api_key),
                is_swept=False,
                on_stderr=on_stderr,
            )
        except (FileNotFoundError, PermissionError) as error:
            raise _no_ssh() from error

    def read(self, fd: int) -> bytes | None:
        """See `Link`. The output of a login shell before the first message is kept like stderr."""
        data = super().read(fd)
        if data is None:
            self._has_stream_ended = True
            noise = self._preamble.flush()
        elif data:
            data, noise = self._preamble.feed(data)
        else:
            return data
        if noise:
            self._keep(noise)
        return data

    def send(self, data: bytes) -> None:
        """See `Link`."""
        try:
            super().send(data)
        except BrokenPipeError:
            self._has_stream_ended = True
            raise

    def end(self, first_grace_s: float = GRACE_S) -> str:
        """See `Link`. Ends the app-server there and ssh here."""
        return super().end(max(first_grace_s, REMOTE_GRACE_S))

    def problem(self) -> ServerError:
        """End it, if it still runs, and return the error that says why it ended, or did not answer in time."""
        self.end()
        end = explain(
            self._process.returncode if self._has_stream_ended else None,
            self.stderr_tail(),
            self._route.address,
            has_answered=self._preamble.is_over,
            command=self._route.server_command or CODEX,
            cwd=self._cwd,
        )
        return ServerError(end.message, hint=end.hint, kind=end.kind)


def remote_sweep(route: Route, turn_id: str, timeout_s: float) -> str | None:
    """End what a turn left running on the other host: all processes there that carry its mark.

    Args:
        timeout_s: for all of it, the connection included.

    Returns:
        A line for a log: what was ended, or why that failed; None where nothing was left.
    """
    host = route.address.host
    command = shlex.join(["sh", "-c", _SWEEP, f"{TURN_VARIABLE}={turn_id}"])
    try:
        run = subprocess.run(
            _ssh(route, command),
            cwd="/",
            env=ssh_environment(may_bill_api_key=False),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
            start_new_session=True,
        )
    except subprocess.TimeoutExpired:
        return f"what the turn left on {host} could not be looked for within {timeout_s:g} s"
    except OSError as error:
        return f"what the turn left on {host} could not be looked for: {error.strerror}"
    if run.returncode != 0:
        why = telling_line(run.stderr.decode("utf-8", "replace")) or f"exit code {run.returncode}"
        return f"what the turn left on {host} could not be looked for: {why}"
    ended = [line for line in run.stdout.split() if line.isdigit()]
    return f"{len(ended)} processes that the turn had left on {host} were ended" if ended else None


def _ssh(route: Route, command: str) -> list[str]:
    """The command line that runs a command in the other host's shell."""
    address = route.address
    port = [] if address.port is None else ["-p", str(address.port)]
    host = address.host if address.user is None else f"{address.user}@{address.host}"
    return ["ssh", *_OPTIONS, *port, "--", host, command]


def _app_server(
    route: Route, cwd: str | None, turn_id: str | None, *, may_bill_api_key: bool, provider: str | None
) -> str:
    """The command line of the app-server, for any login shell on the other host.

    `server_command` is the user's own text for that shell: `~/bin/codex`, or `bash -lc 'exec codex app-server'`.
    """
    enters = "" if cwd is None else f"cd {shlex.quote(cwd)} || exit {NO_DIRECTORY}; "
    unset = [] if may_bill_api_key else [word for name in api_key_variables() for word in ("-u", name)]
    variables = {TURN_VARIABLE: turn_id, "CODEX_HOME": route.address.codex_home}
    given = [f"{name}={value}" for name, value in variables.items() if value is not None]
    configured = [] if provider is None else ["-c", f"model_provider={toml_string(provider)}"]
    environment, arguments = shlex.join(["env", *unset, *given]), shlex.join(["app-server", *configured])
    return f"{enters}exec {environment} {route.server_command or CODEX} {arguments}"


def _no_ssh() -> ServerError:
    hint = "Install OpenSSH's client (openssh-client), or see that ssh is on PATH."
    return ServerError("there is no ssh on this machine", hint=hint, kind=ErrorKind.BAD_INPUT)
