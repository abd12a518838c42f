"""The session of the page: what begins one, what it opens, and what a hostile page can do with it: nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from starlette.datastructures import Headers

from codex_server_cli.gateway.access_log import AccessLog
from codex_server_cli.gateway.app import make_app
from codex_server_cli.gateway.middleware import RequestMiddleware
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.page import sessions
from codex_server_cli.gateway.page.sessions import PROOF_HEADER, Sessions, is_own_origin, is_same_origin
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.settings.places import Settings
from tests.kit.cases import for_each

T = TypeVar("T")
TOKEN = "t" * 43
ORIGIN = "http://127.0.0.1:8787"
LOCAL = ServeOptions()
GUARDED = ServeOptions(token=TOKEN, may_write=True)


class KeptLog(AccessLog):
    """Keeps what would be written."""

    def __init__(self) -> None:
        super().__init__(is_for_people=False)
        self.lines: list[str] = []

    def say(self, event: str, **facts: Any) -> None:
        """See `AccessLog`."""
        self.lines.append(str(facts))


@pytest.fixture(autouse=True)
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No turn, and no one's configuration."""
    monkeypatch.setenv("CODEX_SERVER_HOME", str(tmp_path / "home"))


def browse(options: ServeOptions, act: Callable[[httpx.AsyncClient], Awaitable[T]], log: AccessLog | None = None) -> T:
    """Have a browser, which keeps cookies, do something at a gateway without an app-server."""

    async def browsing() -> T:
        gateway = Gateway(Settings.load(), options)
        kept = log or KeptLog()
        transport = httpx.ASGITransport(app=RequestMiddleware(gateway, make_app(gateway), kept))
        try:
            async with httpx.AsyncClient(transport=transport, base_url=ORIGIN) as client:
                return await act(client)
        finally:
            kept.close()

    return asyncio.run(browsing())


async def logged_in(client: httpx.AsyncClient, token: str | None = TOKEN) -> dict[str, str]:
    """Begin a session; the headers of the page's requests from then on."""
    body = {} if token is None else {"token": token}
    answer = await client.post("/page/session", json=body, headers={"origin": ORIGIN})
    assert answer.status_code == 200, answer.text
    return {PROOF_HEADER: answer.json()["proof"], "origin": ORIGIN, "sec-fetch-site": "same-origin"}


def test_the_token_opens_a_session_that_opens_everything_until_it_is_closed() -> None:
    async def act(client: httpx.AsyncClient) -> None:
        assert (await client.get("/page/session")).json() == {"open": False, "needs_token": True}
        headers = await logged_in(client)
        found = (await client.get("/page/session", headers=headers)).json()
        assert (found["open"], found["cwd"], found["utc_offset_s"]) == (True, "/", time.localtime().tm_gmtoff)
        assert found["may"] == {"write": True, "approve": False, "all": False}
        assert (await client.get("/turns", headers=headers)).json()["turns"] == []
        assert (await client.post("/turns/none/cancel", headers=headers)).status_code == 404, "it was let in"
        assert (await client.delete("/page/session", headers=headers)).status_code == 204
        assert not client.cookies
        over = await client.get("/turns", headers=headers)
        assert (over.status_code, over.json()["error"]["code"]) == (401, "session_over")
        assert (await client.delete("/page/session", headers=headers)).status_code == 401

    browse(GUARDED, act)


@for_each(
    ("body", "headers", "expected"),
    [
        ({"token": TOKEN + "x"}, {"origin": ORIGIN}, (401, "invalid_api_key")),
        ({"token": "ä"}, {"origin": ORIGIN}, (401, "invalid_api_key")),
        ({"token": 1}, {"origin": ORIGIN}, (400, "missing_parameter")),
        ({}, {"origin": ORIGIN}, (400, "missing_parameter")),
        ({"tokem": TOKEN}, {"origin": ORIGIN}, (400, "unknown_parameter")),
        ({"token": "x" * 9000}, {"origin": ORIGIN}, (413, "request_too_large")),
        ({"token": TOKEN}, {"origin": ORIGIN, "content-length": "x"}, (413, "request_too_large")),
        ({"token": TOKEN}, {"origin": ORIGIN, "content-encoding": "gzip"}, (413, "request_too_large")),
        ({"token": TOKEN}, {}, (403, "origin_not_allowed")),
        ({"token": TOKEN}, {"origin": "null"}, (403, "origin_not_allowed")),
        ({"token": TOKEN}, {"origin": "http://127.0.0.1:3000"}, (403, "origin_not_allowed")),
        ({"token": TOKEN}, {"origin": ORIGIN, "sec-fetch-site": "same-site"}, (403, "origin_not_allowed")),
        ({"token": TOKEN}, {"origin": ORIGIN, "host": "evil.example"}, (403, "host_not_allowed")),
    ],
)
def test_no_session_begins(body: dict[str, Any], headers: dict[str, str], expected: tuple[int, str]) -> None:
    async def act(client: httpx.AsyncClient) -> tuple[int, str]:
        answer = await client.post("/page/session", json=body, headers=headers)
        assert "set-cookie" not in answer.headers
        return answer.status_code, answer.json()["error"]["code"]

    assert browse(GUARDED, act) == expected


@for_each("options", [LOCAL, GUARDED], ids=["without a token", "with a token"])
@for_each(
    "forged",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://127.0.0.1:3000", "sec-fetch-site": "same-site"},
        {"origin": "null"},
        {"origin": ORIGIN, PROOF_HEADER: None},
        {PROOF_HEADER: "guessed"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_what_a_hostile_page_can_send_changes_nothing(options: ServeOptions, forged: dict[str, str | None]) -> None:
    async def act(client: httpx.AsyncClient) -> None:
        headers: dict[str, str | None] = {**(await logged_in(client, options.token)), **forged}
        sent = {name: value for name, value in headers.items() if value is not None}
        assert client.cookies, "the browser sends it along"
        answer = await client.post("/turns", json={"prompt": "rm -rf"}, headers=sent)
        assert answer.status_code in (401, 403), answer.text
        assert "access-control-allow-origin" not in answer.headers

    browse(options, act)


@for_each("site", ["cross-site", "same-site"])
def test_a_hostile_page_can_load_nothing_as_a_script_a_frame_or_a_picture(site: str) -> None:
    async def act(client: httpx.AsyncClient) -> None:
        for path in ("/turns", "/turns/last/answer", "/usage", "/v1/models", "/healthz"):
            answer = await client.get(path, headers={"sec-fetch-site": site, "accept": "*/*"})
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "origin_not_allowed")
        own = await client.get("/turns", headers={"sec-fetch-site": "none"})
        assert own.status_code == 200
        assert own.headers["x-content-type-options"] == "nosniff"
        assert own.headers["cache-control"] == "no-store"
        assert own.headers["cross-origin-resource-policy"] == "same-origin"
        link = await client.get("/", headers={"sec-fetch-site": site, "accept": "text/html"})
        assert link.status_code == 200, "a link leads to the page"

    browse(LOCAL, act)


def test_neither_half_of_a_session_is_worth_anything_without_the_other() -> None:
    async def act(client: httpx.AsyncClient) -> None:
        headers = await logged_in(client)
        del headers["origin"]
        assert (await client.get("/turns", headers=headers)).status_code == 200
        assert (await client.get("/turns")).status_code == 401, "the cookie alone, which other ports get, too"
        client.cookies.clear()
        assert (await client.get("/turns", headers=headers)).status_code == 401
        with_token = {"authorization": f"Bearer {TOKEN}"}
        assert (await client.get("/turns", headers=with_token)).status_code == 200, "as before"

    browse(GUARDED, act)


def test_without_a_token_a_client_that_is_no_page_needs_no_session() -> None:
    async def act(client: httpx.AsyncClient) -> int:
        return (await client.get("/turns")).status_code

    assert browse(LOCAL, act) == 200


def test_the_cookie_is_of_this_port_alone_cannot_be_read_and_goes_to_no_other_site() -> None:
    async def act(client: httpx.AsyncClient) -> list[str]:
        found = []
        for scheme in ("http", "https"):
            headers = {"origin": f"{scheme}://127.0.0.1:8787"}
            answer = await client.post("/page/session", json={"token": TOKEN}, headers=headers)
            assert answer.headers["cache-control"] == "no-store"
            found.append(answer.headers["set-cookie"])
            headers |= {PROOF_HEADER: answer.json()["proof"]}
            client.cookies.clear()
            cookie = {"cookie": answer.headers["set-cookie"].partition(";")[0]}
            assert (await client.get("/turns", headers={**headers, **cookie})).status_code == 200
        return found

    plain, secure = browse(GUARDED, act)
    assert plain.startswith("codex_server_8787=")
    assert {"HttpOnly", "Path=/", "SameSite=strict", "Max-Age=604800"} <= set(plain.split("; "))
    assert "Secure" not in plain
    assert secure.startswith("__Host-codex_server_8787=")
    assert "; Secure" in secure


def test_neither_the_token_nor_a_half_stands_in_the_log() -> None:
    log = KeptLog()

    async def act(client: httpx.AsyncClient) -> list[str]:
        headers = await logged_in(client)
        await client.get("/turns", headers=headers)
        await client.post("/page/session", json={"token": TOKEN[1:]}, headers=headers)
        return [TOKEN, headers[PROOF_HEADER], *client.cookies.values()]

    secrets = browse(GUARDED, act, log)
    assert len(log.lines) == 3
    assert not [secret for secret in secrets if secret in str(log.lines)]


def headers_of(made: sessions.NewSession, **more: str) -> Headers:
    """Those of a request of the page."""
    pairs = {"host": "localhost:8787", "cookie": f"codex_server_8787={made.cookie}", PROOF_HEADER: made.proof}
    return Headers({**pairs, **{name.replace("_", "-"): value for name, value in more.items()}})


def test_a_session_ends_when_it_was_not_used_for_long_and_after_a_week_at_the_latest() -> None:
    now_s = 0.0
    held = Sessions(lambda: now_s)
    made = held.open()
    while now_s <= sessions.LONGEST_S:
        assert held.holds(headers_of(made))
        now_s += sessions.IDLE_S
    assert not held.holds(headers_of(made))
    made = held.open()
    assert held.is_open(headers_of(made))
    now_s += sessions.IDLE_S + 1
    assert not held.is_open(headers_of(made))
    assert not held.holds(headers_of(made))


def test_the_session_that_was_used_least_recently_makes_room() -> None:
    held = Sessions()
    first, second = held.open(), held.open()
    assert held.holds(headers_of(first))
    for _ in range(sessions.MOST_SESSIONS - 1):
        held.open()
    assert held.holds(headers_of(first))
    assert not held.holds(headers_of(second))


@for_each(
    ("headers", "is_own", "is_same"),
    [
        ({"host": "a:1"}, False, True),
        ({"host": "a:1", "origin": "http://a:1"}, True, True),
        ({"host": "A:1", "origin": "https://a:1"}, True, True),
        ({"host": "a:1", "origin": "http://a:2"}, False, False),
        ({"host": "a:1", "origin": "file://a:1"}, False, False),
        ({"host": "", "origin": "http://"}, False, False),
        ({"host": "localhost", "origin": "https://a", "sec-fetch-site": "same-origin"}, False, True),
        ({"host": "a:1", "origin": "http://a:1", "sec-fetch-site": "none"}, True, False),
    ],
)
def test_what_counts_as_our_own_origin(headers: dict[str, str], is_own: bool, is_same: bool) -> None:
    assert (is_own_origin(Headers(headers)), is_same_origin(Headers(headers))) == (is_own, is_same)


def test_a_host_without_a_usable_port_has_a_cookie_of_its_own() -> None:
    assert sessions.cookie_name(Headers({"host": "example.org"})) == "codex_server_0"
    assert sessions.cookie_name(Headers({"host": "example.org:x"})) == "codex_server_0"
