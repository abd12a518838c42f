"""A parsed chat completion request. Owns its type; sibling modules parse its parts.

Must never use a model list or a thread: the caller checks whether the model and its effort exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from codex_server_cli.core.openai.messages import developer_item, parse_messages
from codex_server_cli.core.openai.parameters import parse_settings
from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.core.openai.response_format import parse_response_format
from codex_server_cli.core.openai.tools import ForcedTool, parse_tools

MAX_DEPTH = 64
"""The deepest nesting of a body; parsing is recursive. OpenAI allows 10 levels in schemas."""
_MAX_NUMBER = 1.7976931348623157e308


class ChatRequest(NamedTuple):
    """A chat completion request in Codex's terms; None or empty for what it does not contain.

    Attributes:
        model: aliases applied, `MODEL:EFFORT` split.
        effort: the reasoning effort; not checked against the model.
        items: the conversation as items for `thread/inject_items`: never empty, calls and outputs paired, no item ids,
            no role `system`.
        needs_raw_items: whether the answer needs raw items of the Responses API: tool calls, encrypted reasoning. Only
            requests that continue its thread share its prompt cache.
        closing: developer items to inject after `items` (the emulation of `tool_choice` and of `response_format`). They
            are not part of the conversation: the client does not send them back.
        tools: the tools for the model, each `{"name", "description", "inputSchema"}`.
        forced: how to read an answer by `output_schema` as a tool call; None if no call is emulated.
        is_choice_forced: whether `tool_choice` named a tool or required one, emulated or not. Its thread and turn must
            not serve another request.
        output_schema: for `turn/start.outputSchema`.
        is_json_object: whether the answer should be JSON, but without a schema: a code fence around it is removed.
        verbosity: `low`, `medium` or `high`.
        service_tier: for `serviceTierForTurn`.
        summary: the requested reasoning summary: `auto`, `concise` or `detailed`.
        stop: the stop sequences, none of them empty.
        is_stream: whether the answer is a stream.
        has_usage_chunk: whether the stream ends with a chunk of the usage.
        uses_functions: legacy `functions` or `function_call`: answer with `function_call`.
        ignored: given parameters that have no effect here, for the header `x-codex-ignored`.
        cache_key: `prompt_cache_key`, else `user`.
    """

    model: str | None
    effort: str | None
    items: tuple[dict[str, Any], ...]
    needs_raw_items: bool
    closing: tuple[dict[str, Any], ...] = ()
    tools: tuple[dict[str, Any], ...] = ()
    forced: ForcedTool | None = None
    is_choice_forced: bool = False
    output_schema: Any = None
    is_json_object: bool = False
    verbosity: str | None = None
    service_tier: str | None = None
    summary: str | None = None
    stop: tuple[str, ...] = ()
    is_stream: bool = False
    has_usage_chunk: bool = False
    uses_functions: bool = False
    ignored: tuple[str, ...] = ()
    cache_key: str | None = None


def parse_chat(body: Any, *, aliases: Mapping[str, str], is_strict: bool) -> ChatRequest:
    """The request in the JSON value of a body.

    Args:
        body: any JSON value.
        aliases: model names of clients → model names of Codex, `MODEL:EFFORT` allowed.
        is_strict: whether a parameter without effect is an error.

    Raises:
        ApiError: 400, naming the parameter.
    """
    sound = sound_body(body)
    settings = parse_settings(sound, aliases, is_strict=is_strict)
    box, form = parse_tools(sound), parse_response_format(sound.get("response_format"))
    wishes = [box.wish] if box.is_forced else [form.wish]
    return ChatRequest(
        items=parse_messages(sound.get("messages")),
        closing=tuple(developer_item(wish) for wish in wishes if wish),
        tools=box.tools,
        forced=box.forced,
        is_choice_forced=box.is_forced,
        output_schema=box.schema if box.is_forced else form.schema,
        is_json_object=bool(form.wish) and not box.is_forced,
        uses_functions=box.uses_functions,
        needs_raw_items=bool(box.tools),
        **settings._asdict(),
    )


def sound_body(body: Any) -> dict[str, Any]:
    """A copy of the body of a request with lone surrogates replaced.

    Raises:
        ApiError: 400: it is not an object, nested too deeply, or has a number that is not JSON (NaN) or not a double.
    """
    if not isinstance(body, dict):
        raise invalid("The body must be a JSON object.")
    sound: dict[str, Any] = _sound(body, 0)
    return sound


def _sound(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise invalid(f"The body is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, str):
        return sound_text(value)
    if isinstance(value, dict):
        return {sound_text(key): _sound(part, depth + 1) for key, part in value.items()}
    if isinstance(value, list):
        return [_sound(part, depth + 1) for part in value]
    if isinstance(value, int | float) and not abs(value) <= _MAX_NUMBER:
        raise invalid("The body has a number that JSON cannot carry.")
    return value


def sound_text(text: str) -> str:
    """The text with lone surrogates replaced: JavaScript clients may cut a text between two surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text
