"""Reading what Codex reports of accounts, limits and models: today's shapes, and unknown ones."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.account.account import Account, Model, account_in, account_without_details, models_in
from codex_server_cli.core.record.rate_limits import Credits, Limits, Window, limits_in
from tests.kit.cases import for_each

ODD: list[Any] = [None, 5, "text", [], {}, True]


# --- accounts


@for_each(
    ("result", "account"),
    [
        ({"account": None, "requiresOpenaiAuth": True}, Account()),
        ({"account": None, "requiresOpenaiAuth": False}, Account(requires_login=False)),
        ({"account": {"type": "apiKey"}, "requiresOpenaiAuth": True}, Account("api_key")),
        ({"account": {"type": "amazonBedrock"}}, Account("amazon_bedrock")),
        ({"account": {"type": "something new"}}, Account("something new")),
        ({"account": {}}, Account("unknown")),
        ({"account": {"type": 5, "email": 5, "planType": None}}, Account("unknown")),
        (
            {"account": {"type": "chatgpt", "email": "a@b.c", "planType": "pro", "workspaceName": "Ours"}},
            Account("chatgpt", "a@b.c", "pro", "Ours"),
        ),
        ({"account": {"type": "chatgpt", "email": None, "planType": "unknown"}}, Account("chatgpt", plan="unknown")),
        ({}, Account()),
    ],
)
def test_an_account_is_read_from_the_wire(result: dict[str, Any], account: Account) -> None:
    assert account_in(result) == account


@for_each("odd", ODD)
def test_an_account_of_another_shape_is_no_crash(odd: Any) -> None:
    for result in ({"account": odd, "requiresOpenaiAuth": odd}, {"account": {"type": odd, "email": odd}}):
        assert account_in(result).email in (None, "text")


@for_each(
    ("account", "needs_login"),
    [
        (Account(), True),
        (Account(requires_login=False), False),
        (Account("chatgpt"), False),
        (Account("api_key"), False),
        (Account(unavailable="no network"), False),  # an unknown type
    ],
)
def test_a_login_is_needed_if_there_is_none_and_the_provider_requires_one(account: Account, needs_login: bool) -> None:
    assert account.needs_login is needs_login


@for_each(
    ("status", "account"),
    [
        ({"authMethod": "chatgpt", "requiresOpenaiAuth": True}, Account("chatgpt", unavailable="why")),
        ({"authMethod": "apikey"}, Account("api_key", unavailable="why")),
        ({"authMethod": None, "requiresOpenaiAuth": True}, Account()),
        ({"authMethod": None, "requiresOpenaiAuth": False}, Account(requires_login=False)),
        ({}, Account(unavailable="why")),
    ],
)
def test_without_details_the_mode_is_known_all_the_same(status: dict[str, Any], account: Account) -> None:
    assert account_without_details(status, "why") == account


# --- limits

FIVE_HOURS = {"usedPercent": 25, "windowDurationMins": 300, "resetsAt": 2_000_000_000}
WEEK = {"usedPercent": 10.5, "windowDurationMins": 10080, "resetsAt": None}
CODEX: dict[str, Any] = {
    "limitId": "codex",
    "limitName": None,
    "primary": FIVE_HOURS,
    "secondary": WEEK,
    "credits": {"hasCredits": True, "unlimited": False, "balance": "12.5"},
    "planType": "pro",
    "rateLimitReachedType": None,
}


def test_limits_are_read_codex_own_first_and_each_once() -> None:
    other = {"limitId": "small", "limitName": "Small model", "primary": FIVE_HOURS}
    found = limits_in({"rateLimits": CODEX, "rateLimitsByLimitId": {"small": other, "codex": CODEX}})
    five_hours = Window("primary", 25, 300, 2_000_000_000)
    assert found == [
        Limits("codex", None, "pro", (five_hours, Window("secondary", 10.5, 10080)), Credits(False, "12.5"), None),
        Limits("small", "Small model", None, (five_hours,), None, None),
    ]


def test_the_seeds_own_example_is_read() -> None:
    snapshot = {"primary": {"usedPercent": 25, "windowDurationMins": 15, "resetsAt": 1730947200}, "secondary": None}
    (limits,) = limits_in({"rateLimits": snapshot})
    assert limits.windows == (Window("primary", 25, 15, 1730947200),)


def test_the_share_of_one_member_is_a_window_too() -> None:
    individual = {"limit": "100", "used": "25", "remainingPercent": 75, "resetsAt": 2_000_000_000}
    (limits,) = limits_in({"rateLimits": {"individualLimit": individual}})
    assert limits.windows == (Window("individual", 25, None, 2_000_000_000),)


@for_each(
    ("value", "credits"),
    [
        ({"hasCredits": True, "unlimited": True, "balance": None}, Credits(True, None)),
        ({"hasCredits": False, "unlimited": False, "balance": "0"}, None),
        (None, None),
        ("5", None),
    ],
)
def test_credits_are_told_where_there_are_any(value: Any, credits: Credits | None) -> None:
    (limits,) = limits_in({"rateLimits": {"credits": value, "rateLimitReachedType": "rate_limit_reached"}})
    assert (limits.credits, limits.reached) == (credits, "rate_limit_reached")


@for_each("odd", [*ODD, float("nan"), float("inf")])
def test_limits_of_another_shape_are_no_crash(odd: Any) -> None:
    names = ("limitId", "limitName", "planType", "primary", "secondary", "individualLimit", "credits")
    length = {"usedPercent": 1, "windowDurationMins": odd}
    for result in (
        {"rateLimits": {"primary": length}},
        {"rateLimits": odd, "rateLimitsByLimitId": odd},
        {"rateLimitsByLimitId": {"x": odd}},
        {"rateLimits": dict.fromkeys(names, odd)},
        {"rateLimits": {"primary": {"usedPercent": odd}}},
        {"rateLimits": {"individualLimit": {"remainingPercent": odd, "resetsAt": odd}}},
    ):
        assert all(window.resets_at_s in (None, 5) for limits in limits_in(result) for window in limits.windows)


@for_each("odd", [*ODD, 0, -5, 10**12, float("nan"), float("inf")])
def test_a_window_keeps_what_makes_sense_of_it(odd: Any) -> None:
    (limits,) = limits_in({"rateLimits": {"primary": {"usedPercent": 5, "resetsAt": odd, "windowDurationMins": 0}}})
    assert limits.windows == (Window("primary", 5, None, 5 if odd == 5 and odd is not True else None),)


# --- models


def test_models_are_read_with_their_efforts_in_order() -> None:
    entry = {
        "model": "gpt-x",
        "displayName": "GPT-X",
        "description": "Good.",
        "isDefault": True,
        "hidden": False,
        "supportedReasoningEfforts": [{"reasoningEffort": "low", "description": ""}, {"reasoningEffort": "high"}],
        "defaultReasoningEffort": "low",
        "inputModalities": ["text", "image"],
    }
    expected = Model("gpt-x", "GPT-X", "Good.", True, False, ("low", "high"), "low", ("text", "image"))
    assert models_in({"data": [entry]}) == [expected]


@for_each("odd", ODD)
def test_models_of_another_shape_are_no_crash(odd: Any) -> None:
    assert models_in({"data": odd}) == []
    assert models_in({"data": [odd, {"model": None}]}) == []
    names = ("displayName", "description", "isDefault", "hidden", "supportedReasoningEfforts", "inputModalities")
    (model,) = models_in({"data": [{"model": "x", **dict.fromkeys(names, odd)}]})
    assert (model.name, model.efforts, model.modalities) == ("x", (), ())
    options = {"supportedReasoningEfforts": [odd, {"reasoningEffort": odd}], "inputModalities": [odd]}
    (model,) = models_in({"data": [{"model": "x", **options}]})
    assert set(model.efforts) | set(model.modalities) <= {"text"}
