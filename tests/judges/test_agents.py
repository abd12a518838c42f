"""Three scenarios of OpenAI's agents SDK, and of Pydantic AI, against the gateway."""

from __future__ import annotations

import pytest

from tests.judges.conftest import Judged, over_each
from tests.kit.judges import run_suite
from tests.kit.willing_model import WillingModel

MODEL = WillingModel


@pytest.mark.judge
@over_each
def test_over_the_chat_api(judged: Judged) -> None:
    suites = ("openai_agents.py", "pydantic_agents.py")
    outcome = run_suite(judged.scratch, *suites, "-k", "not Responses", GATEWAY_URL=judged.url)
    assert len(outcome.passed) == 7
