"""What a real shared app-server sent, recorded, gives the right turn: over two connections, beside others, draining."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.replay import replay
from tests.kit.cases import for_each
from tests.kit.dialogue import SHARED, Dialogue, Json

CAPTURES = Path(__file__).parents[3] / "fixtures" / "captures-transport"
CLEAN, LEAVE = "thread/backgroundTerminals/clean", "thread/unsubscribe"
BOTH = ["reattach_mid_stream-0.171.0", "reattach_mid_stream-0.163.0"]


class Recording:
    """The messages of one capture."""

    def __init__(self, name: str) -> None:
        lines = (CAPTURES / f"{name}.jsonl").read_text().splitlines()
        self._lines: list[Json] = [json.loads(line) for line in lines if isinstance(json.loads(line)["msg"], dict)]

    def received_by(self, client: str) -> list[tuple[str | None, Json]]:
        """What a client received: the method that a reply answers, and the message."""
        asked = {self._key(line): line["msg"].get("method") for line in self._lines if line["dir"] == "c2s"}
        mine = [line for line in self._lines if line["dir"] == "s2c" and line["c"] == client]
        return [(None if "method" in line["msg"] else asked[self._key(line)], line["msg"]) for line in mine]

    @staticmethod
    def _key(line: Json) -> tuple[str, Any]:
        return line["c"], line["msg"].get("id")


def play(talk: Dialogue, received: list[tuple[str | None, Json]]) -> Dialogue:
    """Let a session receive it, each reply as that to its own request; what it never asked is left out."""
    for method, message in received:
        if method is None:
            talk.receive(message)
        elif method not in ("initialize", "thread/turns/list"):
            talk.reply(method, message.get("result"), message.get("error"))
    return talk


def begun(**request: Any) -> Dialogue:
    request = {"sandbox": Sandbox.DANGER_FULL_ACCESS, **request}
    return Dialogue(server=SHARED, **request).reply("initialize").checked(config={"model_provider": "scripted"})


@for_each("name", BOTH)
def test_a_turn_that_was_taken_up_in_the_middle_of_its_answer_is_whole(name: str) -> None:
    recording = Recording(name)
    talk = play(begun(), recording.received_by("A"))
    known = talk.session.record.partial_answer or ""
    assert 0 < len(known) < 300
    talk = play(talk.lose().reconnected(), recording.received_by("B"))
    assert talk.outcome_after(CLEAN, LEAVE).answer == "".join(f"[{n}]" for n in range(200))
    assert talk.outcome.state is State.COMPLETE
    assert talk.outcome.usage == {
        **{"input_tokens": 20, "cached_input_tokens": 4, "output_tokens": 10, "reasoning_output_tokens": 2},
        "total_tokens": 30,
    }
    record, text = replay(talk.events)
    assert text == talk.text
    assert (record.answer, record.usage) == (talk.outcome.answer, talk.outcome.usage)
    assert re.sub(r"^!.*\n\n", "", text) == (
        f"$ echo one; sleep .1; echo two\none\ntwo\n→ exit 0 · 0.0 s\n\n{talk.outcome.answer}\n"
    )


def test_a_request_that_another_client_answers_waits_no_longer() -> None:
    recording = Recording("two_clients_approval-0.171.0").received_by("A")
    place = next(n for n, (_, message) in enumerate(recording) if "requestApproval" in message.get("method", ""))
    talk = play(begun(approval=Approval.ASK), recording[: place + 1])
    assert [request.id for request in talk.session.approvals.pending] == ["0"]
    talk = play(talk, recording[place + 1 :])
    assert talk.session.approvals.pending == ()
    assert talk.outcome_after(CLEAN, LEAVE).state is State.COMPLETE


def test_a_draining_server_takes_no_turn_and_ends_those_that_run() -> None:
    recording = Recording("drain_after_sigterm-0.171.0")
    refusal = next(message["error"] for method, message in recording.received_by("B") if method == "thread/resume")
    pages = [message["result"] for method, message in recording.received_by("B") if method == "thread/turns/list"]
    running = recording.received_by("A")
    place = [method for method, _ in running].index("turn/start")
    talk = (
        play(begun(sandbox=Sandbox.READ_ONLY), running[: place + 4])
        .lose()
        .reconnected()
        .reply("thread/resume", error=refusal)
    )
    talk.reply("thread/turns/list", pages[0])
    assert not talk.session.is_closing
    ended = {**pages[0]["data"][0], "status": "completed"}
    talk.advance(500).reply("thread/turns/list", {"data": [ended]})
    assert talk.outcome_after(CLEAN, LEAVE).state is State.COMPLETE
    refused = begun().reply("thread/start", error=refusal)
    assert (refused.has_ended, len(refused.server_starts)) == (False, 1)
    assert len(refused.reconnected().server_starts) == 2
