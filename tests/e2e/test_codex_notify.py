"""The `notify` program that the user configured in Codex is the user's, and is not ended with the turn."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from codex_server_cli.demo.replies import reply, run_command, say
from tests.kit.faults import change_workers
from tests.kit.home import COMMAND, Home
from tests.kit.processes import is_running
from tests.kit.support import StdioAppServer, wait_until


def script(home: Home, name: str, body: str) -> Path:
    """An executable shell script."""
    path = home.root / name
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def notify_with(home: Home, *words: object) -> None:
    """Have Codex run this at the end of each turn."""
    config = home.codex_home / "config.toml"
    config.write_text(f"notify = {json.dumps([str(word) for word in words])}\n{config.read_text()}")


def test_the_users_own_notify_program_of_codex_runs_to_its_end_and_delays_nothing(home: Home) -> None:
    said, gate = home.root / "said", home.root / "gate"
    program = script(home, "told", f'while [ ! -e {gate} ]; do sleep 0.05; done; printf "%s" "$2" > {said}')
    home.model([say("hello")])
    notify_with(home, program, "an argument of its own")
    turn = home.start("new", "hi", "--notify", f"touch {home.root / 'ours'}")
    assert turn.wait()["state"] == "complete"  # swept, therefore
    wait_until((home.root / "ours").exists, what="our own notifier")
    assert not said.exists()
    assert home.run("cancel", turn.id).code == 0
    assert home.run("gc", "--older-than", "0s").code == 0
    gate.touch()
    wait_until(said.exists, what="the end of the program")
    reported = json.loads(wait_until(said.read_text, what="its words"))
    assert (reported["type"], reported["last-assistant-message"]) == ("agent-turn-complete", "hello")


@pytest.mark.full
def test_a_program_that_this_turn_alone_names_is_the_users_too(home: Home) -> None:
    said = home.root / "said"
    program = script(home, "told", f"sleep 0.7; touch {said}")
    home.model([say("hello")])
    turn = home.start("new", "hi", "--config", f"notify={json.dumps([str(program)])}")
    assert turn.wait()["state"] == "complete"
    wait_until(said.exists, what="the end of the program")


@pytest.mark.full
@pytest.mark.measured
def test_what_the_program_leaves_in_the_background_runs_on_too(home: Home) -> None:
    said = home.root / "said"
    program = script(home, "told", f"(sleep 0.7; touch {said}) > /dev/null 2>&1 &")
    home.model([say("hello")])
    notify_with(home, program)
    assert home.start("new", "hi").wait()["state"] == "complete"
    wait_until(said.exists, what="the end of what it left")


@pytest.mark.full
def test_a_program_that_takes_too_long_is_ended(home: Home) -> None:
    change_workers(home, "from codex_server_cli.worker.cleanup import user_program\nuser_program.TIMEOUT_S = 3.0")
    pid_file = home.root / "pid"
    program = script(home, "told", f"echo $$ > {pid_file}.new; mv {pid_file}.new {pid_file}; exec sleep 300")
    home.model([say("hello")])
    notify_with(home, program)
    assert home.start("new", "hi").wait()["state"] == "complete"
    wait_until(pid_file.exists, what="its pid")
    wait_until(lambda: not is_running(int(pid_file.read_text())), what="its end")


def test_a_command_that_calls_itself_the_program_is_ended_with_its_turn(home: Home) -> None:
    pid_file, reported = home.root / "pid", home.root / "told"
    script(home, "told", "true")
    payload = json.dumps({"type": "agent-turn-complete", "turn-id": "it does not know it"})
    command = f"(sh -c 'echo $$ > {pid_file}; sleep 300; true' told {shlex.quote(payload)} > /dev/null 2>&1 &)"
    command += f"; until [ -s {pid_file} ]; do :; done"  # Codex ends the group of a command that returns
    home.model([reply(run_command(command)), say("hello")])
    notify_with(home, reported)
    turn = home.start("new", "hi", "--sandbox", "danger-full-access", "--skip-git-check")
    assert turn.wait()["state"] == "complete"
    assert not is_running(int(pid_file.read_text()))


def test_a_program_that_starts_a_turn_itself_starts_one(home: Home) -> None:
    once, answer = home.root / "once", home.root / "answer"
    body = f"mkdir {once} 2> /dev/null || exit 0; cd {home.project}; {COMMAND} new 'say more' > {answer}.new"
    program = script(home, "told", f"{body}; mv {answer}.new {answer}")
    home.model([say("hello"), say("more")])
    notify_with(home, program)
    first = home.start("new", "hi")
    assert first.wait()["state"] == "complete"
    wait_until(answer.exists, what="the answer of new")
    second = home.turn(json.loads(answer.read_text())["turn_id"])
    assert (second.wait()["state"], second.meta["parent_turn"]) == ("complete", first.id)


def test_hooks_for_the_end_of_a_session_have_their_time(home: Home) -> None:
    said = home.root / "said"
    hook = script(home, "farewell", f"sleep 0.8; touch {said}")
    home.model([say("hello")])
    config = home.codex_home / "config.toml"
    entry = f'type = "command"\ncommand = {json.dumps(str(hook))}\n'
    config.write_text(f"{config.read_text()}\n[[hooks.SessionEnd]]\n[[hooks.SessionEnd.hooks]]\n{entry}")
    with StdioAppServer(home.codex, home.codex_home) as codex:
        (listed,) = codex.request("hooks/list", {"cwds": [str(home.project)]})["data"][0]["hooks"]
    trust = f"[hooks.state.{json.dumps(listed['key'])}]\ntrusted_hash = {json.dumps(listed['currentHash'])}\n"
    config.write_text(f"{config.read_text()}\n{trust}")
    assert home.start("new", "hi").wait()["state"] == "complete"
    assert said.exists()
