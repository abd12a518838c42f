"""The settings that Codex announced for a turn, and those that were requested. Owns their format in `meta.json`.

The reply that opens a thread is valid until `thread/settings/updated` changes it; the two name some settings
differently (protocol notes, section 12). A policy that is wider than requested ends a turn and is detected in
`request`; other differences are described here.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.codex_config import value_in
from codex_server_cli.core.protocol.rpc import Message, text_or_none

_NAMES = {  # our name: the wire's names, the newer one first
    "sandbox_policy": ("sandboxPolicy", "sandbox"),
    "approval_policy": ("approvalPolicy",),
    "approvals_reviewer": ("approvalsReviewer",),
    "model": ("model",),
    "model_provider": ("modelProvider",),
    "effort": ("effort", "reasoningEffort"),
}


def effective_terms(settings: Message) -> dict[str, Any]:
    """What Codex announced, by our names; None for what it did not mention.

    Args:
        settings: `TurnRecord.settings`.
    """
    terms = {name: next((settings[key] for key in keys if key in settings), None) for name, keys in _NAMES.items()}
    return terms | {name: text_or_none(terms[name]) for name in ("model", "effort")}  # `meta.json` stores them as text


def differences(asked: Message, settings: Message) -> list[str]:
    """Where Codex's settings differ from those requested, one sentence each; missing settings are ignored.

    Args:
        asked: `TurnRecord.asked`.
    """
    config = asked.get("config")
    config = config if isinstance(config, dict) else {}
    wanted = {
        "model": asked.get("model"),
        "model_provider": value_in(config, "model_provider"),
        "effort": asked.get("effort") or value_in(config, "model_reasoning_effort"),
    }
    if asked.get("approvalPolicy") != "never":  # under `never`, any approval request is refused
        wanted["approval_policy"] = asked.get("approvalPolicy")
    terms = effective_terms(settings)
    return [
        f"Codex runs this turn with {name.replace('_', ' ')} {terms[name]}, not {value} as asked"
        for name, value in wanted.items()
        if value is not None and terms[name] is not None and terms[name] != value
    ]
