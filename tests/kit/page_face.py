"""The page of `serve` as a person uses it. Owns what things are called in it: `index.html` promises these names.

Never here: assertions about the product.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.kit.browser import Tab, expect

_PRESSES = 20
_SAID_OF_REQUEST = "node => node.closest('article.request')?.querySelector('[role=alert]')?.textContent"


class PageFace:
    """The page in a tab.

    Attributes:
        tab, page: the tab, and Playwright's page.
    """

    def __init__(self, tab: Tab) -> None:
        self.tab, self.page = tab, tab.page

    def at(self, selector: str, **more: Any) -> Any:
        """What a CSS selector finds."""
        return self.page.locator(selector, **more)

    # --- the list

    def row(self, turn_id: str) -> Any:
        """A turn in the list."""
        return self.at(f"#turn-list > li[data-turn='{turn_id}']")

    def open(self, turn_id: str) -> None:
        """Open a turn, as a click on its row does."""
        self.row(turn_id).get_by_role("link").click()
        self.wait_for_turn(turn_id)

    # --- a turn

    def start(self, prompt: str, *, sandbox: str = "read-only", may_ask: bool = False) -> str:
        """Start a turn by the form.

        Returns:
            Its id, once it is shown.
        """
        before = self.turn_id
        self.page.get_by_role("button", name="New turn").click()
        expect(self.at("#start-prompt")).to_be_visible()
        self.paste("#start-prompt", prompt)
        self.at("#start-sandbox").select_option(sandbox)
        self.at("#start-ask").set_checked(may_ask)
        self.at("#start-send").click()
        return self.wait_for_other_turn(before)

    def paste(self, selector: str, text: str) -> None:
        """Put a text into a field at once; typing takes Chromium long where the text has thousands of lines."""
        script = "(node, text) => { node.value = text; node.dispatchEvent(new Event('input', {bubbles: true})); }"
        self.at(selector).evaluate(script, text)

    def wait_for_other_turn(self, before: str) -> str:
        """The id of the turn that is shown, once it is another one than before."""
        expect(self.at(f"#turn[data-turn]:not([data-turn='{before}'])")).to_be_visible()
        return self.turn_id

    def wait_for_turn(self, turn_id: str) -> None:
        """Wait until this turn is shown."""
        expect(self.at(f"#turn[data-turn='{turn_id}']")).to_be_visible()

    @property
    def turn_id(self) -> str:
        """The id of the turn that was shown last; empty at first."""
        return str(self.at("#turn").get_attribute("data-turn") or "")

    def wait_for_state(self, state: str) -> None:
        """Wait until the turn that is shown is in this state."""
        expect(self.at("#turn")).to_have_attribute("data-state", state)

    def items(self, kind: str) -> Any:
        """The items of a kind in the stream, such as `agentMessage`."""
        return self.at(f"#stream > article.item[data-kind='{kind}']")

    @property
    def request(self) -> Any:
        """What the turn waits for."""
        return self.at("#pending > article.request")

    def decide(self, button: Any, press: Callable[[], None] | None = None) -> None:
        """Press a button of a request until it counts: it does not in the moment after something has moved.

        Args:
            button: a locator of it.
            press: how; by default with the mouse.
        """
        node = button.element_handle()
        said = node.evaluate(_SAID_OF_REQUEST)
        for _ in range(_PRESSES):
            expect(button).to_have_attribute("aria-disabled", "false")
            (press or button.click)()
            if node.evaluate("node => !node.isConnected || node.disabled") or node.evaluate(_SAID_OF_REQUEST) != said:
                return
        raise AssertionError("the page takes no decision")

    def say(self, text: str) -> None:
        """Steer or continue it."""
        self.at("#say-text").fill(text)
        self.at("#say-send").click()
