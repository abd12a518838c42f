"""Who pays for a turn, from what Codex reports: definitions, accounts, and what cannot be known."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.payer import (
    Judgement,
    Payer,
    account_of_status,
    definition_of,
    has_credentials,
    judge,
    provider_of_new_thread,
)
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.replay import replay
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import COMPLETED, READ_ONLY, STARTED, THREAD, TURN, Dialogue, Json, said

OWN: Json = {"name": "own", "base_url": "http://127.0.0.1:1/v1", "wire_api": "responses", "env_key": None}
KEYED: Json = {**OWN, "experimental_bearer_token": "sk-paid"}
ON_LOGIN: Json = {**OWN, "requires_openai_auth": True}
CHATGPT: Json = {"account": {"type": "chatgpt"}, "requiresOpenaiAuth": True}
API_KEY: Json = {"account": {"type": "apiKey"}, "requiresOpenaiAuth": True}
NO_LOGIN: Json = {"account": None, "requiresOpenaiAuth": True}
KEYLESS: Json = {"account": None, "requiresOpenaiAuth": False}
CLOUD: Json = {"account": {"type": "gcp"}, "requiresOpenaiAuth": False}


def config(configured: str | None = None, **providers: Json) -> Json:
    """The part of `config/read` that counts."""
    return {"model_provider": configured, "model_providers": providers}


# --- a definition of the user's own


@for_each(
    "more",
    [
        {},
        {"requires_openai_auth": True, "request_max_retries": 4, "supports_websockets": False, "query_params": {}},
        {"http_headers": {"X-Team": "us"}, "query_params": {"api-version": "2026-01-01-preview"}},
        {"base_url": "http://localhost:8080/v1?api-version=2026-01-01", "model_catalog_url": None},
        {"capabilities": {"namespace_tools": True}, "env_key_instructions": "none is needed", "auth": None, "aws": {}},
    ],
)
def test_a_definition_without_a_secret_bills_no_key(more: Json) -> None:
    assert not has_credentials({**OWN, **more})


@for_each(
    "more",
    [
        {"env_key": "SOME_KEY"},
        {"experimental_bearer_token": "x"},
        {"auth": {"command": "print-a-token"}},
        {"aws": {"profile": "work"}},
        {"gateway_oauth": {"client_id": "x"}},
        {"credential_file": "/home/dev/key.json"},
        {"project_id": "mine"},
        {"a_field_of_a_later_codex": "x"},
        {"http_headers": {"Authorization": "Bearer x"}},
        {"http_headers": {"Cookie": "x"}},
        {"http_headers": {"X-Team": "Bearer abc"}},
        {"http_headers": {"X-Team": "sk-abc"}},
        {"http_headers": {"X-Team": "a1b2c3d4e5f6a1b2c3d4e5f6"}},
        {"http_headers": "odd"},
        {"env_http_headers": {"X-Team": "TEAM"}},
        {"query_params": {"code": "x", "subscription-key": "y"}},
        {"query_params": {"sig": "x"}},
        {"base_url": "https://user:word@example.org/v1"},
        {"base_url": "https://example.org/v1?api-key=x"},
        {"base_url": "https://example.org/a1b2c3d4e5f6a1b2c3d4e5f6/v1"},
        {"base_url": ["odd"]},
    ],
)
def test_what_may_be_a_secret_may_bill_somebody(more: Json) -> None:
    assert has_credentials({**OWN, **more})


def test_a_definition_without_a_name_only_changes_one_that_is_built_in() -> None:
    assert definition_of("gcp", config(gcp={"name": "", "base_url": "http://localhost"})) is None
    assert definition_of("own", config(own=OWN)) == OWN


@for_each("providers", [None, 7, {"own": 7}, {"own": {}}])
def test_what_is_no_definition_is_none(providers: Any) -> None:
    assert definition_of("own", {"model_providers": providers}) is None


def test_what_was_sent_with_the_thread_is_laid_over_what_is_configured() -> None:
    sent = {"model_providers.own.env_key": "SOME_KEY", "model_providers.other": OWN}
    assert definition_of("own", config(own=OWN), sent) == {**OWN, "env_key": "SOME_KEY"}
    assert definition_of("other", config(own=OWN), sent) == OWN


def test_a_new_thread_has_the_provider_that_was_sent_else_the_configured_one_else_codex_default() -> None:
    assert provider_of_new_thread(config("own"), {"model_provider": "sent"}) == "sent"
    assert provider_of_new_thread(config("own")) == "own"
    assert provider_of_new_thread({}) == "openai"


# --- the decision


@for_each(
    ("provider", "configuration", "account", "payer"),
    [
        ("openai", config(), CHATGPT, Payer.CHATGPT),
        ("openai", config(), API_KEY, Payer.API_KEY),
        ("openai", config(), NO_LOGIN, None),
        ("openai", config(), {"requiresOpenaiAuth": True, "account": {"type": "amazonBedrock"}}, Payer.PROVIDER),
        ("openai", config(), {"requiresOpenaiAuth": True, "account": "odd"}, Payer.PROVIDER),
        ("own", config(own=OWN), NO_LOGIN, Payer.NONE),
        ("own", config(own=KEYED), CHATGPT, Payer.PROVIDER),
        ("own", config("own", own=KEYED), KEYLESS, Payer.PROVIDER),
        ("own", config(own=ON_LOGIN), CHATGPT, Payer.CHATGPT),
        ("own", config("own", own=ON_LOGIN), API_KEY, Payer.API_KEY),
        ("built-in", config("built-in"), KEYLESS, Payer.NONE),
        ("built-in", config("built-in"), CLOUD, Payer.PROVIDER),
        ("built-in", config("built-in"), CHATGPT, Payer.CHATGPT),
        (None, config("built-in"), CLOUD, Payer.PROVIDER),
        (None, config(), KEYLESS, Payer.NONE),
        (None, config(), CHATGPT, Payer.CHATGPT),
    ],
)
def test_who_pays(provider: str | None, configuration: Json, account: Json, payer: Payer | None) -> None:
    found = judge(provider, configuration, None, account)
    assert (found.payer, found.tells) == (payer, None)
    assert bool(found.problem) == (payer not in (Payer.CHATGPT, Payer.NONE))


@for_each(
    ("provider", "configuration", "account", "tells"),
    [
        ("openai", config("own", own=OWN), KEYLESS, "openai"),
        ("other", config("own", own=OWN, other=ON_LOGIN), KEYLESS, "openai"),
        ("built-in", config("own", own=OWN), KEYLESS, "built-in"),
        ("built-in", config(), CHATGPT, "built-in"),
        ("built-in", config("built-in"), {}, "built-in"),
        ("openai", {}, KEYLESS, "openai"),  # which cannot be: the configuration was not reported
    ],
)
def test_what_codex_does_not_tell_may_be_billed_and_another_configuration_would_tell(
    provider: str, configuration: Json, account: Json, tells: str
) -> None:
    found = judge(provider, configuration, None, account)
    assert found == Judgement(None, f"Codex does not report who pays for its model provider {provider!r}.", tells)


@for_each(
    ("status", "account"),
    [
        ({"authMethod": "chatgpt", "requiresOpenaiAuth": True}, CHATGPT),
        ({"authMethod": "chatgptAuthTokens", "requiresOpenaiAuth": True}, CHATGPT),
        ({"authMethod": "apikey", "requiresOpenaiAuth": True}, {**API_KEY, "account": {"type": "api_key"}}),
        ({"authMethod": None, "requiresOpenaiAuth": True}, NO_LOGIN),
        ({"authMethod": None, "requiresOpenaiAuth": False}, {}),  # built-in ones have accounts that it does not know
        ({}, {}),
    ],
)
def test_the_mode_of_a_login_stands_for_an_account_that_cannot_be_read(status: Json, account: Json) -> None:
    assert account_of_status(status) == account


# --- in the session


def opened(configuration: Json, account: Json, provider: str, **request: Any) -> Dialogue:
    """A session whose thread has this provider, up to the point where the turn is started or not."""
    talk = Dialogue(**request)
    return look(talk, configuration, account, provider)


def look(talk: Dialogue, configuration: Json, account: Json, provider: str) -> Dialogue:
    """One app-server's answers."""
    talk.reply("initialize").checked(account, configuration)
    if talk.sent[-1]["method"] == "thread/goal/get":  # the thread is to be resumed
        talk.queue_empty()
    method = [message["method"] for message in talk.sent if message.get("method", "").startswith("thread/")][-1]
    return talk.reply(method, {"thread": {"id": THREAD}, "modelProvider": provider, "sandbox": READ_ONLY})


def hint_of(talk: Dialogue) -> str:
    assert talk.outcome.error is not None
    return talk.outcome.error.hint


def test_a_resumed_thread_that_bills_a_provider_is_not_asked_and_its_fork_is_named() -> None:
    talk = opened(config(own=KEYED), CHATGPT, "own", thread_id="t-1", prompt_path="/p")
    assert (talk.kind, talk.outcome.state, talk.requests("turn/start")) == (ErrorKind.AUTH, State.FAILED, [])
    assert talk.session.record.payer is Payer.PROVIDER
    fork = "`codex-server continue --thread t-1 --fork --cwd /project --file /p`"
    assert hint_of(talk).startswith(f"A fork takes the provider that Codex is configured with: {fork}; ")
    assert '"auth": "any"' in hint_of(talk)


@for_each("request_", [{}, {"thread_id": "t-1", "is_fork": True}])
def test_a_new_thread_or_a_fork_takes_another_provider_where_one_is_configured(request_: Json) -> None:
    talk = opened(config("own", own=KEYED), KEYLESS, "own", **request_)
    assert talk.kind is ErrorKind.AUTH
    assert hint_of(talk).startswith("Choose another `model_provider` in Codex's configuration, or allow")


@for_each(
    ("configuration", "account", "profile"),
    [
        (config("own", own=KEYED), KEYLESS, None),
        (config(own=KEYED), NO_LOGIN, None),
        (config(own=KEYED), CHATGPT, {"model_provider": "own"}),
    ],
)
def test_where_a_fork_would_be_refused_too_that_is_to_be_mended_first(
    configuration: Json, account: Json, profile: Json | None
) -> None:
    talk = opened(configuration, account, "own", thread_id="t-1", profile_config=profile)
    assert talk.kind is ErrorKind.AUTH
    assert hint_of(talk).startswith("Only a fork can have another provider, and the one that Codex is configured with")


def test_an_api_key_is_told_with_both_ways_out() -> None:
    talk = opened(config(), API_KEY, "openai")
    assert hint_of(talk).startswith("Log in with ChatGPT (`codex-server login`), or allow every payer")
    assert hint_of(talk).endswith(", then: `codex-server new --cwd /project -`")


def test_without_a_login_the_error_says_to_log_in() -> None:
    assert hint_of(opened(config(), NO_LOGIN, "openai")).startswith("Log in with `codex-server login`, then: ")


def test_where_anybody_may_be_billed_the_record_tells_who_is() -> None:
    talk = opened(config(own=KEYED), CHATGPT, "own", may_bill_api_key=True)
    assert (len(talk.requests("turn/start")), talk.session.record.payer) == (1, Payer.PROVIDER)
    talk = opened(config("own", own=OWN), KEYLESS, "openai", may_bill_api_key=True)
    assert (len(talk.requests("turn/start")), talk.session.record.payer, talk.server_starts) == (1, None, [0])


@for_each(("own", "asked"), [({"requires_openai_auth": True}, "openai"), ({}, None)])
def test_one_app_server_tells_of_a_provider_that_a_profile_brings_along(own: Json, asked: str | None) -> None:
    profile = {"model_provider": "q", "model_providers": {"q": {"name": "Q", **own}}}
    talk = opened(config(asked or "own", own=OWN), CHATGPT, "q", thread_id="t-1", is_fork=True, profile_config=profile)
    assert (talk.providers, len(talk.requests("thread/fork")), len(talk.requests("turn/start"))) == ([asked], 1, 1)


def test_another_app_server_tells_of_a_provider_that_codex_is_not_configured_with() -> None:
    talk = opened(config("own", own=OWN), KEYLESS, "openai", thread_id="t-1")
    assert (talk.requests("turn/start"), len(talk.server_starts), talk.has_ended) == ([], 2, False)
    assert talk.providers == [None, "openai"]
    look(talk, config("openai", own=OWN), CHATGPT, "openai")
    talk.reply("turn/start", {"turn": {"id": TURN}}).receive(STARTED, *said("Hello"), COMPLETED)
    assert (talk.outcome.answer, talk.text) == ("Hello", "Hello\n")
    assert replay(talk.events)[0].answer == "Hello"


def test_what_the_first_app_server_still_says_no_longer_counts() -> None:
    talk = Dialogue(thread_id="t-1").reply("initialize").checked(KEYLESS, config("own", own=OWN)).queue_empty()
    (resume,) = [message for message in talk.sent if message["method"] == "thread/resume"]
    reply = {"id": resume["id"], "result": {"thread": {"id": THREAD}, "modelProvider": "openai"}}
    talk.receive(reply, STARTED, *said("of the first one"))
    assert (talk.text, talk.providers) == ("", [None, "openai"])
    look(talk, config("openai"), CHATGPT, "openai")
    assert len(talk.requests("turn/start")) == 1


def test_a_login_that_may_not_be_billed_is_found_so_too_and_a_fork_of_the_keyless_one_is_named() -> None:
    talk = opened(config("own", own=OWN), KEYLESS, "openai", thread_id="t-1")
    look(talk, config("openai", own=OWN), API_KEY, "openai")
    assert talk.kind is ErrorKind.AUTH
    assert hint_of(talk).startswith("A fork takes the provider")
    assert "or log in with ChatGPT (`codex-server login`), or allow every payer" in hint_of(talk)


def test_what_no_app_server_tells_is_not_billed() -> None:
    talk = opened(config(), CHATGPT, "built-in", thread_id="t-1")
    look(talk, config(), CHATGPT, "built-in")
    assert (talk.kind, talk.requests("turn/start"), talk.providers) == (ErrorKind.AUTH, [], [None, "built-in"])


def test_a_profile_that_names_a_provider_has_the_app_server_tell_of_it_from_the_start() -> None:
    assert Dialogue(profile_config={"model_provider": "built-in"}).providers == ["built-in"]
    own = {"model_provider": "own", "model_providers": {"own": OWN}}
    assert Dialogue(profile_config=own).providers == [None]
