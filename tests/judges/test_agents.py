"""Three scenarios of OpenAI's agents SDK, and of Pydantic AI, against the gateway."""

from __future__ import annotations

import pytest

from tests.judges.conftest import Judged, over_each
from tests.kit.judges import run_suite
from tests.kit.willing_model import WillingModel

MODEL = WillingModel


@pytest.mark.judge
@over_each
def test_over_the_chat_api_and_over_responses(judged: Judged) -> None:
    outcome = run_suite(judged.scratch, "openai_agents.py", "pydantic_agents.py", GATEWAY_URL=judged.url)
    assert outcome.n_passed == 6 + 8
