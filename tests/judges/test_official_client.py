"""One user's day with the official client: every face of the gateway, one after the other, on one `serve`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.responses import Response
from pydantic import BaseModel

from tests.judges.conftest import ChatsAlone, Judged, over_each
from tests.kit.support import DEADLINE_S, wait_until

MODEL = ChatsAlone
GPT = "gpt-6.1-sol"
WEATHER: Any = {"name": "weather_of", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}

pytestmark = [pytest.mark.judge, over_each]


class WeatherReport(BaseModel):
    city: str
    degrees: int


@pytest.fixture
def client(judged: Judged) -> Iterator[openai.OpenAI]:
    """As strict as it can be."""
    url = f"{judged.url}/v1"
    with openai.OpenAI(base_url=url, api_key="any", timeout=DEADLINE_S, _strict_response_validation=True) as client:
        yield client


def test_a_chat_that_streams_calls_a_tool_and_goes_on(client: openai.OpenAI, judged: Judged) -> None:
    messages: list[Any] = [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "weather in 'Oslo'?"},
    ]
    asked: dict[str, Any] = {"model": GPT, "tools": [{"type": "function", "function": WEATHER}]}
    with client.chat.completions.stream(**asked, messages=messages) as stream:
        answer = stream.get_final_completion().choices[0]
    assert answer.message.tool_calls is not None
    (call,) = answer.message.tool_calls
    assert (answer.finish_reason, call.function.arguments) == ("tool_calls", '{"city": "Oslo"}')
    messages += [
        {"role": "assistant", "tool_calls": [{**call.model_dump(exclude={"function": {"parsed_arguments"}})}]},
        {"role": "tool", "tool_call_id": call.id, "content": "rain"},
    ]
    said = client.chat.completions.create(**asked, messages=messages).choices[0].message.content
    assert said == "results: rain"
    assert len({each["prompt_cache_key"] for each in judged.model.seen}) == 1


def test_the_same_by_responses_with_a_parsed_end(client: openai.OpenAI, judged: Judged) -> None:
    asked: dict[str, Any] = {"model": GPT, "instructions": "Be terse.", "tools": [{"type": "function", **WEATHER}]}
    first = client.responses.create(**asked, input="weather in 'Oslo'?")
    (call,) = [each for each in first.output if each.type == "function_call"]
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "rain"}
    second = client.responses.create(**asked, input=[output], previous_response_id=first.id)
    assert second.output_text == "results: rain"
    assert len({each["prompt_cache_key"] for each in judged.model.seen}) == 1
    parsed = client.responses.parse(model=GPT, input="'Oslo' at 12 degrees", text_format=WeatherReport)
    assert parsed.output_parsed == WeatherReport(city="Oslo", degrees=12)


def test_work_in_the_background_is_looked_after_streamed_continued_and_cancelled(
    client: openai.OpenAI, judged: Judged
) -> None:
    def ended(response: Response) -> Response | None:
        found = client.responses.retrieve(response.id)
        return found if found.status not in ("queued", "in_progress") else None

    begun = client.responses.create(model=GPT, input="say hello in the background", background=True)
    done = wait_until(lambda: ended(begun), what="the response")
    assert done is not None
    assert (done.status, done.output_text) == ("completed", "hello in the background")
    events = list(client.responses.retrieve(begun.id, stream=True, starting_after=0))
    assert events[-1].type == "response.completed"
    judged.model.close_gate()
    held = client.responses.create(
        model=GPT, input="hold in the background", background=True, previous_response_id=begun.id
    )
    with client.responses.retrieve(held.id, stream=True) as stream:
        assert next(event.delta for event in stream if event.type == "response.output_text.delta") == "begin"
    client.responses.cancel(held.id)
    cancelled = wait_until(lambda: ended(held), what="its end")
    assert cancelled is not None
    assert cancelled.status == "cancelled"
    client.responses.delete(held.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(held.id)
