"""Responses in the background over the installed command, a real codex and the official client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import openai
import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, incomplete, reason, reply, run_command, say
from codex_server_cli.demo.request import Request
from tests.core.openai.bodies import PNG
from tests.gateway.background.conftest import official
from tests.gateway.background.test_reading import text_of, until
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.serving import Serving
from tests.kit.support import Json, make_repository, wait_until

LOOKING = "I look."
WHOLE = LOOKING + FIRST_HALF + SECOND_HALF
SCHEMA: Json = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


class Script:
    """What the model does: by the newest prompt."""

    def __init__(self) -> None:
        self.gate = Gate()
        self.has_run = False

    def __call__(self, request: Request) -> Any:
        prompt = request.prompt
        if prompt.startswith("slow"):
            if not self.has_run:
                self.has_run = True
                return reply(reason("First I think."), say(LOOKING, phase="commentary"), run_command("true"))
            return reply(say(FIRST_HALF, hold(self.gate), SECOND_HALF))
        if prompt.startswith("where"):
            return reply(say('{"city": "Oslo"}'))
        if prompt.startswith("long"):
            return reply(say("Half of it"), incomplete("max_output_tokens"))
        return reply(say(f"echo: {prompt}"))


def said_to(request: Request, role: str) -> list[str]:
    """The texts of the messages of one role."""
    items = [item for item in request.body["input"] if item.get("role") == role]
    return [part["text"] for item in items for part in item["content"] if "text" in part]


@pytest.fixture
def clients() -> Iterator[list[Any]]:
    """Clients that are closed afterwards."""
    opened: list[Any] = []
    yield opened
    for each in opened:
        each.close()


def opened(address: str) -> Any:
    """The official client, whose many types say nothing here."""
    return official(address)


def ended(client: Any, id_: str) -> Any:
    """A response, once it has ended, as a client that polls finds out."""

    def look() -> Any:
        response = client.responses.retrieve(id_)
        return response if response.status not in ("queued", "in_progress") else None

    return wait_until(look, what=f"the end of {id_}")


@pytest.mark.measured
def test_a_response_outlives_its_client_and_the_gateway_and_its_conversation_goes_on(
    home: Home, clients: list[Any]
) -> None:
    script = Script()
    model = home.model(script)
    first = Serving(home)
    clients.append(client := opened(first.address))
    asked: dict[str, Any] = {
        "input": [
            {
                "role": "user",
                "content": [{"type": "input_text", "text": "slow"}, {"type": "input_image", "image_url": PNG}],
            }
        ],
        "instructions": "Be brief.",
        "metadata": {"about": "a test"},
        "background": True,
    }
    keyed, keyed_2 = ({"extra_headers": {"Idempotency-Key": key}} for key in ("k", "k 2"))
    begun = client.responses.create(**asked, **keyed)
    assert begun.status in ("queued", "in_progress")
    assert (begun.background, begun.metadata, begun.instructions) == (True, {"about": "a test"}, "Be brief.")
    assert client.responses.create(**asked, **keyed).id == begun.id
    stream = client.responses.retrieve(begun.id, stream=True)
    seen = until(stream, LOOKING + FIRST_HALF)
    first.process.terminate()
    with pytest.raises(openai.APIError):
        list(stream)
    assert first.process.wait(60) == 0

    second = Serving(home)
    clients.append(client := opened(second.address))
    turn_id = begun.id.removeprefix("resp_")
    assert json.loads(home.call("status", turn_id).stdout)["state"] == "running"
    stream = client.responses.retrieve(begun.id, stream=True, starting_after=seen[-1].sequence_number)
    script.gate.open()
    rest = list(stream)
    assert text_of([*seen, *rest]) == WHOLE
    assert rest[-1].type == "response.completed"
    whole = client.responses.retrieve(begun.id)
    assert whole == rest[-1].response
    assert (whole.status, whole.output_text, whole.metadata) == ("completed", WHOLE, {"about": "a test"})
    assert [item.type for item in whole.output] == ["reasoning", "message", "message"]
    assert whole.usage is not None
    assert whole.usage.total_tokens > 0
    status = json.loads(home.call("status", turn_id, "--full").stdout)
    assert (status["state"], status["sandbox"], status["approval"]) == ("complete", "read-only", "never")
    assert "Be brief." in said_to(model.model_requests[0], "developer")
    user, image = client.responses.input_items.list(begun.id).data[0], PNG
    assert user.type == "message"
    assert [getattr(part, "image_url", None) for part in user.content] == [None, image]
    older = list(client.responses.retrieve(begun.id, stream=True, starting_after=seen[7].sequence_number))
    assert text_of([*seen[:8], *older]) == WHOLE

    # Its conversation goes on, on its thread.
    asked = {"input": "and now", "previous_response_id": begun.id, "background": True}
    stream = client.responses.create(**asked, stream=True, **keyed_2)
    events = [next(stream)]
    stream.close()  # a client that leaves ends nothing
    assert events[0].type == "response.created"
    next_ = ended(client, events[0].response.id)
    assert (next_.output_text, next_.previous_response_id) == ("echo: and now", begun.id)
    assert next_.model_extra["x_codex"]["thread_id"] == whole.model_extra["x_codex"]["thread_id"]
    assert client.responses.create(**asked, **keyed_2).id == next_.id  # though the thread is longer by now
    said = said_to(model.model_requests[-1], "user")
    assert (said[-1], "slow" in said) == ("and now", True)
    assert "Be brief." in said_to(model.model_requests[-1], "developer")

    # From an earlier place a copy of it goes on.
    other = client.responses.create(
        input="or now", previous_response_id=begun.id, background=True, instructions="Be brief."
    )
    other = ended(client, other.id)
    assert other.output_text == "echo: or now"
    assert "and now" not in said_to(model.model_requests[-1], "user")
    assert other.model_extra["x_codex"]["thread_id"] != whole.model_extra["x_codex"]["thread_id"]

    # A response that is answered at once goes on from it, too; but none in the background from one of those.
    at_once = client.responses.create(input="at once", previous_response_id=next_.id)
    assert at_once.output_text == "echo: at once"
    assert said_to(model.model_requests[-1], "user") == ["slow", "and now", "at once"]
    assert WHOLE.endswith(said_to(model.model_requests[-1], "assistant")[1])
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(input="hi", previous_response_id=at_once.id, background=True)
    assert caught.value.param == "previous_response_id"

    # What was deleted is no part of it any more.
    client.responses.delete(next_.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(next_.id)
    ended(client, client.responses.create(input="once more", previous_response_id=begun.id, background=True).id)
    said = said_to(model.model_requests[-1], "user")
    assert (said[-1], "slow" in said, "and now" in said) == ("once more", True, False)

    # Several go on from one at once: one of them on its thread.
    with ThreadPoolExecutor(3) as pool:
        ask = partial(client.responses.create, previous_response_id=other.id, background=True)
        several = [pool.submit(ask, input=f"way {n}") for n in range(3)]
    ways = [ended(client, each.result().id) for each in several]
    assert [way.output_text for way in ways] == [f"echo: way {n}" for n in range(3)]
    threads = [way.model_extra["x_codex"]["thread_id"] for way in ways]
    assert (len({*threads}), other.model_extra["x_codex"]["thread_id"] in threads) == (3, True)
    assert not any({"way 0", "way 1", "way 2"} < {*said_to(each, "user")} for each in model.model_requests)


def test_what_a_response_may_do_is_what_serve_was_started_with_and_how_it_ends_is_its_status(
    home: Home, clients: list[Any]
) -> None:
    script = Script()
    model = home.model(script)
    clients.append(client := opened(Serving(home, "--write").address))
    schema = {"type": "json_schema", "name": "place", "schema": SCHEMA, "strict": True}
    with pytest.raises(openai.BadRequestError, match="git"):  # where it may write it has to be told apart
        client.responses.create(input="where", background=True)
    make_repository(home.project)
    where = client.responses.create(
        input="where", background=True, text={"format": schema}, reasoning={"effort": "high"}, temperature=0.5
    )
    where = ended(client, where.id)
    assert json.loads(where.output_text) == {"city": "Oslo"}
    assert where.text.format.name == "place"
    assert model.model_requests[-1].body["reasoning"]["effort"] == "high"
    status = json.loads(home.call("status", where.id.removeprefix("resp_"), "--full").stdout)
    assert status["sandbox"] == "workspace-write"

    long = client.responses.create(input="long", background=True, stream=True)
    last = list(long)[-1]
    assert (last.type, last.response.status) == ("response.incomplete", "incomplete")
    assert last.response.incomplete_details.reason == "max_output_tokens"

    slow = client.responses.create(input="slow", background=True)
    until(client.responses.retrieve(slow.id, stream=True), LOOKING + FIRST_HALF)
    with pytest.raises(openai.ConflictError):
        client.responses.delete(slow.id)
    assert client.responses.cancel(slow.id).status == "cancelled"
    assert client.responses.cancel(slow.id).output_text == LOOKING + FIRST_HALF
    assert json.loads(home.call("status", slow.id.removeprefix("resp_")).stdout)["state"] == "cancelled"
    answer = client.responses.with_raw_response.create(input="hi", background=True, temperature=0.5)
    assert answer.headers["x-codex-ignored"] == "temperature"
    ended(client, answer.parse().id)


@pytest.mark.full
@pytest.mark.measured
def test_instructions_come_as_they_are_and_what_codex_does_not_take_starts_nothing(
    one_home: Home, clients: list[Any]
) -> None:
    model = one_home.model(Script())
    clients.append(client := opened(Serving(one_home).address))
    odd = "\"Say\" 'it'\n\tin C:\\dir = {1} # 😀 \0\x7f\x01 é\u2028"
    response = ended(client, client.responses.create(input="hi", background=True, instructions=odd).id)
    assert (response.instructions, response.output_text) == (odd, "echo: hi")
    assert odd in said_to(model.model_requests[-1], "developer")
    n_turns = len(one_home.turn_ids)
    for wrong in ({"input": "a\0b"}, {"input": "x" * 1_048_577}):
        with pytest.raises(openai.BadRequestError):
            client.responses.create(**wrong, background=True)
    assert len(one_home.turn_ids) == n_turns
