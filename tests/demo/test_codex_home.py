"""The files of a CODEX_HOME for the scripted model."""

from __future__ import annotations

import base64
import json
import tomllib
from pathlib import Path

import pytest

from codex_server_cli.demo.codex_home import write_chatgpt_login, write_custom_provider


def test_a_custom_provider_is_one_config_file_and_no_login(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    write_custom_provider(home, "http://127.0.0.1:1/v1", model='odd "name"', extra_toml="[history]\nmax_bytes = 1\n")
    config = tomllib.loads((home / "config.toml").read_text())
    provider = config["model_providers"][config["model_provider"]]
    assert config["model"] == 'odd "name"'
    assert provider["base_url"] == "http://127.0.0.1:1/v1"
    assert (provider["request_max_retries"], provider["stream_max_retries"]) == (0, 0)
    assert config["history"] == {"max_bytes": 1}
    assert not (home / "auth.json").exists()


def test_a_chatgpt_login_is_private_and_names_plan_and_email(tmp_path: Path) -> None:
    write_chatgpt_login(tmp_path, "http://127.0.0.1:1", plan="plus", email="a@b.example")
    assert (tmp_path / "auth.json").stat().st_mode & 0o777 == 0o600
    auth = json.loads((tmp_path / "auth.json").read_text())
    assert (auth["auth_mode"], auth["OPENAI_API_KEY"]) == ("chatgpt", None)
    payload = auth["tokens"]["id_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert claims["email"] == "a@b.example"
    assert claims["https://api.openai.com/auth"]["chatgpt_plan_type"] == "plus"
    assert tomllib.loads((tmp_path / "config.toml").read_text())["features"] == {"enable_request_compression": False}


def test_switches_of_codex_stand_beside_what_a_login_needs(tmp_path: Path) -> None:
    write_chatgpt_login(tmp_path, "http://127.0.0.1:1", features={"plugins": False}, extra_toml="[history]\n")
    features = tomllib.loads((tmp_path / "config.toml").read_text())["features"]
    assert features == {"enable_request_compression": False, "plugins": False}


@pytest.mark.parametrize(("retries", "provider"), [(None, None), (0, "scripted"), (1, "scripted")])
def test_a_chatgpt_login_uses_the_built_in_provider_unless_retries_are_set(
    tmp_path: Path, retries: int | None, provider: str | None
) -> None:
    write_chatgpt_login(tmp_path, "http://127.0.0.1:1", request_max_retries=retries)
    config = tomllib.loads((tmp_path / "config.toml").read_text())
    assert config.get("model_provider") == provider
