"""The official client's own tests, from its source distribution, against the gateway."""

from __future__ import annotations

import pytest

from tests.judges.conftest import ChatsAlone, Judged, over_each
from tests.kit.judges import FOLDER, SUITES, SuiteOutcome, run_suite

MODEL = ChatsAlone
OTHER_LIBRARY = {"aiohttp": "the same client over another HTTP library, which is not installed"}
NOT_RUN = {
    "Completions and all_params": "log probabilities, which Codex has not, are a 400",
    "Completions and (retrieve or update or list or delete)": "no chat completion is stored: a 404",
    "Models and delete": "a model cannot be deleted: a 405",
    **OTHER_LIBRARY,
}
NOT_RUN_OF_RESPONSES = {
    "create_with_all_params": "conversations, which are not stored here, are a 400",
    "compact": "Codex compacts a thread without showing how: a 405",
    "loose": "the same requests, with less looked for in the answers",
    **OTHER_LIBRARY,
}
"""What is left out (in the words of pytest's `-k`), and why."""


def _run(judged: Judged, not_run: dict[str, str], *arguments: str) -> SuiteOutcome:
    wanted = " and ".join(f"not ({names})" for names in not_run)
    options = ("-o", "addopts=", "-o", "log_level=WARNING", "-k", wanted)
    env = {"TEST_API_BASE_URL": judged.url, "PYTHONPATH": str(SUITES)}
    return run_suite(judged.scratch, *options, *arguments, cwd=FOLDER / "sdist", **env)


@pytest.mark.judge
@over_each
def test_chat_and_models(judged: Judged) -> None:
    outcome = _run(
        judged, NOT_RUN, "tests/api_resources/chat/test_completions.py", "tests/api_resources/test_models.py"
    )
    assert outcome.skipped == {}
    assert "test_streaming_response_create_overload_2[strict]" in outcome.passed
    assert "test_method_retrieve[loose]" in outcome.passed


@pytest.mark.judge
@over_each
def test_responses(judged: Judged) -> None:
    outcome = _run(judged, NOT_RUN_OF_RESPONSES, "-p", "existing_responses", "tests/api_resources/test_responses.py")
    assert outcome.skipped == {}
    for name in ("create_overload_2", "retrieve_with_all_params_overload_2", "delete", "cancel"):
        assert f"test_method_{name}[strict]" in outcome.passed
