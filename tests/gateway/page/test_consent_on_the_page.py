"""What is consented to on the page is what was shown there, whole, and for long enough to be read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from codex_server_cli.demo.replies import apply_patch, call, reply, run_command, say
from tests.e2e.test_mcp import CONFIG, tool
from tests.kit.browser import expect
from tests.kit.escalations import ASK, replies_of
from tests.kit.home import Turn
from tests.kit.page_face import PageFace
from tests.kit.page_house import PageHouse

pytestmark = pytest.mark.judge

_LINES = 70
_PATCH = """\
*** Begin Patch
*** Update File: notes.txt
*** Move to: .envrc
@@
-harmless
+{lines}
*** Add File: empty.txt
*** End Patch"""


@pytest.fixture
def with_server(house: PageHouse) -> Iterator[None]:
    """Codex has an MCP server, which asks with a form."""
    path = house.home.codex_home / "config.toml"
    before = path.read_text()
    path.write_text(f"{before}\n{CONFIG}")
    yield
    path.write_text(before)


def _start(house: PageHouse, face: PageFace, prompt: str, *flags: str) -> Turn:
    """Start a turn that may ask, and open it."""
    turn = house.home.start("new", prompt, *ASK, *flags)
    face.open(turn.id)
    return turn


def _cut(face: PageFace) -> list[str]:
    """What of the request has to be scrolled within, or unfolded, to be seen."""
    script = """nodes => nodes.filter(node => node.scrollHeight > node.clientHeight + 2
      || node.scrollWidth > node.clientWidth + 2
      || node.closest("details:not([open])")).map(node => node.textContent.slice(0, 80))"""
    found: list[str] = face.request.locator("pre").evaluate_all(script)
    return found


def test_a_patch_is_shown_to_its_end_with_where_it_goes_and_then_applied(house: PageHouse, face: PageFace) -> None:
    (house.home.project / "notes.txt").write_text("harmless\n")
    lines = [f"line {number} {'x' * 300}" for number in range(_LINES)]
    patch = _PATCH.format(lines="\n+".join(lines))
    prompt = house.model.on("Move it", reply(apply_patch(patch)), say("Moved."))
    _start(house, face, prompt)
    moved = face.request.locator("details", has_text="notes.txt")
    expect(moved.locator("summary")).to_contain_text(f"+{_LINES} −1 → ")
    expect(moved.locator("summary")).to_contain_text(".envrc")
    expect(face.request.locator("summary", has_text="empty.txt")).to_contain_text("new, 0 lines")
    expect(moved.locator(".line.add")).to_have_count(_LINES)
    expect(moved.locator(".line.add").last).to_be_visible()
    assert _cut(face) == []
    face.decide(face.request.locator("button.approve"))
    face.wait_for_state("complete")
    assert (house.home.project / ".envrc").read_text() == "\n".join(lines) + "\n"


def test_a_command_is_shown_as_it_is_run_with_its_shell_and_its_blank_lines(house: PageHouse, face: PageFace) -> None:
    mark = house.home.root / "behind the blank lines"
    command = "date" + "\n" * 60 + f"touch '{mark}'"
    prompt = house.model.on("Hide it", reply(run_command(command, escalated=True, justification="no")), say("Well."))
    turn = _start(house, face, prompt)
    shown = face.request.locator("pre.command")
    expect(shown).to_contain_text(str(mark))
    asked = next(event for event in turn.events if event.get("method") == "item/commandExecution/requestApproval")
    assert shown.text_content() == f"$ {asked['params']['command']}"
    assert _cut(face) == []
    expect(face.request.locator("[data-expires]")).to_contain_text("Declined by itself in ")
    face.decide(face.request.locator("button.decline"))
    face.wait_for_state("complete")
    assert not mark.exists()


def test_permissions_are_shown_with_their_paths_and_granted(house: PageHouse, face: PageFace) -> None:
    wanted = {"permissions": {"file_system": {"write": [str(house.home.root)]}}, "reason": "to write there"}
    prompt = house.model.on("Grant it", reply(call("request_permissions", wanted)), say("Granted."))
    turn = _start(house, face, prompt, "--config", "features.request_permissions_tool=true")
    expect(face.request).to_have_attribute("data-kind", "permissions")
    expect(face.request.get_by_role("group", name="permissions")).to_contain_text(str(house.home.root))
    expect(face.request).to_contain_text("to write there")
    face.decide(face.request.locator("button.approve"))
    face.wait_for_state("complete")
    assert str(house.home.root) in str(replies_of(turn))


@pytest.mark.usefixtures("with_server")
def test_a_form_has_its_askers_words_and_limits_and_takes_what_it_requires(house: PageHouse, face: PageFace) -> None:
    prompt = house.model.on("Fill it", reply(tool("ask", "c1")), say("Filled."))
    turn = _start(house, face, prompt)
    expect(face.request).to_contain_text("server: fake")
    face.decide(face.request.locator("button.approve"))
    form = face.request.and_(face.at("[data-kind=elicitation]"))
    expect(form).to_contain_text("Tell me.")
    expect(form).to_contain_text("(integer, minimum 1, may be left out)")
    expect(form.locator("fieldset", has_text="Which colour?").get_by_role("textbox")).to_have_count(0)
    form.get_by_role("checkbox", name="Production").check()
    form.get_by_role("checkbox", name="Staging").check()
    face.decide(form.get_by_role("button", name="Answer"))
    expect(form.get_by_role("alert")).to_contain_text("Which colour?")
    form.get_by_role("radio", name="blue").check()
    face.decide(form.get_by_role("button", name="Answer"))
    face.wait_for_state("complete")
    assert replies_of(turn)[-1]["content"] == {"colour": "blue", "places": ["prd-1", "stg-1"]}


def test_the_buttons_of_a_turn_that_was_just_opened_wait_their_time_whatever_was_open_before(
    house: PageHouse, face: PageFace
) -> None:
    ask = reply(run_command("echo", escalated=True, justification="once"))
    turns = [_start(house, face, house.model.on(f"Turn {number}", ask, say("Over."))) for number in range(2)]
    face.page.goto(f"{house.url}/#/")
    time_until_they_count = """([first, second]) => new Promise(resolve => {
      let since = 0;
      new MutationObserver(() => {
        const shown = document.getElementById("turn").dataset.turn;
        const buttons = [...document.querySelectorAll("#pending > article.request button")];
        if (!buttons.length) return;
        if (shown === first) location.hash = `#/turn/${second}`;
        if (shown !== second) return;
        since ||= performance.now();
        const isOver = buttons.every(button => button.getAttribute("aria-disabled") === "false");
        if (isOver) resolve(performance.now() - since);
      }).observe(document.getElementById("pending"), {childList: true, subtree: true, attributes: true});
      location.hash = `#/turn/${first}`;
    })"""
    assert face.page.evaluate(time_until_they_count, [turn.id for turn in turns]) >= 500
    for turn in turns:
        house.home.call("cancel", turn.id)


def test_a_click_that_was_meant_for_one_request_does_not_decide_the_next(house: PageHouse, face: PageFace) -> None:
    marks = [house.home.root / f"mark {number}" for number in range(2)]
    asks = [reply(run_command(f"touch '{mark}'", escalated=True, justification="once")) for mark in marks]
    _start(house, face, house.model.on("Twice", *asks, say("Over.")))
    expect(face.request.locator("button.approve")).to_have_attribute("aria-disabled", "false")
    clicked_at_once = """() => new Promise(resolve => {
      const approve = "#pending > article.request button.approve";
      const first = document.querySelector(approve);
      new MutationObserver((_, watch) => {
        const next = document.querySelector(approve);
        if (!next || next === first) return;
        watch.disconnect();
        next.click();
        resolve(next.getAttribute("aria-disabled"));
      }).observe(document.getElementById("pending"), {childList: true});
      const press = () => first.getAttribute("aria-disabled") === "false" ? first.click() : setTimeout(press, 20);
      press();
    })"""
    assert face.page.evaluate(clicked_at_once) == "true"
    expect(face.request).to_contain_text(str(marks[1]))
    expect(face.request.locator("button.approve")).to_have_attribute("aria-disabled", "false")
    assert not marks[1].exists()
    face.decide(face.request.locator("button.decline"))
    face.wait_for_state("complete")
    assert [mark.exists() for mark in marks] == [True, False]


def test_what_may_be_done_is_chosen_anew_for_each_turn_and_a_key_that_is_pressed_twice_sends_once(
    house: PageHouse, face: PageFace
) -> None:
    gone_wrong = "(selector) => { for (let n = 0; n < 3; n += 1) document.querySelector(selector).dispatchEvent("
    twice = f"{gone_wrong}new KeyboardEvent('keydown', {{key: 'Enter', ctrlKey: true, bubbles: true}})); }}"
    face.page.get_by_role("button", name="New turn").click()
    face.at("#start-sandbox").select_option("danger-full-access")
    face.at("#start-ask").check()
    face.at("#start-cancel").click()
    face.page.get_by_role("button", name="New turn").click()
    expect(face.at("#start-sandbox")).to_have_value("read-only")
    expect(face.at("#start-ask")).not_to_be_checked()
    ask = run_command("true", escalated=True, justification="once")
    face.at("#start-prompt").fill(house.model.on("Hold for the keys", reply(ask), say("Over.")))
    face.at("#start-ask").check()
    face.page.evaluate(twice, "#start-prompt")
    turn = house.home.turn(face.wait_for_other_turn(""))
    expect(face.request).to_be_visible()
    face.at("#say-text").fill("only once")
    face.page.evaluate(twice, "#say-text")
    expect(face.at("#say-text")).to_have_value("")
    face.decide(face.request.locator("button.decline"))
    face.wait_for_state("complete")
    assert [each["method"] for each in turn.events if each.get("method") == "turn/steer"] == ["turn/steer"]
    assert len([each for each in house.turns() if each.get("prompt") == "Hold for the keys"]) == 1
