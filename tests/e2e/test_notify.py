"""`--notify`: a command of the user's is run at the end of a turn, and for each request that waits for an answer."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest

from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import run_command, say, usage_limit
from codex_server_cli.demo.request import Request
from tests.kit.home import COMMAND, FIRST_HALF, Home, Turn
from tests.kit.played_turn import PlayedTurn
from tests.kit.support import Json, wait_until

NOTE = """
import json, os, sys
folder = sys.argv[1]
document = json.load(sys.stdin)
gate = f"{folder}/{document['event']}.gate"
if os.path.exists(gate):
    open(gate + ".reached", "w").close()
    open(gate).read()
note = {"document": document, "cwd": os.getcwd(), "mark": os.environ.get("CODEX_SERVER_TURN_ID"), "words": sys.argv[2:]}
path = f"{folder}/{document['turn_id']}.{document['event']}.{os.getpid()}"
with open(path, "w") as file:
    json.dump(note, file)
os.rename(path, path + ".json")
"""


class Notes:
    """The documents that a notifier got, kept by the notifier itself."""

    def __init__(self, root: Path) -> None:
        self.path = root / "notes"
        self.path.mkdir()
        script = root / "note.py"
        script.write_text(NOTE)
        self.command = shlex.join([sys.executable, str(script), str(self.path)])

    def close_gate(self, event: str) -> None:
        """Have the notifier of this event wait before it writes."""
        os.mkfifo(self.path / f"{event}.gate")

    def wait_until_reached(self, event: str) -> None:
        """Block until one waits there."""
        wait_until((self.path / f"{event}.gate.reached").exists, what=f"the notifier of {event}")

    def open_gate(self, event: str) -> None:
        """Let the waiting one go on."""
        self.wait_until_reached(event)
        with (self.path / f"{event}.gate").open("w"):
            pass

    def read(self, turn: Turn, event: str) -> Json:
        """The one of this event, once it exists."""
        (path,) = wait_until(lambda: list(self.path.glob(f"{turn.id}.{event}.*.json")), what=f"the note of {event}")
        note: Json = json.loads(path.read_text())
        return note


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path)


def test_the_end_is_told_as_wait_tells_it(one_home: Home, notes: Notes) -> None:
    one_home.model([say("Done.")])
    turn = one_home.start("new", "hi", "--notify", f"{notes.command} '$HOME; ls' '`ls`' \\&\\& rm")
    ended = turn.wait()
    note = notes.read(turn, "end")
    assert {**note["document"], "notify": None} == {**ended, "event": "end", "notify": None}
    assert (ended["answer"], note["cwd"], note["mark"]) == ("Done.", str(turn.path), None)
    assert note["words"] == ["$HOME; ls", "`ls`", "&&", "rm"]
    assert "notify" not in (turn.path / "worker.log").read_text()


def test_a_failed_turn_and_a_cancelled_one_are_told_too(one_home: Home, notes: Notes) -> None:
    one_home.configure(notify=notes.command)
    one_home.model([usage_limit(resets_at=4_000_000_000)])
    failed = one_home.start("new", "hi")
    assert failed.wait()["state"] == "failed"
    cancelled, _ = one_home.start_held()
    assert one_home.run("cancel", cancelled.id).code == 0
    reported = [notes.read(turn, "end")["document"] for turn in (failed, cancelled)]
    assert [(each["turn_id"], each["state"]) for each in reported] == [
        (failed.id, "failed"),
        (cancelled.id, "cancelled"),
    ]
    assert reported[0]["error"]["kind"] == "usage_limit"
    assert reported[1]["answer"] == FIRST_HALF


@pytest.mark.full
def test_there_is_no_wait_for_a_notifier(one_home: Home, notes: Notes) -> None:
    notes.close_gate("end")
    one_home.model([say("Done.")])
    turn = one_home.start("new", "hi", "--notify", notes.command)
    assert turn.wait()["state"] == "complete"
    assert one_home.run("continue", "--turn", turn.id, "more", "--wait").json["answer"] == "Done."
    notes.open_gate("end")
    assert notes.read(turn, "end")["document"]["answer"] == "Done."


def asks_first(request: Request) -> ReplyLike:
    if request.is_follow_up:
        return say("Done.")
    return run_command("echo outside", escalated=True, justification="it has to be")


@pytest.mark.measured
def test_each_request_is_told_once_and_its_notifier_outlives_the_turn(one_home: Home, notes: Notes) -> None:
    notes.close_gate("attention")
    one_home.model(asks_first)
    turn = one_home.start("new", "hi", "--approval", "ask", "--notify", notes.command)
    notes.wait_until_reached("attention")
    running = turn.status()
    assert running["phase"] == "waiting_approval"
    notify = running["notify"]
    assert (notify["event"], notify["request"], notify["ended_at"]) == ("attention", "0", None)
    assert one_home.run("approve", turn.id).code == 0
    assert turn.wait()["answer"] == "Done."
    assert notes.read(turn, "end")["document"]["state"] == "complete"
    notes.open_gate("attention")
    note = notes.read(turn, "attention")
    document = note["document"]
    assert (document["event"], document["turn_id"], document["state"]) == ("attention", turn.id, "running")
    assert (document["phase"], document["request"]) == ("waiting_approval", document["pending"][0]["id"])
    assert "echo outside" in document["pending"][0]["command"]
    assert (document["pending"][0]["reason"], note["mark"]) == ("it has to be", None)
    assert shlex.split(document["pending"][0]["next"]["approve"])[1:] == ["approve", turn.id, document["request"]]
    # While it ran it had no end; then that of the last one stands.
    reported = wait_until(lambda: (notify := turn.status()["notify"])["ended_at"] and notify, what="its end")
    assert (reported["event"], reported["exit_code"]) == ("end", 0)


@pytest.mark.full
def test_a_turn_that_a_notifier_starts_is_no_nested_one(one_home: Home) -> None:
    one_home.model([say("Done.")])
    first = one_home.start("new", "hi", "--notify", f"{COMMAND} new again --name second --cwd {one_home.project}")
    assert first.wait()["state"] == "complete"
    log = first.path / "worker.log"
    (words,) = wait_until(
        lambda: [line for line in log.read_text().splitlines() if line.startswith("{")], what="its id"
    )
    second = one_home.turn(json.loads(words)["turn_id"])
    assert (second.wait()["state"], second.meta["parent_turn"], second.meta["name"]) == ("complete", None, "second")


def test_a_notifier_that_fails_changes_nothing(one_home: Home) -> None:
    one_home.model([say("Done.")])
    turn = one_home.start("new", "hi", "--notify", "sh -c 'echo I cannot >&2; exit 7'")
    ended = turn.wait()
    assert (ended["state"], ended["error"]) == ("complete", None)
    log = turn.path / "worker.log"
    wait_until(lambda: "exit code 7" in log.read_text(), what="its end in the log")
    sh = shutil.which("sh", path=one_home.env["PATH"])
    assert log.read_text().endswith(f"\nI cannot\nnotify: {sh} ended with exit code 7\n")
    reported = wait_until(lambda: (notify := turn.status()["notify"]) and notify["ended_at"] and notify, what="its end")
    assert (reported["event"], reported["exit_code"], reported["signal"], reported["problem"]) == ("end", 7, None, None)
    assert reported == json.loads((turn.path / "notify.json").read_text())
    assert json.loads(one_home.run("list-turns", "--full").stdout)[0]["notify"] == reported


@pytest.mark.full
def test_a_line_for_a_shell_is_refused_and_the_hint_has_the_one_that_works(one_home: Home) -> None:
    one_home.model([say("Done.")])
    run = one_home.run("new", "hi", "--notify", "echo hi > x; false")
    assert (run.code, one_home.turn_ids) == (65, [])
    for_a_shell = run.error["hint"].splitlines()[0].partition(": ")[2]
    turn = one_home.start("new", "hi", *shlex.split(for_a_shell))
    turn.wait()
    reported = wait_until(lambda: (notify := turn.status()["notify"]) and notify["ended_at"] and notify, what="its end")
    assert (reported["exit_code"], (turn.path / "x").read_text()) == (1, "hi\n")
    one_home.configure(notify="echo $HOME")
    run = one_home.run("new", "hi")
    assert (run.code, "$HOME" in run.error["message"]) == (65, True)
    for line in run.error["hint"].splitlines():
        one_home.configure(**json.loads("{" + line.partition(": ")[2] + "}"))
        assert one_home.start("new", "hi").wait()["state"] == "complete"


def test_a_turn_that_is_cancelled_in_the_queue_is_told(one_home: Home, notes: Notes) -> None:
    one_home.configure(max_running=1)
    one_home.model([])
    PlayedTurn(one_home, max_running=1)
    second = one_home.start("new", "hi", "--notify", notes.command)
    wait_until(lambda: second.status()["phase"] == "queued", what="phase queued")
    assert one_home.run("cancel", second.id).json["state"] == "cancelled"
    assert notes.read(second, "end")["document"]["state"] == "cancelled"


def test_a_command_that_cannot_be_run_is_refused_and_nothing_is_made(one_home: Home) -> None:
    one_home.model([])
    for command in ("no-such-program --now", "/no/such/program", "tell 'it"):
        run = one_home.run("new", "hi", "--notify", command)
        assert (run.code, one_home.turn_ids) == (65, [])
        assert run.error["message"].startswith("--notify")
        assert run.error["hint"]
        one_home.configure(notify=command)
        run = one_home.run("new", "hi")
        assert (run.code, one_home.turn_ids) == (65, [])
        assert str(one_home.path / "config.json") in run.error["message"]
        one_home.configure()


def rung_at(turn_path: Path) -> str | None:
    notify = json.loads((turn_path / "notify.json").read_text())
    assert (notify["event"], notify["problem"]) == ("end", None)
    ended_at: str | None = notify["ended_at"]
    return ended_at


def test_a_bell_rings_where_the_turn_was_started_and_needs_a_terminal_there(one_home: Home) -> None:
    refused = one_home.run("new", "hi", "--notify", "bell")
    assert (refused.code, one_home.turn_ids) == (64, [])
    assert "there is no terminal" in refused.stderr
    one_home.model([say("Done."), usage_limit(resets_at=4_000_000_000)])
    master, slave = os.openpty()
    try:
        for state in ("complete", "failed"):
            started = one_home.spawn("new", "hi", "--notify", "bell", stdin=slave)
            assert started.communicate()[0]
            turn = Turn(one_home, one_home.turn_ids[-1])
            assert turn.wait()["state"] == state
            assert os.read(master, 10) == b"\a"
            wait_until(partial(rung_at, turn.path), what="the end of its notifier")
        assert "--notify bell" in one_home.run("status", turn.id, "--full").json["error"]["hint"]
    finally:
        os.close(slave)
        os.close(master)
