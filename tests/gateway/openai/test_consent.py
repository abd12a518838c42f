"""Who pays for a chat: no API key is used unless `config.json` allows it; a provider without a login needs none."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import openai
import psutil
import pytest

from codex_server_cli.demo.codex_home import write_chatgpt_login
from codex_server_cli.demo.scripted_model import ScriptedModel
from codex_server_cli.gateway import login_check
from tests.gateway.openai.conftest import running
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import ChatModel
from tests.kit.support import wait_until

MESSAGES: list[Any] = [{"role": "user", "content": "say hello"}]


def test_no_chat_bills_an_api_key_unless_the_configuration_allows_it(
    tmp_path: Path, one_codex: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(login_check, "_FRESH_S", -1.0)

    def write_home(home: Path, model: ScriptedModel) -> None:
        write_chatgpt_login(home, model.origin, features={"plugins": False, "shell_snapshot": False})
        (home / "auth.json").write_text(json.dumps({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-of-nobody"}))

    for chats in running(tmp_path, one_codex, write_home=write_home):
        with chats.client() as client:
            for is_stream in (True, False):
                with pytest.raises(openai.AuthenticationError) as raised:
                    client.chat.completions.create(model="gpt-5.5", messages=MESSAGES, stream=is_stream)
                assert raised.value.code == "codex_login_required"
                assert "API key" in raised.value.message
                assert '"auth": "any"' in raised.value.message
            assert chats.model.model_requests == []
            (chats.server.home / "config.json").write_text(json.dumps({"codex": str(one_codex), "auth": "any"}))
            with pytest.raises(openai.APIStatusError):  # the key is none: that it is asked for a turn shows the consent
                client.chat.completions.create(
                    model="gpt-5.5", messages=[{"role": "user", "content": "fail server_error"}]
                )
            assert chats.model.model_requests != []


def test_a_request_while_the_app_server_drains_is_answered_by_the_next_one(
    chats: ChatGateway, client: openai.OpenAI, rules: ChatModel
) -> None:
    gate = rules.close_gate()
    stream = client.chat.completions.create(
        model="gpt-5.5", messages=[{"role": "user", "content": "hold"}], stream=True
    )
    next(stream)
    wait_until(lambda: len(rules.seen) == 1, what="the turn")
    pid = chats.app_server_pid
    os.kill(pid, signal.SIGTERM)
    for _ in range(3):
        assert client.chat.completions.create(model="gpt-5.5", messages=MESSAGES).choices[0].message.content == "hello"
    assert chats.app_server_pid != pid
    assert psutil.pid_exists(pid)  # it runs its turn to the end
    gate.open()
    stream.close()
