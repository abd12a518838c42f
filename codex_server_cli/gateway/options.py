"""The options of `serve`: its flags and the table `serve` of config.json, checked. Owns all errors about them.

A flag overrides its key; a repeatable flag overrides the whole list.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

from codex_server_cli.codex.server.token import check_token_file
from codex_server_cli.errors import BadInputError, UsageError

DEFAULT_LISTEN = "127.0.0.1:8787"
DEFAULT_STREAMS = 16
DEFAULT_HOLD_S = 600
_LISTEN_HINT = f"Like --listen {DEFAULT_LISTEN}, --listen '[::1]:8787', --listen unix:/run/user/1000/codex.sock"
_HOST_AND_PORT = re.compile(r"(?:\[(?P<six>[^\[\]]+)\]|(?P<host>[^:\[\]]+)):(?P<port>\d{1,5})", re.ASCII)
_HOST_NAME = re.compile(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?|[0-9a-f:]+", re.ASCII)
_LONGEST_SOCKET_BYTES = 107
_ANY_PAGE = ("*", "null")
"""`null` is the origin of a sandboxed frame, which any page can make."""
_PORT_OF = {"http": 80, "https": 443}
_MAKE_TOKEN = "--token-file FILE (codex-server server token FILE makes one)"


class ServeOptions(NamedTuple):
    """The options of `serve`, from its flags and config.json.

    Attributes:
        host, port: the address it listens on; None for a unix socket.
        path: of the unix socket, absolute; None for a port.
        token: that clients must send; None if none is required.
        allowed_origins: origins whose web pages may send requests; `*` for all.
        allowed_hosts: further names allowed in `Host`; `*.example.org` for all subdomains.
        has_raw_rpc: whether the bridge passes every method.
        cwd: the default working directory of turns, absolute.
        may_write: whether turns there may write if they ask to; background responses then write without asking.
        most_streams: the maximum of concurrent streams.
        model_aliases: model names of clients → ours.
        is_strict: whether parameters that have no effect are refused.
        hold_s: how many seconds a turn waits for the results of a client's tools.
        instructions: which system prompt applies: the client's only, or Codex's followed by the client's.
    """

    host: str | None = "127.0.0.1"
    port: int | None = 8787
    path: str | None = None
    token: str | None = None
    allowed_origins: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    has_raw_rpc: bool = False
    cwd: str = "/"
    may_write: bool = False
    most_streams: int = DEFAULT_STREAMS
    model_aliases: Mapping[str, str] = {}
    is_strict: bool = False
    hold_s: int = DEFAULT_HOLD_S
    instructions: Literal["client", "codex"] = "client"

    def __repr__(self) -> str:
        """Without the token: tracebacks show this text."""
        return f"ServeOptions({self.host}:{self.port} {self.path}, has_token={self.token is not None})"


def options_of(given: Mapping[str, Any], cwd: str) -> ServeOptions:
    """Check the options.

    Args:
        given: by key of the table `serve`; None or empty if not given.
        cwd: that relative paths refer to.

    Raises:
        UsageError: a value is wrong.
        BadInputError: a file is wrong, or the options would admit other people.
    """
    listen = given.get("listen")
    options = _where(DEFAULT_LISTEN if listen is None else listen, cwd)._replace(
        allowed_origins=tuple(map(_origin, given.get("allow_origin") or ())),
        allowed_hosts=tuple(map(_host, given.get("allow_host") or ())),
        has_raw_rpc=bool(given.get("allow_raw_rpc")),
        cwd=_directory(given.get("cwd"), cwd),
        may_write=bool(given.get("write")),
        most_streams=given.get("max_streams") or DEFAULT_STREAMS,
        model_aliases=dict(given.get("model_alias") or {}),
        is_strict=bool(given.get("strict_params")),
        hold_s=given.get("hold_s") or DEFAULT_HOLD_S,
        instructions="codex" if given.get("instructions") == "codex" else "client",
    )
    token_file = given.get("token_file")
    if token_file is not None:
        if not token_file:
            raise UsageError("--token-file is empty", hint=f"Like {_MAKE_TOKEN}")
        return options._replace(token=check_token_file(Path(_absolute(token_file, cwd)), is_sent=True))
    _check_without_token(options)
    return options


def parse_aliases(given: Sequence[str]) -> dict[str, str]:
    """Parse the values of `--model-alias`, each `A=M`.

    Raises:
        UsageError: one does not have this form.
    """
    aliases = {}
    for each in given:
        name, equals, model = (part.strip() for part in each.partition("="))
        if not (name and equals and model):
            raise UsageError(f"--model-alias takes A=M, not {each!r}", hint="Like --model-alias gpt-4o=gpt-6.2-sol")
        aliases[name] = model
    return aliases


def is_loopback(host: str) -> bool:
    """Whether a host name or address is loopback, so that no other machine can reach it."""
    if host.lower() == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None  # IPv4-mapped IPv6
    return (mapped or address).is_loopback


def _where(listen: str, cwd: str) -> ServeOptions:
    if listen.startswith("unix:"):
        path = listen.removeprefix("unix:").removeprefix("//")
        if not path or "\0" in path:
            raise UsageError("--listen unix: names no path", hint=_LISTEN_HINT)
        path = _absolute(path, cwd)
        if len(path.encode("utf-8", "surrogateescape")) > _LONGEST_SOCKET_BYTES:
            message = f"the path of a socket has at most {_LONGEST_SOCKET_BYTES} bytes, and this one more: {path}"
            raise UsageError(message, hint="Take a shorter one, like --listen unix:/tmp/codex.sock")
        return ServeOptions(host=None, port=None, path=path)
    found = _HOST_AND_PORT.fullmatch(listen.removeprefix("http://").rstrip("/"))
    if found is None or int(found["port"]) > 65535:
        raise UsageError(f"--listen takes HOST:PORT or unix:PATH, not {listen!r}", hint=_LISTEN_HINT)
    host = found["six"] or found["host"]
    # Numeric, as `localhost` has two addresses and clients often try only one.
    return ServeOptions(host="127.0.0.1" if host.lower() == "localhost" else host, port=int(found["port"]))


def _check_without_token(options: ServeOptions) -> None:
    """Check that only this machine has access if no token is required.

    Raises:
        BadInputError: others would have access.
    """
    hint = f"Give it {_MAKE_TOKEN}"
    if options.host is not None and not is_loopback(options.host):
        message = f"{options.host} can be reached from other machines, and without a token by everybody"
        raise BadInputError(message, hint=f"{hint}, or listen on 127.0.0.1.")
    if options.allowed_hosts:
        message = (
            f"--allow-host {options.allowed_hosts[0]} lets in who comes by that name, and without a token everybody"
        )
        raise BadInputError(message, hint=f"{hint}.")
    for each in options.allowed_origins:
        if each in _ANY_PAGE:
            message = f"--allow-origin '{each}' without a token lets in every web page"
            raise BadInputError(message, hint=f"{hint}, or name the page's origin.")


def _origin(text: str) -> str:
    origin = text.strip().rstrip("/").lower()
    if origin in _ANY_PAGE:
        return origin
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    # As browsers write it: no user, no path, no default port.
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    written = f"{parts.scheme}://{host}" if port is None else f"{parts.scheme}://{host}:{port}"
    if not (parts.scheme and host) or origin != written or not host.isascii() or any(map(str.isspace, host)):
        message = f"--allow-origin takes the scheme and the host of a web page, not {text!r}"
        raise UsageError(message, hint="Like --allow-origin http://localhost:3000")
    is_own = port is not None and port == _PORT_OF.get(parts.scheme)
    return f"{parts.scheme}://{host}" if is_own else written


def _host(text: str) -> str:
    host = text.strip().lower().strip("[]").rstrip(".")
    if not _HOST_NAME.fullmatch(host):
        message = f"--allow-host takes the name of a host, without scheme and port, not {text!r}"
        raise UsageError(message, hint="Like --allow-host codex.example.org, or --allow-host '*.trycloudflare.com'")
    return host


def _directory(given: str | None, cwd: str) -> str:
    if given == "":
        raise UsageError("--cwd is empty", hint="Name a directory, or leave it out.")
    path = _absolute(given or cwd, cwd)
    if not Path(path).is_dir():
        raise BadInputError(f"--cwd is no directory: {path}", hint="Name one that exists.")
    return path


def _absolute(path: str, cwd: str) -> str:
    return str(Path(cwd, path))
