"""The address of an app-server: the values of `--server`, and of `server` in config.json. Owns its grammar.

Must never connect to it (`codex.transport` does), nor hold a secret: a token is never part of an address.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

FORMS = "spawn, shared, unix://, unix:///PATH, ws://HOST:PORT, wss://HOST[:PORT], ssh://[USER@]HOST[:PORT][/CODEX_HOME]"
DEFAULT_SOCKET = "app-server-control/app-server-control.sock"
"""Below `CODEX_HOME`: where `codex app-server --listen unix://` listens."""
_DEFAULT_PORT = 443
_LOOPBACK_NAMES = ("localhost", "::1")


class ServerKind(StrEnum):
    """How an app-server is reached."""

    SPAWN = "spawn"
    SHARED = "shared"
    UNIX = "unix"
    WS = "ws"
    SSH = "ssh"


class AddressError(ValueError):
    """The text is not an address.

    Attributes:
        hint: the next step.
    """

    def __init__(self, message: str, hint: str = f"One of: {FORMS}.") -> None:
        super().__init__(message)
        self.hint = hint


class ServerAddress(NamedTuple):
    """An address, made by `parse_address`.

    Attributes:
        url: the address in full, as it is stored and shown.
        path: of a `UNIX` socket; None for the default one, below `CODEX_HOME`.
        user, host: of `SSH`, and `host` of `WS`; an IPv6 address has no brackets here.
        port: of `WS`, and of `SSH` if given.
        is_tls: of `WS`: the connection is encrypted (`wss`).
        resource: of `WS`: the path of its URL, `/` at least.
        codex_home: of `SSH`: the remote `CODEX_HOME`; None for the remote user's own.
    """

    kind: ServerKind
    url: str
    path: str | None = None
    user: str | None = None
    host: str = ""
    port: int | None = None
    is_tls: bool = False
    resource: str = "/"
    codex_home: str | None = None

    @property
    def is_loopback(self) -> bool:
        """Whether a `WS` address is on this machine."""
        return self.host in _LOOPBACK_NAMES or (self.host.startswith("127.") and self.host.replace(".", "").isdigit())

    @property
    def is_socket(self) -> bool:
        """Whether the server outlives the connection."""
        return self.kind in (ServerKind.SHARED, ServerKind.UNIX, ServerKind.WS)

    @property
    def is_foreign(self) -> bool:
        """Whether others started the app-server: it may have another `CODEX_HOME`, login and codex than ours."""
        return self.kind not in (ServerKind.SPAWN, ServerKind.SHARED)

    @property
    def is_here(self) -> bool:
        """Whether the app-server certainly runs on this machine, with its files and as this user."""
        return self.kind in (ServerKind.SPAWN, ServerKind.SHARED, ServerKind.UNIX)


SPAWNED = ServerAddress(ServerKind.SPAWN, "spawn")
"""The default: each turn has its own app-server."""


def parse_address(text: str) -> ServerAddress:
    """Read an address.

    Raises:
        AddressError: it is not an address, or of an unsupported form.
    """
    text = text.strip()
    if text in ("spawn", "shared"):
        return ServerAddress(ServerKind(text), text)
    scheme, separator, rest = text.partition("://")
    if any(character.isspace() or not character.isprintable() for character in text):
        raise AddressError(f"{text!r} is no address of an app-server: it holds a blank")
    match scheme.lower() if separator else "":
        case "unix":
            return _unix(text, rest)
        case "ws" | "wss" as name:
            return _ws(text, is_tls=name == "wss")
        case "ssh":
            return _ssh(text)
        case "stdio":
            raise AddressError("stdio:// is no address to connect to", "--server spawn starts an app-server on stdio.")
        case "http" | "https":
            raise AddressError(f"{text} speaks HTTP, and an app-server speaks WebSocket", f"An app-server: {FORMS}.")
        case _:
            raise AddressError(f"{text!r} is no address of an app-server")


def _unix(text: str, path: str) -> ServerAddress:
    if not path:
        return ServerAddress(ServerKind.UNIX, "unix://")
    if not path.startswith("/"):
        raise AddressError(
            f"{text} names a relative path", f"Give the absolute path, with three slashes: unix:///{path}"
        )
    if path.endswith("/"):
        raise AddressError(f"{text} names a directory, not a socket")
    return ServerAddress(ServerKind.UNIX, f"unix://{path}", path)


def _ws(text: str, *, is_tls: bool) -> ServerAddress:
    typed, port, user, rest = _authority(text)
    host = typed.lower()
    if user is not None:
        raise AddressError(
            "an address must hold no user and no token",
            "Give the token with --server-token-file or --server-token-env.",
        )
    if port is None and not is_tls:
        raise AddressError(f"{text} names no port", f"Like this: ws://{_bracketed(host)}:4500")
    shown = f"{'wss' if is_tls else 'ws'}://{_bracketed(host)}:{port or _DEFAULT_PORT}"
    url = shown if rest in ("", "/") else shown + rest
    return ServerAddress(ServerKind.WS, url, host=host, port=port or _DEFAULT_PORT, is_tls=is_tls, resource=rest or "/")


def _ssh(text: str) -> ServerAddress:
    host, port, user, rest = _authority(text)
    if user is not None and ":" in user:
        raise AddressError("an address must hold no password", "Use a key, or ssh's own configuration.")
    for part in (host, user or ""):  # ssh would take it for an option: `-oProxyCommand=…` runs a command
        if part.startswith("-"):
            raise AddressError(f"{part!r} is no name of a host or a user: it begins with '-'")
    from urllib.parse import unquote

    home = unquote(rest) if rest not in ("", "/") else None
    shown = f"ssh://{'' if user is None else f'{user}@'}{_bracketed(host)}{'' if port is None else f':{port}'}{rest}"
    return ServerAddress(ServerKind.SSH, shown, user=user, host=host, port=port, codex_home=home)


def _authority(text: str) -> tuple[str, int | None, str | None, str]:
    """Host, port, user and path of a URL. The host keeps its case: ssh matches `Host` lines case-sensitively.

    Raises:
        AddressError: it has no host, or parts that an address must not have.
    """
    from urllib.parse import urlsplit  # 1.5 ms that a turn without such an address need not spend

    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise AddressError(f"{text!r} is no address of an app-server: {error}") from error
    if not host:
        raise AddressError(f"{text} names no host")
    if parts.query or parts.fragment or "?" in text or "#" in text:
        raise AddressError(
            "an address must hold no '?' or '#'", "Give a token with --server-token-file or --server-token-env."
        )
    if port == 0:
        raise AddressError(f"{text}: there is no port 0")
    before, at, place = parts.netloc.rpartition("@")
    user = before if at else None
    if user is not None and not user:
        raise AddressError(f"{text} names no user before its '@'")
    typed = place[1:].partition("]")[0] if place.startswith("[") else place.partition(":")[0]
    return typed, port, user, parts.path


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
