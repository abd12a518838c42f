"""Whether something of a turn was allowed to leave its sandbox."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.record.approval_request import ApprovalRequest, declining, granting, read_request
from codex_server_cli.core.record.turn_record import TurnRecord
from tests.kit.cases import for_each

COMMAND = {"id": 0, "method": "item/commandExecution/requestApproval", "params": {"command": "ls"}}
PATCH = {"id": "p", "method": "item/fileChange/requestApproval", "params": {}}
PERMISSIONS = {
    "id": 1,
    "method": "item/permissions/requestApproval",
    "params": {"permissions": {"network": {"enabled": True}}},
}
TOOL = {
    "id": 2,
    "method": "mcpServer/elicitation/request",
    "params": {"mode": "form", "_meta": {"codex_approval_kind": "mcp_tool_call"}},
}
QUESTION = {"id": 3, "method": "item/tool/requestUserInput", "params": {"questions": [{"id": "q"}]}}


def record_after(asked: dict[str, Any], result: dict[str, Any], **reply: Any) -> TurnRecord:
    record = TurnRecord()
    assert record.feed_in(asked) == []
    assert not record.consents.is_any  # nothing was allowed yet
    record.feed_out({"id": asked["id"], "result": result} | reply)
    return record


def request_of(message: dict[str, Any]) -> ApprovalRequest:
    request = read_request(message, {}, 0, 0)
    assert request is not None
    return request


@for_each("asked", [COMMAND, PERMISSIONS, TOOL])
def test_what_was_granted_may_have_written_and_what_was_declined_has_not(asked: dict[str, Any]) -> None:
    request = request_of(asked)
    for is_for_session in (False, True):
        assert record_after(asked, granting(request, is_for_session=is_for_session)).consents.is_any
    assert not record_after(asked, declining(request)).consents.is_any
    assert not record_after(asked, granting(request, is_for_session=False), id="other").consents.is_any


@for_each("asked", [PATCH, QUESTION])
def test_a_patch_is_known_from_itself_and_an_answer_allows_nothing(asked: dict[str, Any]) -> None:
    assert not record_after(asked, {"decision": "accept", "answers": {"q": {"answers": ["a"]}}}).consents.is_any


def is_granted_after(
    *messages: dict[str, Any], reply: dict[str, Any] | None = None, is_reattached: bool = False
) -> bool:
    record = TurnRecord()
    for message in messages:
        record.feed_in(message)
        if reply is not None and "id" in message:
            record.feed_out(reply)
    if is_reattached:
        record.reattach()
    return record.consents.is_any


def test_what_somebody_else_may_have_granted_counts_as_granted() -> None:
    resolved = {"method": "serverRequest/resolved", "params": {"requestId": 0, "threadId": "t"}}
    assert is_granted_after(COMMAND, resolved)
    assert is_granted_after(is_reattached=True)
    assert not is_granted_after(resolved)
    assert not is_granted_after(COMMAND, resolved, reply={"id": 0, "result": {"decision": "decline"}})  # it was ours


def test_what_was_granted_once_stays_so_whatever_is_declined_later() -> None:
    record = record_after(COMMAND, {"decision": "accept"})
    record.feed_in(COMMAND | {"id": 9})
    record.feed_out({"id": 9, "result": {"decision": "cancel"}})
    record.feed_out({"id": 10, "error": {"code": -32601, "message": "no"}})
    assert record.consents.is_any
