"""One scenario of each suite of others, for the run that guards the main branch; `--judges` runs them whole."""

from __future__ import annotations

import pytest

from tests.judges.conftest import Judged, over_one
from tests.kit.judges import FOLDER, run_suite
from tests.kit.willing_model import WillingModel

MODEL = WillingModel
pytestmark = [pytest.mark.full, over_one]


def test_the_official_clients_own_tests_of_a_stream(judged: Judged) -> None:
    test = "tests/api_resources/chat/test_completions.py::TestCompletions::test_streaming_response_create_overload_2"
    outcome = run_suite(judged.scratch, "-o", "addopts=", test, cwd=FOLDER / "sdist", TEST_API_BASE_URL=judged.url)
    assert len(outcome.passed) == 2


def test_a_tool_loop_of_langchain_and_of_the_agents_sdk(judged: Judged) -> None:
    tests = ["langchain.py::TestChatApi::test_agent_loop", "openai_agents.py::test_a_stream_with_a_tool"]
    outcome = run_suite(judged.scratch, *tests, "-k", "ChatApi or ChatCompletions", GATEWAY_URL=judged.url)
    assert len(outcome.passed) == 3
