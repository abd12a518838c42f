"""A chat completion request, understood. Owns what a request is; the modules beside parse its parts.

Must never look at a model list or a thread: whether the model and its effort exist is the caller's question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from codex_server_cli.core.openai.tools import ForcedTool


class ChatRequest(NamedTuple):
    """What a chat completion request asks for, in Codex's terms; None and empty where it does not say.

    Attributes:
        model: aliases applied, `MODEL:EFFORT` split.
        effort: the reasoning effort; whether the model has it is not checked.
        items: the conversation as items for `thread/inject_items`: never empty, calls and outputs paired, no ids of
            items, no role `system`.
        closing: developer items to inject after `items` (the emulation of `tool_choice` and of `response_format`). They
            are no part of the conversation: the client does not send them back.
        tools: what the model is offered, each `{"name", "description", "inputSchema"}`.
        forced: how to read an answer by `output_schema` as a tool call; None where no call is emulated.
        is_choice_forced: whether `tool_choice` named a tool or required one, emulated or not. Its thread and turn must
            not serve another request.
        output_schema: for `turn/start.outputSchema`.
        is_json_object: whether the answer should be JSON with no schema that enforces it: a code fence around it goes.
        verbosity: `low`, `medium` or `high`.
        service_tier: for `serviceTierForTurn`.
        summary: the reasoning summary that was asked for: `auto`, `concise` or `detailed`.
        stop: the stop sequences, none of them empty.
        is_stream: whether the answer is a stream.
        has_usage_chunk: whether the stream ends with a chunk of the usage.
        uses_functions: legacy `functions` or `function_call`: answer with `function_call`.
        ignored: parameters that were given and have no effect here, for the header `x-codex-ignored`.
        cache_key: `prompt_cache_key`, else `user`.
    """

    model: str | None
    effort: str | None
    items: tuple[dict[str, Any], ...]
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
    raise NotImplementedError
