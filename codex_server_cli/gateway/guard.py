"""Who is let in: by `Host`, `Origin` and token. Owns the refusals; what is behind it trusts each request.

A web page of somebody else can make a browser on this machine send requests here. It cannot choose the `Origin`, nor,
where it lets its own name lead to this machine (DNS rebinding), another `Host`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from starlette.datastructures import Headers
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Scope

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.options import ServeOptions, is_loopback

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""What answers without a token, though with no reason then: a supervisor seldom has one."""
_EXPOSED = "x-request-id, x-codex-ignored, retry-after, x-should-retry"
_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
_PREFLIGHT_S = 600


class Guard:
    """The checks of one gateway."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._digest = None if options.token is None else _digest(options.token)

    def check(self, scope: Scope) -> None:
        """Check a request, and mark in its scope whether it `is_trusted`.

        Raises:
            ApiError: it is refused.
        """
        headers = Headers(scope=scope)
        self._check_host(headers.get("host", ""), scope)
        origin = headers.get("origin")
        if origin is not None and not self.is_allowed(origin):
            name = _shown(origin)
            needed = f"--allow-origin {name}{' and --token-file' if name == 'null' else ''}"
            message = f"origin {name} is not allowed: start serve with {needed}"
            raise ApiError(403, message, type="forbidden", code="origin_not_allowed")
        scope["is_trusted"] = self._has_token(headers)
        if scope["is_trusted"] or scope.get("method") == "OPTIONS" or scope["path"] in OPEN_PATHS:
            return
        raise ApiError(
            401,
            "wrong token" if "authorization" in headers else "a token is wanted: Authorization: Bearer TOKEN",
            code="invalid_api_key",
            headers=(("WWW-Authenticate", "Bearer"),),
        )

    def is_allowed(self, origin: str) -> bool:
        """Whether the pages of an origin may ask."""
        allowed = self._options.allowed_origins
        return "*" in allowed or origin.lower() in allowed

    def _check_host(self, given: str, scope: Scope) -> None:
        host = _without_port(given)
        server = scope.get("server")
        own = {self._options.host, server[0].removeprefix("::ffff:") if server else None}  # IPv4 that came over IPv6
        if (
            is_loopback(host)
            or (host and host in own)
            or any(_matches(host, each) for each in self._options.allowed_hosts)
        ):
            return
        raise ApiError(
            403,
            f"Host {_shown(host)} is not allowed: start serve with --allow-host {_shown(host)} and --token-file",
            type="forbidden",
            code="host_not_allowed",
        )

    def _has_token(self, headers: Headers) -> bool:
        if self._digest is None:
            return True
        scheme, _, token = headers.get("authorization", "").partition(" ")
        # Of digests: the comparison takes as long for a token of another length.
        return hmac.compare_digest(_digest(token.strip()), self._digest) and scheme.lower() == "bearer"


def cors_headers(origin: str) -> dict[str, str]:
    """What an answer to a page of an allowed origin carries."""
    return {"access-control-allow-origin": origin, "vary": "Origin", "access-control-expose-headers": _EXPOSED}


def preflight_headers(headers: Mapping[str, str], methods: Iterable[str] = ()) -> dict[str, str]:
    """What the answer to OPTIONS carries: all that was asked for, as the real request is checked anyway.

    Args:
        headers: of the request.
        methods: those of its path; none where there is no such path.
    """
    found = {"allow": ", ".join(sorted({*methods, "OPTIONS"}))}
    if "origin" in headers:
        found |= {"access-control-allow-methods": _METHODS, "access-control-max-age": str(_PREFLIGHT_S)}
        if "access-control-request-headers" in headers:
            found["access-control-allow-headers"] = headers["access-control-request-headers"]
        if headers.get("access-control-request-private-network") == "true":
            found["access-control-allow-private-network"] = "true"
    return found


def methods_of(routes: Iterable[BaseRoute], path: str) -> frozenset[str]:
    """The methods of a path; empty where there is none. Of several routes the first one says which path it is."""
    found = [each for each in routes if isinstance(each, Route | WebSocketRoute) and each.path_regex.match(path)]
    same = [each for each in found if each.path == found[0].path and isinstance(each, Route)]
    return frozenset().union(*(each.methods or () for each in same))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _without_port(host: str) -> str:
    """The name or address in a `Host`, in small letters."""
    host = host.strip().lower()
    if host.startswith("["):
        name, bracket, _ = host[1:].partition("]")
        return name if bracket else ""
    return host.partition(":")[0].rstrip(".")


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) and host != pattern[1:] if pattern.startswith("*.") else host == pattern


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:100]) or "(nothing)"
