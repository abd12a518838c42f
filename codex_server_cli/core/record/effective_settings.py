"""The terms that Codex announced for a turn, beside those that were asked for. Owns their shape in `meta.json`.

What the reply to the opening of a thread says holds until `thread/settings/updated` says otherwise; the two name some
of it differently (protocol notes, section 12). What is wider than asked for ends a turn and is `request`'s to tell;
what is merely other is told here, in words.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.codex_config import value_in
from codex_server_cli.core.protocol.rpc import Message, text_or_none

_NAMES = {  # ours: the wire's, the newer word first
    "sandbox_policy": ("sandboxPolicy", "sandbox"),
    "approval_policy": ("approvalPolicy",),
    "approvals_reviewer": ("approvalsReviewer",),
    "model": ("model",),
    "model_provider": ("modelProvider",),
    "effort": ("effort", "reasoningEffort"),
}


def effective_terms(settings: Message) -> dict[str, Any]:
    """What Codex announced, by our names; what it did not mention is None.

    Args:
        settings: `TurnRecord.settings`.
    """
    told = {name: next((settings[word] for word in words if word in settings), None) for name, words in _NAMES.items()}
    return told | {name: text_or_none(told[name]) for name in ("model", "effort")}  # they go into `meta.json` as such


def differences(asked: Message, settings: Message) -> list[str]:
    """What Codex does otherwise than it was asked to, one sentence each; what it does not mention is no difference.

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
    if asked.get("approvalPolicy") != "never":  # else what Codex asks all the same is refused
        wanted["approval_policy"] = asked.get("approvalPolicy")
    terms = effective_terms(settings)
    return [
        f"Codex runs this turn with {name.replace('_', ' ')} {terms[name]}, not {value} as asked"
        for name, value in wanted.items()
        if value is not None and terms[name] is not None and terms[name] != value
    ]
