"""Secrets of the environment and the prompt stay there: no file of ours has them, no command line shows them."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from codex_server_cli.demo.replies import server_error
from tests.kit.home import COMMAND, Home
from tests.kit.support import DEADLINE_S

SECRETS = {
    "OPENAI_API_KEY": "sk-openai-zqx7",
    "CODEX_API_KEY": "sk-codex-zqx7",
    "CODEX_ACCESS_TOKEN": "token-zqx7",
    "AWS_SECRET_ACCESS_KEY": "aws-zqx7/+=",
    "HTTPS_PROXY": "http://user:proxy-password-zqx7@127.0.0.1:9",
    "DATABASE_URL": "postgres://db-password-zqx7@nowhere",
}
PROMPT = "the plan of zqx7"


@pytest.fixture
def secretive(one_home: Home) -> Home:
    """A home whose user has secrets in the environment."""
    one_home.env |= SECRETS | {"NO_PROXY": "127.0.0.1"}
    return one_home


def files_with(folder: Path, text: str) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.name for path in files if text.encode() in path.read_bytes())


def assert_nothing_leaked(home: Home) -> None:
    for secret in SECRETS.values():
        assert files_with(home.path, secret) == []


def command_lines() -> list[str]:
    lines = []
    for process in psutil.process_iter():
        try:
            lines.append("\0".join(process.cmdline()))
        except psutil.Error:
            continue
    return lines


def test_no_secret_shows_in_a_command_line_or_a_file_of_ours_and_no_key_that_could_be_billed_reaches_codex(
    secretive: Home,
) -> None:
    secretive.run("setup")
    (secretive.root / "prompt").write_text(PROMPT)
    turn, gate = secretive.start_held("new", "--file", str(secretive.root / "prompt"), "--name", "plan")
    waiter = secretive.spawn("wait", turn.id)
    follower = secretive.spawn("tail", turn.id, "--follow")
    assert secretive.run("list-turns").code == 0
    lines = command_lines()
    assert any(COMMAND in line for line in lines)
    assert any("app-server" in line for line in lines)
    assert [line for line in lines if "zqx7" in line] == []
    assert_nothing_leaked(secretive)
    environment = turn.app_server().environ()
    assert not environment.keys() & {"OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN"}  # could be billed
    assert environment["DATABASE_URL"] == SECRETS["DATABASE_URL"]  # the user decides what its commands get
    gate.open()
    for process in (waiter, follower):
        process.communicate(timeout=DEADLINE_S)
    assert turn.wait()["state"] == "complete"
    assert_nothing_leaked(secretive)
    assert files_with(turn.path, PROMPT) == ["events.jsonl", "prompt.txt"]


def test_turns_that_fail_tell_no_secret(secretive: Home) -> None:
    secretive.model([server_error()])
    turns = [secretive.start("new", "hi")]
    secretive.wrap_codex('case "$1" in app-server) echo "I broke" >&2; exit 3;; *) echo codex-cli 0.163.0;; esac')
    turns.append(secretive.start("new", "hi"))
    assert [turn.wait()["state"] for turn in turns] == ["failed", "failed"]
    secretive.configure()
    held, _ = secretive.start_held()
    held.kill_worker()
    assert held.wait()["state"] == "abandoned"
    assert_nothing_leaked(secretive)
