"""Completion of the project's files after an `@`. Owns which names match the typed text, and their order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document

MOST = 30
_FRESH_S = 10.0  # until the project is listed again


def word_of_file(before: str) -> str | None:
    """The text after an `@` that begins the last word; None if there is none."""
    word = before[max(before.rfind(blank) for blank in " \n\t") + 1 :]
    return word[1:] if word.startswith("@") else None


def matching(paths: Iterable[str], typed: str) -> list[str]:
    """The paths with parts that begin with the typed parts, in order: `cl/ch` finds `src/cli/chat.py`.

    Paths whose file name matches come first, then shorter ones.
    """
    wanted = [piece for piece in typed.lower().split("/") if piece]
    found = [(path, parts) for path in paths if _has(parts := path.lower().split("/"), wanted)]
    last = wanted[-1] if wanted else ""
    found.sort(key=lambda each: (not each[1][-1].startswith(last), len(each[1]), len(each[0]), each[0]))
    return [path for path, _ in found[:MOST]]


def _has(parts: list[str], wanted: list[str]) -> bool:
    rest = iter(parts)
    return all(any(part.startswith(piece) for part in rest) for piece in wanted)


class FileCompleter(Completer):
    """Replaces `@` and the beginning of a path by the path. Run it in a thread.

    Args:
        list_files: lists the project, which may be slow.
    """

    def __init__(self, list_files: Callable[[], list[str]]) -> None:
        self._list_files = list_files
        self._files: list[str] = []
        self._listed_s = float("-inf")

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Completions for the word before the cursor; none if it does not begin with `@`."""
        typed = word_of_file(document.text_before_cursor)
        if typed is None:
            return
        if time.monotonic() - self._listed_s > _FRESH_S:
            self._files, self._listed_s = self._list_files(), time.monotonic()
        for path in matching(self._files, typed):
            yield Completion(f"'{path}'" if " " in path else path, start_position=-len(typed) - 1, display=path)
