"""What stands behind the page in its tests: a home with a real codex, a model that is told what to say, and `serve`.

Never here: what the page looks like (`page_face`), assertions about the product.
"""

from __future__ import annotations

from pathlib import Path

import httpx

from codex_server_cli.codex.server.token import make_token
from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.kit.home import Home, Turn
from tests.kit.prompted_model import PromptedModel
from tests.kit.serving import Serving
from tests.kit.support import NO_EXTRAS, Json, make_repository

_ALL = ("--write", "--allow-raw-rpc")


class PageHouse:
    """See the module; a failed test ends what it held, `serve` among it, which is then started again.

    Attributes:
        home, model: as above. The project is a repository with `app.py`.
        url, locked_url: of `serve` with every flag, and of one that asks for the token of `token`.
    """

    def __init__(self, home: Home) -> None:
        self.home, self.model = home, PromptedModel()
        scripted = home.opened.enter_context(ScriptedModel(self.model))
        write_custom_provider(home.codex_home, scripted.base_url, model="gpt-5.5", features=NO_EXTRAS)
        make_repository(home.project)
        (home.project / "app.py").write_text('def hello(name):\n    print("hello " + name)\n')
        self._token_file = home.root / "token"
        make_token(self._token_file)
        self.token = self._token_file.read_text().strip()
        self._serving: dict[str, Serving] = {}

    @property
    def url(self) -> str:
        """Where it serves."""
        return self._running("open", *_ALL).address

    @property
    def locked_url(self) -> str:
        """Where it serves those who have the token."""
        return self._running("locked", *_ALL, "--token-file", str(self._token_file)).address

    def stop(self, url: str) -> None:
        """End the one of this URL, as its supervisor would."""
        next(each for each in self._serving.values() if each.address == url).stop()

    def go_on(self, url: str) -> None:
        """Start the one that was stopped again, at the same port."""
        assert url in (self.url, self.locked_url)

    def _running(self, name: str, *flags: str) -> Serving:
        known = self._serving.get(name)
        if known is None or known.process.poll() is not None:
            port = known.port if known else 0
            self._serving[name] = Serving(self.home, *flags, listen=f"127.0.0.1:{port}")
        return self._serving[name]

    def turn_of(self, prompt: str) -> Turn:
        """The one turn with this prompt."""
        (turn_id,) = (each["turn_id"] for each in self.turns() if each.get("prompt") == prompt)
        return self.home.turn(turn_id)

    def turns(self) -> list[Json]:
        """All turns, as `serve` lists them."""
        found: list[Json] = httpx.get(f"{self.url}/turns?limit=500&full=true", trust_env=False).json()["turns"]
        return found

    def close(self, *, has_failed: bool) -> list[str]:
        """End everything; see `Home.close`."""
        for turn_id in self.home.turn_ids:
            self.home.call("cancel", turn_id)
        return self.home.close(has_failed=has_failed)


def make_house(root: Path, codex: Path, initialised: Path) -> PageHouse:
    """A house in an empty directory."""
    return PageHouse(Home(root, codex, initialised))
