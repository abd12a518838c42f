"""A CODEX_HOME that uses the scripted model: a custom provider without a login, or real ChatGPT mode.

Owns: the `config.toml` and `auth.json` that the real codex needs to run whole turns offline.
Never here: the user's own CODEX_HOME, real tokens, processes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from codex_server_cli.demo.chatgpt import ACCOUNT_ID

# Both versions hide the plan tool unless asked for it.
_PLAN_TOOL = "[tools.update_plan]\nenabled = true\n"
_FAR_FUTURE_S = 4_000_000_000


def write_custom_provider(
    codex_home: Path,
    base_url: str,
    *,
    model: str | None = "scripted",
    request_max_retries: int = 0,
    stream_max_retries: int = 0,
    features: Mapping[str, bool] | None = None,
    extra_toml: str = "",
) -> None:
    """Make `codex_home` (created if missing) use the model at `base_url`, without a login.

    Codex warns about a model that it does not know; None leaves its default. Retries default to none, so that failures
    appear at once. `features` are Codex's own switches (`codex features list`).
    `extra_toml` is appended and so must begin with a table header. Without a login `codex login status` prints "Not
    logged in" (exit 1), and turns run anyway.
    """
    provider = _provider(base_url, request_max_retries, stream_max_retries)
    named = "" if model is None else f"model = {_quoted(model)}\n"
    _write_config(codex_home, named + provider, features or {}, extra_toml)


def write_chatgpt_login(
    codex_home: Path,
    origin: str,
    *,
    plan: str = "pro",
    email: str = "user@example.com",
    request_max_retries: int | None = None,
    stream_max_retries: int | None = None,
    features: Mapping[str, bool] | None = None,
    extra_toml: str = "",
) -> None:
    """Make `codex_home` (created if missing) look logged in with ChatGPT, with every service at `origin`.

    The tokens are unsigned and invalid elsewhere. Request compression is off, so that bodies are readable
    without zstandard. The built-in provider retries up to 30 requests over 25 s and cannot be configured: with
    either retry count given, a custom provider is used that accepts the same login. `features` and `extra_toml`: as
    above.
    """
    services = f"chatgpt_base_url = {_quoted(origin + '/backend-api/')}\n"
    if request_max_retries is None and stream_max_retries is None:
        provider = f"openai_base_url = {_quoted(origin + '/v1')}\n"
    else:
        provider = _provider(f"{origin}/v1", request_max_retries or 0, stream_max_retries or 0)
        provider += "requires_openai_auth = true\n"
    uncompressed = {"enable_request_compression": False}
    _write_config(codex_home, f"{services}{provider}", uncompressed | dict(features or {}), extra_toml)
    _write_auth(codex_home / "auth.json", plan, email)


def _provider(base_url: str, request_max_retries: int, stream_max_retries: int) -> str:
    return f"""\
model_provider = "scripted"

[model_providers.scripted]
name = "scripted"
base_url = {_quoted(base_url)}
wire_api = "responses"
request_max_retries = {request_max_retries}
stream_max_retries = {stream_max_retries}
"""


def _write_auth(path: Path, plan: str, email: str) -> None:
    token = _unsigned_jwt(
        {
            "email": email,
            "exp": _FAR_FUTURE_S,
            "https://api.openai.com/auth": {
                "chatgpt_plan_type": plan,
                "chatgpt_user_id": "user-scripted",
                "chatgpt_account_id": ACCOUNT_ID,
            },
        }
    )
    auth = {
        "auth_mode": "chatgpt",
        "OPENAI_API_KEY": None,
        "tokens": {"id_token": token, "access_token": token, "refresh_token": "scripted", "account_id": ACCOUNT_ID},
        "last_refresh": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(auth))


def _write_config(codex_home: Path, config: str, features: Mapping[str, bool], extra_toml: str) -> None:
    codex_home.mkdir(mode=0o700, parents=True, exist_ok=True)
    lines = [f"{name} = {_quoted(is_on)}" for name, is_on in features.items()]
    switches = "\n".join(["[features]", *lines, ""]) if lines else ""
    (codex_home / "config.toml").write_text(f"{config}\n{_PLAN_TOOL}\n{switches}\n{extra_toml}")


def _quoted(value: str | bool) -> str:
    """A TOML basic string or boolean; JSON's escapes are a subset of TOML's for text without surrogates."""
    return json.dumps(value)


def _unsigned_jwt(payload: dict[str, object]) -> str:
    def encode(part: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode()

    return f"{encode({'alg': 'none', 'typ': 'JWT'})}.{encode(payload)}.{encode({'sig': 'none'})}"
