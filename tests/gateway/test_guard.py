"""Who is let in, by `Host`, `Origin` and token."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.guard import Guard, preflight_headers
from codex_server_cli.gateway.options import ServeOptions
from tests.kit.cases import for_each

TOKEN = "a" * 43
LOCAL = ServeOptions()
OPEN = ServeOptions(
    host="0.0.0.0",
    token=TOKEN,
    allowed_hosts=("codex.example.org", "*.trycloudflare.com"),
    allowed_origins=("https://app.example.org",),
)


def scope(method: str = "GET", path: str = "/", server: tuple[str, int | None] | None = None, **headers: str) -> Any:
    """A request; `_` in the name of a header is `-`."""
    pairs = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "headers": pairs,
        "server": server or ("127.0.0.1", 8787),
    }


def code_of(options: ServeOptions, **request: Any) -> str | None:
    """The code of the refusal; None where it is let in."""
    try:
        Guard(options).check(scope(**request))
    except ApiError as error:
        return error.code
    return None


@for_each(
    ("options", "host", "server", "is_let_in"),
    [
        (LOCAL, "127.0.0.1:8787", None, True),
        (LOCAL, "localhost", None, True),
        (LOCAL, "LOCALHOST:1", None, True),
        (LOCAL, "[::1]:8787", None, True),
        (LOCAL, "[::ffff:127.0.0.1]:8787", None, True),
        (LOCAL, "[::1", None, False),
        (LOCAL, "127.0.0.1.evil.example", None, False),
        (LOCAL, "evil.example:8787", None, False),
        (LOCAL, "", None, False),
        (LOCAL, "192.168.1.2", None, False),
        (OPEN, "192.168.1.2:8787", ("192.168.1.2", 8787), True),
        (OPEN, "192.168.1.2:8787", ("::ffff:192.168.1.2", 8787), True),
        (OPEN, "192.168.1.3:8787", ("192.168.1.2", 8787), False),
        (OPEN, "codex.example.org", None, True),
        (OPEN, "other.example.org", None, False),
        (OPEN, "a-b.trycloudflare.com", None, True),
        (OPEN, ".trycloudflare.com", None, False),
        (OPEN, "eviltrycloudflare.com", None, False),
        (ServeOptions(host=None, port=None, path="/s"), "localhost", ("/s", None), True),
        (ServeOptions(host=None, port=None, path="/s"), "evil.example", ("/s", None), False),
    ],
)
def test_by_what_name_it_may_be_called(
    options: ServeOptions, host: str, server: tuple[str, int | None] | None, is_let_in: bool
) -> None:
    found = code_of(options, host=host, server=server, authorization=f"Bearer {TOKEN}")
    assert found == (None if is_let_in else "host_not_allowed")


@for_each(
    ("options", "origin", "is_let_in"),
    [
        (LOCAL, "http://127.0.0.1:8787", False),
        (LOCAL, "null", False),
        (OPEN, "https://app.example.org", True),
        (OPEN, "https://app.example.org:444", False),
        (OPEN, "http://app.example.org", False),
        (OPEN._replace(allowed_origins=("*",)), "https://any.example", True),
    ],
)
def test_whose_pages_may_ask(options: ServeOptions, origin: str, is_let_in: bool) -> None:
    found = code_of(options, host="localhost", origin=origin, authorization=f"Bearer {TOKEN}")
    assert found == (None if is_let_in else "origin_not_allowed")


@for_each(
    ("given", "is_let_in"),
    [
        (f"Bearer {TOKEN}", True),
        (f"bearer  {TOKEN} ", True),
        (f"Bearer {TOKEN}a", False),
        (f"Bearer {TOKEN[1:]}", False),
        (f"Basic {TOKEN}", False),
        (TOKEN, False),
        ("Bearer", False),
        ("Bearer ä", False),
        ("", False),
    ],
)
def test_the_token(given: str, is_let_in: bool) -> None:
    assert code_of(OPEN, host="localhost", authorization=given) == (None if is_let_in else "invalid_api_key")


def test_without_a_token_of_ours_any_of_a_client_is_taken() -> None:
    assert code_of(LOCAL, host="localhost", authorization="Bearer sk-anything") is None


def test_health_and_options_need_no_token_and_are_not_trusted() -> None:
    for method, path in (("GET", "/healthz"), ("GET", "/readyz"), ("OPTIONS", "/turns")):
        asked = scope(method, path, host="localhost")
        Guard(OPEN).check(asked)
        assert asked["is_trusted"] is False


def test_what_a_refusal_shows_of_a_request_can_be_printed() -> None:
    with pytest.raises(ApiError) as refusal:
        Guard(LOCAL).check(scope(host="evil\x1b[31m"))
    assert refusal.value.message.isprintable()


def test_options_grants_what_it_is_asked_for_and_nothing_to_who_is_no_page() -> None:
    asked = {
        "origin": "https://app.example.org",
        "access-control-request-headers": "authorization, x-stainless-lang",
        "access-control-request-private-network": "true",
    }
    granted = preflight_headers(asked)
    assert granted["access-control-allow-headers"] == "authorization, x-stainless-lang"
    assert granted["access-control-allow-private-network"] == "true"
    assert "POST" in granted["access-control-allow-methods"]
    assert preflight_headers({}).keys() == {"allow"}
