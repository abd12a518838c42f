"""Is there a login that bills no API key? Owns section 5 of the design, on the launcher's side.

Reads `auth.json` and `config.toml` of Codex, and asks `codex login status` where they do not tell. Must never write
either, nor print a token. The worker looks again with `account/read`, because both can change in between.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from codex_server_cli.core.thread_config import layered
from codex_server_cli.errors import BadInputError, NotLoggedInError
from codex_server_cli.settings.environment import codex_environment

LOGIN_GUIDE = """\
codex-server uses your ChatGPT subscription through Codex's own login. To log in:
  codex-server login            opens a browser
  codex-server login --device   on a machine without a browser: prints a URL and a code to enter elsewhere
The account needs a plan that includes Codex (Plus, Pro, Business, Edu or Enterprise).
Then run the same command again. `codex-server doctor` checks the login; `codex-server demo` needs none."""

API_KEY_GUIDE = """\
No turn bills an API key unless you say so. Either log in with ChatGPT (codex-server login),
or allow API keys with "auth": "any" in codex-server's config.json."""

_LOGGED_IN = "Logged in using ChatGPT"
_STATUS_TIMEOUT_S = 10.0
_BUILT_IN_PROVIDERS = {"oss": {}, "ollama": {}, "lmstudio": {}, "amazon-bedrock": {"env_key": "AWS credentials"}}
_SECRET = re.compile(r"auth|key|token|secret", re.IGNORECASE)


def check_login(codex_home: Path, codex: Path, *, may_bill_api_key: bool, profile: dict[str, Any] | None = None) -> str:
    """See whether a turn may start.

    Args:
        profile: configuration that the turn runs with over that of `config.toml`.

    Returns:
        What it will run on, for people.

    Raises:
        NotLoggedInError: there is no login, or one that would bill an API key without consent.
        BadInputError: Codex's `config.toml` cannot be parsed: every turn would fail on it.
    """
    provider = custom_provider(read_codex_config(codex_home, profile))
    if may_bill_api_key:
        return "whatever Codex is logged in with: config.json allows API keys"
    if provider is not None and _has_secret(provider):
        raise NotLoggedInError("the configured model provider uses an API key", hint=API_KEY_GUIDE)
    if provider is not None and not provider.get("requires_openai_auth"):
        return "a model provider of your own, which needs no login"
    auth = _read_auth(codex_home / "auth.json")
    if auth is None:
        _ask_codex(codex)
    elif not _is_chatgpt(auth):
        raise NotLoggedInError("Codex is logged in with an API key, not with ChatGPT", hint=API_KEY_GUIDE)
    return "ChatGPT"


def read_codex_config(codex_home: Path, profile: dict[str, Any] | None = None) -> dict[str, Any]:
    """Codex's `config.toml`, and a profile over it.

    Raises:
        BadInputError: it cannot be read or parsed.
    """
    config = _read_config(codex_home / "config.toml")
    return layered(config, profile) if profile else config


def _read_config(path: Path) -> dict[str, Any]:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadInputError(f"cannot read {path}: {error.strerror}", hint=f"Mend {path}.") from error
    import tomllib  # only where there is a file: most of its 5 ms would be for nothing

    try:
        return tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadInputError(f"Codex's {path} is broken: {error}", hint=f"Mend {path}: no turn can start.") from error


def custom_provider(config: dict[str, Any]) -> dict[str, Any] | None:
    """The provider that turns will use, None for OpenAI's own."""
    name = config.get("model_provider", "openai")
    providers = config.get("model_providers")
    provider = providers.get(name) if isinstance(providers, dict) and isinstance(name, str) else None
    if isinstance(provider, dict):
        return provider
    return _BUILT_IN_PROVIDERS.get(name) if isinstance(name, str) else None


def _has_secret(provider: dict[str, Any]) -> bool:
    places = (provider.get(name) for name in ("http_headers", "env_http_headers", "query_params"))
    names = [name for place in places if isinstance(place, dict) for name in place]
    has_secret_name = any(_SECRET.search(name) for name in names)
    return has_secret_name or any(provider.get(name) for name in ("env_key", "experimental_bearer_token", "auth"))


def _read_auth(path: Path) -> dict[str, Any] | None:
    """`auth.json`; None where it is absent (the keyring may hold the login), `{}` where it makes no sense."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _is_chatgpt(auth: dict[str, Any]) -> bool:
    """A legacy file without `auth_mode` that holds a key counts as an API key, tokens or not (notes, section 12)."""
    mode = auth.get("auth_mode")
    if mode is None:
        return bool(auth.get("tokens")) and not auth.get("OPENAI_API_KEY")
    return str(mode).lower() in ("chatgpt", "chatgptauthtokens")


def _ask_codex(codex: Path) -> None:
    """`codex login status` prints on stderr and exits 0 for API keys too: only its line tells (notes, section 12)."""
    try:
        run = subprocess.run(
            [codex, "login", "status"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_STATUS_TIMEOUT_S,
            env=codex_environment(may_bill_api_key=False),
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NotLoggedInError(f"codex login status did not answer: {error}", hint=LOGIN_GUIDE) from error
    lines = run.stdout.decode("utf-8", "replace").splitlines()
    if any(line.strip() == _LOGGED_IN for line in lines):
        return
    if any(line.strip().startswith("Logged in using an API key") for line in lines):
        raise NotLoggedInError("Codex is logged in with an API key, not with ChatGPT", hint=API_KEY_GUIDE)
    raise NotLoggedInError("Codex is not logged in", hint=LOGIN_GUIDE)
