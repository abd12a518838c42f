"""What goes wrong while the page is open: nothing that was typed or said is lost, nothing that is shown is obeyed."""

from __future__ import annotations

import httpx
import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from tests.kit.browser import Chromium, Tab, expect
from tests.kit.page_face import PageFace
from tests.kit.page_house import PageHouse

pytestmark = pytest.mark.judge

_LOST = ("Failed to load resource", "ERR_")
"""What the browser itself says of a request that failed."""
_DECEIVING = "\x1b[2J\x1b]0;title\x07 safe\u202etxt.exe\u202c \u2066x\u2069 \x00 e\u200bnd"
_INJECTING = """\
<img src=x onerror="window.hit = 1"> <script>window.hit = 1</script> <iframe src=/></iframe>

<div onclick="window.hit = 1">block</div>

[click](javascript:window.hit=1) [data](data:text/html,<script>window.hit=1</script>) [file](app.py)
![picture](http://127.0.0.1:9/x.png) <javascript:window.hit=1> [good](https://example.org/a) `<b>code</b>`

| <b>a</b> | b |
|---|---|
| <svg onload=window.hit=1> | [x](vbscript:x) |

```html
<script>window.hit = 1</script>
```
"""


def test_a_restart_of_serve_in_mid_stream_loses_nothing_and_shows_nothing_twice(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    gate, second = Gate(), Gate()
    prompt = house.model.on("Go on while I am away", say("One, ", hold(gate), "two, ", hold(second), "three."))
    turn_id = face.start(prompt)
    expect(face.items("agentMessage")).to_contain_text("One,")
    face.at("#say-text").fill("half a sent")
    url = house.url
    house.stop(url)
    expect(face.at("#connection")).to_contain_text("does not answer")
    gate.open()
    second.wait_until_reached()
    house.go_on(url)
    expect(face.items("agentMessage").locator(".markdown")).to_have_text("One, two,")
    expect(face.at("#connection")).to_be_empty()
    expect(face.at("#status")).to_contain_text("serve answers again.")
    second.open()
    face.wait_for_state("complete")
    expect(face.items("agentMessage").locator(".markdown")).to_have_text(["One, two, three."])
    expect(face.items("userMessage")).to_have_count(1)
    expect(face.at("#say-text")).to_have_value("half a sent")
    expect(face.row(turn_id)).to_have_attribute("data-state", "complete")
    tab.forgive(*_LOST)


def test_a_session_that_ends_while_the_page_is_open_is_asked_for_again_and_what_was_typed_is_kept(
    chromium: Chromium, house: PageHouse
) -> None:
    url = house.locked_url
    with chromium.tab() as tab:
        face = PageFace(tab)
        tab.page.goto(url)
        expect(face.at("#login-dialog")).to_be_visible()
        for _ in range(5):  # Chromium does not let a page prevent the third one
            tab.page.keyboard.press("Escape")
        expect(face.at("#login-dialog")).to_be_visible()
        face.at("#token").fill("wrong" * 10)
        face.at("#login-send").click()
        expect(face.at("#login-error")).to_contain_text("wrong token")
        face.at("#token").fill(f" {house.token}\n")
        face.at("#login-send").click()
        expect(face.at("#login-dialog")).to_be_hidden()
        turn_id = face.start(house.model.on("Before the loss", say("Said.")))
        face.wait_for_state("complete")

        house.stop(url)
        face.at("#say-text").fill("typed before the loss")
        house.go_on(url)
        expect(face.at("#login-dialog")).to_be_visible()
        other = PageFace(Tab(tab.page.context))
        other.page.goto(url)
        other.at("#token").fill(house.token)
        other.page.keyboard.press("Enter")
        expect(face.at("#login-dialog")).to_be_hidden()
        expect(face.at("#say-text")).to_have_value("typed before the loss")
        face.at("#say-send").click()
        face.wait_for_other_turn(turn_id)
        face.wait_for_state("complete")
        tab.page.reload()
        expect(face.items("agentMessage")).to_contain_text("echo: typed before the loss")
        expect(face.at("#login-dialog")).to_be_hidden()
        other.open(turn_id)
        for each in (face, other):
            each.at("#say-text").fill("for my eyes")
        tab.page.get_by_role("button", name="Log out").click()
        for each in (face, other):
            expect(each.at("#login-dialog")).to_be_visible()
            expect(each.at("#turn-list > li")).to_have_count(0)
            expect(each.at("#say-text")).to_have_value("")
            assert each.page.evaluate("sessionStorage.length") == 0
        face.at("#token").fill(house.token)
        face.at("#login-send").click()
        expect(face.at("#login-dialog")).to_be_hidden()
        tab.page.context.set_offline(True)
        tab.page.get_by_role("button", name="Log out").click()
        expect(face.at("#notice")).to_contain_text("You are logged out here")
        tab.page.context.set_offline(False)
        expect(face.at("#login-dialog")).to_be_visible()
        assert not any(house.token in asked for asked in tab.requests)
        tab.forgive(*_LOST)
        assert tab.violations(url) == []


def test_a_turn_that_is_deleted_while_it_is_looked_at_is_said_to_be_gone(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    turn_id = face.start(house.model.on("Soon forgotten", say("Said.")))
    face.wait_for_state("complete")
    house.home.turn(turn_id).wait_for_exit_of_worker()
    assert httpx.delete(f"{house.url}/turns/{turn_id}", trust_env=False).status_code == 200
    expect(face.row(turn_id)).to_have_count(0)
    expect(face.at("#turn-error")).to_contain_text("deleted")
    expect(face.items("agentMessage")).to_contain_text("Said.")
    tab.page.reload()
    expect(face.at("#turn-error")).to_contain_text("deleted")
    tab.forgive(*_LOST)


def test_a_turn_is_found_by_its_name_too_and_of_what_never_was_it_is_not_said_that_it_was_deleted(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    turn = house.home.start("new", house.model.on("Dotted", say("Said.")), "--name", "rev.1")
    tab.page.goto(f"{house.url}/#/turn/rev.1")
    face.wait_for_turn(turn.id)
    expect(face.row(turn.id).get_by_role("link")).to_have_attribute("aria-current", "true")
    tab.page.goto(f"{house.url}/#/turn/nosuch")
    expect(face.at("#turn-error")).to_contain_text("nosuch")
    expect(face.at("#turn-error")).not_to_contain_text("deleted")
    tab.forgive(*_LOST)


def test_a_stream_ends_with_the_session_that_it_was_asked_for_in(house: PageHouse) -> None:
    gate, url = Gate(), house.locked_url
    turn = house.home.start("new", house.model.on("Until the logout", say("One.", hold(gate), "Two.")))
    with httpx.Client(base_url=url, headers={"origin": url}, trust_env=False, timeout=30) as browser:
        proof = browser.post("/page/session", json={"token": house.token}).json()["proof"]
        headers = {"x-codex-server-csrf": proof}
        with browser.stream("GET", f"/turns/{turn.id}/events", headers=headers) as answer:
            lines = answer.iter_lines()
            assert any("One." in line for line in lines)
            assert browser.delete("/page/session", headers=headers).status_code == 204
            gate.open()
            rest = "".join(lines)
    assert "Two." not in rest
    assert "event: end" not in rest


def test_what_controls_or_reorders_text_is_shown_and_not_obeyed(house: PageHouse, face: PageFace) -> None:
    command = f"printf '{_DECEIVING[1:-12]}'; printf '\\033[31mred\\033[0m \\342\\200\\256evil\\n'"
    prompt = house.model.on("Show \u202eme\u202c", reply(run_command(command)), say(f"Look: {_DECEIVING}"))
    face.start(prompt)
    face.wait_for_state("complete")
    expect(face.items("agentMessage")).to_contain_text("\\u202etxt.exe")
    expect(face.items("commandExecution")).to_contain_text("␛[31mred␛[0m \\u202eevil")
    expect(face.at("#turn-title")).to_have_text("Show \\u202eme\\u202c")
    markup = face.page.evaluate("document.documentElement.outerHTML + document.title")
    assert not set("\x1b\x07\u202e\u202c\u2066\u2069\u200b") & set(markup)


def test_markdown_that_tries_to_inject_does_nothing(house: PageHouse, face: PageFace) -> None:
    face.start(house.model.on("<img src=x onerror='window.hit=1'>", say(_INJECTING)))
    face.wait_for_state("complete")
    message = face.items("agentMessage")
    expect(message).to_contain_text('<img src=x onerror="window.hit = 1">')
    expect(message).to_contain_text("<b>code</b>")
    expect(face.at("#turn-title")).to_have_text("<img src=x onerror='window.hit=1'>")
    assert face.at("#panes").locator("img, script, iframe, svg, [onclick], [onload], [onerror]").count() == 0
    links = message.locator("a").evaluate_all("nodes => nodes.map(node => [node.getAttribute('href'), node.rel])")
    assert [href for href, _ in links] == ["http://127.0.0.1:9/x.png", "https://example.org/a"]
    assert all("noopener" in rel for _, rel in links)
    for words in ("click", "data", "block"):
        message.get_by_text(words, exact=False).first.click()
    assert face.page.evaluate("window.hit") is None


def test_a_long_answer_and_a_paste_of_thousands_of_lines_leave_the_page_quick(house: PageHouse, face: PageFace) -> None:
    lines = [f"- item {number} of a **long** answer with `code` in it\n" for number in range(4000)]
    prompt = "please read\n" + "\n".join(f"line {number} of what was pasted" for number in range(5000))
    gate = Gate()
    house.model.on(prompt, reply(say(*lines, hold(gate), "The end."), run_command("seq 20000")), say("Really."))
    face.start(prompt)
    expect(face.items("agentMessage").first).to_contain_text("item 3999 of a")
    longest_ms = face.page.evaluate(_LONGEST_PAUSE_MS)
    gate.open()
    face.wait_for_state("complete")
    expect(face.items("agentMessage").last).to_contain_text("Really.")
    expect(face.items("userMessage")).to_contain_text("line 4999 of what was pasted")
    assert longest_ms < _DEAD_MS


def test_an_answer_of_megabytes_is_shown_as_text_and_leaves_the_page_alive(house: PageHouse, face: PageFace) -> None:
    face.start(house.model.on("Megabytes", say("# Head\n\n", "a **word** and more " * 150_000, "the end")))
    face.wait_for_state("complete")
    expect(face.items("agentMessage")).to_contain_text("too long to be laid out")
    expect(face.items("agentMessage")).to_contain_text("the end")
    expect(face.items("agentMessage").get_by_role("heading", name="Head")).to_have_count(0)
    assert face.page.evaluate(_LONGEST_PAUSE_MS) < _DEAD_MS


_DEAD_MS = 10_000
"""A page that stands still for so long is taken for dead: far more than it takes on a loaded machine, also with other
tests beside it, and less than a text of megabytes that is laid out."""

_LONGEST_PAUSE_MS = """async () => {
  let longest = 0;
  for (let last = performance.now(), began = last; last - began < 2000; ) {
    await new Promise(resolve => setTimeout(resolve, 10));
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }
  return Math.round(longest);
}"""
