"""Parameters of a chat completion request that are neither messages nor tools. Owns the table of all of them.

The table is the documentation too (references/gateway.md, "Parameters"). A parameter that is not in it is accepted and
has no effect: clients send fields for other servers (`num_ctx`, `chat_template_kwargs`).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from codex_server_cli.core.openai.refusal import ApiError, invalid

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
"""What `MODEL:EFFORT` may end in; a model has only some of them."""
VERBOSITIES = ("low", "medium", "high")
SUMMARIES = ("auto", "concise", "detailed")
MAX_STOPS = 4

_TIERS = {"priority": "priority", "fast": "priority", "flex": "flex", "auto": None, "default": None}


class Treatment(StrEnum):
    """What becomes of a parameter: it has an effect, or none, or the request is refused with status 400."""

    USED = "used"
    IGNORED = "ignored"
    REFUSED = "refused"


class ChatParameter(NamedTuple):
    """One parameter.

    Attributes:
        name: a path where it stands inside another one.
        harmless: values besides null that ask for nothing that is not done anyway.
        note: what the documentation says.
    """

    name: str
    treatment: Treatment
    note: str
    harmless: tuple[Any, ...] = ()


_U, _I, _R = Treatment.USED, Treatment.IGNORED, Treatment.REFUSED
_NO_LEVER = "Codex has no lever for it"
PARAMETERS = (
    ChatParameter(
        "model", _U, "a model of `/v1/models`, an alias of the server, or `MODEL:EFFORT`; the default if absent"
    ),
    ChatParameter("messages", _U, "every role; text, and pictures as data URLs in user and tool messages"),
    ChatParameter("tools", _U, "functions; the schema's bounds and formats are told in its descriptions"),
    ChatParameter(
        "tool_choice", _U, "`required` and a named tool are emulated: asked for in words and by an output schema"
    ),
    ChatParameter("functions", _U, "legacy: as `tools`; the answer then has `function_call`"),
    ChatParameter("function_call", _U, "legacy: as `tool_choice`"),
    ChatParameter(
        "response_format", _U, "a schema that is not `strict` is made so where it can be, else asked for in words"
    ),
    ChatParameter("reasoning_effort", _U, "must be one that the model has"),
    ChatParameter(
        "reasoning", _U, "`{effort, summary}`; a summary (`auto`, `concise`, `detailed`) is `reasoning_content`"
    ),
    ChatParameter("verbosity", _U, "`low`, `medium` or `high`"),
    ChatParameter("service_tier", _U, "`priority` (or `fast`) and `flex`; `auto` and `default` are the default"),
    ChatParameter("stop", _U, "up to 4 texts; the answer is cut here, and has no usage then"),
    ChatParameter("stream", _U, "server-sent events"),
    ChatParameter("stream_options.include_usage", _U, "a last chunk with the usage"),
    ChatParameter("stream_options.include_obfuscation", _I, _NO_LEVER, (False,)),
    ChatParameter("prompt_cache_key", _U, "requests share a thread, and so its cache, only with the same key"),
    ChatParameter("user", _U, "in place of `prompt_cache_key` where that is absent"),
    ChatParameter("parallel_tool_calls", _I, "the model decides", (True,)),
    ChatParameter("max_tokens", _I, _NO_LEVER),
    ChatParameter("max_completion_tokens", _I, _NO_LEVER),
    ChatParameter("temperature", _I, _NO_LEVER, (1,)),
    ChatParameter("top_p", _I, _NO_LEVER, (1,)),
    ChatParameter("frequency_penalty", _I, _NO_LEVER, (0,)),
    ChatParameter("presence_penalty", _I, _NO_LEVER, (0,)),
    ChatParameter("seed", _I, _NO_LEVER),
    ChatParameter("logit_bias", _I, _NO_LEVER, ({},)),
    ChatParameter("metadata", _I, "nothing is stored", ({},)),
    ChatParameter("store", _I, "nothing is stored", (False,)),
    ChatParameter("safety_identifier", _I, _NO_LEVER),
    ChatParameter("prompt_cache_retention", _I, _NO_LEVER),
    ChatParameter("prompt_cache_options", _I, _NO_LEVER),
    ChatParameter("prediction", _I, _NO_LEVER),
    ChatParameter("n", _R, "more than one answer", (1,)),
    ChatParameter("logprobs", _R, "Codex does not report them", (False,)),
    ChatParameter("top_logprobs", _R, "Codex does not report them", (0,)),
    ChatParameter("audio", _R, "text only"),
    ChatParameter("modalities", _R, "anything but `text`", ([], ["text"])),
    ChatParameter("moderation", _R, "nothing is moderated here"),
    ChatParameter("web_search_options", _R, "no hosted tools"),
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
    ignored = _without_effect(body)
    if is_strict and ignored:
        raise _unsupported(ignored[0], f"`{'`, `'.join(ignored)}` would have no effect here (strict parameters).")
    reasoning = body["reasoning"] if isinstance(body.get("reasoning"), dict) else {}
    model, effort = _model(_text(body, "model"), aliases)
    options = body.get("stream_options")
    if not isinstance(options, dict | None):
        raise invalid("`stream_options` must be an object.", "stream_options")
    keys = (body.get("prompt_cache_key"), body.get("user"))
    return ChatSettings(
        model=model,
        effort=_text(body, "reasoning_effort") or _text(reasoning, "effort", "reasoning.") or effort,
        summary=_one_of(reasoning, "summary", {**{each: each for each in SUMMARIES}, "none": None}, "reasoning."),
        verbosity=_one_of(body, "verbosity", {each: each for each in VERBOSITIES}),
        service_tier=_TIERS.get(_text(body, "service_tier") or "auto"),
        stop=_stop(body.get("stop")),
        is_stream=_flag(body, "stream"),
        has_usage_chunk=_flag(options or {}, "include_usage", "stream_options."),
        cache_key=next((key for key in keys if isinstance(key, str) and key), None),
        ignored=ignored,
    )


def _without_effect(body: Mapping[str, Any]) -> tuple[str, ...]:
    """The parameters given that have no effect; one that would change what an answer is, is refused."""
    ignored = []
    for name, treatment, note, harmless in PARAMETERS:
        value = _value(body, name)
        if treatment is Treatment.USED or value is None or value in harmless:
            continue
        if treatment is Treatment.REFUSED:
            raise _unsupported(name, f"`{name}` is not possible here: {note}.")
        ignored.append(name)
    tier = body.get("service_tier")
    return (*ignored, "service_tier") if isinstance(tier, str) and tier and tier not in _TIERS else tuple(ignored)


def _value(body: Mapping[str, Any], name: str) -> Any:
    outer, _, inner = name.rpartition(".")
    holder = body.get(outer) if outer else body
    return holder.get(inner) if isinstance(holder, Mapping) else None


def _unsupported(name: str, message: str) -> ApiError:
    return invalid(message, name, "unsupported_parameter")


def _model(name: str | None, aliases: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Model and effort of a name. An effort that the client writes goes before that of an alias."""
    if name is None:
        return None, None
    if name in aliases:
        return _split(aliases[name])
    base, effort = _split(name)
    model, own = _split(aliases.get(base, base))
    return model, effort or own


def _split(name: str) -> tuple[str, str | None]:
    base, _, effort = name.rpartition(":")
    return (base, effort) if base and effort in EFFORTS else (name, None)


def _text(body: Mapping[str, Any], key: str, within: str = "") -> str | None:
    value = body.get(key)
    if not isinstance(value, str | None):
        raise invalid(f"`{within}{key}` must be text.", f"{within}{key}")
    return value or None


def _one_of(body: Mapping[str, Any], key: str, values: Mapping[str, str | None], within: str = "") -> str | None:
    value = _text(body, key, within)
    if value is not None and value not in values:
        raise invalid(f"`{within}{key}` must be one of {', '.join(values)}.", f"{within}{key}")
    return values[value] if value is not None else None


def _flag(body: Mapping[str, Any], key: str, within: str = "") -> bool:
    value = body.get(key)
    if not isinstance(value, bool | None):
        raise invalid(f"`{within}{key}` must be true or false.", f"{within}{key}")
    return bool(value)


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
