"""On a shared app-server a turn's commands get the environment of its caller, as the user's own policy lets them."""

from __future__ import annotations

from typing import Any

from codex_server_cli import TURN_VARIABLE
from codex_server_cli.core.model.server.terms import ServerTerms
from codex_server_cli.core.session.shared.environment import WITHHELD, config_on_server, without_environment
from tests.kit.cases import for_each
from tests.kit.dialogue import TURN_ID, Dialogue

HERE = {"PATH": "/opt/mine:/bin", "HOME": "/home/me", "AWS_KEY": "k", "my_token": "t", "FOO": "f"}
MARK = {TURN_VARIABLE: TURN_ID}
MARKED = {f"shell_environment_policy.set.{TURN_VARIABLE}": TURN_ID}


def config(overrides: dict[str, Any] | None = None, read: dict[str, Any] | None = None, **terms: Any) -> dict[str, Any]:
    server = ServerTerms(**{"is_shared": True, "is_ours": True, "environment": HERE, **terms})
    return config_on_server(MARKED if overrides is None else overrides, server, read or {}, TURN_ID)


def policy(read_policy: dict[str, Any], overrides: dict[str, Any] | None = None) -> dict[str, Any]:
    read = {"config": {"shell_environment_policy": read_policy}}
    return dict(config(overrides, read)["shell_environment_policy"])


def test_a_turn_gets_the_callers_variables_in_place_of_the_servers() -> None:
    assert config() == {
        "shell_environment_policy": {"set": HERE | MARK, "inherit": "none"},
        "allow_login_shell": False,
    }


def test_without_an_environment_only_the_mark_is_passed() -> None:
    assert config(environment=None) == MARKED
    assert config(environment=None, is_ours=False) == {**MARKED, "thread_unload_delay_secs": 1}


def test_a_thread_is_soon_unloaded_on_a_server_that_is_not_ours_unless_the_user_says_otherwise() -> None:
    assert config(is_ours=False)["thread_unload_delay_secs"] == 1
    assert config({"thread_unload_delay_secs": 9}, is_ours=False)["thread_unload_delay_secs"] == 9


@for_each(
    ("name", "value"),
    [("", "x"), ("A=B", "x"), ("BAD", "\udcff"), ("BAD\udcff", "x")],
)
def test_what_codex_would_choke_on_is_left_out(name: str, value: str) -> None:
    assert config(environment={name: value, "OK": "1"})["shell_environment_policy"]["set"] == {"OK": "1"} | MARK


@for_each(
    ("own", "kept"),
    [
        ({"inherit": None, "exclude": None}, {*HERE}),
        ({"inherit": "all"}, {*HERE}),
        ({"inherit": "core"}, {"PATH", "HOME"}),
        ({"inherit": "none"}, set()),
        ({"exclude": ["aws_*", 7]}, {*HERE} - {"AWS_KEY"}),
        ({"exclude": ["F?O"]}, {*HERE} - {"FOO"}),
        ({"ignore_default_excludes": False}, {*HERE} - {"AWS_KEY", "my_token"}),
        ({"ignore_default_excludes": True}, {*HERE}),
    ],
)
def test_what_the_user_withholds_from_commands_is_withheld_here_too(own: dict[str, Any], kept: set[str]) -> None:
    assert policy(own) == {"set": {name: HERE[name] for name in HERE if name in kept} | MARK, "inherit": "none"}


def test_the_users_own_list_stays_and_lets_the_mark_through() -> None:
    assert policy({"include_only": ["PATH"]})["include_only"] == ["PATH", TURN_VARIABLE]
    assert policy({}, {"shell_environment_policy.include_only": ["A", TURN_VARIABLE]})["include_only"] == [
        "A",
        TURN_VARIABLE,
    ]
    assert "include_only" not in policy({"include_only": []})
    listed = {"config": {"shell_environment_policy": {"include_only": ["PATH"]}}}
    assert config(MARKED, listed, environment=None)["shell_environment_policy"] == {
        "set": MARK,
        "include_only": ["PATH", TURN_VARIABLE],
    }


def test_the_overrides_of_the_turn_win() -> None:
    overrides = {"shell_environment_policy.set.FOO": "other", "shell_environment_policy.inherit": "core", **MARKED}
    found = policy({}, overrides)
    assert found["set"] == {"PATH": HERE["PATH"], "HOME": HERE["HOME"], "FOO": "other"} | MARK
    assert found["inherit"] == "none"


def test_a_policy_that_is_none_is_left_to_codex_to_refuse() -> None:
    assert config({"shell_environment_policy": "x"}) == {"shell_environment_policy": "x"}


def test_a_login_shell_stays_where_the_user_has_set_it() -> None:
    assert "allow_login_shell" not in config(
        read={"config": {"allow_login_shell": True}, "origins": {"allow_login_shell": {}}}
    )
    assert config(read={"config": {"allow_login_shell": True}, "origins": {}})["allow_login_shell"] is False
    assert config({"allow_login_shell": True})["allow_login_shell"] is True


def test_tool_servers_get_the_mark_and_the_path_but_for_what_is_set_for_them() -> None:
    servers = {
        "plain": {"command": "x", "env": None},
        "own.path": {"command": "x", "env": {"PATH": "/own"}},
        "far": {"url": "http://x", "command": None},
        "odd": 7,
    }
    found = config(read={"config": {"mcp_servers": servers}})["mcp_servers"]
    assert found == {"plain": {"env": MARK | {"PATH": HERE["PATH"]}}, "own.path": {"env": MARK}}
    unmarked = ServerTerms(True, True, {"PATH": "\udcff"})
    assert config_on_server({}, unmarked, {"config": {"mcp_servers": servers}}, "")["mcp_servers"] == {
        "plain": {"env": {}},
        "own.path": {"env": {}},
    }


def test_the_values_of_the_environment_are_sent_and_not_recorded() -> None:
    talk = Dialogue(server=ServerTerms(True, True, {"SECRET": "s3cret"})).opened()
    (opened,) = talk.requests("thread/start")
    assert opened["config"]["shell_environment_policy"]["set"]["SECRET"] == "s3cret"
    assert b"s3cret" not in talk.events
    assert WITHHELD.encode() in talk.events
    assert TURN_ID.encode() in talk.events


def test_a_message_without_an_environment_is_recorded_as_it_is() -> None:
    messages: list[dict[str, Any]] = [
        {"method": "x"},
        {"params": {"config": {"shell_environment_policy": {"set": {}}}}},
    ]
    for message in messages:
        assert without_environment(message) is message
