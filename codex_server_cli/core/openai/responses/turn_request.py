"""A request for a response in the background, as the request of a turn. Owns which parameters it may have.

A turn gets one prompt, on a thread with its own history: so a client can neither send a conversation nor answer calls
of its tools.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from codex_server_cli.core.inputs import is_blank
from codex_server_cli.core.openai.chat_request import sound_body
from codex_server_cli.core.openai.messages import Item
from codex_server_cli.core.openai.parameter import flag, object_in, text_at
from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.core.openai.response_format import parse_response_format
from codex_server_cli.core.openai.responses.items import parse_input
from codex_server_cli.core.openai.responses.parameters import (
    ResponseSettings,
    includes_encrypted,
    parse_response_settings,
)
from codex_server_cli.core.openai.responses.request import echoed_of


class TurnAsk(NamedTuple):
    """The request of a turn.

    Attributes:
        prompt: all text of the user.
        pictures: data URLs.
        instructions: all text of the developer; None for none. A thread keeps those that it began with.
        model, effort: aliases applied, `MODEL:EFFORT` split.
        settings: keys of Codex's configuration: the summary of the reasoning, the verbosity.
        schema: the JSON Schema of the answer, as text.
        previous: `previous_response_id`.
        is_stream: whether the answer is a stream.
        echo: the members that a Response repeats; see `turn_document`.
        ignored: given parameters that have no effect.
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
    settings = parse_response_settings(sound, aliases, is_strict=is_strict)
    _check(sound)
    form = parse_response_format(object_in(sound, "text").get("format"), "text.format", "")
    items = _messages_in(sound.get("input"))
    developer, instructions = _said_by("developer", items), text_at(sound, "instructions")
    told = {"model_reasoning_summary": settings.summary, "model_verbosity": settings.verbosity}
    return TurnAsk(
        prompt="\n\n".join(filter(None, [*_said_by_user(items), form.wish])),
        pictures=tuple(part["image_url"] for item in items for part in item["content"] if "image_url" in part),
        instructions="\n\n".join(filter(None, [instructions, *developer])) or None,
        model=settings.model,
        effort=settings.effort,
        settings={name: value for name, value in told.items() if value is not None},
        schema=json.dumps(form.schema, ensure_ascii=False) if form.schema is not None else None,
        previous=text_at(sound, "previous_response_id"),
        is_stream=settings.is_stream,
        echo={
            "model": text_at(sound, "model"),
            "developer": developer,
            "response": {**echoed_of(sound, settings), "service_tier": "default"},
        },
        ignored=_ignored(sound, settings, is_strict=is_strict),
    )


def _check(body: Mapping[str, Any]) -> None:
    """Refuse parameters that only a response in the foreground may have."""
    if body.get("tools"):
        message = "A response in the background has no `tools` of its client: no client waits to answer their calls."
        raise invalid(f"{message} It has those of Codex.", "tools", "unsupported_parameter")
    if body.get("tool_choice") not in (None, "auto", "none"):
        raise invalid("There are no `tools` to choose from.", "tool_choice", "unsupported_value")
    if not flag(body, "store", default=True):
        message = "A response in the background is kept until it is deleted: `store` cannot be false."
        raise invalid(message, "store", "unsupported_value")


def _ignored(body: Mapping[str, Any], settings: ResponseSettings, *, is_strict: bool) -> tuple[str, ...]:
    """The parameters without effect, including those that have one only in the foreground."""
    given = {
        "include": includes_encrypted(body),
        "prompt_cache_key": body.get("prompt_cache_key") is not None,
        "service_tier": settings.service_tier is not None,
        "user": body.get("user") is not None,
    }
    more = [name for name, is_given in given.items() if is_given]
    if is_strict and more:
        words = f"`{'`, `'.join(more)}` would have no effect in the background (strict parameters)."
        raise invalid(words, more[0], "unsupported_parameter")
    return (*settings.ignored, *more)


def _messages_in(value: Any) -> Sequence[Item]:
    for index, item in enumerate(value if isinstance(value, list) else ()):
        is_history = isinstance(item, dict) and (
            item.get("type", "message") != "message" or item.get("role") == "assistant"
        )
        if is_history:
            param = f"input[{index}]"
            message = f"`{param}` cannot be taken: a response in the background has the history of its thread alone."
            hint = "`previous_response_id` continues that of an earlier response in the background."
            raise ApiError(400, f"{message} {hint}", code="unsupported_value", param=param)
    return parse_input(value)


def _said_by(role: str, items: Sequence[Item]) -> list[str]:
    said = (
        "\n\n".join(part["text"] for part in each["content"] if "text" in part)
        for each in items
        if each["role"] == role
    )
    return [text for text in said if not is_blank(text)]


def _said_by_user(items: Sequence[Item]) -> list[str]:
    said = _said_by("user", items)
    if not said:
        raise invalid("`input` has no text of the user.", "input", "invalid_value")
    return said
