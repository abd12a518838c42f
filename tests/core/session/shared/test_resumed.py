"""A thread that another client has is not used: what we resume it with is ignored then, without a word."""

from __future__ import annotations

from codex_server_cli.core.session.shared.resumed import why_busy
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import READ_ONLY, SHARED, THREAD, Dialogue, Json

ASKED = {"cwd": "/home/me/project/", "approvalPolicy": "never", "approvalsReviewer": "user", "model": "gpt"}
REPLY = {
    "thread": {"id": THREAD, "status": {"type": "idle"}},
    **{"cwd": "/data/project", "approvalPolicy": "never", "approvalsReviewer": "user", "model": "gpt"},
    "sandbox": READ_ONLY,
}


@for_each(
    "reply",
    [
        {},
        REPLY,
        {"sandbox": {"type": "workspaceWrite"}, "activePermissionProfile": {"id": "managed"}},
        {"cwd": None, "thread": {}},
    ],
)
def test_a_thread_that_took_what_was_asked_is_free(reply: Json) -> None:
    assert why_busy(ASKED, reply) is None


def test_a_thread_whose_last_turn_failed_is_free() -> None:
    assert why_busy(ASKED, REPLY | {"thread": {"status": {"type": "systemError"}}}) is None


@for_each(
    ("change", "why"),
    [
        ({"thread": {"status": {"type": "active", "activeFlags": []}}}, "another client's turn runs in it"),
        ({"model": "old"}, "another client has it open: model stayed old, not gpt"),
        ({"approvalPolicy": "on-request"}, "another client has it open: approvalPolicy stayed on-request, not never"),
        ({"approvalsReviewer": "auto_review"}, "another client has it open: approvalsReviewer stayed auto_review"),
        ({"cwd": "/data/elsewhere"}, "another client has it open: it stayed in /data/elsewhere"),
        ({"sandbox": {"type": "dangerFullAccess"}}, "another client has it open: its sandbox stayed dangerFullAccess"),
    ],
)
def test_one_that_kept_what_it_had_is_not(change: Json, why: str) -> None:
    assert (why_busy(ASKED, REPLY | change) or "").startswith(why)


def test_a_turn_on_a_shared_server_ends_as_busy_before_anything_is_sent() -> None:
    talk = Dialogue(server=SHARED, thread_id=THREAD)
    talk.opened(method="thread/resume", approvalPolicy="on-request")
    assert talk.requests("turn/start") == []
    assert talk.requests("thread/backgroundTerminals/clean") == []  # what runs there is the other client's
    talk.reply("thread/unsubscribe")
    assert talk.kind is ErrorKind.THREAD_BUSY


def test_on_a_server_of_its_own_nothing_is_compared() -> None:
    talk = Dialogue(thread_id=THREAD).opened(method="thread/resume", approvalPolicy="on-request")
    assert talk.requests("turn/start")


def test_a_fork_is_ours_alone() -> None:
    talk = Dialogue(server=SHARED, thread_id="t", is_fork=True)
    talk.opened(method="thread/fork", approvalPolicy="on-request")
    assert talk.requests("turn/start")
