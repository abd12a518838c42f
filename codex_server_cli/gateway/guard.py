"""Access control: `Host`, `Origin`, and the token or a session of the page. Owns the refusals.

The code behind it trusts every request.

A foreign web page can make a browser on this machine send requests here. It can choose neither `Origin` nor
`Sec-Fetch-Site`, nor, with DNS rebinding (its own name resolves to this machine), another `Host`.
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
from codex_server_cli.gateway.page.sessions import PROOF_HEADER, Sessions, is_foreign, is_own_origin, session_over
from codex_server_cli.gateway.page.static_files import is_file_of_page, is_of_page

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
"""Paths that answer without a token, though without a reason then: a supervisor seldom has a token."""
_EXPOSED = "x-request-id, x-codex-ignored, retry-after, x-should-retry"
_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
_PREFLIGHT_S = 600


class Guard:
    """The checks of one gateway.

    Args:
        sessions: of the gateway's page.
    """

    def __init__(self, options: ServeOptions, sessions: Sessions | None = None) -> None:
        self._options, self._sessions = options, sessions or Sessions()
        self._digest = None if options.token is None else _digest(options.token)

    def check(self, scope: Scope) -> None:
        """Check a request, and set `is_trusted` in its scope.

        Raises:
            ApiError: it is refused.
        """
        headers = Headers(scope=scope)
        self._check_host(headers.get("host", ""), scope)
        # Every request of the page has a session, even if no token is required: a hostile page has none.
        claims_session = PROOF_HEADER in headers
        has_session = claims_session and self._sessions.holds(headers)
        self._check_origin(headers, scope, is_of_session=claims_session)
        scope["is_still_allowed"] = (lambda: self._sessions.is_open(headers)) if has_session else (lambda: True)
        scope["is_trusted"] = has_session if claims_session else self._has_token(headers)
        if scope["is_trusted"] or scope.get("method") == "OPTIONS" or scope["path"] in OPEN_PATHS or is_of_page(scope):
            return
        raise session_over() if claims_session else _token_wanted("authorization" in headers)

    def _check_origin(self, headers: Headers, scope: Scope, *, is_of_session: bool) -> None:
        origin = headers.get("origin")
        if is_file_of_page(scope):  # they hold no secret, and report what is wrong with a proxy
            return
        if origin is None and is_foreign(headers):
            message = "a page of another site cannot ask without its origin: it needs --allow-origin, and CORS"
            raise ApiError(403, message, type="forbidden", code="origin_not_allowed")
        if origin is None or self.is_allowed(origin):
            return
        if is_own_origin(headers) and (is_of_session or is_of_page(scope)):
            return
        name = _shown(origin)
        needed = f"--allow-origin {name}{' and --token-file' if name == 'null' else ''}"
        message = f"origin {name} is not allowed: start serve with {needed}"
        raise ApiError(403, message, type="forbidden", code="origin_not_allowed")

    def is_allowed(self, origin: str) -> bool:
        """Whether pages of this origin may send requests."""
        allowed = self._options.allowed_origins
        return "*" in allowed or origin.lower() in allowed

    def _check_host(self, given: str, scope: Scope) -> None:
        host = _without_port(given)
        server = scope.get("server")
        own = {self._options.host, server[0].removeprefix("::ffff:") if server else None}  # IPv4-mapped IPv6
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
        # Compare digests, so that the time does not depend on the token's length.
        return hmac.compare_digest(_digest(token.strip()), self._digest) and scheme.lower() == "bearer"


def _token_wanted(is_given: bool) -> ApiError:
    message = "wrong token" if is_given else "a token is wanted: Authorization: Bearer TOKEN"
    return ApiError(401, message, code="invalid_api_key", headers=(("WWW-Authenticate", "Bearer"),))


def cors_headers(origin: str) -> dict[str, str]:
    """The headers of a response to a page of an allowed origin, besides `Vary: Origin`."""
    return {"access-control-allow-origin": origin, "access-control-expose-headers": _EXPOSED}


def preflight_headers(headers: Mapping[str, str], methods: Iterable[str] = ()) -> dict[str, str]:
    """The headers of the response to OPTIONS: everything asked for, as the real request is checked anyway.

    Args:
        headers: of the request.
        methods: of the path; empty if there is no such path.
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
    """The methods of a path; empty if there is none. If several routes match, the first one determines the path."""
    found = [each for each in routes if isinstance(each, Route | WebSocketRoute) and each.path_regex.match(path)]
    same = [each for each in found if each.path == found[0].path and isinstance(each, Route)]
    return frozenset().union(*(each.methods or () for each in same))


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()


def _without_port(host: str) -> str:
    """The name or address in a `Host` header, in lower case."""
    host = host.strip().lower()
    if host.startswith("["):
        name, bracket, _ = host[1:].partition("]")
        return name if bracket else ""
    return host.partition(":")[0].rstrip(".")


def _matches(host: str, pattern: str) -> bool:
    return host.endswith(pattern[1:]) and host != pattern[1:] if pattern.startswith("*.") else host == pattern


def _shown(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text[:100]) or "(nothing)"
