"""The official client's own tests, from its source distribution, against the gateway."""

from __future__ import annotations

import pytest

from tests.judges.conftest import Judged, over_each
from tests.kit.judges import FOLDER, run_suite

NOT_RUN = {
    "aiohttp": "the same client over another HTTP library, which is not installed",
    "Completions and all_params": "log probabilities, which Codex has not, are a 400",
    "Completions and (retrieve or update or list or delete)": "no chat completion is stored: a 404",
    "Models and delete": "a model cannot be deleted: a 405",
}
"""What is left out (in the words of pytest's `-k`), and why."""


@pytest.mark.judge
@over_each
def test_chat_and_models(judged: Judged) -> None:
    files = [f"tests/api_resources/{name}.py" for name in ("chat/test_completions", "test_models")]
    wanted = " and ".join(f"not ({names})" for names in NOT_RUN)
    outcome = run_suite(
        judged.scratch, "-o", "addopts=", "-k", wanted, *files, cwd=FOLDER / "sdist", TEST_API_BASE_URL=judged.url
    )
    assert outcome.skipped == {}
    assert "test_streaming_response_create_overload_2[strict]" in outcome.passed
    assert "test_method_retrieve[loose]" in outcome.passed
