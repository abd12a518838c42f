"""A request for a response in the background, as what a turn is asked. Owns what such a request may have.

A turn is asked in one go, on a thread that has its own history: what a client could send of a conversation, or would
have to answer (calls of its tools), has no place here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple, NoReturn

from codex_server_cli.core.inputs import is_blank
from codex_server_cli.core.openai.chat_request import sound_body
from codex_server_cli.core.openai.content import content_parts
from codex_server_cli.core.openai.parameters import parse_settings
from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.core.openai.response_format import AnswerFormat, parse_response_format
from codex_server_cli.core.protocol.rpc import object_at

IGNORED: Mapping[str, tuple[Any, ...]] = {
    "include": ([],),
    "max_output_tokens": (),
    "max_tool_calls": (),
    "parallel_tool_calls": (True,),
    "prompt_cache_key": (),
    "prompt_cache_retention": (),
    "prompt_cache_options": (),
    "safety_identifier": (),
    "service_tier": ("auto", "default"),
    "stream_options": ({},),
    "temperature": (1,),
    "top_logprobs": (0,),
    "top_p": (1,),
    "truncation": ("auto", "disabled"),
    "user": (),
}
"""Parameters that have no effect, and values of theirs that ask for nothing that is not so anyway."""

_REFUSED = {
    "conversation": "`previous_response_id` continues a conversation",
    "prompt": "templates are kept nowhere",
    "context_management": "Codex manages the context of a turn itself",
    "moderation": "nothing is moderated",
}
_ROLES = ("user", "developer", "system")
_MOST_METADATA, _MOST_KEY, _MOST_VALUE = 16, 64, 512


class TurnAsk(NamedTuple):
    """What a request asks a turn for.

    Attributes:
        prompt: all that the user says.
        pictures: data URLs.
        instructions: all that the developer says; None for nothing. A thread keeps those that it began with.
        model, effort: aliases applied, `MODEL:EFFORT` split.
        settings: keys of Codex's configuration: the summary of the reasoning, the verbosity.
        schema: the JSON Schema of the answer, as text.
        previous: `previous_response_id`.
        is_stream: whether the answer is a stream.
        echo: what a Response repeats of it; see `turn_document`.
        ignored: parameters that were given and have no effect.
    """

    prompt: str
    pictures: tuple[str, ...] = ()
    instructions: str | None = None
    model: str | None = None
    effort: str | None = None
    settings: Mapping[str, str] = {}
    schema: str | None = None
    previous: str | None = None
    is_stream: bool = False
    echo: Mapping[str, Any] = {}
    ignored: tuple[str, ...] = ()


def parse_turn_ask(body: Any, *, aliases: Mapping[str, str], is_strict: bool) -> TurnAsk:
    """The request in the JSON value of a body.

    Args:
        aliases: model names of clients → model names of Codex, `MODEL:EFFORT` allowed.
        is_strict: whether a parameter without effect is an error.

    Raises:
        ApiError: 400, naming the parameter.
    """
    sound = sound_body(body)
    _refuse(sound)
    ignored = tuple(name for name, harmless in IGNORED.items() if _has_effect(sound.get(name), harmless))
    if is_strict and ignored:
        words = f"`{'`, `'.join(ignored)}` would have no effect here (strict parameters)."
        raise invalid(words, ignored[0], "unsupported_parameter")
    text = _object(sound, "text")
    asked = {**{name: sound.get(name) for name in ("model", "stream")}, "reasoning": _object(sound, "reasoning")}
    settings = parse_settings({**asked, "verbosity": text.get("verbosity")}, aliases, is_strict=False)
    form = _format(text.get("format"))
    said = _Said()
    said.read(sound.get("input"))
    instructions = _text(sound, "instructions")
    told = {"model_reasoning_summary": settings.summary, "model_verbosity": settings.verbosity}
    return TurnAsk(
        prompt=said.prompt(form.wish),
        pictures=tuple(said.pictures),
        instructions="\n\n".join(filter(None, (instructions, *said.developer))) or None,
        model=settings.model,
        effort=settings.effort,
        settings={name: value for name, value in told.items() if value is not None},
        schema=json.dumps(form.schema, ensure_ascii=False) if form.schema is not None else None,
        previous=_text(sound, "previous_response_id"),
        is_stream=settings.is_stream,
        echo=_echo(sound, instructions, said.developer),
        ignored=ignored,
    )


def _refuse(body: Mapping[str, Any]) -> None:
    for name, instead in _REFUSED.items():
        if body.get(name):
            raise invalid(f"`{name}` is not possible here: {instead}.", name, "unsupported_parameter")
    if body.get("tools"):
        message = "A response in the background has no `tools` of its client: nobody is there to answer their calls."
        raise invalid(f"{message} It has those of Codex.", "tools", "unsupported_parameter")
    if body.get("tool_choice") not in (None, "auto", "none"):
        raise invalid("There are no `tools` to choose from.", "tool_choice", "unsupported_value")
    if body.get("store") is False:
        message = "A response in the background is kept until it is deleted: `store` cannot be false."
        raise invalid(message, "store", "unsupported_value")


def _has_effect(value: Any, harmless: tuple[Any, ...]) -> bool:
    return value is not None and value not in harmless


def _object(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    if not isinstance(value, dict | None):
        raise invalid(f"`{name}` must be an object.", name)
    return value or {}


def _text(body: Mapping[str, Any], name: str) -> str | None:
    value = body.get(name)
    if not isinstance(value, str | None):
        raise invalid(f"`{name}` must be text.", name)
    return value or None


def _format(value: Any) -> AnswerFormat:
    if not isinstance(value, dict | None):
        raise invalid("`text.format` must be an object.", "text.format")
    kind = (value or {}).get("type", "text")
    if kind not in ("text", "json_object", "json_schema"):
        raise invalid("`text.format.type` must be one of text, json_object, json_schema.", "text.format.type")
    if value is not None and kind == "json_schema" and not isinstance(value.get("schema"), dict):
        raise invalid("`text.format.schema` must be a JSON Schema.", "text.format.schema")
    return parse_response_format({"type": kind, "json_schema": value})


def _echo(body: Mapping[str, Any], instructions: str | None, developer: list[str]) -> dict[str, Any]:
    form = object_at(body, "text.format")
    found = {
        "model": _text(body, "model"),
        "instructions": instructions,
        "developer": developer,
        "metadata": _metadata(body.get("metadata")),
        "format": {name: form[name] for name in ("name", "description", "strict") if form.get(name) is not None},
    }
    return {name: value for name, value in found.items() if value}


def _metadata(value: Any) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or len(value) > _MOST_METADATA:
        raise invalid(f"`metadata` must be an object of at most {_MOST_METADATA} members.", "metadata")
    for key, text in value.items():
        if len(key) > _MOST_KEY or not isinstance(text, str) or len(text) > _MOST_VALUE:
            words = f"names of up to {_MOST_KEY} characters, and texts of up to {_MOST_VALUE}"
            raise invalid(f"`metadata` must have {words}.", "metadata")
    return value


class _Said:
    """What the messages of an input say, by who says it."""

    def __init__(self) -> None:
        self.pictures: list[str] = []
        self.developer: list[str] = []
        self._user: list[str] = []

    def read(self, given: Any) -> None:
        """Take the value of `input`.

        Raises:
            ApiError: 400, naming the item.
        """
        if isinstance(given, str):
            self._user.append(given)
            return
        if not isinstance(given, list) or not given:
            raise invalid("`input` must be text, or a list of at least one message.", "input")
        for index, item in enumerate(given):
            self._take(item, f"input[{index}]")

    def prompt(self, wish: str) -> str:
        """All that the user says, and what is wished of the form of the answer.

        Raises:
            ApiError: 400: the user says nothing.
        """
        if all(map(is_blank, self._user)):
            raise invalid("`input` has no text of the user.", "input", "invalid_value")
        return "\n\n".join([*self._user, *filter(None, [wish])])

    def _take(self, item: Any, param: str) -> None:
        if not isinstance(item, dict):
            raise invalid(f"`{param}` must be an object.", param)
        role = item.get("role")
        if item.get("type", "message") != "message" or role == "assistant":
            _refuse_history(param)
        if role not in _ROLES:
            raise invalid(f"`{param}.role` must be one of {', '.join(_ROLES)}.", f"{param}.role")
        parts = content_parts(item.get("content"), f"{param}.content", may_show=role == "user")
        said = "\n\n".join(part["text"] for part in parts if "text" in part)
        self.pictures += [part["image_url"] for part in parts if "image_url" in part]
        if said:
            (self._user if role == "user" else self.developer).append(said)


def _refuse_history(param: str) -> NoReturn:
    message = f"`{param}` cannot be taken: a response in the background has the history of its thread, and no other."
    hint = "`previous_response_id` continues that of an earlier response in the background."
    raise ApiError(400, f"{message} {hint}", code="unsupported_value", param=param)
