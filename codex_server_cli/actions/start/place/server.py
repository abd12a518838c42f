"""Which app-server a turn uses: the flag's, else that of the continued turn, else that of `config.json`.

Owns that precedence, the record in `meta.json`, and what a server on another host rules out. Imported only where one of
the three names a server. Must start nothing.
"""

from __future__ import annotations

import os
import posixpath
from typing import Any, NamedTuple

from codex_server_cli.actions.start.options import GivenServer, StartOptions, ThreadChoice
from codex_server_cli.core.model.server import record as records
from codex_server_cli.core.model.server.address import (
    DEFAULT_SOCKET,
    SPAWNED,
    AddressError,
    ServerAddress,
    ServerKind,
    parse_address,
)
from codex_server_cli.errors import BadInputError, UsageError
from codex_server_cli.settings.config import Config, read_config
from codex_server_cli.settings.places import Settings

_ELSEWHERE = "Every path of such a turn is one of the server's host."


class TurnServer(NamedTuple):
    """The app-server of a turn, where it is not spawned for the turn alone.

    Attributes:
        record: `server` of `meta.json`.
    """

    address: ServerAddress
    record: dict[str, Any]

    @property
    def is_ours(self) -> bool:
        """Whether it is our own shared server: it runs this machine's codex, with this user's login."""
        return self.address.kind is ServerKind.SHARED

    @property
    def is_elsewhere(self) -> bool:
        """Whether the turn's paths may be on another host."""
        return not self.address.is_here

    def check(self, settings: Settings) -> None:
        """Check, before the turn exists, that a foreign server answers; one behind ssh is not asked twice.

        Raises:
            ServerError: it does not answer, or refuses.
            BadInputError: its token cannot be used.
        """
        from codex_server_cli.codex.transport.connect import check_route
        from codex_server_cli.worker.server.route import route_to

        check_route(route_to(self.record, settings))


def choose(
    settings: Settings, options: StartOptions, config: Config, choice: ThreadChoice | None
) -> tuple[StartOptions, TurnServer | None]:
    """The app-server of a turn; None where the turn spawns its own.

    Returns:
        The options too, with the server of the continued turn as if it had been given.

    Raises:
        UsageError: a flag is wrong, or has no effect on such a server.
        BadInputError: `config.json` names no server, or the token cannot be used.
        ServerError: nothing answers there, or it refuses.
    """
    given = options.server or GivenServer()
    if given.url is None and choice is not None and choice.resumed_from is not None:
        given = _of_turn(given, choice.server, config, settings)
    address = address_of(settings, given, config)
    _check_token_flags(given, address)
    options = options._replace(server=given if given != GivenServer() else None)
    if address.kind is ServerKind.SPAWN:
        return options, None
    if options.has_worktree and not address.is_here:
        raise UsageError("--worktree needs a server on this machine", hint=_ELSEWHERE)
    return options, TurnServer(address, _record_of(settings, given, address))


def address_of(settings: Settings, given: GivenServer | None, config: Config | None = None) -> ServerAddress:
    """The address that the flag names, else `config.json`.

    Raises:
        UsageError: that of the flag is invalid.
        BadInputError: that of `config.json` is invalid.
    """
    if given is not None and given.url is not None:
        try:
            return parse_address(given.url)
        except AddressError as error:
            raise UsageError(f"--server: {error}", hint=error.hint) from error
    text = (config or read_config(settings.config_path)).server
    try:
        return parse_address(text) if text is not None else SPAWNED
    except AddressError as error:
        hint = f"{error.hint} Fix {settings.config_path}, or give --server."
        raise BadInputError(f"server in {settings.config_path}: {error}", hint=hint) from error


def is_of_server(meta: dict[str, Any], address: ServerAddress, settings: Settings) -> bool:
    """Whether a turn used the app-server at an address."""
    record = meta.get("server")
    if address.kind is not ServerKind.UNIX:
        return records.url_of(record) == address.url
    return (records.text_of(record, "path") or records.url_of(record)) in (address.url, _socket_of(settings, address))


def remote_dir(path: str | None, flag: str = "--cwd") -> str:
    """A directory on another host: absolute, its existence is not checked.

    Raises:
        UsageError: it is missing, or relative.
    """
    if not path:
        hint = f"Give the directory on that host, as an absolute path: {flag} /path"
        raise UsageError(f"a server on another host needs {flag}", hint=hint)
    if not path.startswith("/"):
        hint = "The current directory is one of this machine: give the absolute path on the server's host."
        raise UsageError(f"{flag} {path} is relative, and the server is on another host", hint=hint)
    return posixpath.normpath(path)


def _of_turn(given: GivenServer, record: dict[str, Any] | None, config: Config, settings: Settings) -> GivenServer:
    """The server of the continued turn, as if it had been given; a given token takes precedence over the turn's."""
    if record is None:
        named = address_of(settings, None, config)
        # Our own shared server has the same threads, so the present `config.json` may decide.
        return given._replace(url=SPAWNED.url) if named.is_foreign else given
    url, path = records.url_of(record), records.text_of(record, "path")
    if path is not None and url == "unix://":
        url = f"unix://{path}"  # the default one of that turn's CODEX_HOME
    is_insecure = given.is_insecure or record.get("is_insecure") is True
    if given.token_file is not None or given.token_env is not None:
        return GivenServer(url, given.token_file, given.token_env, is_insecure)
    return GivenServer(url, records.text_of(record, "token_file"), records.text_of(record, "token_env"), is_insecure)


def _check_token_flags(given: GivenServer, address: ServerAddress) -> None:
    flags = {
        "--server-token-file": given.token_file,
        "--server-token-env": given.token_env,
        "--insecure": given.is_insecure or None,
    }
    for flag, value in flags.items():
        if value is not None and address.kind is not ServerKind.WS:
            hint = "Only such a server asks for a token."
            raise UsageError(f"{flag} needs a server at ws:// or wss://, not {address.url}", hint=hint)


def _record_of(settings: Settings, given: GivenServer, address: ServerAddress) -> dict[str, Any]:
    token_file = os.path.abspath(given.token_file) if given.token_file is not None else None  # noqa: PTH100 — links
    record: dict[str, Any] = {"url": address.url, "token_file": token_file, "token_env": given.token_env}
    path = _socket_of(settings, address) if address.kind is ServerKind.UNIX else None
    return {**record, "is_insecure": given.is_insecure, "path": path, "pid": None, "generation": None}


def _socket_of(settings: Settings, address: ServerAddress) -> str:
    return address.path or f"{settings.codex_home}/{DEFAULT_SOCKET}"
