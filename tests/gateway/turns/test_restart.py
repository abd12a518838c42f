"""Turns and the end of `serve`: they go on, and the next `serve` knows them."""

from __future__ import annotations

import json

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, say
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.serving import Serving
from tests.kit.turns_face import Sent, events_in


def test_a_turn_outlives_the_gateway_that_started_it_and_its_stream_is_resumed_by_the_next(one_home: Home) -> None:
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    first = Serving(one_home)
    turn_id = first.client.post("/turns", json={"prompt": "hi"}, headers={"Idempotency-Key": "k"}).json()["turn_id"]
    seen: list[Sent] = []
    with first.client.stream("GET", f"/turns/{turn_id}/events") as answer:
        for event in events_in(answer.iter_lines()):
            seen.append(event)
            if event.type == "delta" and event.data["params"]["delta"] == FIRST_HALF:
                first.process.terminate()
    assert first.process.wait(60) == 0
    assert seen[-1].type == "delta"  # cut, and nothing pretends that the turn has ended

    second = Serving(one_home, listen=f"127.0.0.1:{first.port}")  # which no worker holds open
    again = second.client.post("/turns", json={"prompt": "hi"}, headers={"Idempotency-Key": "k"})
    assert (again.status_code, again.json()["turn_id"], again.json()["state"]) == (200, turn_id, "running")
    headers = {"Last-Event-ID": seen[-1].id}
    with second.client.stream("GET", f"/turns/{turn_id}/events", headers=headers) as answer:
        gate.open()
        rest = list(events_in(answer.iter_lines()))
    deltas = [event.data["params"]["delta"] for event in seen + rest if event.type == "delta"]
    assert "".join(deltas) == FIRST_HALF + SECOND_HALF
    assert (rest[-1].type, rest[-1].data["state"]) == ("end", "complete")
    assert json.loads(one_home.call("status", turn_id).stdout)["state"] == "complete"
