"""schemathesis reads `/openapi.json` and tries what it says: no failure of the gateway, and no lie of the document.

It is run as a user does, by its command. With more than one worker its own generator is now and then surprised by
itself, and ends. What it is told to leave out stands in `suites/schemathesis.toml`.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.codex.server.token import make_token
from codex_server_cli.demo.replies import say
from tests.gateway.conftest import Serve, home, initialised, one_home, serve, serve_each
from tests.kit.home import Home
from tests.kit.judges import FOLDER, SUITES
from tests.kit.serving import Serving

__all__ = ["home", "initialised", "one_home", "serve", "serve_each"]

_TIMEOUT_S = 570
_TRIED = re.compile(r"Tested: (\d+)")


def tried(serving: Serving, scratch: Path, *options: str) -> int:
    """How many operations were tried.

    Raises:
        AssertionError: there is a failure; the message is what schemathesis printed.
    """
    command: list[str | Path] = [FOLDER / "bin" / "st", "--no-color", "--config-file", SUITES / "schemathesis.toml"]
    fixed = ["--generation-deterministic", "--continue-on-failure", "--request-timeout=60", "--warnings=off"]
    run = subprocess.run(
        [*command, "run", f"{serving.address}/openapi.json", *fixed, *options],
        cwd=scratch,  # where it keeps what it has found
        env={**os.environ, "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert [line for line in serving.log if line["event"] == "defect"] == []
    found = _TRIED.search(run.stdout)
    assert found, run.stdout
    return int(found[1])


def n_operations(serving: Serving) -> int:
    """How many there are, but for that which gets the document."""
    return sum(map(len, serving.client.get("/openapi.json").json()["paths"].values())) - 1


@pytest.mark.full
def test_each_operation_answers_as_described(serve: Serve, one_home: Home, tmp_path: Path) -> None:
    one_home.model(lambda request: say("hello"))
    serving = serve()
    few = ("--phases=fuzzing", "--max-examples=1")
    assert tried(serving, tmp_path, *few) == n_operations(serving)


@pytest.mark.judge
def test_schemathesis_finds_no_failure_and_no_lie(serve_each: Serve, home: Home, tmp_path: Path) -> None:
    home.model(lambda request: say("hello"))
    token = tmp_path / "token"
    make_token(token)
    bearer = {"Authorization": f"Bearer {token.read_text().strip()}"}
    serving = serve_each("--token-file", str(token), "--write", client={"headers": bearer})
    header = f"Authorization: {bearer['Authorization']}"
    assert tried(serving, tmp_path, "--max-examples=10", "--header", header) == n_operations(serving)
