"""A turn on another host, by the ssh of its user: what that leaves there and here, and what is the user's own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from codex_server_cli.demo.replies import reply, run_command, say
from tests.kit.home import FIRST_HALF, Home, await_sleeper, nap, sleepers
from tests.kit.processes import named
from tests.kit.sshd import Sshd, running_sshd
from tests.kit.support import wait_until


@pytest.fixture
def sshd(one_home: Home) -> Iterator[Sshd]:
    """Another host, whose codex has the CODEX_HOME of the home."""
    folder = one_home.root / "remote-bin"
    folder.mkdir()
    (folder / "codex").symlink_to(one_home.codex)
    with running_sshd(one_home.root / "sshd", one_home.codex_home, str(folder)) as sshd:
        one_home.env["PATH"] = f"{sshd.bin}:{one_home.env['PATH']}"
        yield sshd


@pytest.mark.full
def test_a_connection_that_the_users_ssh_shares_outlives_the_turn(one_home: Home, sshd: Sshd) -> None:
    sshd.write_ssh("ControlMaster auto", f"ControlPath {sshd.root / 'c'}", "ControlPersist 60")
    control = [str(sshd.bin / "ssh"), "-p", str(sshd.port), "127.0.0.1", "-O"]
    one_home.model([say("One."), say("Two.")])
    try:
        for answer in ("One.", "Two."):
            run = one_home.run("new", "hi", "--server", sshd.address, "--cwd", str(one_home.project), "--wait")
            assert (run.json["state"], run.json["answer"]) == ("complete", answer)
            check = subprocess.run([*control, "check"], check=False, capture_output=True)
            assert check.returncode == 0, check.stderr
    finally:
        subprocess.run([*control, "exit"], check=False, capture_output=True)


@pytest.mark.full
@pytest.mark.parametrize(
    ("victim", "kind", "words"),
    [
        ("codex", "codex_crashed", "the app-server on 127.0.0.1 was killed, or cut off"),
        ("sshd", "network", "the connection to 127.0.0.1 was lost"),
    ],
)
@pytest.mark.measured
def test_a_turn_whose_codex_or_connection_dies_there_fails_with_what_it_had(
    one_home: Home, sshd: Sshd, victim: str, kind: str, words: str
) -> None:
    sleep = nap(one_home)
    one_home.model([reply(say(FIRST_HALF), run_command(sleep))])
    turn = one_home.start("new", "hi", "--server", sshd.address, "--cwd", str(one_home.project))
    await_sleeper(turn, sleep)
    victims = named(sshd.sessions(), victim)
    victims[0 if victim == "codex" else -1].kill()  # codex runs itself for a sandbox, and sshd for each session
    error = turn.wait()["error"]
    assert (error["kind"], error["partial_answer"]) == (kind, FIRST_HALF)
    assert error["message"].startswith(words)
    wait_until(lambda: not sleepers(sleep), what="the end of the command")


@pytest.mark.full
def test_a_turn_that_cannot_begin_there_says_what_to_change(one_home: Home, sshd: Sshd) -> None:
    (one_home.root / "remote-bin" / "codex").unlink()
    on = ("--server", sshd.address, "--cwd", str(one_home.project), "--wait")
    run = one_home.run("new", "hi", *on)
    assert (run.code, run.json["error"]["kind"]) == (1, "codex_missing")
    assert "server_command" in run.json["error"]["hint"]
    one_home.configure(server_command=str(one_home.codex))
    run = one_home.run("new", "hi", "--server", sshd.address, "--cwd", "/not here", "--wait")
    assert "has no directory /not here" in run.json["error"]["message"]
    one_home.model([say("One.")])
    assert one_home.run("new", "hi", *on).json["answer"] == "One."
