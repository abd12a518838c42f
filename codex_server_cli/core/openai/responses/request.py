"""A parsed request for a Response: a chat request for Codex, and the members that the Response repeats.

Must never look up a response or an item: the caller passes what is stored.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from codex_server_cli.core.openai.chat_request import ChatRequest, sound_body
from codex_server_cli.core.openai.messages import Item, developer_item
from codex_server_cli.core.openai.parameter import EFFORTS, flag, object_in, text_at
from codex_server_cli.core.openai.response_format import parse_response_format
from codex_server_cli.core.openai.responses.document import Json
from codex_server_cli.core.openai.responses.items import Find, nothing_remembered, parse_input
from codex_server_cli.core.openai.responses.parameters import (
    ResponseSettings,
    includes_encrypted,
    metadata_in,
    parse_response_settings,
)
from codex_server_cli.core.openai.tools import parse_tools

_OPENAI_EFFORTS = tuple(each for each in EFFORTS if each != "ultra")
"""OpenAI's type for the effort in a Response is a closed list; a model of another provider may have any."""


class Remembered(NamedTuple):
    """What a request can refer to.

    Attributes:
        items: the conversation up to `previous_response_id`, including that response's output.
        find: resolves references to items.
    """

    items: Sequence[Item] = ()
    find: Find = nothing_remembered


NOTHING = Remembered()


class ResponsesRequest(NamedTuple):
    """A parsed request.

    Attributes:
        chat: the request in Codex's terms, with the instructions and the whole conversation.
        items: what this request adds to the conversation, without instructions.
        name: the client's name of the model; None for the default.
        previous_response_id: None at the beginning of a conversation.
        is_stored: whether to store the response.
        has_encrypted: whether reasoning must include its encrypted content.
        echoed: the members that the Response repeats.
    """

    chat: ChatRequest
    items: tuple[Item, ...]
    name: str | None
    previous_response_id: str | None
    is_stored: bool
    has_encrypted: bool
    echoed: Mapping[str, Any]


def parse_response_request(
    body: Any, *, aliases: Mapping[str, str], is_strict: bool, remembered: Remembered = NOTHING
) -> ResponsesRequest:
    """The request in the JSON value of a body.

    Args:
        body: any JSON value.
        aliases: model names of clients → model names of Codex, `MODEL:EFFORT` allowed.
        is_strict: whether a parameter without effect is an error.
        remembered: what it may refer to.

    Raises:
        ApiError: 400, naming the parameter.
    """
    sound = sound_body(body)
    settings = parse_response_settings(sound, aliases, is_strict=is_strict)
    box = parse_tools({name: sound.get(name) for name in ("tools", "tool_choice")})
    form = parse_response_format(object_in(sound, "text").get("format"), "text.format", "")
    wish = box.wish if box.is_forced else form.wish
    added = parse_input(sound.get("input"), remembered.items, remembered.find)
    instructions, has_encrypted = text_at(sound, "instructions"), includes_encrypted(sound)
    chat = ChatRequest(
        items=(*([developer_item(instructions)] if instructions else []), *remembered.items, *added),
        needs_raw_items=bool(box.tools) or has_encrypted,
        closing=(developer_item(wish),) if wish else (),
        tools=box.tools,
        forced=box.forced,
        is_choice_forced=box.is_forced,
        output_schema=box.schema if box.is_forced else form.schema,
        is_json_object=bool(form.wish) and not box.is_forced,
        **settings._asdict(),
    )
    return ResponsesRequest(
        chat=chat,
        items=added,
        name=text_at(sound, "model"),
        previous_response_id=text_at(sound, "previous_response_id"),
        is_stored=flag(sound, "store", default=True),
        has_encrypted=has_encrypted,
        echoed=echoed_of(sound, settings),
    )


def echoed_of(body: Mapping[str, Any], settings: ResponseSettings) -> Json:
    """The members of a body (of `sound_body`) that a Response repeats, in its format.

    Raises:
        ApiError: 400, naming the parameter.
    """
    effort = settings.effort
    said = {name: text_at(body, name) for name in ("instructions", "prompt_cache_key", "safety_identifier", "user")}
    return {
        **said,
        "metadata": metadata_in(body),
        "reasoning": {"effort": effort if effort in _OPENAI_EFFORTS else None, "summary": settings.summary},
        "service_tier": settings.service_tier or "default",
        "store": flag(body, "store", default=True),
        "text": _text_of(object_in(body, "text"), settings.verbosity),
        "tool_choice": _choice(body.get("tool_choice") or "auto"),
        "tools": [_tool(tool) for tool in body.get("tools") or ()],
    }


def _text_of(text: Mapping[str, Any], verbosity: str | None) -> Json:
    form = text.get("format") or {"type": "text"}
    if form["type"] == "json_schema":
        named = {"name": str(form.get("name") or "response"), "schema": form["schema"]}
        told = {"strict": form.get("strict") is True, "description": text_at(form, "description", "text.format.")}
        form = {"type": "json_schema", **named, **told}
    else:
        form = {"type": form["type"]}
    return {"format": form, "verbosity": verbosity or "medium"}


def _choice(choice: Any) -> Any:
    """A valid choice in the Responses format; some clients send the format of chat completions."""
    if isinstance(choice, str):
        return choice
    if choice.get("type") == "allowed_tools":
        allowed = choice.get("allowed_tools") or choice
        return {"type": "allowed_tools", "mode": allowed["mode"], "tools": allowed["tools"]}
    return {"type": "function", "name": (choice.get("function") or choice)["name"]}


def _tool(tool: Mapping[str, Any]) -> Json:
    """A valid function in the Responses format; some clients send the format of chat completions."""
    function = tool.get("function") or tool
    named = {"type": "function", "name": function["name"], "description": function.get("description")}
    return {**named, "parameters": function.get("parameters"), "strict": function.get("strict") is True}
