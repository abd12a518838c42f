"""Three scenarios of Pydantic AI, with each of its model classes for OpenAI."""

from __future__ import annotations

import os

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, ToolOutput
from pydantic_ai.models import Model
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider


class Weather(BaseModel):
    city: str
    degrees: int


@pytest.fixture(params=[OpenAIChatModel, OpenAIResponsesModel])
def model(request: pytest.FixtureRequest) -> Model:
    provider = OpenAIProvider(base_url=os.environ["GATEWAY_URL"] + "/v1", api_key="any")
    made: Model = request.param("gpt-6.1-sol", provider=provider)
    return made


def weather_of(city: str) -> str:
    """What the weather is."""
    return f"rain in {city}"


async def test_a_tool_loop_and_a_second_turn(model: Model) -> None:
    agent = Agent(model, instructions="Be terse.", tools=[weather_of])
    result = await agent.run("What is the weather in 'Oslo'?")
    assert result.output == "results: rain in Oslo"
    assert (result.usage.requests, result.usage.input_tokens, result.usage.cache_read_tokens) == (2, 200, 80)
    again = await agent.run("say thanks", message_history=result.all_messages())
    assert again.output == "thanks"


@pytest.mark.parametrize("way", [NativeOutput, ToolOutput])
async def test_a_structured_output(model: Model, way: type) -> None:
    agent = Agent(model, output_type=way(Weather))
    result = await agent.run("The weather in 'Oslo' at 12 degrees")
    assert result.output == Weather(city="Oslo", degrees=12)


async def test_a_stream_with_a_tool(model: Model) -> None:
    agent = Agent(model, tools=[weather_of])
    async with agent.run_stream("What is the weather in 'Oslo'?") as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert "".join(texts) == "results: rain in Oslo"
    assert len(texts) > 1
