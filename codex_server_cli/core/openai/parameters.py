"""Parameters of a chat completion request that are neither messages nor tools. Owns the table of all of them.

The table is the documentation too (references/gateway.md, "Parameters").
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from codex_server_cli.core.openai.parameter import (
    ApiParameter,
    Treatment,
    cache_key_in,
    flag,
    model_in,
    object_in,
    summary_in,
    text_at,
    tier_in,
    verbosity_in,
    without_effect,
)
from codex_server_cli.core.openai.refusal import invalid

MAX_STOPS = 4

_U, _I, _R = Treatment.USED, Treatment.IGNORED, Treatment.REFUSED
_NO_LEVER = "Codex has no lever for it"
PARAMETERS = (
    ApiParameter(
        "model", _U, "a model of `/v1/models`, an alias of the server, or `MODEL:EFFORT`; the default if absent"
    ),
    ApiParameter("messages", _U, "every role; text, and pictures as data URLs in user and tool messages"),
    ApiParameter("tools", _U, "functions; the schema's bounds and formats are told in its descriptions"),
    ApiParameter(
        "tool_choice", _U, "`required` and a named tool are emulated: asked for in words and by an output schema"
    ),
    ApiParameter("functions", _U, "legacy: as `tools`; the answer then has `function_call`"),
    ApiParameter("function_call", _U, "legacy: as `tool_choice`"),
    ApiParameter(
        "response_format", _U, "a schema that is not `strict` is made so where it can be, else asked for in words"
    ),
    ApiParameter("reasoning_effort", _U, "must be one that the model has"),
    ApiParameter(
        "reasoning", _U, "`{effort, summary}`; a summary (`auto`, `concise`, `detailed`) is `reasoning_content`"
    ),
    ApiParameter("verbosity", _U, "`low`, `medium` or `high`"),
    ApiParameter("service_tier", _U, "`priority` (or `fast`) and `flex`; `auto` and `default` are the default"),
    ApiParameter("stop", _U, "up to 4 texts; the answer is cut here, and has no usage then"),
    ApiParameter("stream", _U, "server-sent events"),
    ApiParameter("stream_options.include_usage", _U, "a last chunk with the usage"),
    ApiParameter("stream_options.include_obfuscation", _I, _NO_LEVER, (False,)),
    ApiParameter("prompt_cache_key", _U, "names the prompt cache; requests share a thread only with the same key"),
    ApiParameter("user", _U, "in place of `prompt_cache_key` where that is absent"),
    ApiParameter("parallel_tool_calls", _I, "the model decides", (True,)),
    ApiParameter("max_tokens", _I, _NO_LEVER),
    ApiParameter("max_completion_tokens", _I, _NO_LEVER),
    ApiParameter("temperature", _I, _NO_LEVER, (1,)),
    ApiParameter("top_p", _I, _NO_LEVER, (1,)),
    ApiParameter("frequency_penalty", _I, _NO_LEVER, (0,)),
    ApiParameter("presence_penalty", _I, _NO_LEVER, (0,)),
    ApiParameter("seed", _I, _NO_LEVER),
    ApiParameter("logit_bias", _I, _NO_LEVER, ({},)),
    ApiParameter("metadata", _I, "nothing is stored", ({},)),
    ApiParameter("store", _I, "nothing is stored", (False,)),
    ApiParameter("safety_identifier", _I, _NO_LEVER),
    ApiParameter("prompt_cache_retention", _I, _NO_LEVER),
    ApiParameter("prompt_cache_options", _I, _NO_LEVER),
    ApiParameter("prediction", _I, _NO_LEVER),
    ApiParameter("n", _R, "more than one answer", (1,)),
    ApiParameter("logprobs", _R, "Codex does not report them", (False,)),
    ApiParameter("top_logprobs", _R, "Codex does not report them", (0,)),
    ApiParameter("audio", _R, "text only"),
    ApiParameter("modalities", _R, "anything but `text`", ([], ["text"])),
    ApiParameter("moderation", _R, "nothing is moderated here"),
    ApiParameter("web_search_options", _R, "no hosted tools"),
)


class ChatSettings(NamedTuple):
    """The parameters that have an effect; see `ChatRequest`."""

    model: str | None
    effort: str | None
    summary: str | None
    verbosity: str | None
    service_tier: str | None
    stop: tuple[str, ...]
    is_stream: bool
    has_usage_chunk: bool
    cache_key: str | None
    ignored: tuple[str, ...]


def parse_settings(body: Mapping[str, Any], aliases: Mapping[str, str], *, is_strict: bool) -> ChatSettings:
    """The parameters of a body.

    Args:
        aliases: model names of clients → model names of Codex, `MODEL:EFFORT` allowed.
        is_strict: whether a parameter without effect is refused.

    Raises:
        ApiError: 400, naming the parameter.
    """
    ignored = without_effect(body, PARAMETERS, is_strict=is_strict)
    reasoning = body["reasoning"] if isinstance(body.get("reasoning"), dict) else {}
    model, effort = model_in(body, aliases)
    return ChatSettings(
        model=model,
        effort=text_at(body, "reasoning_effort") or text_at(reasoning, "effort", "reasoning.") or effort,
        summary=summary_in(reasoning),
        verbosity=verbosity_in(body),
        service_tier=tier_in(body),
        stop=_stop(body.get("stop")),
        is_stream=flag(body, "stream"),
        has_usage_chunk=flag(object_in(body, "stream_options"), "include_usage", "stream_options."),
        cache_key=cache_key_in(body),
        ignored=ignored,
    )


def _stop(value: Any) -> tuple[str, ...]:
    texts = [value] if isinstance(value, str) else value
    if texts is None:
        return ()
    if (
        not isinstance(texts, list)
        or len(texts) > MAX_STOPS
        or not all(isinstance(each, str) and each for each in texts)
    ):
        raise invalid(f"`stop` must be text that is not empty, or up to {MAX_STOPS} of them in a list.", "stop")
    return tuple(dict.fromkeys(texts))
