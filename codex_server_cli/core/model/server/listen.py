"""Where an app-server on a TCP port listens, and how clients authenticate: the flags, checked before codex is started.

Owns each error that codex itself would report at its start, in one line with a hint (transport notes, section 2).
Must never read a token or secret file: that is `codex.server.token`.
"""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple

from codex_server_cli.core.model.server.ws_auth import WsAuth
from codex_server_cli.errors import UsageError

_EXAMPLE = "ws://127.0.0.1:4500"
_HIGHEST_PORT = 65535
_LONGEST_SKEW_S = 86_400
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_HOST_AND_PORT = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([^:]*))?")
_TOKEN_FLAGS = ("--ws-token-file", "--ws-token-sha256")
_SIGNED_FLAGS = ("--ws-shared-secret-file", "--ws-issuer", "--ws-audience", "--ws-max-clock-skew-seconds")
_MAKE_ONE = "`codex-server server token FILE` makes one"


class ListenFlags(NamedTuple):
    """The flags as given: each attribute has the name of its flag, and is None if that was not given."""

    listen: str
    ws_auth: WsAuth | None = None
    ws_token_file: str | None = None
    ws_token_sha256: str | None = None
    ws_shared_secret_file: str | None = None
    ws_issuer: str | None = None
    ws_audience: str | None = None
    ws_max_clock_skew_seconds: int | None = None


def listen_arguments(flags: ListenFlags, cwd: str) -> list[str]:
    """The validated arguments of `codex app-server`. Paths become absolute.

    Args:
        cwd: the base of relative paths.

    Raises:
        UsageError: the flags are invalid, or codex would not start with them.
    """
    is_loopback = _check_url(flags.listen)
    given = {name: value for name, value in _given(flags) if value is not None}
    if flags.ws_auth is None:
        if given:
            hint = f"--ws-auth {WsAuth.CAPABILITY_TOKEN}, or --ws-auth {WsAuth.SIGNED_BEARER_TOKEN}"
            raise UsageError(f"{next(iter(given))} needs --ws-auth", hint=hint)
        if not is_loopback:
            message = f"{flags.listen} can be reached from other machines, and without --ws-auth by everybody"
            hint = (
                f"--ws-auth {WsAuth.CAPABILITY_TOKEN} --ws-token-file FILE ({_MAKE_ONE}), or {_EXAMPLE} "
                "and `ssh -L` from there"
            )
            raise UsageError(message, hint=hint)
    else:
        _check_flags_of(flags.ws_auth, flags, set(given))
    _check_values(flags)
    arguments = [f"--listen={flags.listen}"]
    if flags.ws_auth is not None:
        arguments.append(f"--ws-auth={flags.ws_auth}")
    for name, value in given.items():
        is_path = name.endswith("-file")
        arguments.append(f"{name}={absolute(str(value), cwd) if is_path else value}")
    return arguments


def absolute(path: str, cwd: str) -> str:
    """A path made absolute; links and `..` are kept."""
    return path if path.startswith("/") else f"{cwd.rstrip('/')}/{path}"


def _given(flags: ListenFlags) -> list[tuple[str, str | int | None]]:
    """Each flag about tokens with its value, in the order of `--help`."""
    values = (
        *(flags.ws_token_file, flags.ws_token_sha256, flags.ws_shared_secret_file),
        *(flags.ws_issuer, flags.ws_audience, flags.ws_max_clock_skew_seconds),
    )
    return list(zip((*_TOKEN_FLAGS, *_SIGNED_FLAGS), values, strict=True))


def _check_url(url: str) -> bool:
    """Check the `--listen` URL; returns whether only this machine can reach it."""
    scheme, separator, rest = url.partition("://")
    if url == "off" or not separator or scheme != "ws":
        raise _no_listener(url, scheme if separator else "")
    found = _HOST_AND_PORT.fullmatch(rest)
    if found is None or "/" in rest or "@" in rest:
        raise UsageError(f"--listen takes an IP address and a port, not {url!r}", hint=f"Like {_EXAMPLE}")
    host, port = found[1].strip("[]"), found[2]
    if host.lower() == "localhost":
        raise UsageError("--listen takes an IP address", hint=f"ws://127.0.0.1:{port or 4500}")
    if port is None or not (port.isascii() and port.isdigit() and int(port[:6]) <= _HIGHEST_PORT):
        raise UsageError(f"--listen takes a port from 0 (any free one) to {_HIGHEST_PORT}", hint=f"Like {_EXAMPLE}")
    try:
        address = ip_address(host)
    except ValueError as error:
        hint = f"Like {_EXAMPLE}, or ws://[::1]:4500"
        raise UsageError(f"--listen takes an IP address, and {host!r} is none", hint=hint) from error
    if (address.version == 6) is not found[1].startswith("[") or "%" in host:
        raise UsageError("--listen takes an IPv6 address in brackets, without a zone", hint="Like ws://[::1]:4500")
    return address.is_loopback


def _no_listener(url: str, scheme: str) -> UsageError:
    """The error for a URL of another form."""
    if scheme == "wss":
        message = "codex has no server of its own for wss://"
        hint = f"Listen at {_EXAMPLE}, with a proxy that does TLS in front of it; or reach it through ssh."
    elif scheme == "unix":
        message = "the shared server listens on a unix socket anyway, of which there is no choice"
        hint = "codex-server server start"
    elif url == "off":
        message = "--listen off is not offered: it is for programs that hold the app-server within themselves"
        hint = "For remote control alone: codex-server remote enable"
    else:
        message, hint = f"--listen takes ws://IP:PORT, not {url!r}", f"Like {_EXAMPLE}"
    return UsageError(message, hint=hint)


def _check_flags_of(auth: WsAuth, flags: ListenFlags, given: set[str]) -> None:
    """Check that a mode has its required flags, and none of the other mode."""
    is_signed = auth is WsAuth.SIGNED_BEARER_TOKEN
    foreign = [name for name in (_TOKEN_FLAGS if is_signed else _SIGNED_FLAGS) if name in given]
    if foreign:
        other = WsAuth.CAPABILITY_TOKEN if is_signed else WsAuth.SIGNED_BEARER_TOKEN
        raise UsageError(f"{foreign[0]} goes with --ws-auth {other} alone", hint=f"Leave it out, or --ws-auth {other}")
    if is_signed and flags.ws_shared_secret_file is None:
        raise UsageError(f"--ws-auth {auth} needs --ws-shared-secret-file", hint=_MAKE_ONE)
    if not is_signed and flags.ws_token_file is None and flags.ws_token_sha256 is None:
        raise UsageError(f"--ws-auth {auth} needs --ws-token-file or --ws-token-sha256", hint=_MAKE_ONE)
    if flags.ws_token_file is not None and flags.ws_token_sha256 is not None:
        raise UsageError("--ws-token-file and --ws-token-sha256 exclude each other", hint="Leave one of them out.")


def _check_values(flags: ListenFlags) -> None:
    for name, value in _given(flags):
        if value == "":
            raise UsageError(f"{name} is empty", hint="Give it a value, or leave it out.")
    if flags.ws_token_sha256 is not None and not _DIGEST.fullmatch(flags.ws_token_sha256):
        message = "--ws-token-sha256 takes the SHA-256 of the token: 64 hexadecimal digits"
        raise UsageError(message, hint='printf %s "$TOKEN" | sha256sum; or --ws-token-file FILE')
    skew_s = flags.ws_max_clock_skew_seconds
    if skew_s is not None and not 0 <= skew_s <= _LONGEST_SKEW_S:
        raise UsageError(f"--ws-max-clock-skew-seconds takes 0 to {_LONGEST_SKEW_S}", hint="Without it: 30.")
