"""The account: current login, logging in and out, limits, models. Owns the requests to Codex; must never print.

Each function starts an app-server and ends it again. Only the two logins and `log_out` change anything, and that is
Codex's own `auth.json` or keyring: must never store a key or token.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from codex_server_cli import __version__
from codex_server_cli.actions.browser import open_page
from codex_server_cli.actions.read.read import check_codex_home
from codex_server_cli.codex.binary import find_codex
from codex_server_cli.codex.client import CodexClient, no_answer
from codex_server_cli.codex.login import API_KEY_GUIDE, LOGIN_GUIDE, check_login
from codex_server_cli.core.account import queries
from codex_server_cli.core.account.account import Account, Model
from codex_server_cli.core.account.queries import LoginStart
from codex_server_cli.core.protocol.query import initialize
from codex_server_cli.core.record.rate_limits import Limits
from codex_server_cli.disk import model_cache
from codex_server_cli.disk.known_limit import login_s
from codex_server_cli.errors import CodexMissingError, CodexServerError, HomeError, NotLoggedInError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings

TIMEOUT_S = 30.0
"""For one request, including its response from the network."""
_LOGIN_TIMEOUT_S = queries.LOGIN_TIMEOUT_S + 60
_CANCEL_TIMEOUT_S = 5.0
_OPENAI = "openai"
_ROOT = Path("/")
"""The app-server's working directory: no project's settings must apply."""


class AccountReport(NamedTuple):
    """The current login, and whether a turn could start with it.

    Attributes:
        problem: the error that a turn would be refused with; None where one may start.
        has_refreshed: whether the token was renewed, which Codex itself never reports; None where that was not asked
            for, or the login is in a keyring.
    """

    account: Account
    problem: CodexServerError | None
    has_refreshed: bool | None


def read_account(settings: Settings, *, refreshes: bool = False) -> AccountReport:
    """The current login, and whether a turn could start.

    Raises:
        CodexMissingError: no usable codex.
        BadInputError: `CODEX_HOME` or a configuration cannot be used.
    """
    may_bill = read_config(settings.config_path).may_bill_api_key
    before = login_s(settings.codex_home)
    with _client(settings) as (client, codex):
        account = client.run(queries.ask_account(refreshes=refreshes), TIMEOUT_S)
    can_compare = refreshes and account.mode == "chatgpt" and before > 0
    has_refreshed = before != login_s(settings.codex_home) if can_compare else None
    problem: CodexServerError | None = queries.problem_of(account)
    try:
        check_login(settings.codex_home, codex, may_bill_api_key=may_bill, is_thorough=True)
    except NotLoggedInError as error:
        problem = error
    if problem is None and account.needs_login:
        problem = NotLoggedInError("Codex is not logged in", hint=LOGIN_GUIDE)
    return AccountReport(account, problem, has_refreshed)


def read_limits(settings: Settings) -> list[Limits]:
    """The usage limits of the ChatGPT login.

    Raises:
        NotLoggedInError: there is none.
        CodexServerError: Codex could not fetch them; else as `read_account`.
    """
    with _client(settings) as (client, _):
        return client.run(queries.ask_limits(), TIMEOUT_S)


def read_models(settings: Settings, timeout_s: float = TIMEOUT_S) -> list[Model]:
    """Every model that Codex lists, including hidden ones; cached for the checks of `--model` and `--effort`.

    Raises:
        CodexServerError: as `read_account`.
    """
    with _client(settings, timeout_s) as (client, codex):
        models = client.run(queries.ask_models(), timeout_s)
    model_cache.write_models(settings.home, codex, models)
    return models


def read_openai_models(settings: Settings, thread_id: str | None = None) -> list[Model]:
    """The same if the provider is OpenAI's; `[]` for any other, whose models are not known.

    Args:
        thread_id: the thread to resume, which keeps its provider; None for a new one.

    Raises:
        CodexServerError: as `read_models`, or Codex does not report the provider.
    """
    with _client(settings) as (client, codex):
        if client.run(queries.ask_provider(thread_id), TIMEOUT_S) not in (None, _OPENAI):
            return []
        models = client.run(queries.ask_models(), TIMEOUT_S)
    model_cache.write_models(settings.home, codex, models)
    return models


def log_in(
    settings: Settings, show: Callable[[LoginStart, bool], None], *, is_device: bool, opens_browser: bool
) -> Account:
    """Log in with ChatGPT: start, show the URL, wait for completion. Ctrl-C cancels the login.

    Args:
        show: called once, with what the user needs and whether a browser was opened for it.
        is_device: a code to enter on any other machine, instead of a page on this one.
        opens_browser: open the page, if there is a browser.

    Raises:
        NotLoggedInError: it failed, or took too long.
        BusyError: the ports of the login page are taken.
        CodexServerError: as `read_account`.
        KeyboardInterrupt: it was cancelled.
    """
    _make_codex_home(settings.codex_home)
    with _client(settings) as (client, _):
        started = client.run(queries.start_login(is_device=is_device), TIMEOUT_S)
        try:
            show(started, opens_browser and not is_device and open_page(started.url))
            client.run(queries.await_login(started.login_id), _LOGIN_TIMEOUT_S)
        except KeyboardInterrupt:
            with suppress(CodexMissingError):  # the app-server is gone, and the login with it
                client.run(queries.cancel_login(started.login_id), _CANCEL_TIMEOUT_S)
            raise
        return client.run(queries.ask_account(refreshes=False), TIMEOUT_S)


def log_in_with_key(settings: Settings, read_key: Callable[[], str]) -> Account:
    """Log in with an API key, where `config.json` allows one.

    Args:
        read_key: called only if a key is allowed.

    Raises:
        NotLoggedInError: no key may be billed, or Codex did not take it.
        CodexServerError: as `read_account`.
    """
    if not read_config(settings.config_path).may_bill_api_key:
        raise NotLoggedInError("API keys are not allowed here", hint=API_KEY_GUIDE)
    key = read_key()
    _make_codex_home(settings.codex_home)
    with _client(settings) as (client, _):
        client.run(queries.log_in_with_key(key), TIMEOUT_S)
        return client.run(queries.ask_account(refreshes=False), TIMEOUT_S)


def log_out(settings: Settings) -> None:
    """Delete Codex's login; idempotent.

    Raises:
        CodexServerError: as `read_account`.
    """
    with _client(settings) as (client, _):
        client.run(queries.log_out(), TIMEOUT_S)


@contextmanager
def _client(settings: Settings, timeout_s: float = TIMEOUT_S) -> Iterator[tuple[CodexClient, Path]]:
    """An initialised client, and the path of its codex."""
    codex = find_codex(read_config(settings.config_path).codex, settings.search_path).path
    check_codex_home(settings)
    with CodexClient.spawn(codex, _ROOT) as client:
        if client.run(initialize(__version__), timeout_s) is None:
            raise no_answer()
        yield client, codex


def _make_codex_home(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        return  # a file: reported by the requests that follow
    except OSError as error:
        raise HomeError(f"cannot make {path}: {error.strerror}") from error
