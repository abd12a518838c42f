"""What Codex says of an account, its limits and its models, read from the wire. Owns which members count, and how.

Pure, and tolerant: whatever is null, missing or of another shape than today's is unknown, never a crash. Sources: the
schemas of 0.163.0 and 0.171.0 (protocol notes, sections 7 and 10).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from codex_server_cli.core.rpc import Message, at, object_at, objects_in

_MODES = {"apiKey": "api_key", "apikey": "api_key", "amazonBedrock": "amazon_bedrock"}
_YEAR_3000_S = 32_503_680_000


class Account(NamedTuple):
    """Who is logged in.

    Attributes:
        mode: `chatgpt`, `api_key`, `amazon_bedrock`, `gcp`, or what a later Codex calls it; None for nobody.
        plan: the wire's word: `plus`, `pro`, `business` …
        workspace: the name of the selected ChatGPT workspace; 0.163.0 does not tell it.
        requires_login: whether the provider that turns use wants OpenAI's login at all.
        unavailable: Codex's words, where it could not tell more than the mode; None where it could.
    """

    mode: str | None = None
    email: str | None = None
    plan: str | None = None
    workspace: str | None = None
    requires_login: bool = True
    unavailable: str | None = None

    @property
    def needs_login(self) -> bool:
        """Whether somebody has to log in before a turn can run."""
        return self.requires_login and self.mode is None and self.unavailable is None


def account_in(result: Message) -> Account:
    """The account in the result of `account/read`."""
    account = at(result, "account", dict)
    requires_login = result.get("requiresOpenaiAuth") is not False
    if account is None:
        return Account(requires_login=requires_login)
    return Account(
        mode=mode_of(account.get("type")) or "unknown",
        email=_text(account.get("email")),
        plan=_text(account.get("planType")),
        workspace=_text(account.get("workspaceName")),
        requires_login=requires_login,
    )


def account_without_details(status: Message, why_not: str) -> Account:
    """The account where `account/read` failed: `getAuthStatus` knows the mode without asking anybody.

    Args:
        status: its result; `{}` where that failed, too.
        why_not: the words of the first failure.
    """
    mode = mode_of(status.get("authMethod"))
    requires_login = status.get("requiresOpenaiAuth") is not False
    is_nobody = "authMethod" in status and mode is None
    return Account(mode=mode, requires_login=requires_login, unavailable=None if is_nobody else why_not)


def mode_of(word: Any) -> str | None:
    """Our word for the wire's account type or auth mode; the wire writes both `apiKey` and `apikey`."""
    return _MODES.get(word, word) if isinstance(word, str) and word else None


class Window(NamedTuple):
    """One usage window of a limit.

    Attributes:
        name: `primary`, `secondary`, or `individual` for what a workspace lets one member spend.
        used_percent: 0 to 100, or more.
        minutes: how long the window is; None where Codex does not say.
        resets_at_s: Unix seconds.
    """

    name: str
    used_percent: float
    minutes: int | None = None
    resets_at_s: int | None = None


class Credits(NamedTuple):
    """What is there beyond the plan; `balance` is the backend's own text."""

    is_unlimited: bool
    balance: str | None


class Limits(NamedTuple):
    """One limit with its windows. An account has one for Codex, and may have more for single models.

    Attributes:
        reached: the wire's word for the limit that holds right now, None for none.
    """

    limit_id: str | None
    name: str | None
    plan: str | None
    windows: tuple[Window, ...]
    credits: Credits | None
    reached: str | None


def limits_in(result: Message) -> list[Limits]:
    """The limits in the result of `account/rateLimits/read`: Codex's own first, then those by id."""
    snapshots = [result.get("rateLimits"), *object_at(result, "rateLimitsByLimitId").values()]
    found: dict[str | None, Limits] = {}
    for snapshot in objects_in(snapshots):
        limits = _limits(snapshot)
        found.setdefault(limits.limit_id, limits)
    return list(found.values())


def _limits(snapshot: Message) -> Limits:
    windows = [_window(name, object_at(snapshot, name)) for name in ("primary", "secondary")]
    windows.append(_individual(object_at(snapshot, "individualLimit")))
    return Limits(
        limit_id=_text(snapshot.get("limitId")),
        name=_text(snapshot.get("limitName")),
        plan=_text(snapshot.get("planType")),
        windows=tuple(window for window in windows if window is not None),
        credits=_credits(object_at(snapshot, "credits")),
        reached=_text(snapshot.get("rateLimitReachedType")),
    )


def _window(name: str, value: Message) -> Window | None:
    percent = _number(value.get("usedPercent"))
    if percent is None:
        return None
    minutes = _number(value.get("windowDurationMins"))
    return Window(name, percent, int(minutes) if minutes and minutes > 0 else None, _time_s(value.get("resetsAt")))


def _individual(value: Message) -> Window | None:
    left = _number(value.get("remainingPercent"))
    return None if left is None else Window("individual", 100 - left, None, _time_s(value.get("resetsAt")))


def _credits(value: Message) -> Credits | None:
    if value.get("hasCredits") is not True:
        return None
    return Credits(value.get("unlimited") is True, _text(value.get("balance")))


class Model(NamedTuple):
    """One model of Codex's list; `efforts` in Codex's order, from the least."""

    name: str
    display_name: str
    description: str
    is_default: bool
    is_hidden: bool
    efforts: tuple[str, ...]
    default_effort: str | None
    modalities: tuple[str, ...]


def models_in(result: Message) -> list[Model]:
    """The models on one page of `model/list`; one without a name cannot be asked for and is left out."""
    return [_model(name, entry) for entry in objects_in(result.get("data")) if (name := _text(entry.get("model")))]


def _model(name: str, entry: Message) -> Model:
    efforts = (_text(option.get("reasoningEffort")) for option in objects_in(entry.get("supportedReasoningEfforts")))
    modalities = at(entry, "inputModalities", list) or []
    return Model(
        name=name,
        display_name=_text(entry.get("displayName")) or name,
        description=_text(entry.get("description")) or "",
        is_default=entry.get("isDefault") is True,
        is_hidden=entry.get("hidden") is True,
        efforts=tuple(effort for effort in efforts if effort),
        default_effort=_text(entry.get("defaultReasoningEffort")),
        modalities=tuple(filter(None, map(_text, modalities))),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if is_number else None


def _time_s(value: Any) -> int | None:
    seconds = _number(value)
    return int(seconds) if seconds is not None and 0 < seconds < _YEAR_3000_S else None
