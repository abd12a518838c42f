"""Three scenarios of OpenAI's agents SDK, with each of its model classes."""

from __future__ import annotations

import os

import pytest
from agents import (
    Agent,
    Model,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from agents.result import RunResultBase
from openai import AsyncOpenAI
from pydantic import BaseModel

set_tracing_disabled(disabled=True)


class CityWeather(BaseModel):
    city: str
    degrees: int


@function_tool
def weather_of(city: str) -> str:
    """What the weather is."""
    return f"rain in {city}"


@pytest.fixture(params=[OpenAIChatCompletionsModel, OpenAIResponsesModel])
def model(request: pytest.FixtureRequest) -> Model:
    client = AsyncOpenAI(base_url=os.environ["GATEWAY_URL"] + "/v1", api_key="any", max_retries=0)
    made: Model = request.param(model="gpt-6.1-sol", openai_client=client)
    return made


def weather_agent(model: Model) -> Agent:
    settings = ModelSettings(include_usage=True)  # asked for by itself of the official address alone
    return Agent(name="forecaster", instructions="Be terse.", model=model, model_settings=settings, tools=[weather_of])


def check_usage(result: RunResultBase, *, n_requests: int) -> None:
    usage = result.context_wrapper.usage
    assert (usage.requests, usage.total_tokens) == (n_requests, 120 * n_requests)
    assert usage.input_tokens_details.cached_tokens == 40 * n_requests


async def test_a_tool_loop_and_a_second_turn(model: Model) -> None:
    agent = weather_agent(model)
    result = await Runner.run(agent, "What is the weather in 'Oslo'?")
    assert result.final_output == "results: rain in Oslo"
    check_usage(result, n_requests=2)
    again = await Runner.run(agent, [*result.to_input_list(), {"role": "user", "content": "say thanks"}])
    assert again.final_output == "thanks"


async def test_a_structured_output(model: Model) -> None:
    agent = Agent(name="forecaster", model=model, output_type=CityWeather)
    result = await Runner.run(agent, "The weather in 'Oslo' at 12 degrees")
    assert result.final_output == CityWeather(city="Oslo", degrees=12)


async def test_a_stream_with_a_tool(model: Model) -> None:
    result = Runner.run_streamed(weather_agent(model), "What is the weather in 'Oslo'?")
    events = [event async for event in result.stream_events()]
    named = [event.name for event in events if event.type == "run_item_stream_event"]
    deltas = [each.data.delta for each in events if getattr(each, "data", None) and _is_text(each.data.type)]
    assert [name for name in named if name != "reasoning_item_created"] == [
        "tool_called",
        "tool_output",
        "message_output_created",
    ]
    assert "".join(deltas) == "results: rain in Oslo"
    assert len(deltas) > 1
    check_usage(result, n_requests=2)


def _is_text(kind: str) -> bool:
    return kind == "response.output_text.delta"
