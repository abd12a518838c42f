"""The files of the page. Owns their types, their headers, and which clients get the page at `/` instead of the list.

There is no build step: they are served as they are in `static`. They contain no secrets, and are served to every
client whose `Host` the guard accepts; the requests that they make need a session.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Scope

PREFIX = "/page/"
_FOLDER = Path(__file__).parent / "static"
_INDEX = "index.html"
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_READS = ("GET", "HEAD")
_POLICY = "; ".join(
    (
        "default-src 'none'",
        *(f"{what}-src 'self'" for what in ("script", "style", "connect", "img")),
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_FORBIDDEN_FEATURES = ("camera", "geolocation", "microphone", "payment", "usb", "serial", "hid", "display-capture")
HEADERS: Mapping[str, str] = {
    "content-security-policy": _POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": ", ".join(f"{each}=()" for each in _FORBIDDEN_FEATURES),
    "cache-control": "no-cache",
}
"""Headers of every file of the page."""


class StaticFile(NamedTuple):
    """One file.

    Attributes:
        content: its bytes.
        media_type: as in `Content-Type`.
        etag: strong.
    """

    content: bytes
    media_type: str
    etag: str


@cache
def static_files() -> Mapping[str, StaticFile]:
    """All files of the page, by path in the folder."""
    return {
        path.relative_to(_FOLDER).as_posix(): _read(path)
        for path in sorted(_FOLDER.rglob("*"))
        if path.suffix in _TYPES
    }


def _read(path: Path) -> StaticFile:
    content = path.read_bytes()
    return StaticFile(content, f"{_TYPES[path.suffix]}; charset=utf-8", f'"{hashlib.sha256(content).hexdigest()[:32]}"')


def file_answer(name: str, request: Request, more: Mapping[str, str] | None = None) -> Response:
    """A file, or 304 if the client has it.

    Args:
        name: of an existing file.
        more: further headers.
    """
    file = static_files()[name]
    headers = {**HEADERS, "etag": file.etag, **(more or {})}
    known = {each.strip().removeprefix("W/") for each in request.headers.get("if-none-match", "").split(",")}
    if known & {file.etag, "*"}:
        return Response(status_code=304, headers=headers)
    return Response(file.content, headers=headers, media_type=file.media_type)


def page_answer(request: Request) -> Response:
    """The page's HTML."""
    return file_answer(_INDEX, request, {"vary": "Accept"})


def wants_page(scope: Scope) -> bool:
    """Whether a request for `/` comes from a browser that displays it: it accepts HTML, which no API client does."""
    return scope["path"] == "/" and scope.get("method") in _READS and _accepts_html(Headers(scope=scope))


def is_of_page(scope: Scope) -> bool:
    """Whether a request is for the page itself, which needs no token: the page asks the user for it."""
    return scope["type"] == "http" and (wants_page(scope) or scope["path"].startswith(PREFIX))


def is_file_of_page(scope: Scope) -> bool:
    """Whether a request is for one of these files."""
    if scope["type"] != "http" or scope.get("method") not in _READS:
        return False
    return wants_page(scope) or scope["path"].removeprefix(PREFIX) in static_files()


def _accepts_html(headers: Headers) -> bool:
    kinds = (each.partition(";") for each in headers.get("accept", "").lower().split(","))
    return any(kind.strip() == "text/html" and rest.replace(" ", "") != "q=0" for kind, _, rest in kinds)
