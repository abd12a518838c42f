"""Parameters of a request for a Response that are neither input nor tools. Owns the table of all of them.

The table is the documentation too (references/gateway.md, "Parameters of a Response").
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

ENCRYPTED = "reasoning.encrypted_content"
"""The only value of `include` that has an effect."""
_NOTHING_TO_INCLUDE = (
    *("file_search_call.results", "web_search_call.results", "web_search_call.action.sources"),
    *("message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs"),
)
"""Values without effect: of tools that are not run here, and of what is always included."""
_OWN_NAMES = {"messages": "input", "reasoning_effort": "reasoning.effort"}
_MOST_METADATA = 16
_LONGEST_NAME, _LONGEST_VALUE = 64, 512

_U, _I, _R = Treatment.USED, Treatment.IGNORED, Treatment.REFUSED
_NO_LEVER = "Codex has no lever for it"
RESPONSE_PARAMETERS = (
    ApiParameter(
        "model", _U, "a model of `/v1/models`, an alias of the server, or `MODEL:EFFORT`; the default if absent"
    ),
    ApiParameter(
        "input", _U, "text, or items: messages of every role, calls and their outputs, reasoning, references to items"
    ),
    ApiParameter("instructions", _U, "a developer message before the conversation; of this response alone"),
    ApiParameter(
        "previous_response_id", _U, "the conversation goes on behind that response, if it is still remembered"
    ),
    ApiParameter("store", _U, "`false`: not remembered; else remembered as long as there is room and the gateway runs"),
    ApiParameter("background", _U, "`true`: a turn of its own, see below"),
    ApiParameter("tools", _U, "functions; the schema's bounds and formats are told in its descriptions"),
    ApiParameter(
        "tool_choice", _U, "`required` and a named tool are emulated: asked for in words and by an output schema"
    ),
    ApiParameter(
        "text.format", _U, "a schema that is not `strict` is made so where it can be, else asked for in words"
    ),
    ApiParameter("text.verbosity", _U, "`low`, `medium` or `high`"),
    ApiParameter("reasoning.effort", _U, "must be one that the model has"),
    ApiParameter("reasoning.summary", _U, "`auto`, `concise` or `detailed`; also as `generate_summary`"),
    ApiParameter("reasoning.context", _I, _NO_LEVER, ("auto",)),
    ApiParameter("reasoning.mode", _I, _NO_LEVER, ("standard",)),
    ApiParameter("include", _U, "`reasoning.encrypted_content`; what no tool here could give is nothing"),
    ApiParameter("service_tier", _U, "`priority` (or `fast`) and `flex`; `auto` and `default` are the default"),
    ApiParameter("stream", _U, "server-sent events"),
    ApiParameter("stream_options.include_obfuscation", _I, _NO_LEVER, (False,)),
    ApiParameter("metadata", _U, "comes back in the response"),
    ApiParameter("prompt_cache_key", _U, "names the prompt cache; requests share a thread only with the same key"),
    ApiParameter("user", _U, "in place of `prompt_cache_key` where that is absent"),
    ApiParameter("parallel_tool_calls", _I, "the model decides", (True,)),
    ApiParameter("max_output_tokens", _I, _NO_LEVER),
    ApiParameter("max_tool_calls", _I, "no hosted tools"),
    ApiParameter("temperature", _I, _NO_LEVER, (1,)),
    ApiParameter("top_p", _I, _NO_LEVER, (1,)),
    ApiParameter("truncation", _I, "nothing is left out: what is too long is refused", ("disabled",)),
    ApiParameter("safety_identifier", _I, _NO_LEVER),
    ApiParameter("prompt_cache_retention", _I, _NO_LEVER),
    ApiParameter("prompt_cache_options", _I, _NO_LEVER),
    ApiParameter("context_management", _I, "nothing is compacted", ([],)),
    ApiParameter("image", _I, _NO_LEVER),
    ApiParameter("access_programs", _I, _NO_LEVER),
    ApiParameter("background_options", _I, _NO_LEVER),
    ApiParameter("top_logprobs", _R, "Codex does not report them", (0,)),
    ApiParameter("conversation", _R, "conversations are not stored; `previous_response_id` goes on"),
    ApiParameter("prompt", _R, "prompts are not stored"),
    ApiParameter("audio", _R, "text only"),
    ApiParameter("modalities", _R, "anything but `text`", ([], ["text"])),
    ApiParameter("moderation", _R, "nothing is moderated here"),
)


class ResponseSettings(NamedTuple):
    """The parameters that have an effect, in Codex's terms; see `ChatRequest` and `ResponsesRequest`."""

    model: str | None
    effort: str | None
    summary: str | None
    verbosity: str | None
    service_tier: str | None
    is_stream: bool
    cache_key: str | None
    ignored: tuple[str, ...]


def parse_response_settings(
    body: Mapping[str, Any], aliases: Mapping[str, str], *, is_strict: bool
) -> ResponseSettings:
    """The parameters of a body that a chat completion also has.

    Args:
        aliases: model names of clients → model names of Codex, `MODEL:EFFORT` allowed.
        is_strict: whether a parameter without effect is refused.

    Raises:
        ApiError: 400, naming the parameter.
    """
    ignored = without_effect(body, RESPONSE_PARAMETERS, is_strict=is_strict)
    reasoning, (model, effort) = object_in(body, "reasoning"), model_in(body, aliases)
    object_in(body, "stream_options")
    return ResponseSettings(
        model=model,
        effort=text_at(reasoning, "effort", "reasoning.") or effort,
        summary=summary_in(reasoning) or summary_in(reasoning, "generate_summary"),
        verbosity=verbosity_in(object_in(body, "text"), "text."),
        service_tier=tier_in(body),
        is_stream=flag(body, "stream"),
        cache_key=cache_key_in(body),
        ignored=ignored,
    )


def is_background(body: Any) -> bool:
    """Whether a body asks for a response in the background; raises `ApiError`."""
    return isinstance(body, dict) and flag(body, "background")


def own_name(param: str | None) -> str | None:
    """The name of a chat completion's parameter in a request for a Response."""
    return _OWN_NAMES.get(param or "", param)


def includes_encrypted(body: Mapping[str, Any]) -> bool:
    """Whether reasoning must include its encrypted content.

    Raises:
        ApiError: 400, `include` has an unsupported value.
    """
    include = body.get("include")
    if not isinstance(include, list | None):
        raise invalid("`include` must be a list.", "include")
    for each in include or ():
        if each != ENCRYPTED and each not in _NOTHING_TO_INCLUDE:
            message = f"`include` may have `{ENCRYPTED}`; nothing else is there to be included."
            raise invalid(message, "include", "unsupported_parameter")
    return ENCRYPTED in (include or ())


def metadata_in(body: Mapping[str, Any]) -> dict[str, str]:
    """`metadata`.

    Raises:
        ApiError: 400, it is larger than OpenAI allows, or of another type.
    """
    metadata = object_in(body, "metadata")
    is_right = len(metadata) <= _MOST_METADATA and all(
        isinstance(value, str) and len(name) <= _LONGEST_NAME and len(value) <= _LONGEST_VALUE
        for name, value in metadata.items()
    )
    if not is_right:
        message = (
            f"`metadata` may have {_MOST_METADATA} pairs of texts, of up to {_LONGEST_NAME} and {_LONGEST_VALUE}"
            " characters."
        )
        raise invalid(message, "metadata")
    return dict(metadata)
