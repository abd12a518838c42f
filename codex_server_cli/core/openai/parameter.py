"""How a parameter of a request is treated, and its value read. Owns the rules that both APIs share.

A parameter that is in no table is accepted and has no effect: clients send fields for other servers (`num_ctx`,
`chat_template_kwargs`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, NamedTuple

from codex_server_cli.core.openai.refusal import ApiError, invalid

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
"""The values of EFFORT in `MODEL:EFFORT`; a model supports only some of them."""
VERBOSITIES = ("low", "medium", "high")
SUMMARIES = ("auto", "concise", "detailed")

_TIERS = {"priority": "priority", "fast": "priority", "flex": "flex", "auto": None, "default": None}
_SUMMARIES: Mapping[str, str | None] = {**{each: each for each in SUMMARIES}, "none": None}


class Treatment(StrEnum):
    """Whether a parameter has an effect, has none, or the request is refused with status 400."""

    USED = "used"
    IGNORED = "ignored"
    REFUSED = "refused"


class ApiParameter(NamedTuple):
    """One parameter.

    Attributes:
        name: a path if it is inside another one.
        harmless: values besides null that ask only for the default behaviour.
        note: the text in the documentation.
    """

    name: str
    treatment: Treatment
    note: str
    harmless: tuple[Any, ...] = ()


def without_effect(body: Mapping[str, Any], table: Sequence[ApiParameter], *, is_strict: bool) -> tuple[str, ...]:
    """The given parameters that have no effect.

    Args:
        is_strict: whether to refuse those.

    Raises:
        ApiError: 400: one would change what an answer is, or is refused.
    """
    ignored = []
    for name, treatment, note, harmless in table:
        value = _value(body, name)
        if treatment is Treatment.USED or value is None or value in harmless:
            continue
        if treatment is Treatment.REFUSED:
            raise _unsupported(name, f"`{name}` is not possible here: {note}.")
        ignored.append(name)
    tier = body.get("service_tier")
    if isinstance(tier, str) and tier and tier not in _TIERS:
        ignored.append("service_tier")
    if is_strict and ignored:
        raise _unsupported(ignored[0], f"`{'`, `'.join(ignored)}` would have no effect here (strict parameters).")
    return tuple(ignored)


def _value(body: Mapping[str, Any], name: str) -> Any:
    outer, _, inner = name.rpartition(".")
    holder = body.get(outer) if outer else body
    return holder.get(inner) if isinstance(holder, Mapping) else None


def _unsupported(name: str, message: str) -> ApiError:
    return invalid(message, name, "unsupported_parameter")


# --- values: each function raises `ApiError` (400), naming the parameter


def model_in(body: Mapping[str, Any], aliases: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Model and effort of `model`. The client's effort takes precedence over that of an alias.

    Args:
        aliases: model names of clients → model names of Codex, `MODEL:EFFORT` allowed.
    """
    name = text_at(body, "model")
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


def summary_in(reasoning: Mapping[str, Any], key: str = "summary") -> str | None:
    """The requested reasoning summary."""
    return one_of(reasoning, key, _SUMMARIES, "reasoning.")


def verbosity_in(holder: Mapping[str, Any], within: str = "") -> str | None:
    """`verbosity`."""
    return one_of(holder, "verbosity", {each: each for each in VERBOSITIES}, within)


def tier_in(body: Mapping[str, Any]) -> str | None:
    """The service tier; None for the default, and for one that Codex does not know."""
    return _TIERS.get(text_at(body, "service_tier") or "auto")


def cache_key_in(body: Mapping[str, Any]) -> str | None:
    """The client's own key of a conversation."""
    keys = (body.get("prompt_cache_key"), body.get("user"))
    return next((key for key in keys if isinstance(key, str) and key), None)


def object_in(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """An object; empty if it is missing."""
    value = body.get(key)
    if not isinstance(value, dict | None):
        raise invalid(f"`{key}` must be an object.", key)
    return value or {}


def text_at(body: Mapping[str, Any], key: str, within: str = "") -> str | None:
    """A text; None if it is empty or missing.

    Args:
        within: the path of `body` with a trailing dot, here as below.
    """
    value = body.get(key)
    if not isinstance(value, str | None):
        raise invalid(f"`{within}{key}` must be text.", f"{within}{key}")
    return value or None


def one_of(body: Mapping[str, Any], key: str, values: Mapping[str, str | None], within: str = "") -> str | None:
    """The mapped value of one of a few words."""
    value = text_at(body, key, within)
    if value is not None and value not in values:
        raise invalid(f"`{within}{key}` must be one of {', '.join(values)}.", f"{within}{key}")
    return values[value] if value is not None else None


def flag(body: Mapping[str, Any], key: str, within: str = "", *, default: bool = False) -> bool:
    """A flag."""
    value = body.get(key)
    if not isinstance(value, bool | None):
        raise invalid(f"`{within}{key}` must be true or false.", f"{within}{key}")
    return default if value is None else value
