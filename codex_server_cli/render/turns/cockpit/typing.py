"""The line editor of a cockpit: the effect of each key on the line being typed."""

from __future__ import annotations

from codex_server_cli.render.turns.cockpit.state import LineBuffer

_WHOLE = 10_000  # characters: enough for a filter or an answer


def typed(line: LineBuffer, key: str) -> LineBuffer:
    """The line after a key; only editing keys change it."""
    text, at = line
    match key:
        case "left":
            return LineBuffer(text, max(at - 1, 0))
        case "right":
            return LineBuffer(text, min(at + 1, len(text)))
        case "home" | "ctrl-a":
            return LineBuffer(text, 0)
        case "end" | "ctrl-e":
            return LineBuffer(text, len(text))
        case "backspace":
            return LineBuffer(text[: max(at - 1, 0)] + text[at:], max(at - 1, 0))
        case "delete":
            return LineBuffer(text[:at] + text[at + 1 :], at)
        case "ctrl-u":
            return LineBuffer(text[at:], 0)
        case "ctrl-k":
            return LineBuffer(text[:at], at)
        case "ctrl-w":
            kept = text[:at].rstrip().rpartition(" ")
            start = kept[0] + kept[1]
            return LineBuffer(start + text[at:], len(start))
    return with_text(line, key) if len(key) == 1 and key.isprintable() else line


def with_text(line: LineBuffer, text: str) -> LineBuffer:
    """The line with a text inserted, as by a paste: line ends become blanks, so that they do not send the line."""
    blank = "".join(char if char.isprintable() else " " for char in text)
    added = blank[: max(_WHOLE - len(line.text), 0)]
    return LineBuffer(line.text[: line.at] + added + line.text[line.at :], line.at + len(added))
