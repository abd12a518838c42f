"""A headless Chromium that tests drive as a person would, and what its pages must never do.

Owns: its start and its end, the record of what a page asks for and complains of, the accessibility check, pictures.
Never here: what the page of `serve` looks like, assertions about the product.

Playwright is installed by `./test.sh --judges` alone, so nothing of it is imported before a browser starts. It brings
no browser of its own: that of the system is used, and what needs it skips itself where there is none.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import psutil

from tests.kit import failed, node_clients

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--no-sandbox",  # it does not start as root without; it is shown nothing but pages of tests
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--font-render-hinting=none",
)
WAIT_MS = 30_000
"""How long a page may take for what a test expects."""
WIDE, PHONE = (1280, 900), (360, 740)
_OWN_SCHEMES = frozenset({"data", "blob", "about"})


def absence() -> str | None:
    """Why no browser can be driven on this machine; None where one can."""
    if find_spec("playwright") is None:
        return "playwright is not installed: ./test.sh --judges does that"
    return None if _executable() else f"no Chromium on PATH ({', '.join(_NAMES)})"


def _executable() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)


def expect(locator: Any) -> Any:
    """Playwright's assertions about a locator or page, which wait until they are true."""
    from playwright.sync_api import expect as expected

    expected.set_options(timeout=WAIT_MS)
    return expected(locator)


class Finding(NamedTuple):
    """What the accessibility check found fault with."""

    impact: str
    rule: str
    nodes: tuple[str, ...]


class Tab:
    """A page in a browser profile of its own.

    Attributes:
        page: Playwright's.
        requests: the URL of each request that it made, also of workers and frames.
        complaints: errors of its console, uncaught ones, and violations of its security policy.
        forgiven: words of the complaints that a test provokes.
    """

    def __init__(self, context: Any) -> None:
        self.page = context.new_page()
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.forgiven: list[str] = []
        context.on("request", lambda request: self.requests.append(request.url))
        self.page.on("websocket", lambda socket: self.requests.append(socket.url))
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _note_message(self, message: Any) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def foreign_requests(self, *origins: str) -> list[str]:
        """The requests that went to none of these origins (`http://127.0.0.1:8787`)."""
        return [url for url in self.requests if _origin(url) not in {*origins, None}]

    def violations(self, *origins: str) -> list[str]:
        """What it asked for elsewhere, and all that it complained of until now, but for what is forgiven."""
        self.page.evaluate("0")  # what was said before it has come in then
        unforgiven = [each for each in self.complaints if not any(word in each for word in self.forgiven)]
        return self.foreign_requests(*origins) + unforgiven

    def forgive(self, *words: str) -> None:
        """Forgive complaints with one of these words, also later ones: a response may still be on its way."""
        self.forgiven += words

    def faults(self) -> list[Finding]:
        """What axe finds in the page as it is now, of serious or critical impact."""
        self.page.evaluate((node_clients.packages() / "axe-core" / "axe.min.js").read_text())
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
        serious = [each for each in found if each["impact"] in ("serious", "critical")]
        return [Finding(each["impact"], each["id"], tuple(node["html"] for node in each["nodes"])) for each in serious]

    def is_too_wide(self) -> bool:
        """Whether the page can be scrolled sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))

    def picture(self, path: Path) -> None:
        """Write what is shown to a PNG file, with everything that moves at rest."""
        self.page.screenshot(path=path, animations="disabled", caret="hide")


class Chromium:
    """The browser; it runs from construction to `close`."""

    def __init__(self) -> None:
        """Start it.

        Raises:
            RuntimeError: there is none (`absence`).
        """
        if reason := absence():
            raise RuntimeError(reason)
        from playwright.sync_api import sync_playwright

        known = set(psutil.Process().children())
        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=_executable(), args=_FLAGS)
        self._pids = {each.pid for each in set(psutil.Process().children()) - known}
        failed.SPARED_PIDS.update(self._pids)

    @contextmanager
    def tab(self, *, size: tuple[int, int] = WIDE, theme: str = "light", **context: Any) -> Iterator[Tab]:
        """An empty page in a fresh profile, which is gone afterwards.

        Args:
            size: of the window, in pixels.
            theme: `light` or `dark`, which the person prefers.
            context: more of Playwright's `Browser.new_context`.
        """
        viewport = {"width": size[0], "height": size[1]}
        opened = self._browser.new_context(viewport=viewport, color_scheme=theme, locale="en-GB", **context)
        try:
            opened.set_default_timeout(WAIT_MS)
            yield Tab(opened)
        finally:
            opened.close()

    def close(self) -> None:
        """End it."""
        self._browser.close()
        self._playwright.stop()
        failed.SPARED_PIDS.difference_update(self._pids)


def _origin(url: str) -> str | None:
    """The origin of a URL; None where it leads to no server."""
    parts = urlsplit(url)
    return None if parts.scheme in _OWN_SCHEMES else f"{parts.scheme}://{parts.netloc}"
