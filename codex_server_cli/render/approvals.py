"""Codex's requests during a turn, as shown to the user inline, and the possible answers.

Works on entries of `pending.json`. Owns the text, and how `y`, `2` or a text are parsed; the worker validates an
answer. Must never interpret anything else as consent.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from enum import Enum, auto
from typing import Any, NamedTuple

from codex_server_cli.core.protocol.rpc import objects_in, text_in
from codex_server_cli.core.record import item_text
from codex_server_cli.core.record.approval_request import without_nulls
from codex_server_cli.render.turns.edits import patch_of

Entry = dict[str, Any]
_LIMITS = ("format", "minimum", "maximum", "minLength", "maxLength", "pattern", "minItems", "maxItems", "default")
_OWN_WORDS = "or your own words"
_WHAT = {
    "command": "Codex asks to run this outside of the sandbox",
    "patch": "Codex asks to write this",
    "permissions": "Codex asks for more permissions",
}


class Verdict(Enum):
    """What the user decided about an approval."""

    ONCE = auto()
    SESSION = auto()
    DECLINE = auto()


class Decided(NamedTuple):
    """A verdict, and the message to send with it: text after `n`."""

    verdict: Verdict
    words: str = ""


def wants_words(entry: Entry) -> bool:
    """Whether the request is answered with text, rather than approved."""
    return entry.get("answer_with") == "reply"


def questions_of(entry: Entry) -> list[Entry]:
    """The questions of a request that is answered with text."""
    return objects_in(entry.get("questions"))


def request_text(entry: Entry) -> str:
    """The request, as raw text of several lines: each command as it would be run, each diff to its end."""
    return "\n".join(row.text for row in request_rows(entry))


class AskedRow(NamedTuple):
    """Some lines of a request.

    Attributes:
        is_patch: whether they are lines of a patch, with their signs.
        is_command: whether they are the command that would be run.
    """

    text: str
    is_patch: bool = False
    is_command: bool = False


def request_rows(entry: Entry) -> list[AskedRow]:
    """The rows of a request's text, raw; for one with questions only the server and its reason, or nothing.

    Nothing may be omitted: a user cannot consent to what is not shown.
    """
    if wants_words(entry):
        server = text_in(entry.get("server"))
        return [AskedRow(f"{server} asks: {text_in(entry.get('message'))}")] if server else []
    return [row for row in [AskedRow(_headline(entry)), *_details(entry)] if row.text]


def question_rows(questions: Sequence[Entry]) -> list[AskedRow]:
    """The rows of questions."""
    return [AskedRow(question_text(question)) for question in questions]


def _headline(entry: Entry) -> str:
    network = entry.get("network")
    if isinstance(network, dict) and network.get("host"):
        return f"Codex asks to let a command reach {network['host']}"
    if entry.get("kind") == "mcp_tool":  # 0.163.0 names the tool nowhere else
        return f"Codex asks: {text_in(entry.get('message'))}"
    words = _WHAT.get(text_in(entry.get("kind")))
    return words or f"{entry.get('server') or 'Codex'} asks: {text_in(entry.get('message'))}"


def _details(entry: Entry) -> list[AskedRow]:
    rows = []
    if command := text_in(entry.get("command")):
        rows += [AskedRow(f"$ {command}", is_command=True), AskedRow(f"in {entry.get('cwd')}")]
    for change in objects_in(entry.get("changes")):
        item = {"type": "fileChange", "status": "completed", "changes": [change]}
        rows += [AskedRow(item_text.item_block(item).rstrip("\n")), AskedRow(patch_of(change), is_patch=True)]
    if arguments := entry.get("arguments"):
        rows.append(AskedRow(f"with: {json.dumps(arguments, ensure_ascii=False)}"))
    if permissions := without_nulls(entry.get("permissions")):
        rows.append(AskedRow(f"permissions: {json.dumps(permissions, ensure_ascii=False)}"))
    facts = {"below": entry.get("grant_root"), "url": entry.get("url")}
    facts["reason"] = entry.get("reason")
    return rows + [AskedRow(f"{name}: {value}") for name, value in facts.items() if value]


def verdict_choices(entry: Entry) -> str:
    """The keys that decide an approval, in one line."""
    session = "a for this turn · " if entry.get("can_last") else ""
    return f"y once · {session}n decline (n TEXT: and say why)"


def read_verdict(entry: Entry, line: str) -> Decided | None:
    """What a line decides about an approval; None for one that decides nothing."""
    word, _, rest = line.strip().partition(" ")
    match word.lower():
        case "y" | "yes" if not rest:
            return Decided(Verdict.ONCE)
        case "a" | "always" if not rest and entry.get("can_last"):
            return Decided(Verdict.SESSION)
        case "n" | "no":
            return Decided(Verdict.DECLINE, rest.strip())
        case _:
            return None


def question_text(question: Entry) -> str:
    """One question with its numbered options: raw text of several lines."""
    header, asked = text_in(question.get("header")), text_in(question.get("question"))
    lines = [f"{header}: {asked}" if header and header != asked else asked]
    options = objects_in(question.get("options"))
    for number, option in enumerate(options, 1):
        description = text_in(option.get("description"))
        lines.append(f"  {number}  {text_in(option.get('label'))}" + (f" — {description}" if description else ""))
    if options and question.get("isOther"):
        lines.append(f"     {_OWN_WORDS}")
    if limits := _limits(question):
        lines.append(f"  ({limits})")
    return "\n".join(lines)


def _limits(question: Entry) -> str:
    """What a field of a form requires of its value, beyond its options."""
    schema = question.get("schema")
    schema = schema if isinstance(schema, dict) else {}
    type_ = text_in(schema.get("type"))
    kind = ["several, separated by commas"] if type_ == "array" else [type_] if type_ in ("integer", "number") else []
    constraints = [f"{name} {json.dumps(schema[name], ensure_ascii=False)}" for name in _LIMITS if name in schema]
    return ", ".join([*kind, *constraints, *([] if question.get("isRequired", True) else ["may be left out"])])


def question_choices(question: Entry) -> str:
    """How a question is answered, in one line."""
    count = len(objects_in(question.get("options")))
    if not count:
        return "type your answer"
    number = {1: "1", 2: "1 or 2"}.get(count, f"1 to {count}")
    return f"type {number}, {_OWN_WORDS}" if question.get("isOther") else f"type {number}"


def choose(question: Entry, line: str) -> list[str]:
    """The answers in a line, several only for a multiple choice; none in an empty line."""
    labels = [text_in(option.get("label")).casefold() for option in objects_in(question.get("options"))]
    is_list = question.get("type") == "array" and line.strip().casefold() not in labels
    pieces = line.split(",") if is_list else [line]
    return [_chosen(question, piece.strip()) for piece in pieces if piece.strip()]


def is_choice(question: Entry, text: str) -> bool:
    """Whether a text can answer a question, by its options; any text can if free text is accepted."""
    options = objects_in(question.get("options"))
    if not options or question.get("isOther"):
        return True
    names = {text_in(option.get("label")).casefold() for option in options}
    if "schema" in question:  # of a form, where a description is the value itself
        names |= {text_in(option.get("description")).casefold() for option in options} | {"true", "false"}
    return text.casefold() in names


def _chosen(question: Entry, text: str) -> str:
    """The label of the option that a text numbers, else the text itself."""
    options = objects_in(question.get("options"))
    if text.isascii() and text.isdecimal() and 1 <= int(text) <= len(options):
        return text_in(options[int(text) - 1].get("label"))
    return text
