"""A turn's request as wire messages; and Codex's replies, compared with it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_server_cli.core.model.request import Approval, Sandbox, TurnRequest
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}

FULL = TurnRequest(
    turn_id=TURN_ID,
    cwd="/project",
    model="gpt",
    effort="high",
    sandbox=Sandbox.WORKSPACE_WRITE,
    writable_roots=("/a", "/b"),
    has_network=True,
    approval=Approval.ASK,
    images=("/i.png", "/j.png"),
    schema=SCHEMA,
    config={"features.x": True},
    profile="quick",
    profile_config={"model_verbosity": "low"},
    is_ephemeral=True,
    thread_id="thread-1",
    is_fork=True,
    fork_after="turn-9",
    deadline_s=90.5,
    may_bill_api_key=True,
)
BARE = TurnRequest(TURN_ID, "/project")


def _request(**asked: Any) -> TurnRequest:
    return TurnRequest(TURN_ID, "/project", **asked)


@for_each("request_", [BARE, FULL])
def test_a_request_reads_back_from_json(request_: TurnRequest) -> None:
    assert TurnRequest.from_json(json.loads(json.dumps(request_.to_json())), TURN_ID) == request_


def test_a_request_belongs_to_the_turn_that_it_is_read_for() -> None:
    assert TurnRequest.from_json({**BARE.to_json(), "turn_id": "of-another-time"}, TURN_ID) == BARE


def test_a_request_of_another_version_reads_as_far_as_it_is_known() -> None:
    assert TurnRequest.from_json({"cwd": "/project", "of_a_newer_version": 1}, TURN_ID) == BARE
    assert TurnRequest.from_json({**BARE.to_json(), "images": None, "writable_roots": None}, TURN_ID) == BARE


def test_pictures_are_stored_by_their_place_in_the_turns_directory_and_read_back_by_their_path() -> None:
    stored = BARE._replace(images=("images/1-a.png", "/of/0.3.0.png")).to_json()
    assert stored["images"] == ("images/1-a.png", "/of/0.3.0.png")
    read = TurnRequest.from_json(json.loads(json.dumps(stored)), TURN_ID, f"/home/turns/{TURN_ID}/prompt.txt")
    assert read.images == (f"/home/turns/{TURN_ID}/images/1-a.png", "/of/0.3.0.png")


@for_each("member", ["sandbox", "approval"])
def test_a_word_of_a_newer_version_is_none_that_a_request_can_be_run_with(member: str) -> None:
    with pytest.raises(ValueError, match="wider"):
        TurnRequest.from_json({**BARE.to_json(), member: "wider"}, TURN_ID)


@for_each(
    ("deadline_s", "waited_s", "left_s"),
    [(None, 5.0, None), (90.5, 0.0, 90.5), (90.5, 30.5, 60.0), (90.5, 100.0, 0.001)],
)
def test_what_was_waited_in_the_queue_is_taken_off_the_deadline(
    deadline_s: float | None, waited_s: float, left_s: float | None
) -> None:
    assert _request(deadline_s=deadline_s).after(waited_s) == _request(deadline_s=left_s)


# --- opening the thread: always read-only (design, section 6)

_MARK = {"shell_environment_policy.set.CODEX_SERVER_TURN_ID": TURN_ID}
_NO_APPROVALS = {"approvalPolicy": "never", "approvalsReviewer": "user"}
_THREAD = {"threadId": "t", "cwd": "/project", "excludeTurns": True}
_ALWAYS = {**_NO_APPROVALS, "sandbox": "read-only", "config": _MARK}
_RAW = {"experimentalRawEvents": True}


@for_each(
    ("asked", "method", "params"),
    [
        ({}, "thread/start", {**_ALWAYS, **_RAW, "cwd": "/project", "ephemeral": False}),
        ({"is_ephemeral": True}, "thread/start", {**_ALWAYS, **_RAW, "cwd": "/project", "ephemeral": True}),
        (
            {"model": "gpt", "config": {"a.b": 1}, "approval": Approval.ASK},
            "thread/start",
            {
                "approvalPolicy": "on-request",
                "approvalsReviewer": "user",
                "sandbox": "read-only",
                **_RAW,
                "cwd": "/project",
                "ephemeral": False,
                "model": "gpt",
                "config": {"a.b": 1, **_MARK},
            },
        ),
        ({"thread_id": "t"}, "thread/resume", {**_ALWAYS, **_THREAD}),
        (
            {"thread_id": "t", "model": "gpt", "config": {"a": 1}},
            "thread/resume",
            {**_ALWAYS, **_THREAD, "model": "gpt", "config": {"a": 1, **_MARK}},
        ),
        (
            {"thread_id": "t", "is_fork": True},
            "thread/fork",
            {**_ALWAYS, **_THREAD, "ephemeral": False},
        ),
        (
            {"thread_id": "t", "is_fork": True, "fork_after": "u", "is_ephemeral": True},
            "thread/fork",
            {**_ALWAYS, **_THREAD, "ephemeral": True, "lastTurnId": "u"},
        ),
    ],
)
def test_a_thread_is_opened_as_asked(asked: dict[str, Any], method: str, params: dict[str, Any]) -> None:
    assert _request(**asked).open_thread() == (method, params)


def test_a_thread_of_no_turn_of_ours_is_opened_without_a_mark() -> None:
    assert "config" not in TurnRequest("", "/project").open_thread()[1]


@for_each("sandbox", Sandbox)
@for_each("thread", [{}, {"thread_id": "t"}, {"thread_id": "t", "is_fork": True}])
def test_a_thread_is_opened_read_only_whatever_the_turn_may_do(sandbox: Sandbox, thread: dict[str, Any]) -> None:
    _, params = _request(sandbox=sandbox, has_network=True, **thread).open_thread()
    assert params["sandbox"] == "read-only"
    assert "sandboxPolicy" not in params


# --- starting the turn: the whole policy, every time

_READ_ONLY = {"type": "readOnly", "networkAccess": False}
_WRITE = {
    "type": "workspaceWrite",
    "writableRoots": [],
    "networkAccess": False,
    "excludeTmpdirEnvVar": False,
    "excludeSlashTmp": False,
}
_FULL_ACCESS = {"type": "dangerFullAccess"}


@for_each(
    ("asked", "policy"),
    [
        ({}, _READ_ONLY),
        ({"has_network": True}, {**_READ_ONLY, "networkAccess": True}),
        ({"sandbox": Sandbox.WORKSPACE_WRITE}, _WRITE),
        (
            {"sandbox": Sandbox.WORKSPACE_WRITE, "writable_roots": ("/a",), "has_network": True},
            {**_WRITE, "writableRoots": ["/a"], "networkAccess": True},
        ),
        ({"sandbox": Sandbox.DANGER_FULL_ACCESS}, _FULL_ACCESS),
    ],
)
def test_a_turn_carries_its_whole_policy(asked: dict[str, Any], policy: dict[str, Any]) -> None:
    _, params = _request(**asked).open_turn("t", "hello")
    assert params == {
        "threadId": "t",
        "input": [{"type": "text", "text": "hello"}],
        **_NO_APPROVALS,
        "sandboxPolicy": policy,
        "cwd": "/project",
    }


def test_a_turn_carries_images_schema_model_and_effort_where_asked() -> None:
    _, params = FULL.open_turn("t", "look")
    assert params["input"] == [
        {"type": "text", "text": "look"},
        {"type": "localImage", "path": "/i.png"},
        {"type": "localImage", "path": "/j.png"},
    ]
    assert (params["outputSchema"], params["model"], params["effort"]) == (SCHEMA, "gpt", "high")
    assert params["approvalPolicy"] == "on-request"


def test_a_review_is_opened_by_its_target_alone() -> None:
    target = {"type": "uncommittedChanges"}
    asked = FULL._replace(review=target)
    assert asked.open_turn("t", "Review it.") == ("review/start", {"threadId": "t", "target": target})


# --- the effective policy

_NETWORK = {"networkAccess": True}
_EXTERNAL = {"type": "externalSandbox", "networkAccess": "restricted"}
_ROOTS = {"writableRoots": ["/a"]}
_UNKNOWN = {"type": "aTypeOfANewerVersion"}

_NOT_WIDER: list[tuple[dict[str, Any], Any]] = [
    ({}, _READ_ONLY),
    ({}, {"type": "readOnly"}),
    ({"has_network": True}, _READ_ONLY),
    ({"has_network": True}, {**_READ_ONLY, **_NETWORK}),
    ({"sandbox": Sandbox.WORKSPACE_WRITE}, _READ_ONLY),
    ({"sandbox": Sandbox.WORKSPACE_WRITE}, _WRITE),
    ({"sandbox": Sandbox.WORKSPACE_WRITE, "has_network": True}, {**_WRITE, **_NETWORK}),
    ({"sandbox": Sandbox.WORKSPACE_WRITE, "has_network": True}, {**_READ_ONLY, **_NETWORK}),
    ({"sandbox": Sandbox.WORKSPACE_WRITE, "writable_roots": ("/link-to-a",)}, {**_WRITE, **_ROOTS}),
    ({"sandbox": Sandbox.WORKSPACE_WRITE, "writable_roots": ("/a", "/link-to-a")}, {**_WRITE, **_ROOTS}),
    ({"sandbox": Sandbox.DANGER_FULL_ACCESS}, _READ_ONLY),
    ({"sandbox": Sandbox.DANGER_FULL_ACCESS}, {**_WRITE, **_NETWORK, **_ROOTS}),
    ({"sandbox": Sandbox.DANGER_FULL_ACCESS}, _FULL_ACCESS),
    ({"sandbox": Sandbox.DANGER_FULL_ACCESS}, _EXTERNAL),
    ({"sandbox": Sandbox.DANGER_FULL_ACCESS}, _UNKNOWN),
    ({}, None),
    ({}, "read-only"),
]
_WIDER: list[tuple[dict[str, Any], Any]] = [
    ({}, {**_READ_ONLY, **_NETWORK}),
    ({}, _WRITE),
    ({"has_network": True}, _WRITE),
    ({}, _FULL_ACCESS),
    ({}, _EXTERNAL),
    ({}, _UNKNOWN),
    ({}, {"type": None}),
    ({"sandbox": Sandbox.WORKSPACE_WRITE}, {**_WRITE, **_NETWORK}),
    ({"sandbox": Sandbox.WORKSPACE_WRITE}, {**_READ_ONLY, **_NETWORK}),
    ({"sandbox": Sandbox.WORKSPACE_WRITE}, {**_WRITE, **_ROOTS}),
    ({"sandbox": Sandbox.WORKSPACE_WRITE}, _FULL_ACCESS),
    ({"sandbox": Sandbox.WORKSPACE_WRITE, "has_network": True}, _EXTERNAL),
    ({"sandbox": Sandbox.WORKSPACE_WRITE, "has_network": True}, _UNKNOWN),
]


@for_each("key", ["sandbox", "sandboxPolicy"])
@for_each(
    ("asked", "effective", "is_wider"),
    [(*pair, False) for pair in _NOT_WIDER] + [(*pair, True) for pair in _WIDER],
)
def test_a_policy_is_wider_that_allows_anything_not_asked_for(
    asked: dict[str, Any], effective: Any, is_wider: bool, key: str
) -> None:
    assert _request(**asked).is_wider({key: effective}) is is_wider


def test_the_policy_of_the_turn_outweighs_the_one_the_thread_was_opened_with() -> None:
    assert BARE.is_wider({"sandbox": _READ_ONLY, "sandboxPolicy": _FULL_ACCESS})
    assert not BARE.is_wider({"sandbox": _FULL_ACCESS, "sandboxPolicy": _READ_ONLY})
    assert not BARE.is_wider({})


# --- the account


def test_without_a_turn_to_mark_nor_overrides_a_thread_is_opened_without_a_configuration() -> None:
    _, params = TurnRequest("", "/project").open_thread()
    assert "config" not in params


def test_a_turn_works_in_its_worktree_and_is_asked_for_again_in_the_users_directory() -> None:
    request = TurnRequest(TURN_ID, "/project", worktree_cwd="/home/worktrees/x")
    assert (BARE.work_dir, request.work_dir) == (BARE.cwd, "/home/worktrees/x")
    assert request.open_thread()[1]["cwd"] == "/home/worktrees/x"
    assert request.open_turn("t", "hi")[1]["cwd"] == "/home/worktrees/x"
    resumed = request._replace(thread_id="t")
    assert resumed.open_thread()[1]["cwd"] == "/home/worktrees/x"
    assert "worktree_cwd" not in request.to_json()
