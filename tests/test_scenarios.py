"""The steps of `references/scenarios.feature`: the real command, the real codex, a scripted model."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_bdd import given, parsers, scenarios, then, when

from codex_server_cli.demo.replies import apply_patch, hold, reply, run_command, say, usage_limit
from tests.kit.failed import has_failed
from tests.kit.home import COMMAND, FIRST_HALF, SECOND_HALF, Home
from tests.kit.story import Story, is_alive
from tests.kit.support import Json, make_repository, wait_until

scenarios(str(Path(__file__).parent.parent / "references" / "scenarios.feature"))

PATCH = "*** Begin Patch\n*** Add File: made.txt\n+by codex\n*** End Patch"
OPEN_SCHEMA: Json = {"type": "object", "properties": {"ok": {"type": "boolean"}}}
SCHEMA: Json = {**OPEN_SCHEMA, "required": ["ok"], "additionalProperties": False}
NEVER_ENDING = "sleep 600"
TURN = "TURN"  # stands for the id of the newest turn
COMMANDS = {
    "I start a turn": ("new", "Hello"),
    "I start a turn that may write, and wait for it": ("new", "Write it", "--write", "--wait"),
    "I continue the turn's thread": ("continue", "--turn", TURN, "And?"),
    "I continue from a copy of the thread": ("continue", "--turn", TURN, "--fork-if-busy", "And?", "--wait"),
    "I wait for the turn": ("wait", TURN),
    "I cancel the turn": ("cancel", TURN),
    "I ask for the answer": ("answer", TURN),
}


@pytest.fixture
def story(request: pytest.FixtureRequest, tmp_path: Path, one_codex: Path, codex_home: Path) -> Iterator[Story]:
    home = Home(tmp_path / "user", one_codex, codex_home)
    yield Story(home)
    failed = has_failed(request.node)
    assert home.close(has_failed=failed) == [] or failed


# --- given


@given("a project")
def _(story: Story) -> None:
    make_repository(story.home.project)


@given("a codex whose model needs no account")
def _(story: Story) -> None:
    story.serve([say("Hello.")])


@given("a model that stops in the middle of its answer")
def _(story: Story) -> None:
    answers = [say(FIRST_HALF, hold(story.gate), SECOND_HALF), say("Another answer.")]
    story.serve(answers)


@given(parsers.re("a model that says (?P<quote>['\"])(?P<text>.*)(?P=quote)$"))
def _(story: Story, text: str) -> None:
    story.serve([say(text)])


@given(parsers.parse('a model that says "{text}" and runs a command that never ends'))
def _(story: Story, text: str) -> None:
    story.serve([reply(say(text, phase="commentary"), run_command(NEVER_ENDING))])


@given("a model that wants to write a file")
def _(story: Story) -> None:
    story.serve(lambda request: say("Tried.") if request.is_follow_up else apply_patch(PATCH))


@given("a model whose usage limit is reached")
def _(story: Story) -> None:
    story.serve([usage_limit()])


@given("a login with an API key")
def _(story: Story) -> None:
    (story.home.codex_home / "config.toml").unlink()
    auth = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-of-nobody"}
    (story.home.codex_home / "auth.json").write_text(json.dumps(auth))


# --- when


@when(parsers.re(f"(?P<phrase>{'|'.join(map(re.escape, COMMANDS))})$"))
def _(story: Story, phrase: str) -> None:
    story.run(*(story.turn.id if word == TURN else word for word in COMMANDS[phrase]))


@when("I start a turn from a shell, and the shell's whole process group is killed")
def _(story: Story) -> None:
    output = story.home.root / "told.json"
    shell = subprocess.Popen(
        ["sh", "-c", f"'{COMMAND}' new Hello >'{output}'; exec sleep 600"],
        env=story.home.env,
        cwd=story.home.project,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_until(lambda: output.exists() and output.read_text().endswith("\n"), what="the turn id")
    finally:
        os.killpg(shell.pid, signal.SIGKILL)
        shell.wait()
    story.remember(json.loads(output.read_text())["turn_id"])
    assert story.turn.status()["state"] == "running"


@when(parsers.parse('I start a turn with "{prompt}" and wait for it'))
def _(story: Story, prompt: str) -> None:
    story.run("new", prompt, "--wait")


@when(parsers.parse('I continue with "{prompt}" and wait for it'))
def _(story: Story, prompt: str) -> None:
    story.run("continue", prompt, "--wait")


@when("I continue from another directory")
def _(story: Story) -> None:
    story.run("continue", "And here?", cwd=story.home.root)


@when("I ask with a schema that is not closed")
def _(story: Story) -> None:
    _ask_with(story, OPEN_SCHEMA)


@when('I ask with a schema that wants "ok" to be true or false')
def _(story: Story) -> None:
    _ask_with(story, SCHEMA)


def _ask_with(story: Story, schema: dict[str, Any]) -> None:
    path = story.home.root / "schema.json"
    path.write_text(json.dumps(schema))
    story.run("new", "Is it ok?", "--schema", str(path), "--wait")


@when("the model has begun to answer")
def _(story: Story) -> None:
    wait_until(lambda: FIRST_HALF in story.turn.out, what="the first half")


@when("the model goes on")
def _(story: Story) -> None:
    story.gate.open()


@when("the command runs")
def _(story: Story) -> None:
    story.processes = wait_until(lambda: story.home.processes(NEVER_ENDING), what="the command")


@when(parsers.parse("I wait at most {seconds} seconds for the turn"))
def _(story: Story, seconds: str) -> None:
    story.run("wait", story.turn.id, "--timeout", seconds, "--print", "none")


@when("the worker is killed")
def _(story: Story) -> None:
    worker = story.turn.worker()
    story.processes = [worker, *worker.children(recursive=True)]
    worker.kill()


# --- then


@then("the command has printed one JSON object with a turn id")
def _(story: Story) -> None:
    assert story.last.json["turn_id"] == story.turn.id
    assert story.last.json["next"]["wait"].startswith(f"codex-server wait {story.turn.id}")


@then(parsers.parse('the turn is "{state}"'))
def _(story: Story, state: str) -> None:
    assert story.turn.status()["state"] == state


@then(parsers.parse("the exit code is {code:d}"))
def _(story: Story, code: int) -> None:
    assert story.last.code == code, story.last


@then("the answer is whole")
def _(story: Story) -> None:
    assert story.run("answer", story.turn.id).stdout == f"{FIRST_HALF}{SECOND_HALF}\n"


@then("the answer is the first half")
def _(story: Story) -> None:
    assert story.last.stdout == f"{FIRST_HALF}\n"


@then(parsers.parse("the answer is '{text}'"))
def _(story: Story, text: str) -> None:
    assert story.last.json["answer"] == text


@then("the last line is the command to wait again")
def _(story: Story) -> None:
    assert story.last.stderr.splitlines()[-1].startswith(f"codex-server wait {story.turn.id}")


@then("both turns are of the same thread")
def _(story: Story) -> None:
    first, second = story.turns
    assert first.meta["thread_id"] == second.meta["thread_id"]


@then(parsers.parse('the model has seen "{text}" again'))
def _(story: Story, text: str) -> None:
    assert text in json.dumps(story.model.model_requests[-1].body["input"])


@then(parsers.parse('the error kind is "{kind}"'))
def _(story: Story, kind: str) -> None:
    assert story.last.error["kind"] == kind


@then(parsers.parse('the turn\'s error kind is "{kind}"'))
def _(story: Story, kind: str) -> None:
    assert story.error["kind"] == kind


@then("the error is retryable")
def _(story: Story) -> None:
    assert story.error["retryable"]


@then("the error tells how to go on")
def _(story: Story) -> None:
    assert f"codex-server continue --turn {story.turn.id}" in story.error["hint"]


@then("the error names the turn that holds the thread")
def _(story: Story) -> None:
    assert story.turn.id in story.last.error["message"]


@then("the model was never asked")
def _(story: Story) -> None:
    assert not story.model.model_requests


@then(parsers.parse("there is {count:d} turn on disk"))
@then(parsers.parse("there are {count:d} turns on disk"))
def _(story: Story, count: int) -> None:
    assert len(story.home.turn_ids) == count


@then("no process of the turn is left")
def _(story: Story) -> None:
    assert story.processes
    wait_until(lambda: not any(map(is_alive, story.processes)), what="the end of all processes")


@then(parsers.parse('the text holds "{text}"'))
def _(story: Story, text: str) -> None:
    assert text in story.run("tail", story.turn.id).stdout


@then("the file is not there")
def _(story: Story) -> None:
    assert story.last.json["state"] == "complete"
    assert not (story.home.project / "made.txt").exists()


@then("the file is there")
def _(story: Story) -> None:
    assert (story.home.project / "made.txt").read_text() == "by codex\n"


@then("Codex's config.toml is unchanged")
def _(story: Story) -> None:
    assert (story.home.codex_home / "config.toml").read_text() == story.config_toml


@then("the error tells the way to log in")
def _(story: Story) -> None:
    assert "codex-server login" in story.last.error["hint"]


@then("the lists and doctor still work")
def _(story: Story) -> None:
    assert story.home.run("list-turns").code == 0
    assert story.home.run("list").code == 0
    assert "login" in story.home.run("doctor").stdout
