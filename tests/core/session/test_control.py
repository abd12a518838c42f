"""How a request of another shell is parsed: from a file with any content."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.session.approvals import Decision
from codex_server_cli.core.session.control import ShellRequest, read_shell_request
from codex_server_cli.core.session.steering import Steer
from codex_server_cli.errors import BadInputError
from tests.kit.cases import for_each

ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@for_each(
    ("op", "args", "asked"),
    [
        ("approve", {"request": None}, Decision("tag", "approve", None, False, {})),
        ("approve", {"request": "0", "is_for_session": True}, Decision("tag", "approve", "0", True, {})),
        ("decline", {}, Decision("tag", "decline", None, False, {})),
        ("reply", {"request": "1", "answers": {"q": ["A"]}}, Decision("tag", "reply", "1", False, {"q": ["A"]})),
        ("steer", {"text": "left"}, Steer("tag", "left")),
        ("steer", {}, Steer("tag", "")),
    ],
)
def test_a_request_is_read(op: str, args: dict[str, Any], asked: ShellRequest) -> None:
    assert read_shell_request(op, args, "tag") == asked


@for_each(
    ("op", "args", "message"),
    [
        ("reply", {"answers": {"q1": "A"}}, "answers are texts by question id"),
        ("reply", {"answers": {"q1": [1]}}, "answers are texts by question id"),
        ("reply", {"answers": ["A"]}, "answers are texts by question id"),
        ("reply", {"answers": {"q1": ["\udcff"]}}, "the text is not valid UTF-8"),
        ("approve", {"request": "\udcff"}, "the text is not valid UTF-8"),
        ("approve", {"request": 0}, "request must be text"),
        ("steer", {"text": ["x"]}, "text must be text"),
        ("steer", {"text": "\udcff"}, "the text is not valid UTF-8"),
        ("dance", {}, "this worker does not know the request 'dance'"),
    ],
)
def test_what_cannot_be_read_is_refused(op: str, args: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInputError) as caught:
        read_shell_request(op, args, "tag")
    assert caught.value.message == message


@given(
    st.sampled_from(["approve", "decline", "reply", "steer", "dance"]),
    st.fixed_dictionaries({}, optional=dict.fromkeys(("request", "is_for_session", "answers", "text"), ANY_JSON)),
)
def test_whatever_was_written_is_a_request_or_refused(op: str, args: dict[str, Any]) -> None:
    with contextlib.suppress(BadInputError):
        assert read_shell_request(op, args, "tag").tag == "tag"
