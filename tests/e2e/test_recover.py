"""`recover`: what Codex finished unseen comes back, from the real Codex's own record."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import pytest

from codex_server_cli.core.history.stored_turn import NOTICE
from codex_server_cli.core.history.stored_turn_query import PAGE_TURNS
from codex_server_cli.core.record.replay import replay
from codex_server_cli.demo.replies import reply, run_command, say
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home, Turn
from tests.kit.support import DEADLINE_S, Json, StdioAppServer, wait_until

WHOLE = f"{FIRST_HALF}{SECOND_HALF}"
NEWER = PAGE_TURNS + 1
NOTHING_NEW = "Codex's record of this turn holds nothing that is not here already."
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": False}


def cut(turn: Turn, before: str, *, of_item: str = "") -> None:
    """Turn an ended turn into one whose worker was killed just before it recorded the last such message."""
    turn.wait_for_exit_of_worker()
    lines = (turn.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    marks = (f'"method":"{before}"'.encode(), of_item.encode())
    at = max(number for number, line in enumerate(lines) if all(mark in line for mark in marks))
    (turn.path / "events.jsonl").write_bytes(b"".join(lines[:at]))
    (turn.path / "out.txt").write_text(replay(b"".join(lines[:at]))[1], encoding="utf-8")
    for name in ("result.json", "answer.txt", "done", "error"):
        (turn.path / name).unlink(missing_ok=True)


def abandoned(home: Home, *options: str) -> Turn:
    """A turn that Codex completed, and of which only the first half of the answer was seen."""
    home.model([say(FIRST_HALF, SECOND_HALF)])
    turn = home.start("new", "hi", *options)
    assert turn.wait()["state"] == "complete"
    cut(turn, "item/agentMessage/delta")
    assert turn.status()["state"] == "abandoned"
    return turn


def codex_files(home: Home) -> dict[str, str]:
    """The files of the user and of Codex: the configuration, and every session file."""
    paths = [home.codex_home / "config.toml", *(home.codex_home / "sessions").rglob("*.jsonl")]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def files_of(turn: Turn) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in turn.path.iterdir() if path.is_file()}


def session_file(home: Home, turn: Turn) -> Path:
    (path,) = (home.codex_home / "sessions").rglob(f"*{turn.meta['thread_id']}.jsonl")
    return path


def has_completed(home: Home, turn: Turn) -> bool:
    return any(b'"task_complete"' in path.read_bytes() for path in (home.codex_home / "sessions").rglob("*.jsonl"))


@pytest.mark.parametrize("before", ["turn/completed", "item/completed", "item/agentMessage/delta"])
def test_a_turn_that_codex_had_finished_unseen_comes_back_whole(home: Home, before: str) -> None:
    home.model([reply(say("Looking.", phase="commentary"), run_command("echo hi")), say(FIRST_HALF, SECOND_HALF)])
    turn = home.start("new", "hi")
    assert turn.wait()["state"] == "complete"
    answer, seen = (turn.path / "answer.txt").read_bytes(), codex_files(home)
    cut(turn, before)
    status = turn.status()
    assert (status["state"], status["next"]["recover"]) == ("abandoned", f"codex-server recover {turn.id}")
    assert f"`codex-server recover {turn.id}`" in status["error"]["hint"]

    run = home.run("recover", turn.id)
    assert run.code == 0
    assert run.json["state"] == "complete"
    assert (run.json["answer"], run.json["recovered"], "error" in run.json) == (WHOLE, True, False)
    assert "the answer is restored from Codex's own record" in run.json["message"]
    assert (turn.path / "answer.txt").read_bytes() == answer
    last = json.loads(home.call("tail", "--all", "--json", "--after", "0").stdout.splitlines()[-1])
    assert (last["event"], last["state"], last["next"]) == ("recovered", "complete", f"codex-server answer {turn.id}")
    assert turn.result["recovered"]["source"] == "app-server"
    assert (turn.path / "done").exists()
    assert not (turn.path / "error").exists()
    assert NOTICE in turn.out
    assert turn.out.count(FIRST_HALF) == turn.out.count(SECOND_HALF) == 1
    assert codex_files(home) == seen

    again = home.call("recover", turn.id)
    assert (again.code, again.json["recovered"]) == (0, False)
    assert again.json["message"] == "The turn is complete: there is nothing to recover."
    assert home.call("answer", turn.id).stdout == f"{WHOLE}\n"
    assert home.left_running() == []


def test_what_codex_finishes_after_the_death_of_our_worker_comes_back(home: Home) -> None:
    # A codex that ignores the end of its stdin and of its stdout, and so outlives the worker until it is swept.
    home.wrap_codex(f'(cat; exec sleep 300) | {home.codex} "$@" | (cat; exec cat >/dev/null)')
    turn, gate = home.start_held()
    turn.kill_worker()
    gate.open()
    wait_until(lambda: has_completed(home, turn), what="the end in Codex's session file")
    assert turn.status()["state"] == "abandoned"
    assert turn.result["answer"] == FIRST_HALF
    assert home.left_running() == []
    home.configure()
    run = home.run("recover", turn.id)
    assert (run.code, run.json["state"], run.json["answer"]) == (0, "complete", WHOLE)
    assert turn.out.endswith(f"{FIRST_HALF}\n{NOTICE}{SECOND_HALF}\n")


@pytest.mark.parametrize("victim", ["codex", "worker"])
def test_of_an_answer_that_codex_had_not_finished_its_record_holds_nothing(home: Home, victim: str) -> None:
    turn, _ = home.start_held()
    (turn.app_server() if victim == "codex" else turn.worker()).kill()
    ended = turn.wait()
    before = files_of(turn)
    run = home.run("recover", turn.id)
    assert run.code == (1 if victim == "codex" else 3)
    assert (run.json["state"], run.json["answer"]) == (ended["state"], FIRST_HALF)
    assert (run.json["recovered"], run.json["message"]) == (False, NOTHING_NEW)
    assert files_of(turn) == before
    assert home.left_running() == []


def test_a_whole_answer_in_codex_record_of_a_killed_turn_is_kept_without_calling_it_complete(home: Home) -> None:
    home.model([reply(say(FIRST_HALF, SECOND_HALF), run_command("sleep 300.5"))])
    turn = home.start("new", "hi")
    wait_until(lambda: turn.status()["phase"] == "running_command", what="the command")
    turn.app_server().kill()
    assert turn.wait()["state"] == "failed"
    turn.wait_for_exit_of_worker()
    lines = (turn.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    at = next(number for number, line in enumerate(lines) if b'"item/agentMessage/delta"' in line)
    (turn.path / "events.jsonl").write_bytes(b"".join(lines[: at + 1]))
    for name in ("result.json", "answer.txt", "error"):
        (turn.path / name).unlink()
    (turn.path / "out.txt").write_text(FIRST_HALF)
    assert turn.status()["state"] == "abandoned"
    run = home.run("recover", turn.id)
    assert (run.code, run.json["state"], run.json["answer"], run.json["recovered"]) == (3, "abandoned", WHOLE, True)
    assert json.loads((turn.path / "error").read_bytes())["partial_answer"] == WHOLE
    assert turn.out.endswith(f"{FIRST_HALF}\n{NOTICE}{SECOND_HALF}\n")


@pytest.mark.parametrize(("text", "state"), [('{"a": 1}', "complete"), ('{"a": "x"}', "failed")])
@pytest.mark.full
def test_a_recovered_answer_is_held_against_its_schema(one_home: Home, text: str, state: str) -> None:
    (one_home.project / "s.json").write_text(json.dumps(SCHEMA))
    one_home.model([say(text)])
    turn = one_home.start("new", "hi", "--schema", "s.json")
    assert turn.wait()["state"] == state
    cut(turn, "item/completed")
    assert turn.status()["state"] == "abandoned"
    run = one_home.run("recover", turn.id)
    assert (run.json["state"], run.json["answer"], run.json["recovered"]) == (state, text, True)
    assert run.code == (0 if state == "complete" else 1)
    if state == "failed":
        assert run.json["error"]["kind"] == "bad_schema"
        assert not (turn.path / "done").exists()
        assert one_home.run("recover", turn.id).json["message"] == NOTHING_NEW


def has_ended(server: StdioAppServer, turns: int) -> bool:
    return len(server.of("turn/completed")) == turns


@pytest.mark.full
def test_an_older_turn_of_a_long_thread_is_found(one_home: Home) -> None:
    turn = abandoned(one_home)
    one_home.model([say(f"number {number}") for number in range(NEWER)])
    thread = turn.meta["thread_id"]
    with StdioAppServer(one_home.codex, one_home.codex_home) as server:  # another client's turns, one after the other
        server.request("thread/resume", {"threadId": thread})
        for number in range(NEWER):
            server.start_turn(thread)
            wait_until(partial(has_ended, server, number + 1), what="its end")
    run = one_home.run("recover", turn.id)
    assert (run.code, run.json["answer"], turn.result["recovered"]["source"]) == (0, WHOLE, "app-server")


@pytest.mark.full
def test_two_at_once_are_one_who_does_it_and_one_who_sees_it_done(one_home: Home) -> None:
    turn = abandoned(one_home)
    running = [one_home.spawn("recover", turn.id) for _ in range(2)]
    said: list[Json] = [json.loads(process.communicate(timeout=DEADLINE_S)[0]) for process in running]
    assert [process.returncode for process in running] == [0, 0]
    assert sorted(each["recovered"] for each in said) == [False, True]
    assert {each["answer"] for each in said} == {WHOLE}
    assert turn.out.count(NOTICE) == 1


# --- which Codex is asked


def test_where_codex_does_not_start_its_session_file_tells(home: Home) -> None:
    turn = abandoned(home)
    home.wrap_codex("echo 'the loader said no' >&2\nexit 127")
    run = home.run("recover", turn.id)
    assert (run.code, run.json["answer"], turn.result["recovered"]["source"]) == (0, WHOLE, "rollout")
    assert "Codex's session file" in run.json["message"]


@pytest.mark.full
def test_where_codex_has_lost_its_databases_its_session_file_tells(home: Home) -> None:
    turn = abandoned(home)
    for path in home.codex_home.glob("*.sqlite*"):
        path.unlink()
    run = home.run("recover", turn.id)
    assert (run.code, run.json["answer"]) == (0, WHOLE)


@pytest.mark.full
def test_an_archived_thread_is_no_hindrance(home: Home) -> None:
    turn = abandoned(home)
    with StdioAppServer(home.codex, home.codex_home) as server:
        server.request("thread/archive", {"threadId": turn.meta["thread_id"]})
    run = home.run("recover", turn.id)
    assert (run.code, run.json["answer"], turn.result["recovered"]["source"]) == (0, WHOLE, "app-server")


@pytest.mark.full
def test_where_neither_codex_nor_its_file_tells_the_command_says_so(one_home: Home) -> None:
    turn = abandoned(one_home)
    before = files_of(turn)
    one_home.wrap_codex("echo 'the loader said no' >&2\nexit 127")
    session_file(one_home, turn).unlink()
    run = one_home.run("recover", turn.id)
    assert (run.code, run.error["kind"]) == (69, "codex_missing")
    assert "the loader said no" in run.error["message"]
    assert files_of(turn) == before


def test_a_thread_that_codex_does_not_know_changes_nothing(home: Home) -> None:
    turn = abandoned(home)
    (turn.path / "meta.json").write_text(json.dumps({**turn.meta, "thread_id": "01a1fa42-6c80-78a2-9b1e-8e0f86b82eb3"}))
    before = files_of(turn)
    run = home.run("recover", turn.id)
    assert (run.code, run.json["state"], run.json["recovered"]) == (3, "abandoned", False)
    assert "Codex has no record of thread 01a1fa42" in run.json["message"]
    assert files_of(turn) == before


def test_a_turn_that_codex_does_not_know_changes_nothing(one_home: Home) -> None:
    turn = abandoned(one_home)
    (turn.path / "meta.json").write_text(
        json.dumps({**turn.meta, "codex_turn_id": "01a1fa42-6c80-78a2-9b1e-8e0f86b82eb3"})
    )
    run = one_home.run("recover", turn.id)
    assert (run.code, run.json["recovered"]) == (3, False)
    assert "does not have this turn" in run.json["message"]


# --- what needs no Codex


def test_a_running_turn_is_busy(one_home: Home) -> None:
    turn, gate = one_home.start_held()
    run = one_home.run("recover", turn.id)
    assert (run.code, run.error["hint"]) == (75, f"First: `codex-server wait {turn.id} --timeout 100`")
    gate.open()
    assert turn.wait()["state"] == "complete"


@pytest.mark.full
def test_an_ephemeral_turn_left_nothing_to_ask_for(one_home: Home) -> None:
    turn = abandoned(one_home, "--ephemeral")
    run = one_home.run("recover", turn.id)
    assert (run.code, run.json["recovered"]) == (3, False)
    assert run.json["message"] == "The turn was ephemeral: Codex kept no record of it."
    assert "recover" not in run.json.get("next", {})


def test_a_turn_without_a_thread_left_nothing_to_ask_for(one_home: Home) -> None:
    one_home.model([])
    one_home.wrap_codex("echo no >&2\nexit 127")
    turn = one_home.turn(one_home.run("new", "hi", "--wait").json["turn_id"])
    one_home.configure()
    run = one_home.run("recover", turn.id)
    assert (run.code, run.json["recovered"]) == (1, False)
    assert run.json["message"] == "The turn ended before it had a thread: Codex has no record of it."


def test_of_a_turn_whose_id_was_never_told_the_thread_can_be_looked_at(one_home: Home) -> None:
    turn = abandoned(one_home)
    lines = (turn.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    asked = next(number for number, line in enumerate(lines) if b'"turn/start"' in line)
    (turn.path / "events.jsonl").write_bytes(b"".join(lines[: asked + 1]))
    (turn.path / "meta.json").write_text(json.dumps({**turn.meta, "codex_turn_id": None}))
    before = files_of(turn)
    run = one_home.run("recover", turn.id)
    show = f"codex-server show {turn.meta['thread_id']}"
    assert (run.code, run.json["state"], run.json["recovered"]) == (3, "abandoned", False)
    assert run.json["message"] == (
        "The turn ended before Codex told its id of it: Codex's record cannot be asked about it. "
        f"`{show}` prints what its thread holds."
    )
    assert files_of(turn) == before
    assert WHOLE in one_home.run(*show.split()[1:]).stdout


def test_a_turn_that_does_not_exist_is_not_found(one_home: Home) -> None:
    assert one_home.run("recover", "20261120-165501-482-7f3a").code == 66
