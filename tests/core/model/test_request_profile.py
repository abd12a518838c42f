"""A Codex profile in a turn's request, and what overrides it."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import TurnRequest
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
_PROFILE = {"model": "p", "model_reasoning_effort": "low", "features": {"x": 1, "y": 2}}


@for_each(
    ("asked", "model", "effort", "features"),
    [
        ({}, "p", "low", {"x": 1, "y": 2}),
        ({"config": {"model": "c", "features.x": 3}}, "c", "low", {"x": 3, "y": 2}),
        ({"config": {"model": "c"}, "model": "m", "effort": "high"}, "m", "high", {"x": 1, "y": 2}),
        ({"may_ask_questions": True}, "p", "low", {"x": 1, "y": 2, "default_mode_request_user_input": True}),
    ],
    ids=str,
)
def test_overrides_win_over_the_profile_and_flags_over_both(
    asked: dict[str, Any], model: str, effort: str, features: dict[str, Any]
) -> None:
    request = TurnRequest(TURN_ID, "/project", profile="quick", profile_config=_PROFILE, **asked)
    _, thread = request.open_thread()
    _, turn = request.open_turn("t", "hello")
    assert (thread["model"], thread["config"]["features"]) == (model, features)
    assert (turn["model"], turn["effort"]) == (model, effort)


def test_a_thread_that_goes_on_is_given_the_profiles_model_too() -> None:
    _, thread = TurnRequest(
        TURN_ID, "/project", profile="quick", profile_config=_PROFILE, thread_id="thread-1"
    ).open_thread()
    assert thread["model"] == "p"
