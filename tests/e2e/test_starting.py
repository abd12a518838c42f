"""`new`: its output, its timing, and what reaches the model."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, say
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.support import DEADLINE_S

STARTED_KEYS = ["version", "turn_id", "state", "turn_dir", "out_path", "next"]


def test_new_answers_with_one_json_line_and_does_not_wait_for_the_turn(home: Home) -> None:
    gate = Gate()
    model = home.model([reply(hold(gate), say("done"))])
    run = home.run("new", "hi")
    assert (run.code, run.stderr) == (0, "")
    answer = run.json
    assert list(answer) == STARTED_KEYS
    assert (answer["version"], answer["state"], list(answer["next"])) == (2, "running", ["wait"])
    turn = home.turn(answer["turn_id"])
    assert answer["turn_dir"] == str(turn.path)
    assert not turn.is_ended
    gate.open()
    assert turn.wait()["state"] == "complete"
    assert Path(answer["out_path"]).read_text() == turn.out
    assert model.model_requests[0].prompt == "hi"


def test_the_next_commands_work_as_they_stand(one_home: Home) -> None:
    turn, gate = one_home.start_held()
    commands = one_home.call("status", turn.id, "--full").json["next"]
    assert one_home.call(*commands["status"].split()[1:]).json["state"] == "running"
    gate.open()
    assert one_home.run(*commands["wait"].split()[1:]).code == 0
    assert one_home.call(*commands["tail"].split()[1:]).stdout.endswith(SECOND_HALF + "\n")
    ended = one_home.call("status", turn.id, "--full").json["next"]
    assert one_home.call(*ended["answer"].split()[1:]).stdout == f"{FIRST_HALF}{SECOND_HALF}\n"
    one_home.model([say("more")])
    again = one_home.run(*ended["continue"].split()[1:], "--wait", stdin="go on")
    assert again.json["answer"] == "more"


def test_new_wait_prints_one_json_object_with_the_answer(home: Home) -> None:
    home.model([say("forty-two")])
    run = home.run("new", "hi", "--wait")
    assert run.code == 0
    assert (run.json["state"], run.json["answer"]) == ("complete", "forty-two")
    assert run.json["usage"]["total_tokens"] == 120
    assert run.stderr == f"turn {run.json['turn_id']}\n"


def test_new_follow_prints_the_text_and_ends_with_the_turns_code(home: Home) -> None:
    home.model([say("forty", "-two")])
    run = home.run("new", "hi", "--follow")
    (turn_id,) = home.turn_ids
    assert (run.code, run.stdout, run.stderr) == (0, home.turn(turn_id).out, f"turn {turn_id}\n")
    assert run.stdout.endswith("forty-two\n")


@pytest.mark.version_free
def test_eight_turns_started_at_once_all_complete(home: Home) -> None:
    home.model(lambda request: reply(say(f"answer to {request.prompt}")))
    launchers = [home.spawn("new", f"prompt {index}", "--wait") for index in range(8)]
    answers = []
    for index, launcher in enumerate(launchers):
        stdout, stderr = launcher.communicate(timeout=DEADLINE_S)
        assert launcher.returncode == 0, stderr + stdout
        answers.append(f"answer to prompt {index}" in stdout)
    assert all(answers)
    assert len(home.turn_ids) == 8


def test_the_prompt_may_come_from_stdin_or_a_file_and_reaches_the_model_unchanged(one_home: Home) -> None:
    prompt = "  naïve\r\n\n\tline\u2028two 🦀 $(echo no) \\n\n"
    model = one_home.model([say("done")])
    assert one_home.run("new", "-", "--wait", stdin=prompt).code == 0
    (one_home.root / "prompt.md").write_bytes(prompt.encode())
    turn = one_home.start("new", "--file", str(one_home.root / "prompt.md"))
    assert turn.wait()["state"] == "complete"
    assert [request.prompt for request in model.model_requests] == [prompt, prompt]
    assert (turn.path / "prompt.txt").read_bytes() == prompt.encode()


def test_no_prompt_shows_in_any_command_line_of_the_turn(one_home: Home) -> None:
    turn, gate = one_home.start_held("new", "the-secret-plan")
    assert one_home.processes("app-server")
    assert one_home.processes("the-secret-plan") == []
    gate.open()
    turn.wait()


@pytest.mark.full
def test_the_longest_prompt_that_codex_takes_reaches_the_model_and_a_longer_one_is_refused(one_home: Home) -> None:
    model = one_home.model([say("done")])
    longest = "é" * (1 << 20)
    assert one_home.run("new", "-", "--wait", stdin=longest).code == 0
    assert model.model_requests[0].prompt == longest
    run = one_home.run("new", "-", stdin=f"{longest}é")
    assert (run.code, run.error["kind"]) == (65, "bad_input")


def test_ctrl_c_on_a_waiting_launcher_leaves_the_turn_running(one_home: Home) -> None:
    gate = Gate()
    one_home.model([reply(hold(gate), say("done"))])
    launcher = one_home.spawn("new", "hi", "--wait")
    assert launcher.stderr is not None
    turn = one_home.turn(launcher.stderr.readline().split()[1])
    gate.wait_until_reached()
    launcher.send_signal(signal.SIGINT)
    stdout, _ = launcher.communicate(timeout=DEADLINE_S)
    assert (launcher.returncode, stdout) == (130, "")
    gate.open()
    assert turn.wait()["answer"] == "done"
