"""The files of the page: who is sent it, with which headers, and that all that it names is there."""

from __future__ import annotations

import re

import httpx

from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.page.static_files import HEADERS, static_files
from tests.gateway.page.test_session import GUARDED, LOCAL, ORIGIN, browse
from tests.kit.cases import for_each

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@for_each("options", [LOCAL, GUARDED], ids=["without a token", "with a token"])
def test_a_browser_is_sent_the_page_without_a_token_and_cannot_be_made_to_frame_it(options: ServeOptions) -> None:
    async def act(client: httpx.AsyncClient) -> None:
        page = await client.get("/", headers=BROWSER)
        assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert page.headers["vary"] == "Accept"
        assert page.headers.items() >= HEADERS.items()
        policy = page.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"} <= set(policy)
        assert "unsafe" not in str(policy)
        assert page.headers["x-frame-options"] == "DENY"
        head = await client.head("/", headers=BROWSER)
        assert (head.status_code, head.content, head.headers["etag"]) == (200, b"", page.headers["etag"])

    browse(options, act)


@for_each("accept", ["*/*", "application/json", "text/html;q=0, */*", "text/*", None])
def test_who_does_not_ask_for_html_is_sent_the_list_and_needs_the_token(accept: str | None) -> None:
    headers = {} if accept is None else {"accept": accept}

    async def act(client: httpx.AsyncClient) -> None:
        assert (await client.get("/", headers=headers)).status_code == 401
        listed = await client.get("/", headers={**headers, "authorization": f"Bearer {GUARDED.token}"})
        assert "GET /turns" in listed.json()["routes"]
        assert listed.headers["vary"] == "Accept"
        assert not [each for each in listed.json()["routes"] if "/page" in each]

    browse(GUARDED, act)


def test_a_file_that_is_known_is_not_sent_again() -> None:
    async def act(client: httpx.AsyncClient) -> None:
        first = await client.get("/page/app.js")
        assert first.headers["content-type"] == "text/javascript; charset=utf-8"
        assert first.headers["cache-control"] == "no-cache"
        etag = first.headers["etag"]
        for known in (etag, f'"other", {etag}', f"W/{etag}", "*"):
            again = await client.get("/page/app.js", headers={"if-none-match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        assert (await client.get("/page/app.js", headers={"if-none-match": '"other"'})).status_code == 200

    browse(GUARDED, act)


@for_each("path", ["/page/none.js", "/page/../routes.py", "/page/%2e%2e/routes.py", "/page", "/page/views"])
def test_nothing_but_the_files_of_the_page_can_be_had(path: str) -> None:
    async def act(client: httpx.AsyncClient) -> int:
        return (await client.get(path, headers={"authorization": f"Bearer {GUARDED.token}"})).status_code

    assert browse(GUARDED, act) == 404


def test_the_files_come_whatever_the_origin_so_that_the_page_can_tell_what_a_proxy_does_wrong() -> None:
    async def act(client: httpx.AsyncClient) -> None:
        for origin in (ORIGIN, "https://codex.example.org"):
            answer = await client.get("/page/app.js", headers={"origin": origin, "sec-fetch-site": "same-origin"})
            assert answer.status_code == 200
            assert "access-control-allow-origin" not in answer.headers
        refused = await client.post("/page/session", json={}, headers={"origin": "https://codex.example.org"})
        assert refused.status_code == 403
        assert "--allow-origin https://codex.example.org" in refused.json()["error"]["message"]

    browse(LOCAL, act)


def test_an_answer_depends_on_the_origin_too_where_one_is_allowed() -> None:
    async def act(client: httpx.AsyncClient) -> str:
        headers = {"origin": "http://localhost:3000", "accept": "application/json"}
        return ", ".join((await client.get("/", headers=headers)).headers.get_list("vary"))

    assert browse(ServeOptions(allowed_origins=("http://localhost:3000",)), act) == "Accept, Origin"


def test_every_file_that_is_named_is_there_and_none_leads_elsewhere() -> None:
    files = static_files()
    index = files["index.html"].content.decode()
    named = re.findall(r'(?:href|src)="page/([^"]+)"', index)
    assert set(named) <= files.keys()
    assert "app.js" in named
    reached, waiting = set[str](), ["app.js"]
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            folder = name.rpartition("/")[0]
            for target in re.findall(r'^import .* from "(\.[^"]+)";', files[name].content.decode(), re.MULTILINE):
                waiting.append(resolved(folder, target))
    assert reached == {name for name in files if name.endswith(".js")}
    for name, file in files.items():
        text = file.content.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"[\"'(]https?://", text), name


def resolved(folder: str, target: str) -> str:
    """The name of the file that an import of a file in this folder names."""
    parts = folder.split("/") if folder else []
    for part in target.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def test_no_script_makes_markup_of_text_or_runs_it() -> None:
    forbidden = re.compile(
        r"\.(?:innerHTML|outerHTML|srcdoc)\b|insertAdjacentHTML|document\.write|\beval\(|new Function|setHTML|"
        r"createContextualFragment|DOMParser"
    )
    found = {name: forbidden.findall(file.content.decode()) for name, file in static_files().items()}
    assert {name: hits for name, hits in found.items() if hits} == {}


def test_every_module_is_short_enough_to_be_read() -> None:
    assert {name for name, file in static_files().items() if file.content.count(b"\n") > 300} == set()


def test_the_ids_that_scripts_use_are_those_of_the_page() -> None:
    files = static_files()
    there = set(re.findall(r'\bid="([\w-]+)"', files["index.html"].content.decode()))
    code = "".join(file.content.decode() for name, file in files.items() if name.endswith(".js"))
    used = set(re.findall(r'byId\("([\w-]+)"\)', code)) | set(re.findall(r'openDialog\("([\w-]+)"', code))
    assert used <= there
