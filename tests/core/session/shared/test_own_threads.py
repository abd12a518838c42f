"""Of all that a shared app-server sends, a turn takes what is about it."""

from __future__ import annotations

import json

from codex_server_cli.core.session.shared.own_threads import OwnThreads
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    SHARED,
    THREAD,
    Dialogue,
    Json,
    item_notification,
    notification,
    said,
)

OTHER = "another-thread"
FOREIGN: list[Json] = [
    {"method": "thread/started", "params": {"thread": {"id": OTHER, "parentThreadId": None}}},
    {"method": "thread/status/changed", "params": {"threadId": OTHER, "status": {"type": "active"}}},
    {"method": "turn/completed", "params": {"threadId": OTHER, "turn": {"id": "x", "status": "completed"}}},
    {"method": "account/updated", "params": {}},
    {"method": "remoteControl/status/changed", "params": {"status": "disabled"}},
    {"method": "configWarning", "params": {"summary": "x"}},
    {"method": "thread/closed", "params": {"threadId": 7}},
    {"method": "item/commandExecution/requestApproval", "id": 9, "params": {"threadId": OTHER}},
    {"method": "account/chatgptAuthTokens/refresh", "id": 10, "params": {}},
]


def _recorded(talk: Dialogue) -> list[str]:
    return [json.loads(line).get("method") for line in talk.events.splitlines()]


@for_each("message", FOREIGN)
def test_what_is_about_others_is_neither_recorded_nor_answered(message: Json) -> None:
    talk = Dialogue(server=SHARED).started()
    before, sent = talk.events, len(talk.sent)
    talk.receive(message)
    assert talk.events == before
    assert len(talk.sent) == sent


def test_it_is_no_sign_of_life_either() -> None:
    talk = Dialogue(server=SHARED).started()
    for _ in range(15):
        talk.advance(60_000).receive(FOREIGN[1])
    assert talk.requests("thread/turns/list")


def test_before_our_thread_is_known_no_thread_is_recorded() -> None:
    talk = Dialogue(server=SHARED).reply("initialize").checked()
    talk.receive({"method": "thread/status/changed", "params": {"threadId": THREAD, "status": {"type": "active"}}})
    assert "thread/status/changed" not in _recorded(talk)
    talk.reply("thread/start", {"thread": {"id": THREAD}})
    assert talk.requests("turn/start")


def test_our_own_messages_and_the_limits_of_the_account_are_taken() -> None:
    limits = {"method": "account/rateLimits/updated", "params": {"rateLimits": {"primary": {"usedPercent": 1}}}}
    talk = Dialogue(server=SHARED).started().receive(limits, *said("Hello"), b"no message\n")
    assert talk.text == "Hello\n"
    assert talk.session.record.limits == {"primary": {"usedPercent": 1}}
    assert b"invalid" in talk.events


def test_on_a_server_of_its_own_a_turn_takes_everything() -> None:
    talk = Dialogue().started().receive(*FOREIGN[:2])
    assert _recorded(talk)[-2:] == ["thread/started", "thread/status/changed"]


@for_each(
    "told",
    [
        {"method": "thread/started", "params": {"thread": {"id": OTHER, "parentThreadId": THREAD}}},
        item_notification("item/started", "collabAgentToolCall", receiverThreadIds=[OTHER, 7]),
        item_notification("item/completed", "subAgentActivity", agentThreadId=OTHER),
        {"id": 99, "result": {"initialTurnsPage": {"data": [{"items": [{"agentThreadId": OTHER}]}]}}},
    ],
)
def test_the_threads_of_our_agents_are_ours_too_and_so_are_theirs(told: Json) -> None:
    own = OwnThreads()
    theirs = {"method": "turn/diff/updated", "params": {"threadId": OTHER, "turnId": "x", "diff": ""}}
    assert not own.has(theirs, THREAD)
    assert own.has(told, THREAD)
    assert own.has(theirs, THREAD)
    grandchild = {"method": "thread/started", "params": {"thread": {"id": "deep", "parentThreadId": OTHER}}}
    assert own.has(grandchild, THREAD)
    assert own.has(notification("item/started", threadId="deep"), THREAD)


def test_a_patch_of_an_agent_counts_among_the_changes() -> None:
    patch = {"type": "fileChange", "id": "p", "status": "completed", "changes": [{"path": "/project/f", "kind": {}}]}
    talk = Dialogue(server=SHARED, sandbox="workspace-write").started()
    talk.receive(item_notification("item/started", "collabAgentToolCall", receiverThreadIds=[OTHER]))
    talk.receive({"method": "item/completed", "params": {"threadId": OTHER, "turnId": "x", "item": patch}})
    assert "/project/f" in talk.session.record.changes.paths


def test_a_client_of_a_shared_server_opts_out_of_what_it_never_uses() -> None:
    wanted = {"experimentalApi": True}
    assert Dialogue().requests("initialize")[0]["capabilities"] == wanted
    assert Dialogue(server=SHARED).requests("initialize")[0]["capabilities"] == wanted | {
        "optOutNotificationMethods": ["thread/readState/changed", "thread/goal/cleared"]
    }


def test_the_prompt_has_an_id_of_ours_on_a_shared_server_alone() -> None:
    assert "clientUserMessageId" not in Dialogue().opened().requests("turn/start")[0]
    talk = Dialogue(server=SHARED).opened()
    assert talk.requests("turn/start")[0]["clientUserMessageId"] == talk.session._request.turn_id
