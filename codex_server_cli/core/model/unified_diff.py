"""Unified diffs in git's format: one text ↔ one `FileDiff` per file. Owns the grammar of their headers.

Git quotes a name with control characters like a C string; Codex writes every name unquoted (seen with 0.163.0 and
0.171.0), and a moved file without `rename` lines, which `git apply` refuses. `git apply` accepts what is written here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

LEFT_OUT = "# left out, the diff is too long: "
"""The beginning of the line for a file that is omitted from a diff. `git apply` skips it as a comment."""
NOT_APPLIED = "# outside of the directory of this diff, so that git apply skips it:\n"
_COMMENT = "# "

_SECTION = re.compile(r"^(?=diff --git )", re.MULTILINE)
_BODY = re.compile(r"^(?:@@ |GIT binary patch$|Binary files )", re.MULTILINE)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\([0-7]{3}|.)", re.DOTALL)
_ESCAPES = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_ESCAPE_OF = {char: name for name, char in _ESCAPES.items()} | {'"': '"', "\\": "\\"}
_HASHES = "index "
_KINDS = {"A": "add", "D": "delete", "R": "move"}
_TWO_NAMES = ("R", "C")
_NO_FILE = "/dev/null"
_NAMES = ("--- ", "+++ ", "rename from ", "rename to ")


class FileDiff(NamedTuple):
    """How one file differs.

    Attributes:
        path: its name; for a deleted file its former name.
        old_path: the former name of a moved file; else None.
        kind: `add`, `update`, `delete` or `move`.
        added, removed: how many lines; None for a binary file.
        head: the lines between the names and the body: modes, hashes.
        body: the hunks, or their replacement for a binary file; empty if the content is unchanged.
        is_by_command: a command changed it, not a patch of Codex's.
        is_cut: its body is omitted.
    """

    path: str
    old_path: str | None
    kind: str
    added: int | None
    removed: int | None
    head: tuple[str, ...] = ()
    body: str = ""
    is_by_command: bool = False
    is_cut: bool = False

    def renamed(self, rename: Callable[[str], str]) -> FileDiff:
        """The same with other names."""
        return self._replace(path=rename(self.path), old_path=None if self.old_path is None else rename(self.old_path))

    @property
    def text(self) -> str:
        """Its section of a diff."""
        old, new = (quoted(f"{side}/{name}") for side, name in (("a", self.old_path or self.path), ("b", self.path)))
        modes = [line for line in self.head if not line.startswith(_HASHES)]
        lines = [f"diff --git {old} {new}", *modes]
        if self.old_path is not None:
            lines += [f"rename from {quoted(self.old_path)}", f"rename to {quoted(self.path)}"]
        lines += self.head[len(modes) :]  # the hashes come last
        if self.body.startswith("@@"):
            lines.append(f"--- {_NO_FILE if self.kind == 'add' else _ended(old)}")
            lines.append(f"+++ {_NO_FILE if self.kind == 'delete' else _ended(new)}")
        return "".join(f"{line}\n" for line in lines) + self.body


def moved(old_path: str, path: str) -> FileDiff:
    """A file that was moved without a change of its content."""
    return FileDiff(path, old_path, "move", 0, 0, ("similarity index 100%",))


def parse_diff(text: str) -> list[FileDiff]:
    """The files of a diff, in its order; sections in another format are skipped."""
    return [_parse_section(section) for section in _SECTION.split(text) if section.startswith("diff --git ")]


def parse_listing(text: str) -> list[FileDiff]:
    """The files of `git diff-tree -z --raw --numstat`: without their text."""
    kinds: dict[str, str] = {}
    files = []
    tokens = iter(text.split("\0"))
    for token in tokens:
        if token.startswith(":"):
            status = token.rpartition(" ")[2][:1]
            path = next(tokens, "")
            kinds[next(tokens, "") if status in _TWO_NAMES else path] = _KINDS.get(status, "update")
        elif token:
            added, removed, path = (*token.split("\t", 2), "", "")[:3]
            old_path = None if path else next(tokens, "")
            path = path or next(tokens, "")
            counts = [int(count) if count.isdecimal() else None for count in (added, removed)]
            files.append(FileDiff(path, old_path, kinds.get(path, "update"), counts[0], counts[1], is_cut=True))
    return files


def diff_text(files: Iterable[FileDiff], most_chars: int) -> str:
    """One diff of all these files, that `git apply` accepts.

    Files with an absolute name come last, as a comment: they are not below the directory that the rest is relative to.
    So do the names of files that would make the diff longer than `most_chars`.
    """
    texts, comments, left_out, room = [], "", "", most_chars
    for file in files:
        section = file.text
        if file.is_cut or len(section) > room:
            left_out += f"{LEFT_OUT}{quoted(file.path)}\n"
            continue
        room -= len(section)
        if file.path.startswith("/") or (file.old_path or "").startswith("/"):
            comments += "".join(f"{_COMMENT}{line}\n" for line in section.removesuffix("\n").split("\n"))
        else:
            texts.append(section)
    return "".join(texts) + (NOT_APPLIED + comments if comments else "") + left_out


def encoded(text: str) -> bytes:
    """A diff as bytes; the bytes of a file that is not UTF-8 are preserved."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def quoted(name: str) -> str:
    """A name as git writes it: in quotes, with escapes, where it has control characters, quotes or backslashes."""
    if not any(char < " " or char in '"\\\x7f' for char in name):
        return name
    return '"' + "".join(_escaped(char) for char in name) + '"'


def _escaped(char: str) -> str:
    if char in _ESCAPE_OF:
        return f"\\{_ESCAPE_OF[char]}"
    return f"\\{ord(char):03o}" if char < " " or char == "\x7f" else char


def _ended(name: str) -> str:
    """A name on its own line: without the tab, other programs would end it at a space."""
    return f"{name}\t" if " " in name else name


def _unquoted(name: str) -> str:
    match = _QUOTED.fullmatch(name)
    if match is None:
        return name
    # Octal escapes are bytes, usually of UTF-8.
    raw = _ESCAPE.sub(_char_of, match.group(1).encode("utf-8", "surrogateescape").decode("latin-1"))
    return raw.encode("latin-1").decode("utf-8", "surrogateescape")


def _char_of(escape: re.Match[str]) -> str:
    word = escape.group(1)
    return chr(int(word, 8) & 0xFF) if len(word) == 3 else _ESCAPES.get(word, word)


def _parse_section(section: str) -> FileDiff:
    start = _BODY.search(section)
    head, body = (section, "") if start is None else (section[: start.start()], section[start.start() :])
    if body and not body.endswith("\n"):  # cut short
        body += "\n"
    title, *lines = head.rstrip("\n").split("\n")
    named = {prefix: line.removeprefix(prefix) for line in lines for prefix in _NAMES if line.startswith(prefix)}
    old, new = _names_in(title.removeprefix("diff --git "))
    old = _side(named.get("--- "), "a/") or _unquoted(named.get("rename from ", "")) or old
    new = _side(named.get("+++ "), "b/") or _unquoted(named.get("rename to ", "")) or new
    rest = tuple(line for line in lines if not line.startswith(_NAMES))
    kind = _kind(lines, named, has_two_names=old != new)
    if kind == "delete":
        new = old
    added, removed = _count(body)
    return FileDiff(new, old if kind == "move" else None, kind, added, removed, rest, body)


def _kind(lines: list[str], named: dict[str, str], *, has_two_names: bool) -> str:
    if named.get("--- ") == _NO_FILE or any(line.startswith("new file mode ") for line in lines):
        return "add"
    if named.get("+++ ") == _NO_FILE or any(line.startswith("deleted file mode ") for line in lines):
        return "delete"
    return "move" if has_two_names else "update"


def _side(line: str | None, prefix: str) -> str:
    """The name in a `---` or `+++` line; empty if there is none."""
    if line is None or line == _NO_FILE:
        return ""
    return _unquoted(line.removesuffix("\t")).removeprefix(prefix)


def _names_in(title: str) -> tuple[str, str]:
    """Both names of a title, `a/NAME b/NAME`. Names with spaces are split in the middle, as both are usually equal."""
    if '"' in title[:1] + title[-1:]:
        first = _QUOTED.match(title)
        old = first.group(0) if first else title.partition(" ")[0]
        new = title[len(old) + 1 :]
    else:
        middle = len(title) // 2
        old, new = title[:middle], title[middle + 1 :]
        if old[2:] != new[2:]:
            old, _, new = title.partition(" b/")
            new = f"b/{new}"
    return _unquoted(old).removeprefix("a/"), _unquoted(new).removeprefix("b/")


def _count(body: str) -> tuple[int | None, int | None]:
    if body and not body.startswith("@@"):
        return None, None
    lines = body.split("\n")
    return sum(line.startswith("+") for line in lines), sum(line.startswith("-") for line in lines)
