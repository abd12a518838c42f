"""What is sent before there is a session is what the session sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.session.session import Session
from codex_server_cli.core.session.shared.opening import first_line, next_lines
from tests.kit.dialogue import SHARED, TURN_ID

REPLY = b'{"id":1,"result":{"userAgent":"codex/0.171.0"}}\n{"method":"warning","params":{}}\n'


@pytest.mark.parametrize("thread", [{}, {"thread_id": "t"}, {"thread_id": "t", "is_fork": True}])
def test_it_is_what_the_session_sends_line_by_line(thread: dict[str, Any]) -> None:
    request = TurnRequest(TURN_ID, cwd="/project", prompt_path="/turn/prompt.md", **thread)
    session = Session(request, "hello", "1.2.3", SHARED)
    assert first_line("1.2.3") == session.start(1.0).sends
    resumed = None if thread.get("is_fork") else thread.get("thread_id")
    lines = next_lines(REPLY, "/project", resumed)
    assert lines == session.feed(REPLY, 2.0).sends
    asked = [json.loads(line).get("method") for line in lines.splitlines()]
    assert ("thread/queue/list" in asked) is (resumed is not None)


@pytest.mark.parametrize(
    "heard",
    [b"", b'{"id":1,"error":{"code":-32001}}\n', b'{"id":2,"result":{}}\n', b'{"id":1,"method":"ask"}\n', b"noise\n"],
)
def test_nothing_follows_without_a_good_reply(heard: bytes) -> None:
    assert next_lines(heard, "/project", None) == b""
