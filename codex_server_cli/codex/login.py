"""Checking for a login that bills no API key. Owns section 5 of the design, on the launcher's side.

Reads Codex's `auth.json` and `config.toml`, and runs `codex login status` where they are inconclusive. Must never write
either, nor print a token. The files are not enough: other configuration, and the provider that a thread was made with,
count too. So Codex itself is asked before a turn is refused, and the worker checks again before it sends the prompt
(`core.model.payer`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli import __version__
from codex_server_cli.core.model.codex_config import layered
from codex_server_cli.core.model.payer import (
    DEFAULT_PROVIDER,
    Judgement,
    Payer,
    definition_of,
    has_credentials,
    judge,
    provider_of_new_thread,
)
from codex_server_cli.errors import BadInputError, CodexMissingError, NotLoggedInError
from codex_server_cli.settings.environment import codex_environment

LOGIN_GUIDE = """\
Turns use your ChatGPT subscription through Codex's own login. To log in:
  codex-server login            opens a browser
  codex-server login --device   with a browser elsewhere: a URL and a code
The account needs a plan that includes Codex (Plus, Pro, Business, Edu or Enterprise).
Then run the same command again. `codex-server doctor` checks the login; `codex-server demo` needs none."""

API_KEY_GUIDE = """\
No turn bills an API key unless you say so. Either log in with ChatGPT (codex-server login),
or allow API keys with "auth": "any" in codex-server's config.json."""

_PROVIDER_GUIDE = """\
No turn bills an API key unless you say so. Either choose another model_provider in Codex's configuration,
or allow API keys with "auth": "any" in codex-server's config.json."""

HOME_HINT = "codex-server setup makes it, unless CODEX_HOME names the wrong one."

_LOGGED_IN = "Logged in using ChatGPT"
_TIMEOUT_S = 10.0
_HOME_PROBLEM = r'^CODEX_HOME points to "(?P<home>.*)", but that path (?P<what>.*)$'
_CHATGPT_MODES = ("chatgpt", "chatgptauthtokens")
_RUNS_ON = {Payer.CHATGPT: "ChatGPT", Payer.NONE: "a model provider of your own, which needs no login"}


class ThreadTerms(NamedTuple):
    """What decides the provider of a turn's thread, besides Codex's own configuration.

    Attributes:
        cwd: where the turn works.
        overrides: the configuration sent with the thread, which takes precedence over Codex's own.
        own_provider: returns the provider of a resumed thread, which keeps it; called only where needed.
    """

    cwd: str = "/"
    overrides: dict[str, Any] | None = None
    own_provider: Callable[[], str | None] = lambda: None


def check_login(
    codex_home: Path,
    codex: Path,
    thread: ThreadTerms | None = None,
    *,
    may_bill_api_key: bool,
    is_thorough: bool = False,
) -> str:
    """Check whether a turn may start.

    Args:
        thread: None for a new thread anywhere.
        is_thorough: ask Codex even if its files pass, which starts an app-server.

    Returns:
        The account or provider that it will use, as text for people.

    Raises:
        NotLoggedInError: there is no login, or one that would bill an API key without consent.
        BadInputError: Codex's home or its configuration cannot be used: every turn would fail on it.
    """
    thread = thread or ThreadTerms()
    config, unread = _read_config(codex_home / "config.toml", codex)
    if config is not None and thread.overrides:
        config = layered(config, thread.overrides)
    if may_bill_api_key:
        return "whatever Codex is logged in with: config.json allows API keys"
    try:
        found = _judge_files(codex_home, codex, config)
    except NotLoggedInError as refusal:
        words = _ask_codex(codex, thread)
        if isinstance(words, str):
            return words
        raise (words or unread or refusal) from refusal
    words = _ask_codex(codex, thread) if is_thorough else None
    if isinstance(words, NotLoggedInError):
        raise words
    return words or found


def _judge_files(codex_home: Path, codex: Path, config: dict[str, Any] | None) -> str:
    name = provider_of_new_thread(config or {})
    definition = definition_of(name, config or {})
    if definition is not None and has_credentials(definition):
        raise NotLoggedInError("the configured model provider uses an API key", hint=_PROVIDER_GUIDE)
    if definition is not None and definition.get("requires_openai_auth") is not True:
        return _RUNS_ON[Payer.NONE]
    if definition is None and name != DEFAULT_PROVIDER:
        return f"Codex's own model provider {name!r}"  # the worker asks Codex who pays for it
    auth = _read_auth(codex_home / "auth.json")
    if auth is None:
        _ask_status(codex)
    else:
        _check_mode(codex_home / "auth.json", auth)
    return _RUNS_ON[Payer.CHATGPT]


def _check_mode(path: Path, auth: dict[str, Any]) -> None:
    """Check that a login is ChatGPT's. A legacy file without `auth_mode` but with a key counts as an API key, tokens or
    not (notes, section 12).

    Raises:
        NotLoggedInError: it is not.
    """
    mode = auth.get("auth_mode")
    if mode is None and auth.get("OPENAI_API_KEY"):
        mode = "apikey"
    mode = str(mode or "chatgpt").lower()
    if mode in _CHATGPT_MODES and auth.get("tokens"):
        return
    if mode == "apikey":
        raise _api_key()
    if mode in _CHATGPT_MODES:
        raise _unusable(path, "holds no login")
    raise NotLoggedInError(f"Codex is logged in with {mode[:40]!r}, not with ChatGPT", hint=API_KEY_GUIDE)


def _api_key() -> NotLoggedInError:
    return NotLoggedInError("Codex is logged in with an API key, not with ChatGPT", hint=API_KEY_GUIDE)


# --- asking Codex itself


def _ask_codex(codex: Path, thread: ThreadTerms) -> str | NotLoggedInError | None:
    """What a turn would use, or why it may not start, as reported by Codex; None where it reports neither."""
    from codex_server_cli.codex.client import run_query
    from codex_server_cli.core.account.queries import ask_terms  # 10 ms plus an app-server, for a rare case

    try:
        config, account = run_query(codex, Path("/"), ask_terms(thread.cwd, __version__), _TIMEOUT_S)
    except CodexMissingError:
        return None
    judgement, configured = _judge_terms(config, account, thread)
    if judgement.payer in _RUNS_ON:
        return _RUNS_ON[judgement.payer]
    if judgement.payer is Payer.API_KEY:
        return _api_key()
    if judgement.payer is Payer.PROVIDER:
        problem = judgement.problem.rstrip(".")
        return NotLoggedInError(problem[0].lower() + problem[1:], hint=_PROVIDER_GUIDE)
    if judgement.tells is not None and judgement.tells != configured:
        return "a model provider that Codex is not configured with"  # checked by the worker
    return None


def _judge_terms(config: dict[str, Any], account: dict[str, Any], thread: ThreadTerms) -> tuple[Judgement, str]:
    provider = thread.own_provider() or provider_of_new_thread(config, thread.overrides)
    return judge(provider, config, thread.overrides, account), provider_of_new_thread(config)


def _ask_status(codex: Path) -> None:
    """Run `codex login status`. It prints on stderr and exits 0 for API keys too: only its text counts (notes, 12).

    Raises:
        NotLoggedInError, BadInputError: as `check_login`.
    """
    try:
        lines = _status_lines(codex)
    except OSError as error:
        raise NotLoggedInError(f"codex login status did not answer: {error}", hint=LOGIN_GUIDE) from error
    if _LOGGED_IN in lines:
        return
    _raise_configuration_error(lines)
    if any(line.startswith("Logged in using an API key") for line in lines):
        raise _api_key()
    raise NotLoggedInError("Codex is not logged in", hint=LOGIN_GUIDE)


def _status_lines(codex: Path) -> list[str]:
    """The output of `codex login status`; raises OSError where it cannot be run, or does not end in time."""
    import subprocess  # 3 ms, not needed where the files are conclusive

    try:
        run = subprocess.run(
            [codex, "login", "status"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_TIMEOUT_S,
            env=codex_environment(may_bill_api_key=False),
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(str(error)) from error
    return [line.strip() for line in run.stdout.decode("utf-8", "replace").splitlines()]


def _raise_configuration_error(lines: list[str]) -> None:
    """Raise Codex's error about its home or its configuration, if that is why it reports no login.

    Raises:
        BadInputError: there is such an error.
    """
    for line in lines:
        _, found, words = line.partition("Error loading configuration: ")
        home = re.match(_HOME_PROBLEM, words)
        if home is not None:
            raise BadInputError(f"Codex's home {home['home']} {home['what']}", hint=HOME_HINT)
        if found:
            raise BadInputError(f"Codex cannot load its configuration: {words}", hint="Fix it: no turn can start.")


# --- reading its files


def read_codex_config(codex_home: Path, codex: Path, overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    """Codex's `config.toml` with the overrides applied; these alone where only Codex can read it.

    Raises:
        BadInputError: Codex cannot read it either.
    """
    return layered(_read_config(codex_home / "config.toml", codex)[0], overrides)


def _read_config(path: Path, codex: Path) -> tuple[dict[str, Any] | None, BadInputError | None]:
    """The content of `config.toml`; None where only Codex can read it, with our parse error."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint=f"Fix {path}.") from error
    from codex_server_cli.core.model.codex_toml import parse_file  # only where there is a file

    try:
        return parse_file(data), None
    except ValueError as error:
        unread = BadInputError(f"Codex's {path} is broken: {error}", hint=f"Fix {path}: no turn can start.")
    try:
        _raise_configuration_error(_status_lines(codex))  # Codex's own parser decides
    except (BadInputError, OSError) as error:
        raise unread from error
    return None, unread


def _read_auth(path: Path) -> dict[str, Any] | None:
    """`auth.json`; None where it is absent: the keyring may hold the login.

    Raises:
        NotLoggedInError: it is unusable.
    """
    try:
        if path.exists() and not path.is_file():  # a FIFO would block us
            raise _unusable(path, "is a directory" if path.is_dir() else "is not a regular file", is_in_the_way=True)
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        message = f"Codex's login cannot be read: {path}: {error.strerror}"
        raise NotLoggedInError(
            message, hint="Make it, and the directories above it, readable for this user."
        ) from error
    if not data.strip(b"\0 \t\r\n"):
        raise _unusable(path, "is empty")
    try:
        value = json.loads(data)
    except ValueError:  # torn: a full disk while Codex wrote it
        value = None
    if not isinstance(value, dict):
        raise _unusable(path, "is damaged: it holds no JSON object")
    return value


def _unusable(path: Path, what: str, *, is_in_the_way: bool = False) -> NotLoggedInError:
    hint = "Log in again: that replaces it.\n"
    if is_in_the_way:
        from shlex import join

        hint = f"No login can replace it. Move it away: `{join(['mv', str(path), f'{path}.old'])}`\n"
    return NotLoggedInError(f"Codex's login file {path} {what}", hint=hint + LOGIN_GUIDE)
