"""Several turns and one that needs a person: what wakes up, what it reports, and what decides nothing."""

from __future__ import annotations

import json
import signal

from codex_server_cli.demo.replies import say
from tests.kit.escalations import ASK, QUESTION, escalated, pending, replies_of, wait_for_request
from tests.kit.home import Home
from tests.kit.monitor import Monitor, phases_of
from tests.kit.played_turn import ASKING, PlayedTurn
from tests.kit.support import DEADLINE_S


def test_a_request_is_decided_once_and_in_its_own_turn(one_home: Home) -> None:
    first, second = PlayedTurn(one_home, **ASKING), PlayedTurn(one_home, **ASKING)
    for turn in (first, second):
        turn.ask_approval("touch it")
    assert [each["turn_id"] for each in pending(one_home)] == [second.id, first.id]
    assert one_home.run("approve", first.id, "1").error["message"] == "there is no request '1'"
    assert one_home.run("approve", "nobody").error["exit_code"] == 66
    assert replies_of(first) == replies_of(second) == []

    assert one_home.run("approve", first.id, "0").code == 0
    again = [one_home.run(verb, first.id, "0").error for verb in ("approve", "decline")]
    assert [error["exit_code"] for error in again] == [66, 66]
    first.end()
    assert replies_of(first) == [{"decision": "accept"}]
    gone = one_home.run("decline", first.id, "0").error
    assert (gone["exit_code"], "has ended" in gone["message"]) == (66, True)
    assert [each["turn_id"] for each in pending(one_home)] == [second.id]
    assert replies_of(second) == []
    assert one_home.run("decline", second.id).code == 0
    assert replies_of(second) == [{"decision": "decline"}]


def test_of_several_turns_the_first_that_needs_a_person_ends_the_wait(one_home: Home) -> None:
    over, asks = PlayedTurn(one_home, **ASKING), PlayedTurn(one_home, **ASKING)
    over.end("Done.")
    asks.ask(QUESTION)
    for scope in ((), ("--all",)):
        run = one_home.run("wait", over.id, asks.id, *scope, "--until", "attention", "--timeout", "100")
        assert run.code == 5, run
        ended, waits = run.json_lines
        assert (ended["state"], waits["state"]) == ("complete", "running")
        assert f"codex-server reply {asks.id} 0" in waits["pending"][0]["next"]["reply"]
        assert run.stderr == f"Then: codex-server wait {over.id} {asks.id} --until attention --timeout 100\n"
    quiet = one_home.run("wait", asks.id, "--until", "attention", "--print", "none")
    assert (quiet.code, quiet.stdout, f"codex-server reply {asks.id} 0" in quiet.stderr) == (5, "", True)
    late = one_home.run("wait", asks.id, "--timeout", "0")
    assert (late.code, f"codex-server pending {asks.id}\n" in late.stderr) == (124, True)
    assert one_home.run("reply", asks.id, "-a", "Red").code == 0
    asks.end("As you like.")
    last = one_home.run("wait", over.id, asks.id, "--until", "attention", "--timeout", "100")
    assert (last.code, [each["answer"] for each in last.json_lines]) == (0, ["Done.", "As you like."])


def test_who_waits_for_a_new_turn_is_told_once_that_it_asks(one_home: Home) -> None:
    one_home.model([escalated(one_home), escalated(one_home, "other"), say("Done.")])
    waiting = one_home.spawn("new", "hi", *ASK, "--wait")
    turn = one_home.new_turn()
    for number in ("0", "1"):
        wait_for_request(one_home, turn, number)
        if number == "0":
            assert waiting.stderr is not None
            lines_so_far = [waiting.stderr.readline() for _ in range(2)]
            assert lines_so_far == [f"turn {turn.id}\n", f"It waits for your answer: codex-server pending {turn.id}\n"]
        one_home.run("approve", turn.id, number)
    stdout, stderr = waiting.communicate(timeout=DEADLINE_S)
    assert (waiting.returncode, json.loads(stdout)["answer"], stderr) == (0, "Done.", "")


def test_the_monitor_is_told_of_each_request_with_the_command_that_shows_it(one_home: Home) -> None:
    monitor = Monitor(one_home)
    turn = PlayedTurn(one_home, **ASKING)
    for number in ("0", "1"):
        turn.ask_approval("echo hello > mark")
        line = monitor.read_until(turn.id, "attention")
        assert (line["phase"], line["request"], line["state"]) == ("waiting_approval", number, "running")
        assert line["message"].startswith("run echo hello > ")
        assert line["next"] == f"codex-server pending {turn.id}"
        assert [each["id"] for each in pending(one_home, turn)] == [number]
        one_home.run("approve", turn.id, number)
    turn.end()
    monitor.read_until(turn.id)
    monitor.end(signal.SIGINT)
    phases = phases_of(monitor.lines, turn.id)
    assert phases.count("waiting_approval") == 2
    people = one_home.run("tail", "--all", "--after", "0").stdout
    assert "attention waiting_approval 0: run echo hello" in people


def test_control_sequences_of_a_request_do_not_reach_a_terminal(one_home: Home) -> None:
    asked = {
        "id": "q1",
        "header": "H",
        "question": "Which?\x1b[2J\x07\u202e",
        "options": [{"label": "A\r", "description": ""}],
    }
    turn = PlayedTurn(one_home, **ASKING)
    turn.ask(asked, {**asked, "id": "q2"})
    shown = one_home.run("pending").stdout + one_home.run("wait", turn.id, "--until", "attention").stderr
    assert "Which?␛[2J␇" in shown
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(shown)
