"""Where the focus goes, and what is said: by keyboard, in a narrow window, read aloud."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.kit.browser import Tab, expect
from tests.kit.escalations import QUESTION
from tests.kit.page_face import PageFace
from tests.kit.page_house import PageHouse
from tests.kit.played_turn import ASKING, PlayedTurn

pytestmark = pytest.mark.judge

_NARROW = (600, 800)
_TAP = """() => {
  document.getElementById("to-request").click();
  return document.querySelector("#pending button").getAttribute("aria-disabled");
}"""
_MARK = """() => {
  const [strong] = document.querySelectorAll("#stream strong");
  getSelection().setBaseAndExtent(strong.firstChild, 5, strong.nextSibling, 5);
}"""


def _link(face: PageFace, turn: PlayedTurn) -> Any:
    return face.row(turn.id).get_by_role("link")


def test_the_keyboard_leads_out_of_a_turn_to_its_row_and_back_and_past_the_list(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    turns = [PlayedTurn(house.home, f"Way {number}") for number in range(3)]
    keys, title = tab.page.keyboard, face.at("#turn-title")
    face.open(turns[1].id)
    expect(title).to_be_focused()
    expect(tab.page).to_have_title(re.compile(r"^(\(\d+\) )?Way 1 · codex-server$"))
    keys.press("Escape")
    expect(_link(face, turns[1])).to_be_focused()
    expect(tab.page).to_have_title(re.compile(r"^(\(\d+\) )?codex-server$"))
    keys.press("j")
    expect(_link(face, turns[0])).to_be_focused()
    keys.press("Enter")
    face.wait_for_turn(turns[0].id)
    expect(title).to_be_focused()
    keys.press("k")
    keys.press("j")
    expect(_link(face, turns[0])).to_be_focused()
    keys.press("Enter")  # it is open already
    expect(title).to_be_focused()
    face.at(".skip").focus()
    keys.press("Enter")
    expect(face.at("#main")).to_be_focused()
    face.wait_for_turn(turns[0].id)
    keys.press("u")
    expect(tab.page).to_have_title(re.compile("Usage · codex-server$"))
    for turn in turns:
        turn.end()
    tab.forgive("409")  # a provider without limits


def test_in_a_narrow_window_the_keys_of_the_list_lead_to_it(tab: Tab, house: PageHouse, face: PageFace) -> None:
    turns = [PlayedTurn(house.home, f"Narrow {number}") for number in range(2)]
    tab.page.set_viewport_size({"width": _NARROW[0], "height": _NARROW[1]})
    face.open(turns[0].id)
    expect(face.at("#filter")).to_be_hidden()
    tab.page.keyboard.press("/")
    expect(face.at("#filter")).to_be_focused()
    face.open(turns[0].id)
    tab.page.keyboard.press("k")
    expect(_link(face, turns[1])).to_be_focused()
    tab.page.set_viewport_size({"width": 320, "height": 400})
    tab.page.keyboard.press("?")
    expect(face.at("#help-title")).to_be_in_viewport()
    assert not tab.is_too_wide()
    for turn in turns:
        turn.end()


_TO_LOWER_EDGE = """() => {
  scrollBy(0, document.getElementById("pending").getBoundingClientRect().bottom - innerHeight + 5);
}"""
_TYPE_ON = """() => document.getElementById("turn-title").addEventListener("focus", (event) => {
  event.target.dispatchEvent(new KeyboardEvent("keydown", {key: "n", bubbles: true}));
}, {once: true})"""


def test_a_request_is_reached_at_once_and_the_focus_is_not_lost_with_it(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    turn = PlayedTurn(house.home, "Long before it asks", **ASKING)
    turn.say(*(f"- line {number}\n" for number in range(200)))
    asked = turn.ask(QUESTION)
    face.open(turn.id)
    expect(face.request).to_be_visible()
    expect(face.items("agentMessage")).to_contain_text("line 199")
    tab.page.evaluate("scrollTo(0, 0)")
    way = face.at("#to-request")
    expect(way).to_be_visible()
    tab.page.keyboard.press("r")
    heading = face.request.get_by_role("heading", name="It asks you")
    expect(heading).to_be_focused()
    expect(heading).to_be_in_viewport()
    expect(way).to_be_hidden()
    tab.page.evaluate("scrollTo(0, 0)")
    expect(way).to_be_visible()
    expect(face.request.locator("button").first).to_have_attribute("aria-disabled", "false")
    assert tab.page.evaluate(_TAP) == "true", "a second tap at once decides nothing"
    expect(heading).to_be_in_viewport()
    tab.page.evaluate(_TO_LOWER_EDGE)
    expect(way).to_be_hidden()
    turn.say(*(f"- more {number}\n" for number in range(60)))
    expect(way).to_be_visible()  # it was pushed out of sight
    field = face.request.get_by_role("textbox")
    field.fill("half an ans")
    field.focus()
    tab.page.evaluate(_TYPE_ON)
    house.home.call("decline", turn.id, asked)
    expect(face.request).to_have_count(0)
    expect(face.at("#turn-title")).to_be_focused()
    expect(face.at("#start-dialog")).to_be_hidden()  # the rest of the answer is no command
    expect(face.at("#status")).to_contain_text("It waits for that no more")
    tab.page.evaluate("scrollTo(0, 0)")
    expect(way).to_be_hidden()
    turn.end("Over.")


def test_what_is_drawn_again_keeps_the_focus_and_its_place(tab: Tab, house: PageHouse, face: PageFace) -> None:
    turn = PlayedTurn(house.home, "Draw it again")
    turn.say(f"see [one](https://example.org/) and\n\n```\n{'a long line ' * 60}\n```\n\n")
    face.open(turn.id)
    link = face.items("agentMessage").get_by_role("link")
    link.focus()
    block = face.items("agentMessage").locator("pre")
    block.evaluate("node => { node.scrollLeft = 200; }")
    before = face.items("agentMessage").element_handle()
    turn.say("more of it")
    expect(face.items("agentMessage")).to_contain_text("more of it")
    assert not before.evaluate("node => node.isConnected")
    expect(link).to_be_focused()
    assert block.evaluate("node => node.scrollLeft") == 200
    turn.end()


def test_what_is_said_twice_is_said_twice_and_a_running_turn_can_be_read(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    turn = PlayedTurn(house.home, "Tell it twice")
    face.open(turn.id)
    for text in ("one", "two"):
        face.say(text)
        expect(face.at("#say-text")).to_have_value("")
    expect(face.at("#status > p", has_text="It was told.")).to_have_count(2)
    assert tab.page.locator("[aria-busy=true]").count() == 0  # one screen reader hides what is in it
    expect(face.at("#turn-list")).to_have_attribute("role", "list")  # another takes a list without marks for none
    turn.end()


def test_the_focus_outlives_a_button_that_goes_or_is_held_while_something_is_sent(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    turn = PlayedTurn(house.home, "Press my buttons")
    face.open(turn.id)
    face.at("#say-text").fill("more")
    face.at("#say-send").focus()
    tab.page.keyboard.press("Enter")
    expect(face.at("#say-text")).to_have_value("")
    expect(face.at("#say-send")).to_be_enabled()
    expect(face.at("#say-send")).to_be_focused()
    face.at("#cancel-turn").focus()
    tab.page.keyboard.press("Enter")
    face.at("#confirm-yes").focus()
    tab.page.keyboard.press("Enter")
    face.wait_for_state("cancelled")
    expect(face.at("#turn-title")).to_be_focused()
    tab.page.get_by_role("button", name="New turn").click()
    face.at("#start-prompt").fill("do it")
    face.at("#start-cwd").fill("/there is no such place")
    face.at("#start-send").focus()
    tab.page.keyboard.press("Enter")
    expect(face.at("#start-error")).to_contain_text("no such place")
    expect(face.at("#start-send")).to_be_focused()
    tab.forgive("400", "403")


def test_what_is_marked_to_be_copied_stays_marked_while_more_comes(house: PageHouse, face: PageFace) -> None:
    turn = PlayedTurn(house.home, "Copy while it writes")
    turn.say("Take **this very** part, not ")
    face.open(turn.id)
    message = face.items("agentMessage")
    expect(message.locator("strong")).to_have_text("this very")
    face.page.evaluate(_MARK)
    before = message.element_handle()
    turn.say("that *one*")
    expect(message.locator("em")).to_have_text("one")
    assert not before.evaluate("node => node.isConnected")
    assert face.page.evaluate("getSelection().toString()") == "very part"
    turn.end()
