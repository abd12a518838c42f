"""Sessions of the page: what a browser sends instead of the token. Owns their two halves, and when they end.

One half is a cookie that scripts cannot read; the other is returned once, kept in the storage of the page's origin, and
sent in a header. Neither is sufficient alone: a cookie is sent to every server of this host whatever its port, and a
page of another origin can send the cookie, but can neither read nor guess the header. Sessions live in memory: they end
with the `serve` process that has created them.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import cookie_parser

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.state import Gateway

PROOF_HEADER = "x-codex-server-csrf"
"""The header with the second half."""
SESSION_PATH = "/page/session"
IDLE_S = 12 * 3600.0
LONGEST_S = 7 * 24 * 3600.0
MOST_SESSIONS = 64
"""The least recently used session is evicted."""
_DEFAULT_PORT = "0"


class NewSession(NamedTuple):
    """What a browser receives at login.

    Attributes:
        cookie: the value of the cookie.
        proof: the value of `PROOF_HEADER`.
    """

    cookie: str
    proof: str


class _PageSession:
    """One session; the halves themselves are not stored."""

    def __init__(self, proof: str, now_s: float) -> None:
        self.proof_digest = _digest(proof)
        self.began_s = self.used_s = now_s

    def is_over(self, now_s: float) -> bool:
        return now_s - self.used_s > IDLE_S or now_s - self.began_s > LONGEST_S


class Sessions:
    """The sessions of one gateway.

    Args:
        clock: Unix time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._sessions: dict[bytes, _PageSession] = {}  # by digest of the cookie, most recently used last

    def open(self) -> NewSession:
        """Create a session, for a browser that has sent the token, or needs none."""
        self._forget_old()
        made = NewSession(secrets.token_urlsafe(32), secrets.token_urlsafe(32))
        self._sessions[_digest(made.cookie)] = _PageSession(made.proof, self._clock())
        while len(self._sessions) > MOST_SESSIONS:
            del self._sessions[next(iter(self._sessions))]
        return made

    def holds(self, headers: Headers) -> bool:
        """Whether a request has both halves of a session and was sent by a script of this origin."""
        key = _digest(_cookie_of(headers))
        self._forget_old()
        session = self._sessions.get(key)
        if session is None or not is_same_origin(headers):
            return False
        if not hmac.compare_digest(_digest(headers.get(PROOF_HEADER, "")), session.proof_digest):
            return False
        session.used_s = self._clock()
        self._sessions[key] = self._sessions.pop(key)
        return True

    def is_open(self, headers: Headers) -> bool:
        """Whether the session that a request had is still open: for long responses."""
        self._forget_old()
        return _digest(_cookie_of(headers)) in self._sessions

    def close(self, headers: Headers) -> None:
        """End the session of a request."""
        self._sessions.pop(_digest(_cookie_of(headers)), None)

    def _forget_old(self) -> None:
        now_s = self._clock()
        for key in [key for key, session in self._sessions.items() if session.is_over(now_s)]:
            del self._sessions[key]


def sessions_of(gateway: Gateway) -> Sessions:
    """Create the sessions, for `gateway.shared`."""
    return Sessions()


def session_over() -> ApiError:
    """The error for a request whose session has ended, or never existed."""
    return ApiError(401, "the session of this page is over: log in again", code="session_over")


def is_same_origin(headers: Headers) -> bool:
    """Whether a script of our own origin sent the request, according to the browser; other clients pass."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site != "same-origin":
        return False
    return origin is None or site == "same-origin" or is_own_origin(headers)


def is_foreign(headers: Headers) -> bool:
    """Whether a page of another origin sent the request, according to the browser: for a script, a frame or an image
    it sends no `Origin`."""
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")


def is_own_origin(headers: Headers) -> bool:
    """Whether `Origin` is where the request was sent to: the same name and port as in `Host`, which the guard has
    checked."""
    scheme, _, authority = headers.get("origin", "").partition("://")
    return scheme in ("http", "https") and authority != "" and authority == headers.get("host", "").lower()


def cookie_name(headers: Headers, *, is_secure: bool = False) -> str:
    """A name for each port: browsers send cookies to all ports of a host, and several `serve` may run.

    Args:
        is_secure: over TLS: then no other host of the domain can set the cookie.
    """
    try:
        port = urlsplit(f"//{headers.get('host', '')}").port
    except ValueError:
        port = None
    return f"{'__Host-' if is_secure else ''}codex_server_{port or _DEFAULT_PORT}"


def _cookie_of(headers: Headers) -> str:
    cookies = cookie_parser(headers.get("cookie", ""))
    return cookies.get(cookie_name(headers, is_secure=True)) or cookies.get(cookie_name(headers), "")


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
