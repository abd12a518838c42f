"""The events of an ended turn lose the deltas; a reader, during the turn or after, loses nothing."""

from __future__ import annotations

import json
import os
import subprocess

from codex_server_cli.core.protocol.event_log import is_delta
from codex_server_cli.core.record.replay import replay
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reason, reply, run_command, say
from tests.kit.faults import MANY
from tests.kit.home import FIRST_HALF, Home, Turn
from tests.kit.support import DEADLINE_S, Json, wait_until

WORDS = ["word "] * MANY
SEVERAL_ITEMS = [
    reply(
        reason("Look first."), say("I look. ", "Now. ", phase="commentary"), run_command("echo 1; sleep 0.5; echo 2")
    ),
    reply(say(*WORDS)),
]


def lines(turn: Turn) -> list[bytes]:
    return (turn.path / "events.jsonl").read_bytes().split(b"\n")[:-1]


def deltas(turn: Turn) -> list[bytes]:
    return [line for line in lines(turn) if is_delta(line)]


def seqs(printed: str) -> list[int]:
    return [json.loads(line)["seq"] for line in printed.splitlines()]


def begin(follower: subprocess.Popen[str]) -> str:
    """What it prints first."""
    assert follower.stdout is not None
    return os.read(follower.stdout.fileno(), 1 << 16).decode()


def ended(home: Home) -> Turn:
    home.model(SEVERAL_ITEMS)
    turn = home.start("new", "hi", "--skip-git-check")
    assert turn.wait()["answer"] == "".join(WORDS)
    return turn


def kinds(events: list[Json]) -> list[str | None]:
    """What an app-server sends in any run; the rest depends on the time."""
    methods = [event.get("method") for event in events]
    return [method for method in methods if method is None or method.startswith(("item/", "turn/"))]


def test_the_events_of_an_ended_turn_have_each_text_once(home: Home) -> None:
    turn = ended(home)
    assert deltas(turn) == []
    assert replay(lines(turn))[1] == turn.out
    cursor = turn.events[len(turn.events) // 2]["seq"]
    after = home.call("tail", turn.id, "--events", "--after", str(cursor)).stdout
    assert seqs(after) == [event["seq"] for event in turn.events if event["seq"] > cursor]
    home.configure(events="full")
    whole = ended(home)
    assert len(deltas(whole)) >= MANY
    assert [event["seq"] for event in whole.events] == list(range(len(whole.events)))
    assert replay(lines(whole))[1] == whole.out
    without = [json.loads(line) for line in home.call("tail", whole.id, "--events", "--no-deltas").stdout.splitlines()]
    assert kinds(without) == kinds(turn.events)


def test_a_follower_is_told_every_event_once_though_the_file_is_replaced(one_home: Home) -> None:
    gate = Gate()
    one_home.model([say(FIRST_HALF, *WORDS, hold(gate), *WORDS)])
    turn = one_home.start("new", "hi")
    wait_until(lambda: turn.out.count("word ") == MANY, what="the first half")
    begun = turn.events[-1]["seq"]
    followers = [
        one_home.spawn("tail", turn.id, "--events", "--follow", *options)
        for options in ((), ("--after", str(begun - 5)), ("-n", "3"))
    ]
    begun_with = [begin(follower) for follower in followers]
    gate.open()
    rests = [follower.communicate(timeout=DEADLINE_S)[0] for follower in followers]
    told = [seqs(first + rest) for first, rest in zip(begun_with, rests, strict=True)]
    assert deltas(turn) == []
    last = turn.events[-1]["seq"]
    assert last > begun + MANY
    assert told == [[*range(first, last + 1)] for first in (0, begun - 4, begun - 2)]
    assert one_home.call("tail", turn.id, "--follow").stdout == turn.out
