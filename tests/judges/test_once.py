"""One scenario of each suite of others, for the run that guards the main branch; `--judges` runs them whole."""

from __future__ import annotations

import pytest

from tests.judges.conftest import Judged, over_one
from tests.kit.judges import FOLDER, run_suite
from tests.kit.willing_model import WillingModel

MODEL = WillingModel

_SDK_TEST = "tests/api_resources/chat/test_completions.py::TestCompletions::test_streaming_response_create_overload_2"
_OURS = (
    "langchain.py::TestResponsesApi::test_agent_loop",
    "openai_agents.py::test_a_stream_with_a_tool",
    "pydantic_agents.py::test_a_stream_with_a_tool",
)


@pytest.mark.full
@over_one
def test_a_stream_of_the_official_client_and_a_tool_loop_of_each_framework(judged: Judged) -> None:
    sdist = run_suite(judged.scratch, "-o", "addopts=", _SDK_TEST, cwd=FOLDER / "sdist", TEST_API_BASE_URL=judged.url)
    assert sdist.n_passed == 2
    frameworks = run_suite(judged.scratch, *_OURS, GATEWAY_URL=judged.url)
    assert frameworks.n_passed == 6
