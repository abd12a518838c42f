"""A query of an app-server, and when it is complete: the whole exchange as a table."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.history.stored_turn_query import MAX_PAGES, StoredTurn, find_stored_turn
from codex_server_cli.core.protocol.query import initialize, version_of
from tests.kit.cases import for_each
from tests.kit.queries import play_query as play

HELLO = {"result": {"userAgent": "codex_server/0.169.0"}}
FIRST = {"threadId": "thread", "limit": 5, "itemsView": "full"}
OURS = {"id": "ours", "items": []}


def page(*turn_ids: str, cursor: str | None = None) -> dict[str, Any]:
    return {"result": {"data": [{"id": turn_id, "items": []} for turn_id in turn_ids], "nextCursor": cursor}}


def test_initialize_gives_the_user_agent() -> None:
    ((method, params),), agent = play(initialize("1.2.3"), HELLO)
    assert (method, params["clientInfo"]["version"], agent) == ("initialize", "1.2.3", "codex_server/0.169.0")
    assert params["capabilities"] == {"experimentalApi": True}


@for_each(
    ("agent", "version"),
    [
        ("codex_server/0.169.0 (Debian 12.0.0; x86_64) dumb (codex_server; 0.1)", "0.169.0"),
        ("probe a/0.171.0 (…) xterm (second; 1)", "0.171.0"),  # the first client of a shared server
        ("/0.171.0-alpha.3", "0.171.0-alpha.3"),
        ("codex", None),
        ("codex/ (x)", None),
        ("", None),
    ],
)
def test_the_version_is_read_whatever_client_the_server_met_first(agent: str, version: str | None) -> None:
    assert version_of(agent) == version


@for_each("reply", [{"error": {"code": -32600, "message": "no"}}, {"result": None}, {}])
def test_a_refused_initialize_gives_nothing(reply: dict[str, Any]) -> None:
    assert play(initialize("1"), reply)[1] is None
    assert play(find_stored_turn("thread", "ours", "1"), reply)[1].turn is None


def test_a_turn_on_the_first_page_takes_one_page() -> None:
    asked, found = play(find_stored_turn("thread", "ours", "1"), HELLO, page("x", "ours", cursor="more"))
    assert asked[1:] == [("thread/turns/list", FIRST)]
    assert found == StoredTurn(OURS)


def test_pages_are_turned_until_the_turn_is_found() -> None:
    query = find_stored_turn("thread", "ours", "1")
    asked, found = play(query, HELLO, page("a", cursor="one"), page("b", cursor="two"), page("ours", cursor="three"))
    assert [params.get("cursor") for _, params in asked[1:]] == [None, "one", "two"]
    assert found == StoredTurn(OURS)


def test_a_turn_that_is_not_there_is_no_refusal() -> None:
    assert play(find_stored_turn("thread", "ours", "1"), HELLO, page("a"))[1] == StoredTurn(None)


@for_each("result", [{}, {"data": None}, {"data": ["x", 1]}])
def test_a_list_of_an_unknown_shape_is_an_empty_one(result: dict[str, Any]) -> None:
    assert play(find_stored_turn("thread", "ours", "1"), HELLO, {"result": result})[1] == StoredTurn(None)


@for_each(
    ("reply", "expected"),
    [
        ({"error": {"code": -32600, "message": "thread not loaded: thread"}}, "thread not loaded: thread"),
        ({"error": "odd"}, "Codex gave no message"),
        ({"result": 5}, "Codex gave no message"),
    ],
)
def test_a_refusal_is_told_in_codex_words(reply: dict[str, Any], expected: str) -> None:
    assert play(find_stored_turn("thread", "ours", "1"), HELLO, reply)[1] == StoredTurn(None, expected)


def test_a_list_without_an_end_is_left_one_day() -> None:
    replies = [page("a", cursor="again")] * MAX_PAGES
    asked, found = play(find_stored_turn("thread", "ours", "1"), HELLO, *replies)
    assert (len(asked), found) == (MAX_PAGES + 1, StoredTurn(None))
