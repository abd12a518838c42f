"""Options that shape a turn, and input that is refused before one exists."""

from __future__ import annotations

import json

from codex_server_cli.demo.replies import reply, say
from tests.kit.home import Home
from tests.kit.support import wait_until

SCHEMA = {
    "type": "object",
    "properties": {"answer": {"type": "integer"}},
    "required": ["answer"],
    "additionalProperties": False,
}


def write(home: Home, name: str, content: str | bytes) -> str:
    """A file outside of the project."""
    path = home.root / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return str(path)


def test_a_schema_reaches_the_model_and_a_valid_answer_is_its_document(home: Home) -> None:
    model = home.model([say('{"answer":', " 42}")])
    turn = home.start("new", "hi", "--schema", write(home, "schema.json", json.dumps(SCHEMA)))
    run = home.run("wait", turn.id, "--print", "answer")
    assert (run.code, json.loads(run.stdout)) == (0, {"answer": 42})
    asked = model.model_requests[0].body["text"]["format"]
    assert (asked["type"], asked["schema"]) == ("json_schema", SCHEMA)
    assert json.loads((turn.path / "answer.txt").read_text()) == {"answer": 42}


def test_right_json_in_a_fence_is_the_document_alone(home: Home) -> None:  # of blanks: tests/core/result/test_schema
    given = '\n\ufeff```json\n{"answer": 42}\n```\n\n'
    home.model([say(given)])
    turn = home.start("new", "hi", "--schema", write(home, "schema.json", json.dumps(SCHEMA)))
    ended = turn.wait()
    assert (ended["state"], ended["answer"]) == ("complete", '{"answer": 42}')
    assert (turn.path / "answer.txt").read_text() == '{"answer": 42}'
    assert turn.out.rstrip("\n").endswith(given.rstrip("\n"))  # as it came


def test_an_answer_that_does_not_match_fails_the_turn_and_is_kept(home: Home) -> None:
    for answer in ('{"answer": "forty-two"}', 'Here:\n```json\n{"answer": 42}\n```', '```json\n{"a": 1}\n```'):
        home.model([say(answer)])
        turn = home.start("new", "hi", "--schema", write(home, "schema.json", json.dumps(SCHEMA)))
        ended = turn.wait()
        assert (ended["state"], ended["error"]["kind"], ended["answer"]) == ("failed", "bad_schema", answer)
        run = home.call("answer", turn.id)
        assert (run.code, run.stdout) == (1, f"{answer}\n")


def test_a_bad_schema_is_refused_before_anything_is_made(one_home: Home) -> None:
    model = one_home.model([say("never")])
    for content, kind, complaint in (
        ("{", "bad_schema", "JSON"),
        ('{"type": "objekt"}', "bad_schema", "objekt"),
        ('{"type": "object", "properties": {"a": {}}, "required": ["a"]}', "bad_schema", "additionalProperties"),
        (None, "bad_input", "cannot read"),
    ):
        path = write(one_home, "schema.json", content) if content is not None else "missing.json"
        run = one_home.call("new", "hi", "--schema", path)
        assert (run.code, run.error["kind"]) == (65, kind), content
        assert complaint in run.error["message"], content
        assert one_home.turn_ids == [], content
    assert one_home.run("new", "hi", "--schema", write(one_home, "schema.json", "{")).error["kind"] == "bad_schema"
    assert one_home.turn_ids == []
    assert model.requests == []


def test_model_effort_and_config_reach_codex(home: Home) -> None:
    model = home.model([say("done")])
    turn = home.start(
        "new", "hi", "--model", "gpt-5", "--effort", "high", "--config", "developer_instructions=Speak in verse."
    )
    ended = turn.wait()
    assert ended["state"] == "complete"
    body = model.model_requests[0].body
    assert (body["model"], body["reasoning"]["effort"]) == ("gpt-5", "high")
    assert "Speak in verse." in json.dumps(body["input"])
    assert (ended["model"], ended["effort"]) == ("gpt-5", "high")


def test_a_wrong_command_line_is_64_with_one_json_object(one_home: Home) -> None:
    for arguments in (
        [],
        ["hi", "--file", "prompt.md"],
        ["hi", "--follow", "--wait"],
        ["hi", "--deadline", "0"],
        ["hi", "--deadline", "soon"],
        ["hi", "--sandbox", "everything"],
        ["hi", "--write", "--sandbox", "read-only"],
        ["hi", "--config", "no-value"],
        ["hi", "--config", 'projects."/".trust_level="trusted"'],
        ["hi", "--config", "sandbox_mode=danger-full-access"],
        ["hi", "--config", "model_provider=other"],
        ["hi", "--nonsense"],
        ["hi", "there"],
    ):
        run = one_home.call("new", *arguments)
        assert (run.code, run.error["kind"]) == (64, "bad_input"), arguments
        assert "Traceback" not in run.stderr, arguments
        assert one_home.turn_ids == [], arguments


def test_input_that_cannot_be_used_is_65_with_one_json_object(one_home: Home) -> None:
    for arguments in (
        [""],
        [" \n"],
        ["--file", "missing.md"],
        ["hi", "--cwd", "missing"],
        ["hi", "--name", "last"],
        ["hi", "--name", "20261120-165501-482-7f3a"],
        ["hi", "--name", "../x"],
    ):
        run = one_home.call("new", *arguments)
        assert (run.code, run.error["kind"]) == (65, "bad_input"), arguments
        assert run.error["hint"], arguments
        assert one_home.turn_ids == [], arguments


def test_a_prompt_that_is_not_utf8_is_refused(one_home: Home) -> None:
    path = write(one_home, "prompt.md", b"caf\xe9")
    assert one_home.call("new", "--file", path).code == 65


def test_a_real_command_that_is_refused_leaves_neither_a_turn_nor_its_worker(one_home: Home) -> None:
    for arguments, code in (["hi", "--deadline", "0"], 64), (["hi", "--cwd", "missing"], 65):
        run = one_home.run("new", *arguments)
        assert (run.code, run.error["kind"]) == (code, "bad_input")
        assert one_home.turn_ids == []
    wait_until(lambda: not one_home.processes(), what="the end of the workers that got no turn")


def test_a_home_that_cannot_be_written_is_told_and_nothing_is_left_running(one_home: Home) -> None:
    one_home.model([say("never")])
    (one_home.path / "turns").write_text("a file where the directory belongs")
    run = one_home.run("new", "hi")
    assert (run.code, run.error["kind"]) == (73, "disk")
    wait_until(lambda: not one_home.processes(), what="the end of the worker that got no turn")


def test_the_newest_bearer_of_a_name_wins(one_home: Home) -> None:
    one_home.model([reply(say("first")), reply(say("second"))])
    for _ in range(2):
        one_home.start("new", "hi", "--name", "plan").wait()
    assert one_home.run("answer", "plan").stdout == "second\n"
