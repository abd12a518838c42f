"""A command that waits for the end of stdin says so after a while; one that reads nothing of it says so at once."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.actions.start.piped import WAITS
from tests.kit.home import COMMAND
from tests.kit.shell import Shell
from tests.kit.support import DEADLINE_S


@pytest.fixture
def hasty(taking: str) -> str:
    """The same command, which tells after a fraction of a second what it waits for."""
    path = Path(taking)
    sooner = "from codex_server_cli.actions.start import piped\npiped._SILENT_S = 0.2\nentry.main()\n"
    path.write_text(path.read_text().replace("entry.main()\n", sooner))
    return taking


@pytest.mark.parametrize("arguments", [["-"], ["x", "-"], ["--file", "-"]])
@pytest.mark.measured
def test_a_dash_on_an_idle_pipe_says_what_it_waits_for(shell: Shell, hasty: str, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    with subprocess.Popen(
        [hasty, "new", *arguments],
        stdin=reading,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=shell.project,
        env=shell.env,
        text=True,
    ) as process:
        os.close(reading)
        assert process.stderr is not None
        assert process.stderr.readline() == f"codex-server: {WAITS}\n"
        os.write(writing, b"data")
        os.close(writing)
        assert process.wait(DEADLINE_S) == 0


@pytest.mark.full
def test_a_pipeline_that_says_nothing_for_long_is_told_of_and_read(shell: Shell) -> None:
    reported = shell.root / "told"
    os.mkfifo(reported)
    script = f"(read line < {reported}; echo data) | {COMMAND} new x"
    with subprocess.Popen(
        ["sh", "-c", script], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, cwd=shell.project, env=shell.env
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == f"codex-server: {WAITS}\n".encode()
        reported.write_text("\n")
        assert (process.stderr.read(), process.wait(DEADLINE_S)) == (b"", 0)
    (prompt,) = shell.home.glob("turns/*/prompt.txt")
    assert prompt.read_text() == "x\n\ndata\n"


@pytest.mark.measured
def test_a_review_says_that_it_takes_nothing_from_stdin(shell: Shell, taking: str) -> None:
    (shell.project / "a.txt").write_text("text")
    for words in ("init -q", "add .", "-c user.name=n -c user.email=e commit -qm x"):
        subprocess.run(["git", *words.split()], cwd=shell.project, check=True)
    for script, is_told in (
        ("git log -p | { sleep 0.3; review; }", True),
        ("review < a.txt", True),
        ("review < /dev/null", False),
        ("true | review", False),
        ("git log -p | review --instructions 'look at this'", False),
        ("echo review | sh", False),
        ("review <&-", False),
    ):
        command = COMMAND if script == "review < a.txt" else taking
        run = subprocess.run(
            ["sh", "-c", script.replace("review", f"{command} review", 1)],
            stdin=subprocess.DEVNULL,
            cwd=shell.project,
            env=shell.env,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert ("stdin was not read" in run.stderr) is is_told, (script, run)
        assert run.returncode == 0, (script, run)
