"""The mark in a thread's configuration, whatever else the user overrides there."""

from __future__ import annotations

from typing import Any

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.core.model.codex_config import as_tables, layered, marked_config, startup_ms, value_in
from tests.kit.cases import for_each

POLICY = "shell_environment_policy"
MARK = {TURN_VARIABLE: "t"}


@for_each(
    ("overrides", "config"),
    [
        (None, {f"{POLICY}.set.{TURN_VARIABLE}": "t"}),
        ({"a.b": 1}, {"a.b": 1, f"{POLICY}.set.{TURN_VARIABLE}": "t"}),
        ({f"{POLICY}s.set": 1}, {f"{POLICY}s.set": 1, f"{POLICY}.set.{TURN_VARIABLE}": "t"}),
        ({f"{POLICY}.inherit": "none", "a": 1}, {"a": 1, POLICY: {"inherit": "none", "set": MARK}}),
        ({f"{POLICY}.set.A": "b"}, {POLICY: {"set": {"A": "b", **MARK}}}),
        ({f"{POLICY}.set": {"A": "b"}, f"{POLICY}.set.B": "c"}, {POLICY: {"set": {"A": "b", "B": "c", **MARK}}}),
        (
            {f"{POLICY}.set.B": "c", POLICY: {"inherit": "core", "set": {"A": "b"}}},
            {POLICY: {"inherit": "core", "set": {"A": "b", "B": "c", **MARK}}},
        ),
        ({f"{POLICY}.set.{TURN_VARIABLE}": "x"}, {POLICY: {"set": MARK}}),
        (
            {f"{POLICY}.include_only": ["PATH"]},
            {POLICY: {"include_only": ["PATH", TURN_VARIABLE], "set": MARK}},
        ),
        ({f"{POLICY}.include_only": []}, {POLICY: {"include_only": [], "set": MARK}}),
        ({f"{POLICY}.include_only": "PATH"}, {POLICY: {"include_only": "PATH", "set": MARK}}),
    ],
)
def test_the_mark_stands_among_what_the_user_sets(overrides: dict[str, Any] | None, config: dict[str, Any]) -> None:
    assert marked_config(overrides, "t") == config


@for_each("overrides", [{POLICY: 5}, {f"{POLICY}.set": "A=b"}, {POLICY: {"set": ["A"]}}])
def test_what_is_no_policy_is_left_for_codex_to_refuse(overrides: dict[str, Any]) -> None:
    assert marked_config(overrides, "t") == overrides


def test_the_users_own_tables_are_not_changed() -> None:
    overrides = {POLICY: {"set": {"A": "b"}, "include_only": ["PATH"]}}
    marked_config(overrides, "t")
    assert overrides == {POLICY: {"set": {"A": "b"}, "include_only": ["PATH"]}}


def test_without_a_turn_there_is_no_mark() -> None:
    assert marked_config(None, "") == {}
    assert marked_config({"a": 1}, "") == {"a": 1}


@for_each(
    ("layers", "config"),
    [
        ([], {}),
        ([None, {}], {}),
        ([{"a.b": 1, "c": 2}], {"a.b": 1, "c": 2}),
        ([{"model": "one"}, {"model": "two"}], {"model": "two"}),
        ([{"a": {"b": 1, "c": 2}}, {"a.b": 3}], {"a": {"b": 3, "c": 2}}),
        ([{"a": {"b": 1}}, {"a": 5}], {"a": 5}),
        ([{"a": 5}, {"a.b": 1}], {"a": {"b": 1}}),
        ([{"a.b.c": 1, "a.b.d": 2}], {"a": {"b": {"c": 1, "d": 2}}}),
    ],
    ids=str,
)
def test_of_several_configurations_the_later_wins_and_tables_are_joined(
    layers: list[dict[str, Any] | None], config: dict[str, Any]
) -> None:
    assert layered(*layers) == config


def test_a_layer_is_not_changed_by_those_above_it() -> None:
    profile = {"a": {"b": {"c": 1}}}
    layered(profile, {"a.b.c": 2})
    assert profile == {"a": {"b": {"c": 1}}}


def test_only_text_is_the_name_of_something() -> None:
    assert value_in({"model": "gpt"}, "model") == "gpt"
    assert value_in({"model": 5}, "model") is None
    assert value_in({}, "model") is None


def test_several_configurations_make_one_without_dotted_keys() -> None:
    assert as_tables({"a": {"b": 1, "x.y": 2}, "c": 3}, {"a.b": 4, "a.d.e": 5}, {"c": {}}) == {
        "a": {"b": 4, "x.y": 2, "d": {"e": 5}},
        "c": {},
    }
    assert as_tables() == {}


@for_each(
    ("servers", "expected_ms"),
    [
        (None, 0),
        ({}, 0),
        ({"a": {}, "b": 3}, 0),
        ({"a": {"required": True}}, 30_000),
        ({"a": {"required": True, "startup_timeout_sec": 1.5}, "b": {"startup_timeout_ms": 200}}, 1_700),
        ({"a": {"required": True, "enabled": False, "startup_timeout_sec": 9}}, 0),
        ({"a": {"required": True, "startup_timeout_sec": "9"}}, 30_000),
        ({"a": {"required": True, "startup_timeout_sec": None, "startup_timeout_ms": 5}}, 5),
    ],
    ids=str,
)
def test_how_long_tool_servers_may_take_to_start(servers: Any, expected_ms: float) -> None:
    assert startup_ms({"mcp_servers": servers}) == expected_ms
