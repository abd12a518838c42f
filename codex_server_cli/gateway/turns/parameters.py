"""The parameters of a turn in a JSON body. Owns their types; `actions.start.options` owns their meaning.

They are the flags of `new` and `continue` by their long names; a test compares both tables, so that none is missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from difflib import get_close_matches
from enum import StrEnum
from json import dumps
from typing import Any, NoReturn

from codex_server_cli.actions.start.options import StartOptions, from_flags
from codex_server_cli.core.inputs import is_blank
from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.openai.refusal import ApiError, invalid


class Form(StrEnum):
    """The type of a parameter's value, in words for users."""

    TEXT = "a string"
    SWITCH = "true or false"
    LIST = "a list of strings"
    DURATION = 'a number of seconds, or a string like "5m"'
    SCHEMA = "a JSON Schema, or the path of a file that holds one"
    SANDBOX = "a sandbox"
    APPROVAL = "an approval"
    ANSWERS = "an object: question id → answer"


START: Mapping[str, Form] = {
    **dict.fromkeys(("model", "effort", "cwd", "profile", "name", "notify", "worktree_name", "once"), Form.TEXT),
    **dict.fromkeys(("server", "server_token_file", "server_token_env"), Form.TEXT),
    **dict.fromkeys(("image", "add_dir", "config"), Form.LIST),
    **dict.fromkeys(("write", "network", "skip_git_check", "worktree", "questions", "plan"), Form.SWITCH),
    **dict.fromkeys(("insecure", "ephemeral", "after_reset", "allow_nested"), Form.SWITCH),
    **dict.fromkeys(("approval_timeout", "deadline", "once_for"), Form.DURATION),
    "schema": Form.SCHEMA,
    "sandbox": Form.SANDBOX,
    "approval": Form.APPROVAL,
}
"""The flags of `new` that describe the turn."""

PROMPT = "prompt"
"""The member with the prompt."""

CONTINUE: Mapping[str, Form] = {"fork": Form.SWITCH, "fork_if_busy": Form.SWITCH}
"""Further parameters of `continue`; the path names the turn."""

OF_A_SHELL: Mapping[str, str] = {
    "file": "put its text into `prompt`",
    "follow": "GET /turns/ID/events",
    "wait": "GET /turns/ID/answer?wait=60",
    "raw": "every text comes as it is",
    "json": "every answer is JSON",
    "full": "?full=true behind the path",
}
"""Flags for what a shell reads or shows, and what replaces them here."""

_MOST_SECONDS = 10**12
"""Thirty thousand years: longer durations are meaningless, and finally overflow a float."""

CHOICES: Mapping[Form, type[StrEnum]] = {Form.SANDBOX: Sandbox, Form.APPROVAL: Approval}


def options_of(given: Mapping[str, Any], prompt: str) -> StartOptions:
    """The options of a turn, from parameters that `read` has checked.

    Raises:
        ApiError: the path of a picture is empty.
        UsageError: they contradict each other.
    """
    if "" in given.get("image", ()):
        raise invalid("`image` is empty", "image", "invalid_value")
    absent = {name: _absent(form) for name, form in START.items()}
    return from_flags(absent | {name: given[name] for name in START if name in given}, prompt)


def _absent(form: Form) -> Any:
    """The value of a parameter that was not given."""
    if form is Form.APPROVAL:
        return Approval.NEVER
    return {Form.SWITCH: False, Form.LIST: ()}.get(form)


def prompt_of(body: Mapping[str, Any]) -> str:
    """The member `prompt` of a body; its length is checked elsewhere.

    Raises:
        ApiError: it is missing, empty, or not a text.
    """
    if body.get(PROMPT) is None:
        raise invalid("`prompt` is missing: what to ask", PROMPT, "missing_parameter")
    prompt: str = value_of(PROMPT, body[PROMPT], Form.TEXT)
    if is_blank(prompt):
        raise invalid("`prompt` is empty", PROMPT, "invalid_value")
    return prompt


def members_of(body: Any, known: Collection[str], elsewhere: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The members of a body by name with underscores; null counts as not given.

    Args:
        known: the known names.
        elsewhere: names that a user may try, and what replaces them.

    Raises:
        ApiError: it is not an object, or has an unknown member, or the same one twice.
    """
    if not isinstance(body, dict):
        raise invalid("the body is no JSON object", None, "invalid_type")
    found: dict[str, Any] = {}
    for given, value in body.items():
        name = given.replace("-", "_")
        if name not in known:
            _refuse_unknown(given, name, known, elsewhere or {})
        if name in found:
            raise invalid(f"`{name}` is given twice", name, "invalid_value")
        found[name] = value
    return {name: value for name, value in found.items() if value is not None}


def read(body: Mapping[str, Any], forms: Mapping[str, Form]) -> dict[str, Any]:
    """The values of these parameters in a body, as the CLI passes them on.

    Raises:
        ApiError: one has the wrong type or an invalid value.
    """
    return {name: value_of(name, body[name], form) for name, form in forms.items() if name in body}


def value_of(name: str, value: Any, form: Form) -> Any:
    """Check and convert the value of one parameter.

    Raises:
        ApiError: it has the wrong type or an invalid value.
    """
    if form is Form.SWITCH and isinstance(value, bool):
        return value
    if form is Form.DURATION and _is_seconds(value):
        return f"{value:f}" + ("s" if name == "once_for" else "")
    if form is Form.DURATION and _is_number(value):
        raise invalid(f"`{name}` is {form.value}, 0 or more, not {str(value)[:40]}", name, "invalid_value")
    if form is Form.SCHEMA and isinstance(value, dict):
        value = dumps(value, ensure_ascii=False)
    if form is Form.ANSWERS and isinstance(value, dict):
        return {id_: [*value_of(f"{name}.{id_}", each, Form.LIST)] for id_, each in value.items()}
    if form is Form.LIST:
        return tuple(_text(name, each, form) for each in (value if isinstance(value, list) else [value]))
    if form in (Form.SWITCH, Form.ANSWERS):
        _refuse_type(name, value, form)
    text = _text(name, value, form)
    return _choice(name, text, CHOICES[form]) if form in CHOICES else text


def _is_seconds(value: Any) -> bool:
    return _is_number(value) and 0 <= value <= _MOST_SECONDS


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(name: str, value: Any, form: Form) -> str:
    if not isinstance(value, str):
        _refuse_type(name, value, form)
    if "\0" in value:
        raise invalid(f"`{name}` holds a NUL character", name, "invalid_value")
    try:
        value.encode()
    except UnicodeEncodeError as error:  # "\ud800" in the JSON
        raise invalid(
            f"`{name}` is not valid Unicode: it has half of a surrogate pair", name, "invalid_value"
        ) from error
    return value


def _choice(name: str, text: str, values: type[StrEnum]) -> StrEnum:
    try:
        return values(text)
    except ValueError as error:
        known = ", ".join(values)
        message = f"`{name}` is one of {known}, not {text[:40]!r}"
        raise invalid(message, name, "invalid_value") from error


def _refuse_type(name: str, value: Any, form: Form) -> NoReturn:
    what = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}.get(type(value), "a number")
    raise invalid(f"`{name}` is {form.value}, not {what}", name, "invalid_type")


def _refuse_unknown(given: str, name: str, known: Collection[str], elsewhere: Mapping[str, str]) -> NoReturn:
    shown = given if len(given) <= 80 else f"{given[:80]}…"
    shown = shown.encode("utf-8", "replace").decode()
    if name in elsewhere:
        message = f"there is no parameter `{shown}` here: {elsewhere[name]}"
    else:
        nearest = get_close_matches(name, known, 1)
        message = f"there is no parameter `{shown}`; " + (
            f"is it `{nearest[0]}`?" if nearest else f"there are {', '.join(sorted(known)) or 'none'}"
        )
    raise ApiError(400, message, code="unknown_parameter", param=shown)
