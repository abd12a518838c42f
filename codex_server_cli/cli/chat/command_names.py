"""The slash commands of a chat: names, arguments and completion. `commands` implements them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

from codex_server_cli.cli.completion.values import complete_turn
from codex_server_cli.core.model.request import Sandbox

_EFFORTS = ("low", "medium", "high", "xhigh")  # until Codex's model list is known
_COMMAND = re.compile(r"/([A-Za-z?]\w*)?(?:\s+(.*))?", re.DOTALL)


class Command(NamedTuple):
    """A command and its argument as typed."""

    name: str
    argument: str


COMMANDS = {
    "new": ("", "begin a new conversation"),
    "resume": ("[TURN|THREAD]", "go on with an earlier one; without it choose from a list"),
    "fork": ("", "go on from a copy of this one"),
    "compact": ("", "replace what was said by a summary, to make room"),
    "diff": ("", "what was changed last"),
    "model": ("[M]", "the model of the next messages; without it from a list"),
    "effort": ("[E]", "their reasoning effort, the same way"),
    "sandbox": ("[S]", "what their commands may touch"),
    "decline": ("[WHY]", "refuse what is asked"),
    "limits": ("", "how much of the usage limits is used up"),
    "status": ("", "thread, turn, model, sandbox, tokens"),
    "help": ("", "this list, and the keys"),
    "quit": ("", "leave; a turn that runs goes on"),
}
KEYS = """\
Enter       sends; while a turn runs, into that turn
Alt-Enter   a new line (Esc, then Enter, where no turn runs)
Esc         interrupts the turn
Ctrl-C      the same; twice in an empty editor leaves
Ctrl-D      leaves
Up, Down    earlier messages; Ctrl-R searches them
@name       a file of the project: Tab or the arrows complete it
 /word      a message that begins with / goes after a blank"""


def parse(text: str) -> Command | None:
    """Parse a line as a command; None for a message, also one that begins with a path."""
    match = _COMMAND.fullmatch(text.rstrip())
    if match is None:
        return None
    return Command(match[1] or "", (match[2] or "").strip())


def help_text() -> str:
    """All commands and keys, one per line."""
    rows = [(f"/{name} {takes}".rstrip(), help_) for name, (takes, help_) in COMMANDS.items()]
    pad = max(len(command) for command, _ in rows)
    return "\n".join([*(f"{command.ljust(pad)}  {help_}" for command, help_ in rows), "", KEYS])


class CommandCompleter(Completer):
    """Completes command names, and the arguments with known values.

    Args:
        efforts: returns the efforts that Codex lists, empty if unknown.
    """

    def __init__(self, efforts: Callable[[], list[str]]) -> None:
        self._efforts = efforts

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Completions for the beginning of a line; none for a message."""
        text = document.text_before_cursor
        if not text.startswith("/") or "\n" in document.text:
            return
        name, blank, argument = text[1:].partition(" ")
        if not blank:
            for command, (_, help_) in COMMANDS.items():
                if command.startswith(name):
                    yield Completion(command, start_position=-len(name), display=f"/{command}", display_meta=help_)
            return
        for value, description in self._arguments(name, argument):
            yield Completion(value, start_position=-len(argument), display_meta=description)

    def _arguments(self, name: str, beginning: str) -> Iterator[tuple[str, str]]:
        if name == "resume":
            yield from complete_turn(beginning)
            return
        known = (
            {"effort": self._efforts() or _EFFORTS, "sandbox": tuple(Sandbox)} if name in ("effort", "sandbox") else {}
        )
        yield from ((word, "") for word in known.get(name, ()) if word.startswith(beginning))
