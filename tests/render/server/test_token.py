"""A new token's file for people."""

from __future__ import annotations

from codex_server_cli.render.server.token import token_text


def test_the_commands_work_as_they_stand() -> None:
    text = token_text("/home/me/my token", "ab" * 32)
    assert text.startswith("token file  /home/me/my token: for you alone to read")
    assert "--ws-auth capability-token --ws-token-file '/home/me/my token'\n" in text
    assert "--server-token-file '/home/me/my token' --cwd /PATH/THERE 'your prompt'\n" in text
    assert f"sha256      {'ab' * 32}: for --ws-token-sha256" in text
