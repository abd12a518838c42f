"""The history of a chat's line editor. Owns which lines are added, and that long pastes are folded in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prompt_toolkit.history import History

from codex_server_cli.cli.chat.editor.pastes import Pastes, with_line_feeds

_TIMES = 10  # a line of earlier conversations is folded only if it is so many times longer than a short paste


class LineHistory(History):
    """The lines of earlier conversations, and those of this one that are typed while `keeps` is true.

    Args:
        earlier: returns the stored lines, newest first.
        keep: stores one.
        pastes: folds long text in the editor; stored lines are unfolded.
    """

    def __init__(self, earlier: Callable[[], Iterable[str]], keep: Callable[[str], None], pastes: Pastes) -> None:
        super().__init__()
        self.keeps = True
        self._earlier, self._keep, self._pastes = earlier, keep, pastes

    def append_string(self, string: str) -> None:
        """Add a typed line, unless it is an answer to a question."""
        if self.keeps:
            super().append_string(string)

    def load_history_strings(self) -> Iterable[str]:
        """Newest first."""
        return map(self._folded, self._earlier())

    def _folded(self, line: str) -> str:
        """A stored line with its paste folded: all except its first line, which begins with the text typed before it.

        A line that begins like a command is folded as a whole: otherwise its first line would be a command.
        """
        line = with_line_feeds(line)
        first, end, rest = line.partition("\n")
        if line.startswith(("/", "!")):
            return self._pastes.fold(line, _TIMES)
        return self._pastes.fold(first, _TIMES) + self._pastes.fold(end + rest, _TIMES)

    def store_string(self, string: str) -> None:
        """Save it for later conversations."""
        self._keep(self._pastes.expand(string))
