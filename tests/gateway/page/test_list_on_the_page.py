"""The list of turns on the page: how it is filtered, how far back it reaches, and who is told what of it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.browser import PHONE, Chromium, Tab, expect
from tests.kit.page_face import PageFace
from tests.kit.page_house import PageHouse
from tests.kit.played_turn import PlayedTurn
from tests.kit.turns_on_disk import TurnsOnDisk

pytestmark = pytest.mark.judge

_COUNT = 270
"""More than a page of those that are looked through."""


@pytest.fixture(scope="module")
def old(house: PageHouse) -> Iterator[dict[str, str]]:
    """Hundreds of turns that ended long ago; of three the ids, by their names."""
    with TurnsOnDisk(house.home.path / "turns") as turns:
        names = {0: "needle-one", 100: "needle-two", _COUNT - 1: "newest-of-old"}
        made = [turns.complete(name=names.get(number, f"hay-{number}")) for number in range(_COUNT)]
        yield {name: made[number].turn_id for number, name in names.items()}
        for each in made:
            shutil.rmtree(each.path, ignore_errors=True)


class _ListRequests:
    """What the page asks for of the list.

    Attributes:
        sought: the requests for older turns that are looked through.
        most: how many were under way at once.
    """

    def __init__(self, page: Any) -> None:
        self.sought: list[str] = []
        self.most = 0
        self._under_way = 0
        page.on("request", self._begun)
        page.on("requestfinished", self._ended)
        page.on("requestfailed", self._ended)

    def _begun(self, request: Any) -> None:
        if "/turns?limit" in request.url:
            self._under_way += 1
            self.most = max(self.most, self._under_way)
            self.sought += [request.url] if "limit=200" in request.url else []

    def _ended(self, request: Any) -> None:
        self._under_way -= "/turns?limit" in request.url


def test_the_filter_finds_what_is_older_than_all_that_was_loaded_and_says_how_many_match(
    tab: Tab, old: dict[str, str], face: PageFace
) -> None:
    asked = _ListRequests(tab.page)
    rows, note, status, keys = face.at("#turn-list > li"), face.at("#list-note"), face.at("#status"), tab.page.keyboard
    expect(face.at("#more")).to_be_visible()
    expect(rows).to_have_count(50)
    keys.press("/")
    keys.type("NEEDLE-")
    expect(face.row(old["needle-one"])).to_be_visible()
    expect(rows).to_have_count(2)
    expect(note).to_contain_text("2 turns match, of ")
    expect(status).to_contain_text("2 turns match, of ")
    keys.press("Enter")
    expect(face.row(old["needle-two"]).get_by_role("link")).to_be_focused()
    keys.press("/")
    keys.type("two")
    expect(rows).to_have_count(1)
    expect(note).to_contain_text("1 turn matches, of ")
    keys.press("ArrowDown")
    expect(face.row(old["needle-two"]).get_by_role("link")).to_be_focused()
    face.at("#filter").fill("nowhere at all")
    expect(note).to_contain_text("None of ")
    expect(status).to_contain_text("None of ")
    assert asked.most == 1
    assert 2 <= len(asked.sought) <= 4, "all was seen once; what is known is not asked for again"
    face.at("#filter").fill("hay-")
    expect(rows).to_have_count(50)
    expect(note).to_contain_text("The newest 50 that match.")
    face.at("#filter").fill("")
    expect(rows).to_have_count(50)
    expect(note).to_be_empty()


def test_older_turns_come_by_pages_and_the_focus_stays_in_the_list(
    tab: Tab, old: dict[str, str], face: PageFace
) -> None:
    rows = face.at("#turn-list > li")
    expect(rows).to_have_count(50)
    first = rows.first.get_by_role("link")
    face.at("#more").focus()
    tab.page.keyboard.press("Enter")
    expect(rows).to_have_count(100)
    expect(face.at("#status")).to_contain_text("50 more turns shown.")
    expect(face.at("#more")).to_be_focused()
    face.at("#filter").fill("needle")
    expect(rows).to_have_count(2)
    face.at("#filter").fill("")
    expect(rows).to_have_count(50)
    first.focus()
    for _ in range(20):
        if not face.at("#more").is_visible():
            break
        count = rows.count()
        face.at("#more").click()
        expect(rows.nth(count)).to_be_attached()
    expect(face.row(old["needle-one"])).to_be_visible()


def test_a_search_comes_to_its_end_where_the_list_answers_slowly(
    tab: Tab, house: PageHouse, old: dict[str, str], face: PageFace
) -> None:
    turn = PlayedTurn(house.home, "Runs meanwhile")  # so that the list is asked for each second
    expect(face.row(turn.id)).to_be_visible()

    def be_slow(route: Any) -> None:
        tab.page.wait_for_timeout(1100)
        route.continue_()

    tab.page.route("**/turns?limit=50*", be_slow)
    face.paste("#filter", "needle")
    expect(face.row(old["needle-one"])).to_be_visible()
    expect(face.at("#list-note")).to_contain_text("2 turns match, of ")
    tab.page.unroute_all(behavior="ignoreErrors")
    turn.end()


@pytest.mark.usefixtures("old")
def test_it_is_said_that_older_turns_are_searched_and_that_ends_with_the_filter(tab: Tab, face: PageFace) -> None:
    asked, held = _ListRequests(tab.page), list[Any]()
    expect(face.at("#turn-list > li")).to_have_count(50)
    tab.page.route("**/turns?limit=200*", lambda route: held.append(route))
    turn_id = str(face.at("#turn-list > li").last.get_attribute("data-turn"))
    link = face.row(turn_id).get_by_role("link")
    link.focus()
    with tab.page.expect_request("**/turns?limit=200*"):
        face.paste("#filter", turn_id)
    expect(face.at("#turn-list > li")).to_have_count(1)
    expect(face.at("#list-note")).to_contain_text("Searching older turns… So far 1 turn matches, of ")
    expect(face.at("#status")).to_contain_text("Searching older turns…")
    face.paste("#filter", turn_id[:-2])
    expect(face.at("#list-note")).to_contain_text("Searching older turns…")
    expect(link).to_be_focused()
    assert len(held) == 1
    face.paste("#filter", "")
    expect(face.at("#list-note")).to_be_empty()
    expect(link).to_be_focused()
    with tab.page.expect_response(lambda response: "turns?limit=50" in response.url):
        held[0].continue_()
    assert len(asked.sought) == len(held) == 1


@pytest.mark.usefixtures("old")
def test_on_a_phone_the_way_back_leads_to_where_one_was_in_the_list(chromium: Chromium, house: PageHouse) -> None:
    with chromium.tab(size=PHONE, is_mobile=True, has_touch=True) as tab:
        face = PageFace(tab)
        tab.page.goto(house.url)
        expect(face.at("#turn-list > li")).to_have_count(50)
        turn_id = str(face.at("#turn-list > li").nth(40).get_attribute("data-turn"))
        face.row(turn_id).get_by_role("link").tap()
        face.wait_for_turn(turn_id)
        expect(face.at("#turn-list")).to_be_hidden()
        face.at("#turn .back").tap()
        expect(face.row(turn_id)).to_be_in_viewport()
        expect(face.row(turn_id).get_by_role("link")).to_be_focused()
        assert tab.violations(house.url) == []
