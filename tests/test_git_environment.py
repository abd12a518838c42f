"""git's repository-local variables are tied to one repository and one moment: no process of ours inherits them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from codex_server_cli.settings import environment

OF_THE_USER = {
    "GIT_AUTHOR_NAME": "Dev",
    "GIT_CEILING_DIRECTORIES": "/srv",
    "GIT_CONFIG_GLOBAL": "/srv/gitconfig",
    "GIT_EDITOR": "vi",
    "GIT_EXEC_PATH": "/usr/lib/git-core",
    "GIT_PAGER": "cat",
    "GIT_SSH_COMMAND": "ssh -v",
    "GIT_TERMINAL_PROMPT": "0",
}


def of_one_repository() -> list[str]:
    """The installed git's own list of them."""
    run = subprocess.run(["git", "rev-parse", "--local-env-vars"], capture_output=True, text=True, check=True)
    return run.stdout.split()


@pytest.mark.parametrize(
    "make",
    [
        environment.inherited_environment,
        environment.worker_environment,
        lambda: environment.codex_environment(may_bill_api_key=True),
        lambda: environment.codex_environment(may_bill_api_key=False, turn_id="t"),
        lambda: environment.server_environment(may_bill_api_key=False),
        lambda: environment.turn_environment("t"),
        lambda: environment.notifier_environment(Path("/srv")),
        environment.told_environment,
        environment.unmarked_environment,
        lambda: environment.demo_environment(Path("/a"), Path("/b")),
    ],
)
def test_no_process_of_ours_inherits_a_repository(
    monkeypatch: pytest.MonkeyPatch, make: Callable[[], dict[str, str]]
) -> None:
    counted = ["GIT_CONFIG_KEY_0", "GIT_CONFIG_VALUE_0", "GIT_CONFIG_KEY_12", "GIT_CONFIG_VALUE_12"]
    of_repository = [*of_one_repository(), *counted, "GIT_QUARANTINE_PATH"]
    for name in of_repository:
        monkeypatch.setenv(name, "1")
    for name, value in OF_THE_USER.items():
        monkeypatch.setenv(name, value)
    made = make()
    assert [name for name in of_repository if name in made] == []
    assert made.items() >= OF_THE_USER.items()
    assert set(of_repository) <= os.environ.keys()  # the environment of this process stays unchanged
