"""LangChain's standard tests of a chat model, with its own client, against the gateway."""

from __future__ import annotations

import pytest

from tests.judges.conftest import Judged, over_each
from tests.kit.judges import run_suite
from tests.kit.willing_model import WillingModel

MODEL = WillingModel

NOT_RUN = {
    "test_pdf_inputs": "a model behind Codex takes text and pictures",
    "test_pdf_tool_message": "likewise, in the result of a tool",
    "test_audio_inputs": "likewise",
    "test_anthropic_inputs": "the content of another service",
    "test_stream_time": "measures nothing here: it replays a recorded answer of a service",
}
"""What skips itself for a model that says so, and why it does."""


@pytest.mark.judge
@over_each
def test_over_the_chat_api_and_over_responses(judged: Judged) -> None:
    outcome = run_suite(judged.scratch, "langchain.py", GATEWAY_URL=judged.url)
    assert {name.partition("[")[0] for name in outcome.skipped} == set(NOT_RUN)
    assert outcome.n_passed >= 80
