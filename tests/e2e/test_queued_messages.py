"""A thread's queue belongs to other clients: nothing is resumed over it, nothing of it is lost or doubled."""

from __future__ import annotations

import functools
import resource
import subprocess

import psutil
import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, say
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home, Turn
from tests.kit.support import Json, StdioAppServer, codex_env, delete_tree, wait_until

WORDS = "what I would ask next"


def queue_message(home: Home, thread_id: str, text: str = WORDS) -> None:
    """`codex queue`, as its user would."""
    command = [str(home.codex), "queue", "--thread", thread_id, "--message", text]
    subprocess.run(command, env=codex_env(home.codex_home), cwd=home.project, check=True, capture_output=True)


def queued(home: Home, thread_id: str) -> list[str]:
    """The texts in a thread's queue, first to last."""
    with StdioAppServer(home.codex, home.codex_home) as codex:
        return texts_in_queue(codex, thread_id)


def texts_in_queue(codex: StdioAppServer, thread_id: str) -> list[str]:
    """The same, as a codex that runs already sees it."""
    entries: list[Json] = codex.request("thread/queue/list", {"threadId": thread_id})["data"]
    return [entry["input"][0]["text"] for entry in entries]


def start_held(home: Home, *options: str) -> tuple[Turn, Gate, str]:
    """A turn in the middle of its answer, its gate, and its thread."""
    turn, gate = home.start_held("new", "hi", *options)
    return turn, gate, str(turn.meta["thread_id"])


def a_thread(home: Home) -> tuple[Turn, str]:
    """A turn that is over, and its thread."""
    home.model([say("one"), say("two"), say("three")])
    turn = home.start("new", "hi")
    return turn, str(turn.wait()["thread_id"])


def has_begun(turn: Turn) -> bool:
    """Whether the turn has said its first half."""
    return FIRST_HALF in turn.out


def is_taken(turn: Turn) -> bool:
    """Whether the worker has taken something out of the queue, and has recorded it."""
    ids = {event["id"] for event in turn.events if event.get("method") == "thread/queue/delete"}
    return any(event["dir"] == "in" and event.get("id") in ids and "result" in event for event in turn.events)


@pytest.mark.parametrize("options", [(), ("--write", "--skip-git-check", "--approval", "ask")])
@pytest.mark.full
def test_a_message_that_is_queued_while_a_turn_runs_waits_in_the_queue_afterwards(
    home: Home, options: tuple[str, ...]
) -> None:
    turn, gate, thread_id = start_held(home, *options)
    queue_message(home, thread_id)
    wait_until(lambda: is_taken(turn), what="the message out of Codex's reach")
    gate.open()
    ended = turn.wait()
    assert (ended["state"], ended["answer"], ended["put_back"]) == ("complete", FIRST_HALF + SECOND_HALF, 1)
    assert queued(home, thread_id) == [WORDS]
    assert WORDS in turn.out
    assert not (turn.path / "queued.json").exists()
    assert turn.meta["effective"]["sandbox_policy"]["type"] == ("workspaceWrite" if options else "readOnly")


def test_messages_keep_their_order_and_their_ids(home: Home) -> None:
    turn, gate, thread_id = start_held(home)
    with StdioAppServer(home.codex, home.codex_home) as codex:
        for number in range(3):
            text = [{"type": "text", "text": f"message {number}"}]
            params = {"threadId": thread_id, "clientUserMessageId": f"client-{number}", "input": text}
            codex.request("thread/queue/add", params)
    wait_until(lambda: (turn.path / "queued.json").exists() and is_taken(turn), what="the note")
    gate.open()
    assert turn.wait()["put_back"] == 3
    with StdioAppServer(home.codex, home.codex_home) as codex:
        entries = codex.request("thread/queue/list", {"threadId": thread_id})["data"]
    assert [entry["clientUserMessageId"] for entry in entries] == ["client-0", "client-1", "client-2"]


@pytest.mark.full
@pytest.mark.measured
def test_where_codex_was_quicker_the_message_is_put_back_all_the_same(home: Home) -> None:
    for _ in range(3):
        gate = Gate()
        what_is_queued_stays_open = [say(FIRST_HALF, hold(gate), SECOND_HALF), say("never whole", hold(Gate()))]
        home.model(what_is_queued_stays_open)
        turn = home.start("new", "hi")
        wait_until(functools.partial(has_begun, turn), what="the first half")
        thread_id = str(turn.meta["thread_id"])
        with StdioAppServer(home.codex, home.codex_home) as codex:
            text = [{"type": "text", "text": WORDS}]
            params = {"threadId": thread_id, "clientUserMessageId": "mine", "input": text}
            added = codex.send("thread/queue/add", params)
            gate.open()
            assert turn.wait()["state"] == "complete"
            assert codex.result_of(added)
            assert texts_in_queue(codex, thread_id) == [WORDS]


def test_a_cancelled_turn_leaves_the_queue_as_it_was(home: Home) -> None:
    turn, _gate, thread_id = start_held(home)
    queue_message(home, thread_id)
    home.run("cancel", turn.id)
    assert turn.wait()["state"] == "cancelled"
    assert queued(home, thread_id) == [WORDS]


def test_a_worker_that_was_killed_with_a_message_in_its_hands_loses_nothing(home: Home) -> None:
    turn, _gate, thread_id = start_held(home)
    queue_message(home, thread_id)
    wait_until(lambda: is_taken(turn), what="the message out of Codex's reach")
    assert queued(home, thread_id) == []
    turn.kill_worker()
    ended = turn.status()
    assert (ended["state"], ended["put_back"]) == ("abandoned", 1)
    assert queued(home, thread_id) == [WORDS]
    home.run("recover", turn.id)
    assert queued(home, thread_id) == [WORDS]


@pytest.mark.full
@pytest.mark.measured
def test_what_cannot_be_put_back_is_kept_until_recover_can(home: Home) -> None:
    broken = home.root / "broken"
    home.wrap_codex(f'[ -e {broken} ] && exit 1\nexec {home.codex} "$@"')
    turn, gate, thread_id = start_held(home)
    queue_message(home, thread_id)
    wait_until(lambda: is_taken(turn), what="the message out of Codex's reach")
    broken.touch()
    gate.open()
    assert turn.wait()["state"] == "complete"
    assert f"`codex-server recover {turn.id}` tries again" in turn.out
    assert home.run("recover", turn.id).code == 0
    assert (turn.path / "queued.json").exists()
    assert home.run("gc", "--older-than", "0s").code == 0
    assert turn.path.exists()  # its contents are nowhere else
    (home.root / "wrapped-codex").unlink()  # as an upgrade of codex does
    home.configure()
    assert WORDS in home.run("recover", turn.id).json["message"]
    assert queued(home, thread_id) == [WORDS]
    assert not (turn.path / "queued.json").exists()
    assert turn.status()["put_back"] == 1


@pytest.mark.full
@pytest.mark.measured
def test_where_there_is_no_room_for_the_codex_that_puts_back_the_turn_keeps_its_end_and_says_so(home: Home) -> None:
    turn, gate, thread_id = start_held(home)
    queue_message(home, thread_id)
    wait_until(lambda: is_taken(turn), what="the message out of Codex's reach")
    resource.prlimit(turn.worker().pid, resource.RLIMIT_NOFILE, (12, 4096))  # enough for what it has open, no more
    gate.open()
    ended = turn.wait()
    assert (ended["state"], ended["answer"], ended["put_back"]) == ("complete", FIRST_HALF + SECOND_HALF, 0)
    assert f"`codex-server recover {turn.id}` tries again" in turn.out
    assert WORDS in home.run("recover", turn.id).json["message"]
    assert queued(home, thread_id) == [WORDS]


@pytest.mark.full
def test_a_turn_whose_directory_is_deleted_releases_its_leases(home: Home) -> None:
    turn, _gate, thread_id = start_held(home)
    queue_message(home, thread_id)
    wait_until(lambda: is_taken(turn), what="the message out of Codex's reach")
    worker = turn.worker()
    delete_tree(turn.path)
    wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE, what="the worker's end")
    assert queued(home, thread_id) == [WORDS]


def test_a_thread_in_which_a_message_waits_is_busy_and_nothing_is_made(home: Home) -> None:
    turn, thread_id = a_thread(home)
    queue_message(home, thread_id)
    for selector in ((), ("--last",), ("--thread", thread_id), ("--turn", turn.id)):
        run = home.call("continue", *selector, "and?")
        assert run.code == 75, run
        assert run.error["kind"] == "thread_busy"
        assert WORDS in run.error["message"]
        assert "--fork" in run.error["hint"]
    assert home.turn_ids == [turn.id]
    assert queued(home, thread_id) == [WORDS]


@pytest.mark.parametrize("option", ["--fork", "--fork-if-busy"])
@pytest.mark.full
def test_a_fork_goes_on_without_what_waits(home: Home, option: str) -> None:
    turn, thread_id = a_thread(home)
    queue_message(home, thread_id)
    fork = home.start("continue", "--turn", turn.id, "and?", option)
    assert fork.wait()["answer"] == "two"
    assert fork.meta["thread_id"] != thread_id
    assert fork.meta["forked_from"] == thread_id
    assert queued(home, thread_id) == [WORDS]


def test_an_active_goal_makes_a_thread_busy_and_a_paused_one_does_not(home: Home) -> None:
    turn, thread_id = a_thread(home)
    goal = {"threadId": thread_id, "objective": "count to ten"}
    with StdioAppServer(home.codex, home.codex_home) as codex:
        codex.request("thread/goal/set", {**goal, "status": "active"})
    run = home.call("continue", "--turn", turn.id, "and?")
    assert (run.code, run.error["kind"]) == (75, "thread_busy")
    assert "count to ten" in run.error["message"]
    with StdioAppServer(home.codex, home.codex_home) as codex:
        codex.request("thread/goal/set", {**goal, "status": "paused"})
    assert home.start("continue", "--turn", turn.id, "and?").wait()["answer"] == "two"


@pytest.mark.parametrize("option", [(), ("--fork-if-busy",)])
@pytest.mark.full
def test_a_message_that_is_queued_while_our_turn_waits_for_a_slot_is_seen_before_the_thread_is_opened(
    home: Home, option: tuple[str, ...]
) -> None:
    turn, thread_id = a_thread(home)
    home.configure(max_running=1)
    gate = Gate()
    model = home.model([say(FIRST_HALF, hold(gate), SECOND_HALF), say("after")])
    first = home.start("new", "hold the line")
    wait_until(lambda: FIRST_HALF in first.out, what="the first half")
    second = home.start("continue", "--turn", turn.id, "and?", *option)
    queue_message(home, thread_id)
    gate.open()
    ended = second.wait()
    assert queued(home, thread_id) == [WORDS]
    if option:
        assert (ended["state"], ended["answer"]) == ("complete", "after")
        assert ended["thread_id"] != thread_id
        return
    error = ended["error"]
    assert (ended["state"], error["kind"], error["retryable"]) == ("failed", "thread_busy", True)
    assert WORDS in error["message"]
    assert "thread/resume" not in {event.get("method") for event in second.events}
    assert len(model.model_requests) == 1
    command = error["hint"].split("`")[1]
    assert "--fork" in command.split()
    assert home.turn(str(home.run(*command.split()[1:]).json["turn_id"])).wait()["state"] == "complete"
