"""The scripted model alone, as a program that tests in other languages can start."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.kit.coverage_floor import environment_for
from tests.kit.support import DEADLINE_S

SCRIPT = """
from codex_server_cli.demo.replies import say
script = [say("from a file")]
"""


def start(test: pytest.Item, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "codex_server_cli.demo", *args]
    env = os.environ | environment_for(test)
    return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("script", ["demo", "words", "FILE"])
@pytest.mark.measured
def test_it_says_where_it_serves_and_goes_with_its_stdin(
    request: pytest.FixtureRequest, tmp_path: Path, script: str
) -> None:
    if script == "FILE":
        script = str(tmp_path / "script.py")
        Path(script).write_text(SCRIPT)
    port_file = tmp_path / "port"
    with start(request.node, "--script", script, "--port-file", str(port_file)) as process:
        assert process.stdout is not None
        reported = json.loads(process.stdout.readline())
        assert (reported["version"], reported["base_url"]) == (1, f"{reported['origin']}/v1")
        assert json.loads(port_file.read_text()) == reported
        with urlopen(f"{reported['base_url']}/models", timeout=DEADLINE_S) as answer:
            assert answer.status == 200
        process.communicate("", timeout=DEADLINE_S)
    assert process.returncode == 0


@pytest.mark.measured
def test_sigterm_ends_it_in_order(request: pytest.FixtureRequest) -> None:
    with start(request.node) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        process.terminate()
        assert process.wait(DEADLINE_S) == 0
