"""The connection to a server that lives on is lost, at any point of a turn: the turn goes on as if it had not been."""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import Any

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import hold, pause, reason, reply, run_command, say
from codex_server_cli.demo.request import Request
from tests.kit.escalations import ASK, escalated, replies_of, wait_for_any_id
from tests.kit.home import FIRST_HALF, SECOND_HALF, Turn, sleepers, start_sleeping
from tests.kit.places import TransportHome
from tests.kit.relay import SocketRelay
from tests.kit.support import wait_until

pytestmark = pytest.mark.full

SEED = 20261130
CUTS = 20
AT_ONCE = 4
"""Not more: a busy server takes a second to begin a turn, and interrupts one whose connection is lost before that."""
TO_SERVER = 5
"""How many of them are in what goes to the server: a request that does not arrive, whole or at all."""
LINES = [f"line {number} of the answer, ünïcode ✓\n" for number in range(30)]
COMMAND = "echo from the command"
TOKENS = 240


def script(request: Request) -> ReplyLike:
    """A thought, a remark, a command, and an answer that takes its time.

    The command outlives its output: a busy Codex has lost that of one that had ended before it looked (0.163.0).
    """
    if not request.is_follow_up:
        return reply(
            reason("First I look."), say("A remark. ", phase="commentary"), run_command(f"{COMMAND}; sleep 0.3")
        )
    return say(*(piece for line in LINES for piece in (line, pause(0.005))))


def serve_through(place: TransportHome, stack: ExitStack, name: str) -> SocketRelay:
    """A relay of its own in front of the server."""
    return stack.enter_context(SocketRelay(place.socket_path, place.root / name))


def start(place: TransportHome, relay: SocketRelay, *options: str) -> Turn:
    """Start a turn that reaches the server through a relay."""
    return place.start("new", "hi", "--server", relay.url, *options)


def assert_is_whole(turn: Turn) -> None:
    """The turn has its answer, its usage and each item once."""
    done = turn.wait()
    assert (done["state"], done["error"]) == ("complete", None), done
    assert done["answer"] == "".join(LINES)
    assert (turn.path / "answer.txt").read_text(encoding="utf-8") == "".join(LINES)
    assert done["usage"]["total_tokens"] == TOKENS
    once = [*LINES, "First I look.", "A remark. ", f"$ {COMMAND}", "from the command\n"]
    counts = {text: turn.out.count(text) for text in once}
    assert {text: count for text, count in counts.items() if count != 1} == {}
    seqs = [event["seq"] for event in turn.events]
    assert seqs == sorted(set(seqs))  # without the deltas, where there were many


def test_a_connection_that_is_cut_at_any_of_twenty_points_changes_nothing(unix_place: TransportHome) -> None:
    unix_place.model(script)
    with ExitStack() as stack:
        uncut = serve_through(unix_place, stack, "uncut")
        assert_is_whole(start(unix_place, uncut))
        last = len(uncut.connections) - 1  # the turn's; the command has looked whether the server answers
        dice = random.Random(SEED)
        points: list[tuple[int, Any]] = []
        for number in range(CUTS):
            direction: Any = "to_server" if number < TO_SERVER else "to_client"
            points.append((dice.randrange(uncut.connections[last].passed(direction)), direction))
        for begin in range(0, CUTS, AT_ONCE):
            few = points[begin : begin + AT_ONCE]
            relays = [serve_through(unix_place, stack, str(begin + number)) for number in range(len(few))]
            for relay, cut in zip(relays, few, strict=True):
                relay.cut_after(*cut, number=last)
            turns = [start(unix_place, relay) for relay in relays]
            for turn, relay, cut in zip(turns, relays, few, strict=True):
                try:
                    assert_is_whole(turn)
                    assert relay.connections[last].is_cut
                except BaseException as error:
                    error.add_note(f"seed {SEED}: cut after {cut}")
                    raise
    assert unix_place.left_running() == []


def test_a_connection_that_is_lost_again_and_again_changes_nothing(unix_place: TransportHome) -> None:
    unix_place.model(script)
    with ExitStack() as stack:
        relay = serve_through(unix_place, stack, "relay")
        for number in range(1, 6):  # the first one is the command's, which looks whether the server answers
            relay.cut_after(2000 + 1500 * number, number=number)
        assert_is_whole(start(unix_place, relay))
        assert len([each for each in relay.connections if each.is_cut]) > 1


def test_a_request_that_waits_is_asked_again_after_a_loss_and_is_answered_once(unix_place: TransportHome) -> None:
    unix_place.model([escalated(unix_place), say("Done.")])
    with ExitStack() as stack:
        relay = serve_through(unix_place, stack, "relay")
        turn = start(unix_place, relay, *ASK)
        id_ = wait_for_any_id(turn)
        assert relay.cut() == 1
        wait_until(lambda: len(relay.open) == 1, what="another connection")
        assert wait_for_any_id(turn) == id_
        assert unix_place.run("approve", turn.id, id_).code == 0
        assert turn.wait()["answer"] == "Done."
        assert replies_of(turn) == [{"decision": "accept"}]
    assert (unix_place.root / "mark").read_text() == "hello\n"


def test_a_command_that_ran_on_meanwhile_is_told_whole_and_once(unix_place: TransportHome) -> None:
    path = unix_place.root / "go"
    command = f"echo begun; until test -e {path}; do sleep 0.02; done; echo ended"
    unix_place.model([run_command(command, yield_time_ms=30_000), say("Done.")])
    with ExitStack() as stack:
        relay = serve_through(unix_place, stack, "relay")
        turn = start(unix_place, relay)
        wait_until(lambda: b'"commandExecution"' in turn.event_bytes or turn.is_ended, what="the command")
        assert not turn.is_ended
        relay.cut()
        wait_until(lambda: len(relay.open) == 1, what="another connection")
        path.touch()
        assert turn.wait()["answer"] == "Done."
        assert (turn.out.count("\nbegun\n"), turn.out.count("ended\n")) == (1, 2)  # one is in the command itself


def test_a_server_that_is_not_there_for_a_while_is_found_again(unix_place: TransportHome) -> None:
    gate = Gate()
    unix_place.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    with ExitStack() as stack:
        relay = serve_through(unix_place, stack, "relay")
        turn = start(unix_place, relay)
        wait_until(lambda: FIRST_HALF in turn.out, what="the first half")
        relay.refuse()
        relay.cut()
        gate.open()
        assert not turn.is_ended
        relay.accept()
        done = turn.wait()
        assert (done["state"], done["answer"]) == ("complete", FIRST_HALF + SECOND_HALF)
        assert turn.out.count(FIRST_HALF) == turn.out.count(SECOND_HALF) == 1


def test_a_server_that_stays_away_ends_the_turn_which_keeps_what_had_come(unix_place: TransportHome) -> None:
    gate = Gate()
    unix_place.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    with ExitStack() as stack:
        relay = serve_through(unix_place, stack, "relay")
        turn = start(unix_place, relay)
        wait_until(lambda: FIRST_HALF in turn.out, what="the first half")
        relay.refuse()
        relay.cut()
        done = turn.wait()
        assert (done["state"], done["answer"], done["error"]["retryable"]) == ("failed", FIRST_HALF, True)
        gate.open()
        relay.accept()
        wait_until(lambda: unix_place.run("recover", turn.id).json["state"] == "complete")
        assert turn.result["answer"] == FIRST_HALF + SECOND_HALF


def test_an_ephemeral_turn_whose_connection_is_lost_is_over_and_is_ended_on_the_server(
    unix_place: TransportHome,
) -> None:
    sleep = ""
    with ExitStack() as stack:
        relay = serve_through(unix_place, stack, "relay")
        turn, sleep = start_sleeping(unix_place, "{nap}", "--ephemeral", "--server", relay.url)
        relay.cut()
        done = turn.wait()
        assert (done["state"], done["answer"]) == ("failed", FIRST_HALF)
        wait_until(lambda: not sleepers(sleep), what="the end of the command")


def test_a_server_that_never_says_a_word_ends_the_turn(unix_place: TransportHome) -> None:
    unix_place.model(script)
    with ExitStack() as stack:
        relay = serve_through(unix_place, stack, "relay")
        relay.be_silent()
        turn = start(unix_place, relay)
        done = turn.wait()
        assert (done["state"], done["error"]["kind"], done["error"]["retryable"]) == ("failed", "network", True)
        assert "does not answer" in done["error"]["message"]
