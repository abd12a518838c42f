"""What is typed on the page and not sent survives a reload of its tab; a secret, and a consent, does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.demo.replies import say
from tests.kit.browser import Chromium, Tab, expect
from tests.kit.escalations import QUESTION
from tests.kit.page_face import PageFace
from tests.kit.page_house import PageHouse
from tests.kit.page_text import each, run
from tests.kit.played_turn import ASKING, PlayedTurn

_STORED = "() => JSON.stringify({...sessionStorage}) + JSON.stringify({...localStorage})"
_DENIED = (
    """Object.defineProperty(window, "sessionStorage", {get() { throw new DOMException("no", "SecurityError"); }})"""
)
_QUESTIONS = (
    QUESTION,
    {"id": "why", "question": "Why?"},
    {"id": "pin", "question": "Your PIN?", "isSecret": True, "options": [{"label": "the old one"}]},
)


def test_the_newest_drafts_are_kept_as_many_as_fit_and_none_is_cut(modules: Path) -> None:
    found = run(
        modules,
        "drafts",
        """
        const drafts = new m.Drafts(3, 20);
        const seen = [];
        const look = () => seen.push([Object.fromEntries(drafts.texts), drafts.written()]);
        drafts.set("a", "1"); drafts.set("b", "2"); look();
        drafts.set("a", "3"); drafts.set("c", "4"); drafts.set("d", "5"); look();   // `b` was changed longest ago
        drafts.set("c", ""); drafts.set("x", "y".repeat(20)); look();
        drafts.drop("a", ["ab"]); drafts.set("ab", "6"); drafts.drop("a", ["ab"]); look();
        drafts.drop(""); look();
        return [seen, drafts.get("a")];
        """,
    )
    assert found == [
        [
            [{"a": "1", "b": "2"}, '[["a","1"],["b","2"]]'],
            [{"a": "3", "c": "4", "d": "5"}, '[["a","3"],["c","4"],["d","5"]]'],
            [{"a": "3", "d": "5", "x": "y" * 20}, '[["a","3"],["d","5"]]'],
            [{"ab": "6", "d": "5", "x": "y" * 20}, '[["d","5"],["ab","6"]]'],
            [{}, ""],
        ],
        "",
    ]


def test_what_no_draft_has_written_is_none(modules: Path) -> None:
    body = "return input.map((each) => { const d = new m.Drafts(); d.read(each); return Object.fromEntries(d.texts); })"
    given: list[Any] = ["", "{", "null", "7", '{"a": 1}', '[["a", 1], ["b", "2"]]', '[["a", "1"]]']
    assert run(modules, "drafts", body, given) == [{}, {}, {}, {}, {}, {"b": "2"}, {"a": "1"}]
    assert each(modules, "drafts", "answersIn", ["", "{", "7", '["a", 1]']) == [[], [], [], ["a", "1"]]
    marks = each(modules, "drafts", "markOf", ["", "a", "b", "ab", "ba", "a"])
    assert len(set(marks)) == len(marks) - 1
    assert all(len(mark) <= 17 for mark in marks)


@pytest.mark.judge
def test_what_was_typed_survives_a_reload_until_it_is_sent_or_emptied_and_no_consent_does(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    turns = [PlayedTurn(house.home, f"Draft of turn {number}") for number in range(2)]
    tab.page.get_by_role("button", name="New turn").click()
    for field, text in (("prompt", "line 1\nline 2"), ("name", "my-name"), ("cwd", str(house.home.project))):
        face.at(f"#start-{field}").fill(text)
    face.at("#start-sandbox").select_option("workspace-write")
    face.at("#start-ask").check()
    face.at("#start-cancel").click()
    for turn in turns:
        face.open(turn.id)
        face.at("#say-text").fill(f"below {turn.id}")
    tab.page.reload()
    for turn in turns:
        face.open(turn.id)
        expect(face.at("#say-text")).to_have_value(f"below {turn.id}")
    tab.page.get_by_role("button", name="New turn").click()
    expect(face.at("#start-prompt")).to_have_value("line 1\nline 2")
    expect(face.at("#start-name")).to_have_value("my-name")
    expect(face.at("#start-cwd")).to_have_value(str(house.home.project))
    expect(face.at("#start-sandbox")).to_have_value("read-only")
    expect(face.at("#start-ask")).not_to_be_checked()
    face.at("#start-send").click()
    started = face.wait_for_other_turn(turns[1].id)
    face.open(turns[1].id)
    face.at("#say-text").fill("")
    face.open(turns[0].id)
    face.at("#say-send").click()
    expect(face.at("#say-text")).to_have_value("")
    for turn in turns:
        turn.end()
    face.wait_for_state("complete")
    face.at("#say-text").fill("typed last")
    tab.page.reload()
    expect(face.at("#say-text")).to_have_value("typed last")
    expect(face.at("#say-write")).not_to_be_checked()
    stored = tab.page.evaluate(_STORED)
    assert turns[1].id not in stored
    assert "line 1" not in stored
    assert house.home.turn(started).meta["name"] == "my-name"


@pytest.mark.judge
def test_a_turn_whose_answer_was_lost_is_not_started_again_after_a_reload(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    def start_lost(prompt: str, sandbox: str) -> None:
        tab.page.route("**/turns", lose)
        tab.page.get_by_role("button", name="New turn").click()
        face.at("#start-prompt").fill(prompt)
        face.at("#start-sandbox").select_option(sandbox)
        face.at("#start-send").click()
        expect(face.at("#start-error")).to_contain_text("serve does not answer")
        tab.page.unroute("**/turns")
        tab.page.reload()
        tab.page.get_by_role("button", name="New turn").click()
        expect(face.at("#start-prompt")).to_have_value(prompt)
        face.at("#start-send").click()

    prompt = house.model.on("Start me once", say("Started."))
    start_lost(prompt, "read-only")
    assert face.wait_for_other_turn("") == house.turn_of(prompt).id
    face.wait_for_state("complete")
    expect(face.at("#turn-error")).to_contain_text("It was started before")
    writing = house.model.on("Start me to write", say("Started."))
    start_lost(writing, "workspace-write")  # that it may write is asked for anew
    expect(face.at("#start-error")).to_contain_text("--sandbox differ")
    first = house.turn_of(writing).id
    face.at("#start-send").click()
    face.wait_for_other_turn(first)
    face.wait_for_state("complete")
    expect(face.at("#turn-error")).to_be_empty()
    tab.forgive("ERR_FAILED", "400", "409", "422")


@pytest.mark.judge
def test_a_start_that_was_refused_is_another_one_when_it_is_sent_again(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    keys: list[str] = []

    def refuse(route: Any) -> None:
        keys.append(route.request.headers["idempotency-key"])
        route.fulfill(status=400, json={"error": {"message": "it cannot be"}})

    tab.page.route("**/turns", refuse)
    tab.page.get_by_role("button", name="New turn").click()
    face.at("#start-prompt").fill("Refused")
    for number in range(2):
        face.at("#start-send").click()
        expect(face.at("#start-error")).to_contain_text("it cannot be")
        assert len(keys) == number + 1
        face.at("#start-name").fill("another")  # what is said of the form goes with the next press alone
        face.at("#start-name").fill("")
    assert len(set(keys)) == 2
    tab.forgive("400")


@pytest.mark.judge
def test_a_draft_does_not_outlive_a_log_out_in_a_tab_that_shows_another_page_meanwhile(
    chromium: Chromium, house: PageHouse
) -> None:
    turn = PlayedTurn(house.home, "Logged out elsewhere")
    with chromium.tab() as tab:
        first = _logged_in(PageFace(tab), house)
        first.open(turn.id)
        first.at("#say-text").fill("for nobody else")
        second = Tab(tab.page.context)
        tab.page.goto("about:blank")
        other = PageFace(second)
        second.page.goto(house.locked_url)
        second.page.get_by_role("button", name="Log out").click()
        expect(other.at("#login-dialog")).to_be_visible()
        second.page.close()
        tab.page.go_back()
        _log_in(first, house)
        first.wait_for_turn(turn.id)
        expect(first.at("#say-text")).to_have_value("")
        assert "for nobody else" not in tab.page.evaluate(_STORED)
    turn.end()


def _logged_in(face: PageFace, house: PageHouse) -> PageFace:
    face.page.goto(house.locked_url)
    _log_in(face, house)
    return face


def _log_in(face: PageFace, house: PageHouse) -> None:
    face.at("#token").fill(house.token)
    face.at("#login-send").click()
    expect(face.at("#login-dialog")).to_be_hidden()


@pytest.mark.judge
def test_the_answers_of_a_form_survive_a_reload_but_for_what_is_secret(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    turn = PlayedTurn(house.home, "Ask a lot", **ASKING)
    other = PlayedTurn(house.home, "Look elsewhere")
    turn.ask(*_QUESTIONS)
    face.open(turn.id)
    fields = face.request.locator("fieldset")
    fields.nth(0).get_by_role("radio", name="Blue").check()
    fields.nth(1).get_by_role("textbox").fill("because of hope")
    fields.nth(2).get_by_role("radio").check()
    fields.nth(2).locator("[type=password]").fill("hunter2")

    def is_there() -> None:
        expect(fields.nth(0).get_by_role("radio", name="Blue")).to_be_checked()
        expect(fields.nth(1).get_by_role("textbox")).to_have_value("because of hope")
        expect(fields.nth(2).get_by_role("radio")).not_to_be_checked()
        expect(fields.nth(2).locator("[type=password]")).to_have_value("")

    face.open(other.id)
    face.open(turn.id)
    is_there()
    fields.nth(2).locator("[type=password]").fill("hunter3")
    tab.page.reload()
    is_there()
    stored = tab.page.evaluate(_STORED)
    assert "because of hope" in stored
    assert "hunter" not in stored
    assert "the old one" not in stored
    fields.nth(2).locator("[type=password]").fill("hunter4")
    face.decide(face.request.get_by_role("button", name="Answer"))
    expect(face.request).to_have_count(0)
    for each_turn in (turn, other):
        each_turn.end("Over.")
    face.wait_for_state("complete")
    tab.page.reload()
    face.wait_for_state("complete")
    assert "because of hope" not in tab.page.evaluate(_STORED)


@pytest.mark.judge
def test_who_lets_the_page_store_nothing_has_drafts_as_long_as_the_page(chromium: Chromium, house: PageHouse) -> None:
    turns = [PlayedTurn(house.home, f"Without storage {number}") for number in range(2)]
    with chromium.tab() as tab:
        tab.page.add_init_script(_DENIED)
        tab.page.goto(house.url)
        face = PageFace(tab)
        face.open(turns[0].id)
        face.at("#say-text").fill("kept in mind")
        face.open(turns[1].id)
        expect(face.at("#say-text")).to_have_value("")
        face.open(turns[0].id)
        expect(face.at("#say-text")).to_have_value("kept in mind")
        tab.page.reload()
        face.wait_for_turn(turns[0].id)
        expect(face.at("#say-text")).to_have_value("")
        assert tab.violations(house.url) == []
    for turn in turns:
        turn.end()
