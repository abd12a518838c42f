"""Makes README's pictures: `python -m tests.kit.pictures [NAME…]`. Owns what is shown in them.

Everything in them is real but the model, which says what is written here: turns of a real codex, the installed command
in a real terminal, the page of `serve` in Chromium. No path and no time of the machine that made them is in them.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import (
    apply_patch,
    bad_request,
    call,
    hold,
    reason,
    reply,
    run_command,
    say,
)
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.kit.browser import Chromium, expect
from tests.kit.home import COMMAND, Home, Turn
from tests.kit.page_face import PageFace
from tests.kit.prompted_model import PromptedModel
from tests.kit.screen_picture import svg_of
from tests.kit.serving import Serving
from tests.kit.support import NO_EXTRAS, codex_binaries, make_repository, wait_until
from tests.kit.tmux import Terminal

FOLDER = Path(__file__).parents[2] / "references" / "pictures"
_COLUMNS, _LINES = 100, 28

_PROGRAM = '''\
def read_lines(data: bytes) -> list[bytes]:
    """The lines of a file."""
    lines = data.split(b"\\n")
    return lines[:-1]
'''
_PATCH = """\
*** Begin Patch
*** Update File: reader.py
@@
     lines = data.split(b"\\n")
-    return lines[:-1]
+    return lines if lines[-1] else lines[:-1]
*** End Patch"""
_FOUND = """\
`read_lines()` dropped the **last line** of a file that does not end with a newline. Fixed in `reader.py`:

| file | before | now |
|---|---:|---:|
| ends with a newline | 3 lines | 3 lines |
| ends without | 2 lines | **3 lines** |
| empty | 0 lines | 0 lines |

1. the split stays as it is,
2. only an *empty* last piece is left out.
"""
_FIX = "Fix read_lines(): it loses the last line"
_EXPLAIN = "Explain how the cache is invalidated"
_REVIEW = "Review the retry logic of the uploader"
_STAGE = "Run the migration against the staging database"
_ASK = "Write the release notes"
_BUMP = "Bump the dependencies"
_QUESTION = {
    "id": "form",
    "header": "Form",
    "question": "Which form should the release notes have?",
    "options": [{"label": "A list", "description": "one line a change"}, {"label": "Prose", "description": "a page"}],
}


class Scene:
    """A user with a project `~/reader`, and turns in it.

    Attributes:
        home: theirs.
        gate: opens at the end; the turn that runs waits for it.
        fixed: the turn that has changed something, once they were played.
    """

    def __init__(self, root: Path) -> None:
        (_, codex), *_ = codex_binaries()
        (root / "fresh").mkdir(mode=0o700)
        self.home = Home(root, codex, root / "fresh")
        self.home.project = Path(self.home.env["HOME"]) / "reader"
        self.home.project.mkdir()
        make_repository(self.home.project)
        (self.home.project / "reader.py").write_text(_PROGRAM)
        self.gate = Gate()
        self.model = PromptedModel()
        scripted = self.home.opened.enter_context(ScriptedModel(self.model))
        # Of a model that Codex does not know it says so in every turn.
        write_custom_provider(self.home.codex_home, scripted.base_url, model="gpt-5.5", features=NO_EXTRAS)
        self._script()

    def _script(self) -> None:
        """What the model says to each prompt."""
        on = self.model.on
        on(_FIX, reply(reason("**Reading the parser**"), apply_patch(_PATCH)), say(_FOUND, chunks=20))
        on(_EXPLAIN, say("By the number of the newest commit, which is a part of each key."))
        on(
            _REVIEW,
            reply(say("I look at the callers first.", phase="commentary"), run_command("grep -n retry *.py")),
            say("Each upload is tried **three times**, one second apart.\n\n", hold(self.gate), "Done."),
        )
        stage = run_command("./migrate --database staging", escalated=True, justification="it needs the network")
        on(_STAGE, reply(say("The migration is ready.", phase="commentary"), stage), say("Done."))
        on(_ASK, reply(call("request_user_input", {"questions": [_QUESTION]})), say("Done."))
        on(_BUMP, bad_request("the model is not available in your plan"))

    def play(self) -> None:
        """Have turns in all states."""
        start = self.home.start
        self.fixed = start("new", _FIX, "--write")
        for turn in (self.fixed, start("new", _EXPLAIN), start("new", _BUMP)):
            wait_until(lambda turn=turn: turn.is_ended, what="the end of a turn")  # type: ignore[misc]
        _await_request(start("new", _ASK, "--questions", "--plan"))
        _await_request(start("new", _STAGE, "--approval", "ask"))
        start("new", _REVIEW)
        self.gate.wait_until_reached()

    def close(self) -> None:
        """End it all."""
        self.gate.open()
        for turn_id in self.home.turn_ids:
            self.home.run("cancel", turn_id)
        self.home.close()


def _await_request(turn: Turn) -> None:
    wait_until(lambda: (turn.path / "pending.json").exists(), what="its request")


@contextmanager
def scene() -> Iterator[Scene]:
    """A scene of its own, which is gone afterwards."""
    with tempfile.TemporaryDirectory() as root:
        made = Scene(Path(root))
        try:
            yield made
        finally:
            made.close()


def board() -> None:
    """`watch`, with turns in all states."""
    with scene() as made:
        made.play()
        with _terminal(made.home, "watch", lines=18) as terminal:
            terminal.wait_for("staging")
            time.sleep(1.5)  # a moving picture at rest
            _write("board", terminal, "codex-server watch")
            terminal.press("q")


def chat() -> None:
    """`chat`: a change, and an answer with a table."""
    with scene() as made, _terminal(made.home, "chat", "--write") as terminal:
        terminal.wait_for("›")
        terminal.enter(_FIX)
        terminal.wait_for("left out")
        time.sleep(1.5)
        _write("chat", terminal, "codex-server chat")
        terminal.press("C-d")


def page(theme: str) -> None:
    """The page: the list, and a turn with a change and a table."""
    with scene() as made:
        made.play()
        serving = Serving(made.home, "--write", "--allow-raw-rpc")
        chromium = Chromium()
        with chromium.tab(theme=theme, size=_PAGE) as tab:
            face = PageFace(tab)
            tab.page.goto(serving.address)
            face.open(made.fixed.id)
            face.wait_for_state("complete")
            expect(face.items("agentMessage").last).to_contain_text("left out")
            expect(face.items("fileChange")).to_be_visible()
            tab.page.evaluate(_SHORTEN, [str(made.home.project), "~/reader"])
            tab.picture(path := FOLDER / f"page-{theme}.png")
        chromium.close()
        Image.open(path).convert("RGB").quantize(256, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


_PAGE = (1180, 820)
_SHORTEN = """([path, short]) => {
  for (const node of document.querySelectorAll("bdi")) if (node.textContent === path) node.textContent = short;
}"""
"""The page does not know whose home a path is in."""


@contextmanager
def _terminal(home: Home, *words: str, lines: int = _LINES) -> Iterator[Terminal]:
    with tempfile.TemporaryDirectory() as root:
        command = [COMMAND, *words]
        with Terminal(Path(root), command, home.env, cwd=home.project, columns=_COLUMNS, lines=lines) as terminal:
            yield terminal


def _write(name: str, terminal: Terminal, title: str) -> None:
    (FOLDER / f"{name}.svg").write_text(svg_of(terminal.screen(has_styles=True), _COLUMNS, title))


PICTURES: dict[str, Callable[[], None]] = {
    "board.svg": board,
    "chat.svg": chat,
    "page-light.png": lambda: page("light"),
    "page-dark.png": lambda: page("dark"),
}


def main() -> None:
    """Make them all, or those that are named."""
    os.environ.pop("NO_COLOR", None)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], metavar="NAME", help=", ".join(PICTURES))
    FOLDER.mkdir(exist_ok=True)
    for name in parser.parse_args().names or PICTURES:
        PICTURES[name]()
        print(FOLDER / name, f"{(FOLDER / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
