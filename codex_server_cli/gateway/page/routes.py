"""The routes of the page: its files, its sessions, and the figures that it draws. Owns their paths and methods."""

from __future__ import annotations

import hmac
import time
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from codex_server_cli import __version__
from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.gateway.http_answers import json_answer, read_json
from codex_server_cli.gateway.page.figures import Figures
from codex_server_cli.gateway.page.sessions import (
    LONGEST_S,
    SESSION_PATH,
    Sessions,
    cookie_name,
    is_same_origin,
    session_over,
    sessions_of,
)
from codex_server_cli.gateway.page.static_files import PREFIX, file_answer, static_files
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.turns.consent import Consent
from codex_server_cli.gateway.turns.parameters import members_of

MOST_BODY_BYTES = 8192


def routes(gateway: Gateway) -> list[BaseRoute]:
    """The routes of this face."""
    session, figures = _SessionRoute(gateway), Figures(gateway)
    return [
        # Not documented: only the page uses them, and it has the same version.
        Route(SESSION_PATH, session.look, include_in_schema=False),
        Route(SESSION_PATH, session.open, methods=["POST"], include_in_schema=False),
        Route(SESSION_PATH, session.close, methods=["DELETE"], include_in_schema=False),
        Route(f"{PREFIX}{{name:path}}", _file, include_in_schema=False),
        Route("/usage", figures.usage),
        Route("/limits", figures.limits),
    ]


async def _file(request: Request) -> Response:
    """A file of the page."""
    name = request.path_params["name"]
    if name not in static_files():
        raise HTTPException(404)
    return file_answer(name, request)


class _SessionRoute:
    """Opens, describes and closes the session of a browser."""

    def __init__(self, gateway: Gateway) -> None:
        self._sessions: Sessions = gateway.shared(sessions_of)
        self._token = gateway.options.token
        self._consent = Consent.of(gateway.options)

    async def look(self, request: Request) -> Response:
        """Whether there is a session, and what turns may do; without a session, only whether a token is needed."""
        is_open = self._sessions.holds(request.headers)
        return _private({"open": is_open, **self._facts(is_open=is_open)})

    async def open(self, request: Request) -> Response:
        """Open a session, given the token if one is required."""
        if "origin" not in request.headers or not is_same_origin(request.headers):
            message = "only the page itself begins a session; every other client sends the token with each request"
            raise ApiError(403, message, type="forbidden", code="origin_not_allowed")
        _check_size(request)
        self._check_token(members_of(await read_json(request), ("token",)).get("token"))
        made = self._sessions.open()
        answer = _private({"open": True, "proof": made.proof, **self._facts(is_open=True)})
        answer.set_cookie(value=made.cookie, max_age=int(LONGEST_S), **_cookie_of(request))
        return answer

    async def close(self, request: Request) -> Response:
        """End the session."""
        if not self._sessions.holds(request.headers):
            raise session_over()
        self._sessions.close(request.headers)
        answer = Response(status_code=204)
        answer.delete_cookie(**_cookie_of(request))
        return answer

    def _check_token(self, given: Any) -> None:
        if self._token is None:
            return
        if not isinstance(given, str):
            raise invalid("`token` is missing: the content of the file of --token-file", "token", "missing_parameter")
        if not hmac.compare_digest(given.strip().encode("utf-8", "replace"), self._token.encode()):
            raise ApiError(401, "wrong token", code="invalid_api_key")

    def _facts(self, *, is_open: bool) -> dict[str, Any]:
        needs_token = {"needs_token": self._token is not None}
        if not is_open:
            return needs_token
        may = self._consent
        rights = {"write": may.may_write or may.may_do_all, "approve": may.may_do_all, "all": may.may_do_all}
        # Days are those of this machine's time zone, not the browser's.
        where = {"cwd": may.cwd, "utc_offset_s": time.localtime().tm_gmtoff}
        return {**needs_token, "version": __version__, **where, "may": rights}


def _check_size(request: Request) -> None:
    """Before the token is checked, only a small body is read."""
    length = request.headers.get("content-length", "")
    is_plain = "content-encoding" not in request.headers
    if not (is_plain and length.isascii() and length.isdigit() and len(length) < 6 and int(length) <= MOST_BODY_BYTES):
        message = f"the body has at most {MOST_BODY_BYTES} bytes, a Content-Length, and is not compressed"
        raise ApiError(413, message, code="request_too_large", headers=(("Connection", "close"),))


def _private(document: dict[str, Any]) -> Response:
    return json_answer(document, headers={"cache-control": "no-store", "x-content-type-options": "nosniff"})


def _cookie_of(request: Request) -> dict[str, Any]:
    # `Origin` comes from the browser itself; headers about the scheme from a proxy could be forged.
    is_secure = request.headers.get("origin", "").startswith("https:")
    return {
        "key": cookie_name(request.headers, is_secure=is_secure),
        "path": "/",
        "secure": is_secure,
        "httponly": True,
        "samesite": "strict",
    }
