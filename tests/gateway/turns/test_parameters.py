"""The parameters of a turn in a body: the flags of `new`, none forgotten, and what is wrong with a wrong one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.cli.parameters import START_FLAGS, Parameter
from codex_server_cli.cli.tables.start import VERBS
from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.errors import UsageError
from codex_server_cli.gateway.turns.parameters import (
    CONTINUE,
    OF_A_SHELL,
    START,
    Form,
    members_of,
    options_of,
    prompt_of,
    read,
)
from tests.kit.cases import for_each

FORM_OF = {bool: (Form.SWITCH,), Sandbox: (Form.SANDBOX,), Approval: (Form.APPROVAL,)}
KNOWN = ("prompt", *START)


def form_of(flag: Parameter) -> tuple[Form, ...]:
    if flag.is_list:
        return (Form.LIST,)
    return FORM_OF.get(flag.type, (Form.TEXT, Form.DURATION, Form.SCHEMA))


def test_each_flag_of_new_is_a_parameter_or_is_one_of_a_shell_alone() -> None:
    flags = {flag.name: flag for flag in START_FLAGS}
    assert set(flags) == set(START) | set(OF_A_SHELL)
    assert {name: form for name, form in START.items() if form not in form_of(flags[name])} == {}
    assert [name for name, flag in flags.items() if f"--{name.replace('_', '-')}" not in flag.flags] == []


def test_continue_has_the_flags_that_new_lacks_but_for_those_that_name_the_thread() -> None:
    own = {flag.name for flag in VERBS["continue"].parameters} - {flag.name for flag in VERBS["new"].parameters}
    assert own - {"last", "thread", "turn"} == set(CONTINUE)


def test_the_reference_names_each_parameter() -> None:
    text = (Path(__file__).parents[3] / "references" / "gateway.md").read_text(encoding="utf-8")
    assert [name for name in (*KNOWN, *CONTINUE) if f"`{name}`" not in text] == []


def read_body(body: Any) -> StartOptions:
    members = members_of(body, KNOWN, OF_A_SHELL)
    return options_of(read(members, START), prompt_of(members))


def options(**body: Any) -> StartOptions:
    return read_body({"prompt": "hi", **body})


def test_a_prompt_alone_is_the_turn_that_new_starts() -> None:
    assert options() == StartOptions("hi")


def test_names_may_have_dashes_and_null_is_not_given() -> None:
    assert options(**{"approval-timeout": "5m", "approval": "ask", "model": None}) == StartOptions(
        "hi", approval=Approval.ASK, approval_timeout_s=300.0
    )


def test_durations_may_be_numbers_and_lists_single_strings() -> None:
    found = options(deadline=90, once="k", once_for=3600, add_dir="a", config=["a=1", "b=2"], write=True)
    assert (found.deadline_s, found.add_dirs, found.config) == (90.0, ("a",), ("a=1", "b=2"))
    assert (found.once, found.sandbox) == (("k", 3600.0, None), Sandbox.WORKSPACE_WRITE)


def test_a_schema_may_be_the_object_itself() -> None:
    assert json.loads(options(schema={"type": "object"}).schema or "") == {"type": "object"}


@for_each(
    ("body", "param", "code", "message"),
    [
        ([], None, "invalid_type", "the body is no JSON object"),
        ({}, "prompt", "missing_parameter", "`prompt` is missing: what to ask"),
        ({"prompt": " \n"}, "prompt", "invalid_value", "`prompt` is empty"),
        ({"prompt": 5}, "prompt", "invalid_type", "`prompt` is a string, not a number"),
        ({"prompt": "a\0"}, "prompt", "invalid_value", "`prompt` holds a NUL character"),
        ({"prompt": "\ud800"}, "prompt", "invalid_value", "half of a surrogate pair"),
        ({"prompt": "a", "promt": 1}, "promt", "unknown_parameter", "there is no parameter `promt`; is it `prompt`?"),
        ({"prompt": "a", "approval-timout": 1}, "approval-timout", "unknown_parameter", "is it `approval_timeout`?"),
        ({"prompt": "a", "zzz": 1}, "zzz", "unknown_parameter", "there are add_dir, after_reset"),
        ({"prompt": "a", "\udc80": 1}, "?", "unknown_parameter", "there is no parameter `?`"),
        ({"prompt": "a", "file": "x"}, "file", "unknown_parameter", "put its text into `prompt`"),
        ({"prompt": "a", "wait": True}, "wait", "unknown_parameter", "GET /turns/ID/answer?wait=60"),
        ({"prompt": "a", "add-dir": "x", "add_dir": "y"}, "add_dir", "invalid_value", "is given twice"),
        ({"prompt": "a", "write": "yes"}, "write", "invalid_type", "`write` is true or false, not a string"),
        ({"prompt": "a", "image": [1]}, "image", "invalid_type", "`image` is a list of strings, not a number"),
        ({"prompt": "a", "config": {"a": 1}}, "config", "invalid_type", "a list of strings, not an object"),
        ({"prompt": "a", "deadline": True}, "deadline", "invalid_type", "a number of seconds"),
        ({"prompt": "a", "deadline": -1}, "deadline", "invalid_value", "0 or more, not -1"),
        ({"prompt": "a", "deadline": 10**400}, "deadline", "invalid_value", "0 or more, not 1000"),
        ({"prompt": "a", "deadline": float("nan")}, "deadline", "invalid_value", "0 or more, not nan"),
        ({"prompt": "a", "image": ["a.png", ""]}, "image", "invalid_value", "`image` is empty"),
        ({"prompt": "a", "schema": [1]}, "schema", "invalid_type", "a JSON Schema, or the path"),
        ({"prompt": "a", "schema": {"title": "\ud800"}}, "schema", "invalid_value", "half of a surrogate pair"),
        ({"prompt": "a", "sandbox": "write"}, "sandbox", "invalid_value", "one of read-only, workspace-write"),
        ({"prompt": "a", "approval": []}, "approval", "invalid_type", "`approval` is an approval, not a list"),
    ],
)
def test_a_wrong_body_is_refused_with_its_parameter(body: Any, param: str | None, code: str, message: str) -> None:
    with pytest.raises(ApiError) as refusal:
        read_body(body)
    error = refusal.value
    assert (error.status, error.param, error.code) == (400, param, code)
    assert message in error.message


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(VALUES | st.dictionaries(st.sampled_from([*KNOWN, *OF_A_SHELL, "promt"]), VALUES))
def test_any_body_is_a_turn_or_a_refusal_that_can_be_sent(body: Any) -> None:
    refusal = refusal_of(body)
    if refusal is not None:
        assert (refusal.status, refusal.type) == (400, "invalid_request_error")
        json.dumps([refusal.message, refusal.param], ensure_ascii=False).encode()


def refusal_of(body: Any) -> ApiError | None:
    try:
        read_body(body)
    except ApiError as error:
        return error
    except UsageError:
        return None
    return None
