"""The page for everyone: by keyboard alone, on a phone, in the dark, read aloud."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from codex_server_cli.demo.replies import ReplyLike, apply_patch, reason, reply, run_command, say
from tests.kit import node_clients
from tests.kit.browser import PHONE, WIDE, Chromium, Tab, expect
from tests.kit.escalations import question
from tests.kit.page_face import PageFace
from tests.kit.page_house import PageHouse

pytestmark = pytest.mark.judge

_PATCH = """\
*** Begin Patch
*** Add File: notes of the day.md
+# Notes
+one line that is much longer than a phone is wide, so that something has to be done about it, one way or the other
*** End Patch"""
_ANSWER = f"""\
# Report

- [x] a list, **strong**, `code` and a [link](https://example.org/{"a" * 120})
- {"a_word_without_any_blank_" * 8}

| file | lines | state |
|---|---:|---|
| a/very/long/path/to/a/file/that/is/wide.py | 120 | changed, and this cell is rather long as well |

```python
def read_lines(data: bytes) -> list[bytes]: return data.split(b"\\n")  # and a comment that makes it a long line
```

> Done is better than perfect.
"""


@pytest.fixture(scope="module")
def turns(house: PageHouse) -> dict[str, str]:
    """A turn that has done all there is, one that asks for approval, and one that asks a question, by name."""
    on, start = house.model.on, house.home.start
    command = run_command("seq 40; echo a long line of output: $(seq 100 | tr '\\n' ' ')")
    parts: list[ReplyLike] = [reply(reason("**Thinking**"), command), reply(apply_patch(_PATCH)), say(_ANSWER)]
    ask = run_command("echo of the page >/dev/null", escalated=True, justification="because")
    found = {
        "full": start("new", on("A page full of everything", *parts), "--write"),
        "approval": start("new", on("An approval", reply(ask), say("Over.")), "--approval", "ask"),
        "question": start("new", on("A question", reply(question()), say("Over.")), "--questions"),
    }
    found["full"].wait()
    return {name: turn.id for name, turn in found.items()}


_VIEWS = ("list", "full", "approval", "question", "usage", "start", "help", "cancel")


@contextmanager
def _view(face: PageFace, url: str, turns: dict[str, str], name: str) -> Iterator[None]:
    """Show a view, with nothing left open afterwards."""
    page = face.page
    where = f"turn/{turns[name]}" if name in turns else f"turn/{turns['approval']}" if name == "cancel" else ""
    page.goto(f"{url}/#/{'usage' if name == 'usage' else where}")
    expect(face.at("#turn-list > li").first).to_be_attached()
    if name in ("approval", "question"):
        expect(face.request).to_be_visible()
    if name == "full":
        face.wait_for_state("complete")
        expect(face.items("agentMessage").get_by_role("heading", name="Report")).to_be_visible()
        face.at("#diff > summary").click()
        expect(face.at("#diff-body .line").first).to_be_visible()
    if name == "usage":
        expect(face.at("#plot svg")).to_be_visible()
        expect(face.at("#limits")).not_to_contain_text("Loading")
    if name == "start":
        page.get_by_role("button", name="New turn").click()
    if name == "help":
        page.get_by_role("button", name="Help").click()
    if name == "cancel":
        face.at("#cancel-turn").click()
    yield
    page.goto("about:blank")


@pytest.mark.parametrize(("theme", "size"), [("light", WIDE), ("dark", PHONE)])
def test_no_view_has_a_serious_fault_for_those_who_read_it_otherwise(
    chromium: Chromium, house: PageHouse, turns: dict[str, str], theme: str, size: tuple[int, int]
) -> None:
    if reason := node_clients.absence():
        pytest.skip(reason)
    found = {}
    with chromium.tab(theme=theme, size=size) as tab:
        for name in _VIEWS:
            with _view(PageFace(tab), house.url, turns, name):
                found[name] = tab.faults()
        tab.page.goto(house.locked_url)
        expect(tab.page.get_by_role("dialog", name="Log in")).to_be_visible()
        found["login"] = tab.faults()
    assert {view: faults for view, faults in found.items() if faults} == {}


def test_on_a_phone_no_view_is_wider_than_the_screen_and_what_is_pressed_is_large_enough(
    chromium: Chromium, house: PageHouse, turns: dict[str, str]
) -> None:
    with chromium.tab(size=PHONE, is_mobile=True, has_touch=True) as tab:
        face, too_wide, too_small = PageFace(tab), [], set()
        for name in _VIEWS:
            with _view(face, house.url, turns, name):
                too_wide += [name] if tab.is_too_wide() else []
                too_small |= set(tab.page.evaluate(_SMALL))
        assert (too_wide, too_small) == ([], set())
        tab.page.goto(house.url)
        face.row(turns["full"]).get_by_role("link").tap()
        expect(face.at("#turn-list")).to_be_hidden()
        face.at("#turn .back").tap()
        expect(face.at("#turn-list")).to_be_visible()
        tab.forgive("409")  # a provider without limits
        assert tab.violations(house.url) == []


_SMALL = """[...document.querySelectorAll("button, select, summary, input:not([type=checkbox], [type=radio])")]
  .map(node => [node, node.getBoundingClientRect()])
  .filter(([node, box]) => node.checkVisibility() && box.width > 0 && Math.min(box.width, box.height) < 24)
  .map(([node]) => node.id || node.textContent)"""


def test_everything_is_done_by_the_keyboard(tab: Tab, house: PageHouse, turns: dict[str, str], face: PageFace) -> None:
    keys = tab.page.keyboard
    expect(face.row(turns["full"])).to_be_visible()
    keys.press("?")
    expect(face.at("#help-dialog")).to_be_visible()
    keys.press("Escape")
    expect(face.at("#help-dialog")).to_be_hidden()
    keys.press("/")
    keys.type("page full of every")
    expect(face.at("#turn-list > li")).to_have_count(1)
    keys.press("Escape")
    expect(face.row(turns["approval"])).to_be_visible()
    keys.press("Escape")
    expect(face.at("#filter")).not_to_be_focused()
    keys.press("j")
    first = tab.page.evaluate("document.activeElement.closest('li').dataset.turn")
    keys.press("j")
    keys.press("k")
    keys.press("Enter")
    face.wait_for_turn(first)
    keys.press("n")
    expect(face.at("#start-prompt")).to_be_focused()
    keys.type(house.model.on("j k by keyboard", reply(question()), say("Thanks.")))
    keys.press("Control+Enter")
    turn_id = face.wait_for_other_turn(first)
    expect(face.request).to_be_visible()
    _tab_to(tab, "input[type=radio]")
    keys.press("ArrowDown")
    _tab_to(tab, "button[type=submit]")
    face.decide(face.at("#pending button[type=submit]"), press=lambda: keys.press("Enter"))
    face.wait_for_state("complete")
    expect(face.at("#turn-title")).to_be_focused()
    face.at("#say-write").focus()
    keys.press("?")  # a letter is not for a box to tick
    expect(face.at("#help-dialog")).to_be_visible()
    keys.press("Escape")
    expect(face.at("#help-dialog")).to_be_hidden()
    keys.press("s")
    keys.type("go on")
    keys.press("Control+Enter")
    face.wait_for_other_turn(turn_id)
    face.wait_for_state("complete")
    keys.press("u")
    expect(face.at("#usage-title")).to_be_focused()
    keys.press("Escape")
    expect(face.at("#welcome")).to_be_visible()
    tab.forgive("409")  # a provider without limits


def _tab_to(tab: Tab, selector: str) -> None:
    """Press Tab until what the selector means has the focus, which it has visibly then."""
    for _ in range(60):
        tab.page.keyboard.press("Tab")
        if tab.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            outline = tab.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none"
            return
    raise AssertionError(f"Tab does not lead to {selector}")


def test_who_reads_no_screen_is_told_what_has_changed_and_no_piece_of_an_answer(
    tab: Tab, house: PageHouse, face: PageFace
) -> None:
    face.start(house.model.on("Say it aloud", say("a long answer in many pieces " * 20, chunks=100)))
    face.wait_for_state("complete")
    expect(face.at("#status")).to_contain_text("Say it aloud: complete")
    spoken = tab.page.locator("[aria-live], [role=status], [role=alert]")
    assert "stream" not in spoken.evaluate_all("nodes => nodes.map(node => node.id)")
