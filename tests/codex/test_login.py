"""Which login may start a turn, and which would bill an API key: section 5 of the design as a table."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.codex import login
from codex_server_cli.codex.login import check_login
from codex_server_cli.errors import BadInputError, CodexServerError, Exit, NotLoggedInError
from tests.fakes import codex as fake

TOKENS = {"id_token": "t", "access_token": "t", "refresh_token": "t"}
CHATGPT = {"auth_mode": "chatgpt", "OPENAI_API_KEY": None, "tokens": TOKENS}
API_KEY = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-secret"}
NEVER_RUN = Path("/nonexistent/codex")
"""`codex login status` must not be run where a file has the answer: it costs time."""


def provider(**values: Any) -> str:
    """A `config.toml` that defines a provider and selects it."""
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items() if not isinstance(value, dict)]
    tables = [
        f"[model_providers.own.{name}]\n" + "\n".join(f"{key} = {json.dumps(word)}" for key, word in value.items())
        for name, value in values.items()
        if isinstance(value, dict)
    ]
    return "\n".join(['model_provider = "own"', "[model_providers.own]", 'name = "own"', *lines, *tables])


@pytest.fixture
def home(codex_home: Path) -> Path:
    return codex_home


def write_auth(home: Path, auth: object) -> None:
    (home / "auth.json").write_text(auth if isinstance(auth, str) else json.dumps(auth))


def refusal(home: Path, codex: Path = NEVER_RUN, *, may_bill: bool = False) -> CodexServerError | None:
    """Why no turn may start; None where one may."""
    try:
        check_login(home, codex, may_bill_api_key=may_bill)
    except CodexServerError as error:
        return error
    return None


# --- auth.json


@pytest.mark.parametrize(
    "auth",
    [
        CHATGPT,
        CHATGPT | {"auth_mode": "ChatGPT"},
        CHATGPT | {"auth_mode": "chatgptAuthTokens"},
        CHATGPT | {"OPENAI_API_KEY": "sk-left-over"},  # the mode decides
        {"tokens": TOKENS},
        {"tokens": TOKENS, "OPENAI_API_KEY": None},
    ],
    ids=lambda auth: json.dumps(auth)[:60],
)
def test_a_chatgpt_login_passes_without_asking_codex(home: Path, auth: object) -> None:
    write_auth(home, auth)
    assert refusal(home) is None


@pytest.mark.parametrize(
    "auth",
    [
        API_KEY,
        API_KEY | {"auth_mode": "ApiKey"},
        {"OPENAI_API_KEY": "sk-secret"},
        {"OPENAI_API_KEY": "sk-secret", "tokens": TOKENS},  # a legacy file: a key counts, tokens or not
        {"auth_mode": "something new", "tokens": TOKENS},
    ],
    ids=lambda auth: json.dumps(auth)[:60],
)
def test_any_other_login_is_refused_and_no_secret_is_told(home: Path, auth: object) -> None:
    write_auth(home, auth)
    error = refusal(home)
    assert isinstance(error, NotLoggedInError)
    assert error.exit_code is Exit.NOT_LOGGED_IN
    assert '"auth": "any"' in error.hint
    assert "sk-secret" not in error.message + error.hint


@pytest.mark.parametrize(
    ("auth", "what"),
    [
        ({}, "holds no login"),
        (CHATGPT | {"tokens": None}, "holds no login"),
        ([], "is damaged"),
        ("{ torn", "is damaged"),
        ("\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "is damaged"),
        ("", "is empty"),
        (" \n\0\0", "is empty"),
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_a_login_file_of_no_use_is_told_for_what_it_is(home: Path, auth: object, what: str) -> None:
    write_auth(home, auth)
    error = refusal(home)
    assert isinstance(error, NotLoggedInError)
    assert error.message == f"Codex's login file {home / 'auth.json'} {what}" + (
        ": it holds no JSON object" if what == "is damaged" else ""
    )
    assert "codex-server login" in error.hint
    assert "API key" not in error.message + error.hint


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo], ids=["directory", "FIFO"])
def test_what_is_in_the_way_of_a_login_is_to_be_moved_first(home: Path, make: Callable[[Path], None]) -> None:
    make(home / "auth.json")
    error = refusal(home)
    assert isinstance(error, NotLoggedInError)
    assert f"`mv {home / 'auth.json'} {home / 'auth.json'}.old`" in error.hint


def test_a_login_file_that_may_not_be_read_is_named(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    write_auth(home, CHATGPT)
    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    with pytest.raises(NotLoggedInError, match=r"cannot be read: .*auth\.json: Permission denied"):
        login._read_auth(home / "auth.json")


@pytest.mark.parametrize("auth", [API_KEY, {}, "{ torn"], ids=["api key", "empty", "torn"])
def test_auth_any_lets_everything_pass(home: Path, auth: object) -> None:
    write_auth(home, auth)
    assert refusal(home, may_bill=True) is None


# --- no auth.json: the keyring may hold the login


@pytest.mark.parametrize("what", ["does not exist", "is not a directory"])
def test_a_home_that_codex_cannot_use_is_no_missing_login(home: Path, tmp_path: Path, what: str) -> None:
    words = f'Error loading configuration: CODEX_HOME points to "/x y", but that path {what}'
    error = refusal(home, fake.write(tmp_path / "codex", "exits", login=words))
    assert isinstance(error, BadInputError)
    assert error.message == f"Codex's home /x y {what}"
    assert "codex-server setup" in error.hint


def test_a_configuration_that_codex_cannot_load_is_no_missing_login(home: Path, tmp_path: Path) -> None:
    words = "Error loading configuration: /etc/codex/config.toml:1:1: invalid"
    error = refusal(home, fake.write(tmp_path / "codex", "exits", login=words))
    assert isinstance(error, BadInputError)
    assert error.message == "Codex cannot load its configuration: /etc/codex/config.toml:1:1: invalid"


@pytest.mark.parametrize("code", [0, 1])
def test_without_a_file_the_line_of_codex_decides_whatever_its_exit_code(home: Path, tmp_path: Path, code: int) -> None:
    logged_in = fake.write(tmp_path / "a", "exits", login="Logged in using ChatGPT", login_code=code)
    assert refusal(home, logged_in) is None
    api_key = refusal(
        home, fake.write(tmp_path / "b", "exits", login="Logged in using an API key - sk-***", login_code=code)
    )
    assert isinstance(api_key, NotLoggedInError)
    assert "API key" in api_key.message
    assert '"auth": "any"' in api_key.hint
    logged_out = refusal(home, fake.write(tmp_path / "c", "exits", login="Not logged in", login_code=code))
    assert isinstance(logged_out, NotLoggedInError)
    assert logged_out.message == "Codex is not logged in"
    assert "codex-server login --device" in logged_out.hint


@pytest.mark.parametrize("text", ["", "Not Logged in using ChatGPT", "Logged in using ChatGPT Enterprise key", "[31m"])
def test_words_that_are_not_that_line_prove_no_login(home: Path, tmp_path: Path, text: str) -> None:
    assert isinstance(
        refusal(home, fake.write(tmp_path / "codex", "exits", login=text, login_code=0)), NotLoggedInError
    )


def test_a_codex_that_does_not_answer_is_not_waited_for_for_ever(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login, "_TIMEOUT_S", 0.2)
    for codex in (fake.write(tmp_path / "codex", "exits", login="silent"), NEVER_RUN):
        error = refusal(home, codex)
        assert isinstance(error, NotLoggedInError)
        assert "did not answer" in error.message


# --- config.toml


@pytest.mark.parametrize(
    "config",
    [
        provider(),
        provider(requires_openai_auth=False),
        provider(http_headers={"X-Team": "us"}, query_params={"api-version": "2026-01-01"}),
        *(f'model_provider = "{name}"' for name in ("ollama", "amazon-bedrock", "unknown")),  # Codex tells the worker
    ],
)
def test_a_provider_that_needs_no_login_passes(home: Path, config: str) -> None:
    (home / "config.toml").write_text(config)
    assert refusal(home) is None
    write_auth(home, API_KEY)  # not used by it
    assert refusal(home) is None


@pytest.mark.parametrize(
    "config",
    [
        provider(env_key="OTHER_KEY"),
        provider(env_key="OTHER_KEY", requires_openai_auth=True),
        provider(experimental_bearer_token="sk-secret"),
        provider(auth={"command": "print-a-token"}),
        provider(http_headers={"Authorization": "Bearer sk-secret"}),
        provider(env_http_headers={"api-key": "AZURE_KEY"}),
        provider(http_headers={"X-Goog-Api-Key": "sk-secret"}),
        provider(query_params={"api-key": "sk-secret"}),
        provider(env_http_headers={"X-Auth-Token": "OTHER_TOKEN"}),
        provider(base_url="http://user:word@localhost/v1"),
    ],
)
def test_a_provider_with_a_key_of_its_own_needs_consent(home: Path, config: str) -> None:
    write_auth(home, CHATGPT)
    (home / "config.toml").write_text(config)
    error = refusal(home)
    assert isinstance(error, NotLoggedInError)
    assert "provider uses an API key" in error.message
    assert "sk-secret" not in error.message + error.hint
    assert refusal(home, may_bill=True) is None


@pytest.mark.parametrize(
    "config",
    [
        "",
        'model = "gpt-5.5"',
        'model_provider = "openai"',
        "model_provider = 7",
        provider(requires_openai_auth=True),
        provider(env_key="OTHER_KEY").replace('model_provider = "own"', ""),  # defined, not chosen
    ],
)
def test_any_other_config_needs_the_chatgpt_login(home: Path, config: str) -> None:
    (home / "config.toml").write_text(config)
    write_auth(home, API_KEY)
    assert isinstance(refusal(home), NotLoggedInError)
    write_auth(home, CHATGPT)
    assert refusal(home) is None


def test_where_codex_can_read_what_we_cannot_it_is_the_judge(home: Path, tmp_path: Path) -> None:
    write_auth(home, CHATGPT)
    (home / "config.toml").write_bytes(b"a = 1\na = 2\n")
    assert refusal(home, fake.write(tmp_path / "codex", login="Logged in using ChatGPT")) is None


@pytest.mark.parametrize("data", [b"model = ", b"\xff\xfe", b"a = 1\na = 2\n", b"x = " + b"[" * 5000])
@pytest.mark.parametrize("may_bill", [False, True])
def test_a_broken_config_is_bad_input_because_every_turn_would_fail_on_it(
    home: Path, data: bytes, may_bill: bool
) -> None:
    write_auth(home, CHATGPT)
    (home / "config.toml").write_bytes(data)
    error = refusal(home, may_bill=may_bill)
    assert isinstance(error, BadInputError)
    assert str(home / "config.toml") in error.message
    assert str(home / "config.toml") in error.hint


def test_a_config_that_cannot_be_read_is_bad_input(home: Path) -> None:
    (home / "config.toml").mkdir()
    assert "Is a directory" in (refusal(home) or NotLoggedInError("")).message


def test_the_commands_of_the_guide_are_not_broken_on_a_terminal_of_80_columns() -> None:
    commands = [line for line in login.LOGIN_GUIDE.splitlines() if line.startswith("  ")]
    assert commands
    assert max(map(len, commands)) <= 80
