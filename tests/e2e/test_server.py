"""Turns on an app-server that runs already, over a unix socket and over a port: it is used, and never ended."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Iterator

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from tests.e2e.test_pictures import picture, put, shown
from tests.kit.app_servers import ListeningServer, peer, token_flags
from tests.kit.escalations import ASK, escalated, wait_for_request
from tests.kit.faults import change_workers
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home, Turn, await_sleeper, nap, sleepers
from tests.kit.played_turn import PlayedTurn
from tests.kit.sshd import running_sshd
from tests.kit.support import wait_until

DISK_FULL_AT_A_COMMAND = """
from codex_server_cli.disk.turn.writer import TurnWriter
append = TurnWriter.append_events
def append_but_for_commands(self, lines):
    if b"commandExecution" in lines:
        raise OSError(28, "No space left on device")
    append(self, lines)
TurnWriter.append_events = append_but_for_commands
"""
TOKEN = "a-token-of-more-than-thirty-two-characters"


@pytest.fixture
def server(one_home: Home) -> Iterator[ListeningServer]:
    """Somebody's app-server with the same CODEX_HOME."""
    with ListeningServer(one_home.codex, one_home.codex_home, f"unix://{one_home.root}/s.sock") as server:
        yield server
        assert server.process.poll() is None, "it is not ours to end"


@pytest.fixture
def shared(one_home: Home) -> Iterator[Home]:
    """A home whose turns use our shared app-server; that is ended with the test."""
    one_home.configure(server="shared")
    yield one_home
    one_home.run("server", "stop", "--now")


def start_napping(home: Home, server: ListeningServer) -> tuple[Turn, str]:
    """A turn on the server that runs a long command now."""
    sleep = nap(home)
    home.model([reply(say(FIRST_HALF), run_command(sleep)), reply(say(SECOND_HALF))])
    turn = home.start("new", "hi", "--server", server.url)
    await_sleeper(turn, sleep)
    return turn, sleep


def test_a_turn_and_the_next_one_run_on_the_server_as_in_the_shell_that_started_them(
    one_home: Home, server: ListeningServer
) -> None:
    one_home.env["MARK"] = "of the caller"
    model = one_home.model([run_command("echo $MARK, $CODEX_SERVER_TURN_ID", call_id="c"), say("One."), say("Two.")])
    first = one_home.run("new", "hi", "--server", server.url, "--wait", "--full").json
    assert (first["state"], first["answer"], first["server"]) == ("complete", "One.", server.url)
    assert f"of the caller, {first['turn_id']}" in str(model.model_requests[1].tool_outputs["c"])
    turn = one_home.turn(first["turn_id"])
    assert turn.meta["server"]["path"] == f"{one_home.root}/s.sock"
    assert (turn.meta["codex"], turn.meta.get("app_server_pid")) == (None, None)
    assert "of the caller" not in json.dumps(turn.sent("thread/start"))  # an environment holds secrets

    again = one_home.run("continue", "and?", "--wait")
    assert (again.json["answer"], again.json["thread_id"]) == ("Two.", first["thread_id"])
    assert one_home.turn(again.json["turn_id"]).meta["server"] == turn.meta["server"]
    assert "--server" not in again.json["next"]["continue"]
    assert one_home.app_servers() == []


def test_a_thread_is_continued_by_its_id_alone(one_home: Home, server: ListeningServer) -> None:
    one_home.model([say("One."), say("Two.")])
    first = one_home.run("new", "hi", "--server", server.url, "--wait").json
    for session in one_home.codex_home.rglob("rollout-*"):
        assert first["thread_id"] in session.name
    again = one_home.run("continue", "and?", "--thread", first["thread_id"], "--server", server.url, "--wait")
    assert (again.json["answer"], again.json["thread_id"]) == ("Two.", first["thread_id"])


def test_a_cancel_ends_the_turn_and_its_command_and_nothing_else(one_home: Home, server: ListeningServer) -> None:
    turn, sleep = start_napping(one_home, server)
    run = one_home.run("cancel", turn.id)
    assert (run.code, run.json["state"]) == (0, "cancelled")
    assert sleepers(sleep) == []
    assert turn.result["answer"] == FIRST_HALF


@pytest.mark.measured
def test_steering_and_approving_reach_the_server(one_home: Home, server: ListeningServer) -> None:
    model = one_home.model([escalated(one_home), say("Done.")])
    turn = one_home.start("new", "hi", "--server", server.url, *ASK)
    wait_for_request(one_home, turn)
    assert one_home.run("steer", turn.id, "look to the left").code == 0
    assert one_home.run("approve", turn.id).code == 0
    assert turn.wait()["answer"] == "Done."
    assert (one_home.root / "mark").read_text() == "hello\n"
    assert model.model_requests[1].prompt == "look to the left"


@pytest.mark.measured
@pytest.mark.full
def test_the_next_reader_ends_the_turn_of_a_killed_worker_on_its_server(
    one_home: Home, server: ListeningServer
) -> None:
    turn, sleep = start_napping(one_home, server)
    turn.kill_worker()
    assert sleepers(sleep)
    status = turn.status()
    assert (status["state"], status["error"]["kind"]) == ("abandoned", "worker_died")
    assert status["error"]["partial_answer"] == FIRST_HALF
    assert sleepers(sleep) == []
    assert f"the turn still ran at {server.url}, and was interrupted" in (turn.path / "worker.log").read_text()
    one_home.model([say("Two.")])
    assert one_home.run("continue", "--turn", turn.id, "and?", "--wait").json["answer"] == "Two."


@pytest.mark.full
@pytest.mark.measured
def test_a_turn_that_can_no_longer_be_recorded_does_not_run_on_there(one_home: Home, server: ListeningServer) -> None:
    turn, sleep = start_napping(one_home, server)
    shutil.rmtree(turn.path)
    wait_until(lambda: not sleepers(sleep), what="the end of a deleted turn")
    change_workers(one_home, DISK_FULL_AT_A_COMMAND)
    one_home.model([reply(say(FIRST_HALF), run_command(sleep)), reply(say(SECOND_HALF))])
    turn = one_home.start("new", "hi", "--server", server.url)
    assert turn.wait()["error"]["kind"] == "disk"
    assert sleepers(sleep) == []
    assert f"the turn still ran at {server.url}, and was interrupted" in (turn.path / "worker.log").read_text()


@pytest.mark.measured
@pytest.mark.full
def test_a_token_that_is_gone_when_the_turn_is_no_longer_queued_ends_it_with_the_reason(one_home: Home) -> None:
    one_home.configure(max_running=1)
    token = one_home.root / "token"
    token.write_text(TOKEN)
    token.chmod(0o600)
    flags = token_flags(one_home.root, TOKEN)
    with ListeningServer(one_home.codex, one_home.codex_home, "ws://127.0.0.1:0", *flags) as server:
        running = PlayedTurn(one_home, max_running=1)
        on = ("--server", server.url, "--server-token-file", str(token), "--cwd", str(one_home.project))
        queued = one_home.start("new", "hi", *on)
        token.unlink()
        running.end()
        error = queued.wait()["error"]
        assert (error["kind"], str(token) in error["message"]) == ("bad_input", True)
        assert "Traceback" not in (queued.path / "worker.log").read_text()


@pytest.mark.full
@pytest.mark.measured
def test_recover_asks_the_server_of_the_turn(one_home: Home, server: ListeningServer) -> None:
    one_home.model([say("Whole.")])
    turn = one_home.turn(one_home.run("new", "hi", "--server", server.url, "--wait").json["turn_id"])
    turn.wait_for_exit_of_worker()
    kept = turn.event_bytes
    (turn.path / "events.jsonl").write_bytes(kept[: kept.index(b'"item/completed"')].rpartition(b"\n")[0] + b"\n")
    for name in ("done", "result.json", "answer.txt"):
        (turn.path / name).unlink()
    assert turn.status()["state"] == "abandoned"
    run = one_home.run("recover", turn.id)
    assert (run.code, run.json["state"], run.json["answer"]) == (0, "complete", "Whole.")


@pytest.mark.measured
def test_turns_share_our_own_server_and_its_threads_are_those_of_every_other_turn(shared: Home) -> None:
    shared.model([say("One."), say("Two."), say("Three.")])
    first = shared.run("new", "hi", "--wait", "--full").json
    assert (first["state"], first["answer"], first["server"]) == ("complete", "One.", "shared")
    server = shared.turn(first["turn_id"]).meta["server"]
    assert server["path"].endswith("/g1.sock")
    # At once: the server lets go of the thread a second later, and that is waited for.
    alone = shared.run("continue", "and?", "--server", "spawn", "--wait").json
    assert (alone["answer"], alone["thread_id"]) == ("Two.", first["thread_id"])
    assert shared.turn(alone["turn_id"]).meta["server"] is None
    third = shared.run("new", "hi", "--wait").json
    assert shared.turn(third["turn_id"]).meta["server"] == server


def test_a_shared_server_that_is_killed_costs_its_turns_and_the_next_turn_has_another(shared: Home) -> None:
    sleep = nap(shared)
    shared.model([reply(say(FIRST_HALF), run_command(sleep)), say("Two.")])
    turn = shared.start("new", "hi")
    await_sleeper(turn, sleep)
    before = turn.meta["server"]
    os.kill(before["pid"], signal.SIGKILL)
    ended = turn.wait()
    assert (ended["state"], ended["error"]["kind"]) == ("failed", "codex_crashed")
    assert ended["error"]["partial_answer"] == FIRST_HALF
    assert sleepers(sleep) == []
    again = shared.run("continue", "--turn", turn.id, "and?", "--wait").json
    assert again["answer"] == "Two."
    assert shared.turn(again["turn_id"]).meta["server"]["generation"] > before["generation"]


@pytest.mark.full
@pytest.mark.measured
def test_a_shared_server_that_hangs_is_left_for_the_next_generation(shared: Home) -> None:
    shared.model([say("One."), say("Two.")])
    hung = shared.turn(shared.run("new", "hi", "--wait").json["turn_id"]).meta["server"]
    os.kill(hung["pid"], signal.SIGSTOP)
    again = shared.run("new", "hi", "--wait").json
    assert again["answer"] == "Two."
    assert shared.turn(again["turn_id"]).meta["server"]["generation"] > hung["generation"]


@pytest.mark.measured
@pytest.mark.full
def test_a_server_that_is_stopped_at_once_takes_its_turns_along_and_no_other_is_started(shared: Home) -> None:
    sleep = nap(shared)
    shared.model([reply(say(FIRST_HALF), run_command(sleep))])
    turn = shared.start("new", "hi")
    await_sleeper(turn, sleep)
    (stopped,) = shared.run("server", "stop", "--now", "--json").json["servers"]
    assert stopped["turns"] == [turn.id]
    assert (turn.wait()["state"], sleepers(sleep)) == ("cancelled", [])
    assert shared.run("server", "status", "--json").json["servers"] == []


@pytest.mark.full
def test_a_server_that_is_stopped_after_its_turns_leaves_no_other(shared: Home) -> None:
    gate = Gate()
    shared.model(lambda _: reply(say(FIRST_HALF, hold(gate), SECOND_HALF)))
    turn = shared.start("new", "hi")
    gate.wait_until_reached()
    stopping = shared.spawn("server", "stop")
    wait_until(
        lambda: shared.run("server", "status", "--json").json["servers"][0]["state"] == "draining", what="a drain"
    )
    gate.open()
    assert stopping.wait(60) == 0
    assert turn.wait()["state"] == "complete"
    assert shared.run("server", "status", "--json").json["servers"] == []


@pytest.mark.full
def test_a_turn_whose_shared_server_was_killed_is_told_where_that_had_its_say(shared: Home) -> None:
    sleep = nap(shared)
    shared.model([reply(say(FIRST_HALF), run_command(sleep))])
    turn = shared.start("new", "hi")
    await_sleeper(turn, sleep)
    os.kill(turn.meta["server"]["pid"], signal.SIGKILL)
    error = turn.wait()["error"]
    assert "stderr_tail" not in error["hint"]
    assert "`codex-server server logs`" in error["hint"]


@pytest.mark.full
def test_over_a_port_with_a_token_all_paths_are_those_of_the_server(one_home: Home) -> None:
    flags = token_flags(one_home.root, TOKEN)
    model = one_home.model([say("One."), say("Two.")])
    image = put(one_home, "red.png", picture("red"))
    with ListeningServer(one_home.codex, one_home.codex_home, "ws://127.0.0.1:0", *flags) as server:
        on = ("--server", server.url, "--server-token-env", "TOKEN")
        refused = one_home.run("new", "hi", *on, "--cwd", str(one_home.project))
        assert (refused.code, one_home.turn_ids) == (65, [])
        assert "is not set" in refused.error["message"]
        one_home.env["TOKEN"] = "another"
        refused = one_home.run("new", "hi", *on, "--cwd", str(one_home.project))
        assert (refused.code, one_home.turn_ids, refused.stderr.count("\n")) == (69, [], 1)
        one_home.env["TOKEN"] = TOKEN
        assert one_home.run("new", "hi", *on).error["exit_code"] == 64  # whose current directory?
        first = one_home.run("new", "hi", *on, "--cwd", str(one_home.project), "--image", image, "--wait").json
        assert first["answer"] == "One."
        assert shown(model) == [base64.b64decode(base64.b64encode(picture("red")))]
        turn = one_home.turn(first["turn_id"])
        assert turn.sent("turn/start")["input"][1]["type"] == "image"
        assert TOKEN not in "".join(path.read_text("utf-8", "replace") for path in turn.path.glob("*.*"))
        again = one_home.run("continue", "--last", "--cwd", str(one_home.project), "and?", *on, "--wait")
        assert (again.code, again.json["answer"]) == (0, "Two.")


@pytest.mark.full
def test_on_another_host_the_turn_has_an_app_server_of_its_own_and_nothing_stays_there(one_home: Home) -> None:
    sleep = nap(one_home)
    (one_home.root / "bin").mkdir()
    (one_home.root / "bin" / "codex").symlink_to(one_home.codex)
    with running_sshd(one_home.root / "sshd", one_home.codex_home, str(one_home.root / "bin")) as sshd:
        one_home.env["PATH"] = f"{sshd.bin}:{one_home.env['PATH']}"
        on = ("--server", sshd.address, "--cwd", str(one_home.project))
        detached = run_command(f"(setsid {sleep} >/dev/null 2>&1 &); echo $CODEX_SERVER_TURN_ID", call_id="c")
        model = one_home.model([detached, say("One."), say("Two.")])
        first = one_home.run("new", "hi", *on, "--sandbox", "danger-full-access", "--wait").json
        assert (first["state"], first["answer"]) == ("complete", "One.")
        assert first["turn_id"] in str(model.model_requests[1].tool_outputs["c"])
        assert sleepers(sleep) == []
        again = one_home.run("continue", "--turn", first["turn_id"], "and?", "--wait")
        assert (again.code, again.json["answer"], again.json["thread_id"]) == (0, "Two.", first["thread_id"])
        one_home.model([reply(say(FIRST_HALF), run_command(sleep)), reply(say(SECOND_HALF))])
        turn = one_home.start("new", "hi", *on)
        await_sleeper(turn, sleep)
        turn.kill_worker()
        assert turn.status()["state"] == "abandoned"
        wait_until(lambda: not sleepers(sleep), what="the end of the command, with ssh")


def test_a_server_that_is_not_there_gets_no_turn_and_the_configured_one_counts(one_home: Home) -> None:
    missing = f"unix://{one_home.root}/nobody.sock"
    refused = one_home.run("new", "hi", "--server", missing)
    assert (refused.code, one_home.turn_ids, refused.stderr.count("\n")) == (69, [], 1)
    one_home.configure(server=missing)
    assert one_home.run("new", "hi").code == 69
    one_home.configure(server="unix:relative")
    refused = one_home.run("new", "hi")
    assert (refused.code, "config.json" in refused.error["message"], one_home.turn_ids) == (65, True, [])
    one_home.model([say("Alone.")])
    assert one_home.run("new", "hi", "--server", "spawn", "--wait").json["answer"] == "Alone."


@pytest.mark.measured
@pytest.mark.full
def test_no_reader_hangs_on_a_server_that_is_silent_or_dead(one_home: Home) -> None:
    def listen(connection: socket.socket) -> None:
        while data := connection.recv(10_000):
            heard.append(data)

    heard: list[bytes] = []
    path = one_home.root / "silent.sock"
    with peer(listen, path=path) as url:
        turn = PlayedTurn(one_home)
        meta = json.loads((turn.path / "meta.json").read_bytes())
        server = {"url": url, "path": str(path), "token_file": None, "token_env": None, "is_insecure": False}
        (turn.path / "meta.json").write_text(json.dumps(meta | {"server": server, "thread_id": "t"}))
        turn.die()
        begun = time.monotonic()
        assert one_home.run("status", turn.id).json["state"] == "abandoned"
        assert time.monotonic() - begun < 15  # one second of its own
        assert heard
        assert "is not known" in (turn.path / "worker.log").read_text()
