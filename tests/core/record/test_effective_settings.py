"""What Codex announced, compared with the request."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import Approval
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.effective_settings import differences, effective_terms
from codex_server_cli.core.record.replay import replay
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import COMPLETED, STARTED, Dialogue, Json, notification, said

OPENED = {
    "model": "gpt",
    "modelProvider": "openai",
    "sandbox": {"type": "readOnly", "networkAccess": False},
    "approvalPolicy": "never",
    "approvalsReviewer": "user",
    "reasoningEffort": "low",
}


def settings_notification(**settings: Any) -> Json:
    """`thread/settings/updated`."""
    return notification("thread/settings/updated", threadSettings=settings)


def test_the_terms_are_those_of_the_thread_until_the_turn_has_others() -> None:
    opened = {
        "sandbox_policy": {"type": "readOnly", "networkAccess": False},
        "approval_policy": "never",
        "approvals_reviewer": "user",
        "model": "gpt",
        "model_provider": "openai",
        "effort": "low",
    }
    assert effective_terms(OPENED) == opened
    updated = {**OPENED, "sandboxPolicy": {"type": "dangerFullAccess"}, "effort": None}
    assert effective_terms(updated) == {**opened, "sandbox_policy": {"type": "dangerFullAccess"}, "effort": None}
    assert set(effective_terms({}).values()) == {None}


@for_each(
    ("asked", "expected"),
    [
        ({}, []),
        ({"model": "gpt", "effort": "low", "approvalPolicy": "never"}, []),
        ({"model": "other"}, ["Codex runs this turn with model gpt, not other as asked"]),
        ({"effort": "high"}, ["Codex runs this turn with effort low, not high as asked"]),
        ({"config": {"model_reasoning_effort": "high"}}, ["Codex runs this turn with effort low, not high as asked"]),
        ({"config": {"model_provider": "x"}}, ["Codex runs this turn with model provider openai, not x as asked"]),
        ({"config": {"model_provider": 5}}, []),
        ({"config": None}, []),
        (
            {"approvalPolicy": "on-request"},
            ["Codex runs this turn with approval policy never, not on-request as asked"],
        ),
    ],
    ids=str,
)
def test_what_is_otherwise_than_asked_is_told(asked: Json, expected: list[str]) -> None:
    assert differences(asked, OPENED) == expected
    assert differences(asked, {}) == []


def test_a_policy_that_asks_more_often_than_wanted_is_nothing_to_tell() -> None:
    assert differences({"approvalPolicy": "never"}, {**OPENED, "approvalPolicy": "on-request"}) == []


def test_another_model_than_asked_is_told_once_in_the_text_live_and_replayed() -> None:
    account = {"account": {"type": "chatgpt"}, "requiresOpenaiAuth": True}
    talk = Dialogue(model="wanted", effort="high").replied(account=account, **OPENED)
    talk.receive(
        settings_notification(effort="high"), STARTED, *said("Hello"), settings_notification(effort="low"), COMPLETED
    )
    assert talk.text == "[Codex runs this turn with model gpt, not wanted as asked]\n\nHello\n"
    assert replay(talk.events)[1] == talk.text
    assert talk.outcome.state is State.COMPLETE


@for_each(
    ("approval", "settings", "is_wider"),
    [
        (Approval.NEVER, {"approvalPolicy": "never", "approvalsReviewer": "auto_review"}, False),
        (Approval.NEVER, {"approvalPolicy": "on-request", "approvalsReviewer": "user"}, False),
        (Approval.NEVER, {"approvalPolicy": "on-request", "approvalsReviewer": "auto_review"}, True),
        (Approval.ASK, {"approvalPolicy": "on-request", "approvalsReviewer": "guardian_subagent"}, True),
        (Approval.ASK, {"approvalPolicy": "on-request"}, False),
        (Approval.AUTO, {"approvalPolicy": "on-request", "approvalsReviewer": "auto_review"}, False),
    ],
    ids=str,
)
def test_a_reviewer_in_a_persons_stead_ends_the_turn(approval: Approval, settings: Json, is_wider: bool) -> None:
    talk = Dialogue(approval=approval).started()
    talk.receive(settings_notification(**settings))
    assert (len(talk.requests("turn/interrupt")) == 1) is is_wider
    if is_wider:
        talk.advance(60_000)
        assert talk.kind is ErrorKind.SANDBOX
