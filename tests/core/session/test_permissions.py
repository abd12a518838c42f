"""The user's own permission profile: which one is in force, what of it a policy would lose, and how a turn starts."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import Approval, Sandbox, TurnRequest
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.session.permissions import (
    PermissionProfile,
    Terms,
    denied_by_name,
    is_own,
    profile_in_force,
    terms_of,
)
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import COMPLETED, READ_ONLY, STARTED, THREAD, TURN, TURN_ID, Dialogue, Json

DENY: Json = {"extends": ":workspace", "filesystem": {"glob_scan_max_depth": 3, "/p/secret": "deny"}, "network": None}
WRITES = {"type": "workspaceWrite", "writableRoots": [], "networkAccess": False}
NAME = {"id": "mine", "extends": ":workspace"}


def config_of(*tables: Json, **more: Any) -> Json:
    """A configuration whose profile `mine` extends `p1`, which extends `p2`, and so on."""
    names = ["mine", *(f"p{number}" for number in range(1, len(tables)))]
    linked = [{**table, "extends": name} for table, name in zip(tables, names[1:], strict=False)]
    return {"default_permissions": "mine", "permissions": dict(zip(names, [*linked, tables[-1]], strict=True)), **more}


def asked(**more: Any) -> TurnRequest:
    """A turn in `/p`."""
    return TurnRequest(TURN_ID, "/p", **more)


def profile(*tables: Json, **more: Any) -> PermissionProfile:
    """The profile of such a configuration."""
    found = profile_in_force(config_of(*tables, **more), {})
    assert found is not None
    return found


# --- what is denied by name


def test_what_is_denied_by_its_path_is_told_where_a_command_may_come_to_write() -> None:
    inside = {".env": "deny", "**/*.pem": "deny", "q?": "deny", "w[1]": "deny", "open": "read", ".": "write"}
    rules = {"/x/y": "deny", "~/z": "deny", ":tmpdir": "deny", "/r": "read", ":workspace_roots": inside}
    denying = profile({"filesystem": rules})
    named = ("/x/y", "~/z", "/p/.env")
    for may_write in (
        asked(sandbox=Sandbox.WORKSPACE_WRITE),
        asked(approval=Approval.ASK),
        asked(approval=Approval.AUTO),
    ):
        assert denied_by_name(denying, may_write) == named
    assert denied_by_name(denying, asked()) == ()


def test_it_is_noted_once_the_profile_is_known() -> None:
    talk = opened(config_of(DENY), sandbox=Sandbox.WORKSPACE_WRITE)
    assert talk.denied == ["/p/secret"]
    assert len(talk.requests("thread/settings/update")) == 1
    assert opened(config_of(DENY)).denied == []


# --- which one


@for_each("config", [{}, {"default_permissions": None}, {"default_permissions": ":workspace"}], ids=str)
def test_without_a_profile_of_ones_own_there_is_none(config: Json) -> None:
    assert profile_in_force(config, {"activePermissionProfile": {"id": ":read-only"}}) is None


def test_a_managed_profile_comes_before_the_users_own_and_tells_no_rules() -> None:
    for word in ("sandbox", "sandboxPolicy"):
        managed = profile_in_force(config_of(DENY), {word: WRITES, "activePermissionProfile": {"id": "theirs"}})
        assert managed == PermissionProfile("theirs", {}, False, False, False, {}, is_told=False, policy=WRITES)


def test_what_codex_says_of_another_profile_is_not_said_of_one_that_is_not_told() -> None:
    for active in (None, {"id": ":read-only"}):
        found = profile_in_force(
            {"default_permissions": "theirs"}, {"sandbox": READ_ONLY, "activePermissionProfile": active}
        )
        assert found is not None
        assert (found.is_told, found.reads_all, found.policy) == (False, False, None)


def test_a_profile_above_one_that_is_not_told_is_not_told_either() -> None:
    found = profile({"extends": "theirs", "filesystem": {":root": "read"}})
    assert (found.is_told, found.reads_all) == (False, False)
    assert profile(DENY).is_told


@for_each(("name", "expected"), [("mine", True), (":mine", False), ("", False), (None, False), (3, False)])
def test_a_profile_of_ones_own_has_no_colon(name: Any, expected: bool) -> None:
    assert is_own(name) is expected


def test_what_extends_wins_over_what_it_extends() -> None:
    network = {"enabled": None, "domains": {"a": "deny"}}
    below = {"filesystem": {"/x": "read", "/y": "deny"}, "network": {"enabled": True, "domains": {"a": "allow"}}}
    found = profile({"filesystem": {"/x": "deny"}, "network": network}, below | {"extends": ":read-only"})
    assert (found.rules, found.has_network) == ({":root": "read", "/x": "deny", "/y": "deny"}, True)
    assert (found.domains, found.reads_all) == ({"a": "deny"}, True)


def test_a_path_within_the_workspace_follows_its_marker() -> None:
    found = profile({"filesystem": {":workspace_roots": {".": "write", "**/*.env": "deny", "odd": 3}}})
    assert found.rules == {":workspace_roots": "write", ":workspace_roots/**/*.env": "deny"}


@for_each(
    ("table", "expected"),
    [
        ({"extends": ":read-only"}, True),
        ({"filesystem": {":root": "read"}}, True),
        ({"filesystem": {"/": "write"}}, True),
        ({"filesystem": {":minimal": "read"}}, False),
        ({"extends": "unknown", "filesystem": {":root": "read"}}, False),
        ({"extends": "mine"}, False),
    ],
    ids=str,
)
def test_whether_everything_may_be_read_that_is_not_denied(table: Json, expected: bool) -> None:
    assert profile(table).reads_all is expected


@for_each(
    ("features", "expected"),
    [
        (None, False),
        ({}, False),
        ({"network_proxy": True}, True),
        ({"network_proxy": {"enabled": True}}, True),
        ({"network_proxy": {"enabled": False}}, False),
    ],
    ids=str,
)
def test_whether_network_rules_are_enforced(features: Any, expected: bool) -> None:
    assert profile(DENY, features=features).has_proxy is expected


# --- what a turn keeps of it


@for_each("more", [{}, {"sandbox": Sandbox.WORKSPACE_WRITE, "writable_roots": ("/q",)}], ids=str)
def test_a_policy_loses_nothing_of_denials(more: Json) -> None:
    assert terms_of(profile(DENY), asked(**more)) == Terms()


def test_full_access_would_lift_them() -> None:
    problem = terms_of(profile(DENY), asked(sandbox=Sandbox.DANGER_FULL_ACCESS)).problem
    assert problem is not None
    assert (problem.kind, "'mine'" in problem.message) == (ErrorKind.SANDBOX, True)


def minimal(access: str, **rules: str) -> Json:
    """A profile that limits what may be read."""
    return {"filesystem": {":minimal": "read", ":workspace_roots": {".": access, "low": "read"}, **rules}}


WRITE = {"sandbox": Sandbox.WORKSPACE_WRITE}


@for_each(
    ("table", "more"),
    [
        (minimal("read"), {}),
        (minimal("write"), WRITE),
        (minimal("write", **{":tmpdir": "write"}), WRITE),
        (minimal("write", **{"/q": "write"}), {**WRITE, "writable_roots": ("/q",)}),
        (minimal("read") | {"network": {"enabled": True}}, {"has_network": True}),
        ({"extends": ":workspace", "filesystem": {":workspace_roots": {"low": "read"}}}, WRITE),
    ],
    ids=str,
)
def test_a_profile_that_a_policy_would_lose_some_of_stands_as_it_is_where_that_was_asked(
    table: Json, more: Json
) -> None:
    assert terms_of(profile(table), asked(**more)) == Terms(has_policy=False)


@for_each(
    ("table", "more", "expected"),
    [
        (minimal("write"), {}, "limits what may be read"),
        (minimal("read"), WRITE, "limits what may be read"),
        (minimal("write", **{"/else": "write"}), WRITE, "limits what may be read"),
        (minimal("write", **{"/p/sub": "write"}), WRITE, "limits what may be read"),
        (minimal("write"), {**WRITE, "writable_roots": ("/q",)}, "limits what may be read"),
        (minimal("read"), {"has_network": True}, "limits what may be read"),
        (minimal("read") | {"network": {"enabled": True}}, {}, "limits what may be read"),
        ({"extends": ":read-only", "filesystem": {"/p/low": "read"}}, WRITE, "lets be read alone"),
        ({"extends": ":danger-full-access", "filesystem": {"/p/low": "read"}}, WRITE, "lets be read alone"),
        (DENY | {"network": {"enabled": False, "domains": {"a": "deny"}}}, {"has_network": True}, "lift its rules"),
    ],
    ids=str,
)
def test_what_would_be_lost_is_refused(table: Json, more: Json, expected: str) -> None:
    problem = terms_of(profile(table), asked(**more)).problem
    assert problem is not None
    assert expected in problem.message


def test_a_rule_that_lets_be_read_what_may_be_read_anyway_matters_to_writers_alone() -> None:
    assert terms_of(profile({"extends": ":workspace", "filesystem": {"/p/low": "read"}}), asked()) == Terms()


OPEN = {"extends": ":read-only", "network": {"enabled": True, "domains": {"a": "deny"}}}
PROXY = {"features": {"network_proxy": True}}


def test_a_network_that_a_policy_does_not_close_is_not_opened() -> None:
    problem = terms_of(profile(OPEN, **PROXY), asked()).problem
    assert problem is not None
    assert "opens the network" in problem.message
    assert terms_of(profile(OPEN), asked()) == Terms()
    assert terms_of(profile(OPEN, **PROXY), asked(has_network=True), had_proxy=True) == Terms()


def test_network_rules_are_not_lifted_by_an_override() -> None:
    problem = terms_of(profile(OPEN), asked(has_network=True), had_proxy=True).problem
    assert problem is not None
    assert "lift its rules" in problem.message


# --- what a turn keeps of one that is not reported


def unreported(policy: Json | None, **config: Any) -> PermissionProfile:
    """A managed profile that Codex reports so."""
    found = profile_in_force(config, {"sandbox": policy, "activePermissionProfile": {"id": "theirs"}})
    assert found is not None
    return found


def writes(*roots: str, network: bool = False) -> Json:
    """What Codex reports of a profile that writes in the workspace, or elsewhere."""
    return {"type": "workspaceWrite", "writableRoots": list(roots), "networkAccess": network}


READS_ONLINE = {"type": "readOnly", "networkAccess": True}


@for_each(
    ("policy", "more"),
    [
        (READ_ONLY, {}),
        (READ_ONLY, {"review": {"type": "uncommittedChanges"}}),
        (READS_ONLINE, {"has_network": True}),
        (writes(), WRITE),
        (writes("/q"), {**WRITE, "writable_roots": ("/q", "/r")}),
        (writes(network=True), {**WRITE, "has_network": True}),
    ],
    ids=str,
)
def test_it_stands_as_it_is_where_that_was_asked(policy: Json, more: Json) -> None:
    assert terms_of(unreported(policy), asked(**more)) == Terms(has_policy=False)


@for_each(
    ("policy", "more", "expected"),
    [
        (READ_ONLY, WRITE, "lets nothing be written"),
        (READ_ONLY, {"has_network": True}, "keeps the network closed"),
        (READS_ONLINE, {}, "opens the network"),
        ({"type": "readOnly"}, {}, "opens the network"),
        (writes(), {}, "lets commands write,"),
        (writes("/p/sub"), {}, "lets commands write,"),
        (writes("/else"), WRITE, "write elsewhere"),
        (writes("/else"), {**WRITE, "writable_roots": ("/q",)}, "write elsewhere"),
        ({**writes(), "writableRoots": None}, WRITE, "write elsewhere"),
        (writes(network=True), WRITE, "opens the network"),
        ({"type": "externalSandbox", "networkAccess": "restricted"}, WRITE, "may let anything be written"),
        ({"type": "dangerFullAccess"}, WRITE, "may let anything be written"),
        ({}, {}, "may let anything be written"),
        (None, {}, "may let anything be written"),
    ],
    ids=str,
)
def test_it_runs_nothing_where_it_is_not_what_was_asked(policy: Json | None, more: Json, expected: str) -> None:
    problem = terms_of(unreported(policy), asked(**more)).problem
    assert problem is not None
    assert expected in problem.message
    assert problem.hint.startswith("Select one that fits, of those that your administrator allows")


def test_its_rules_for_the_network_are_not_lifted_by_an_override() -> None:
    online = asked(has_network=True)
    assert terms_of(unreported(READS_ONLINE, **PROXY), online, had_proxy=True) == Terms(has_policy=False)
    problem = terms_of(unreported(READS_ONLINE), online, had_proxy=True).problem
    assert problem is not None
    assert "lift its rules for the network" in problem.message


@for_each(("policy", "expected"), [(writes(), "With --write"), (READ_ONLY, "Select one that fits")])
def test_full_access_over_it_is_refused_with_a_next_step_that_works(policy: Json, expected: str) -> None:
    problem = terms_of(unreported(policy), asked(sandbox=Sandbox.DANGER_FULL_ACCESS)).problem
    assert problem is not None
    assert problem.hint.startswith(expected)


# --- how a turn starts


def opened(config: Json, **request: Any) -> Dialogue:
    """A session up to the point where every check is done."""
    talk = Dialogue(**request).reply("initialize").checked(config=config)
    if talk.sent[-1]["method"] == "thread/goal/get":  # the thread is to be resumed
        talk.queue_empty()
    method = "thread/fork" if request.get("is_fork") else "thread/resume" if "thread_id" in request else "thread/start"
    return talk.reply(method, {"thread": {"id": THREAD}, "model": "gpt", "sandbox": READ_ONLY})


def announced(policy: Json, name: Json | None = None) -> Json:
    """What Codex reports of the thread's settings."""
    settings = {"sandboxPolicy": policy, "activePermissionProfile": name}
    return {"method": "thread/settings/updated", "params": {"threadId": THREAD, "threadSettings": settings}}


@for_each("request_", [{}, {"thread_id": "t"}, {"thread_id": "t", "is_fork": True}, WRITE], ids=str)
def test_the_profile_is_put_in_force_and_the_policy_laid_over_it(request_: Json) -> None:
    talk = opened(config_of(DENY), **request_)
    assert talk.requests("thread/settings/update") == [{"threadId": THREAD, "permissions": "mine"}]
    assert talk.requests("turn/start") == []
    talk.reply("thread/settings/update")
    (turn,) = talk.requests("turn/start")
    assert turn["sandboxPolicy"]["type"] == ("workspaceWrite" if "sandbox" in request_ else "readOnly")


def test_before_a_review_the_policy_is_set_by_itself() -> None:
    talk = opened(config_of(DENY), review={"type": "uncommittedChanges"})
    talk.reply("thread/settings/update")
    assert talk.requests("review/start") == []
    assert talk.requests("thread/settings/update")[1] == {"threadId": THREAD, "sandboxPolicy": READ_ONLY}
    talk.reply("thread/settings/update")
    assert len(talk.requests("review/start")) == 1


def test_a_profile_that_stands_as_it_is_gets_no_policy() -> None:
    talk = opened(config_of(minimal("read"))).reply("thread/settings/update")
    assert "sandboxPolicy" not in talk.requests("turn/start")[0]


@for_each(("table", "expected"), [(minimal("write"), 1), (DENY, 2)], ids=["as it stands", "under a policy"])
def test_a_thread_whose_turn_runs_under_a_profile_as_it_stands_stays_under_it(table: Json, expected: int) -> None:
    talk = opened(config_of(table), **WRITE).reply("thread/settings/update")
    talk.reply("turn/start", {"turn": {"id": TURN, "status": "inProgress"}}).receive(STARTED)
    assert len(talk.requests("thread/settings/update")) == expected


def test_an_override_of_the_thread_chooses_the_profile() -> None:
    talk = opened(config_of(DENY), profile_config={"default_permissions": "locked", "permissions.locked": DENY})
    assert talk.requests("thread/settings/update")[0]["permissions"] == "locked"


def test_what_cannot_be_kept_starts_nothing_and_tells_the_next_step() -> None:
    talk = opened(config_of(DENY), sandbox=Sandbox.DANGER_FULL_ACCESS)
    assert (talk.kind, talk.outcome.state) == (ErrorKind.SANDBOX, State.FAILED)
    assert talk.requests("thread/settings/update") == talk.requests("turn/start") == []
    assert talk.outcome.error is not None
    assert "`codex-server new --cwd /project --sandbox workspace-write " in talk.outcome.error.hint
    closed = opened(config_of(OPEN, **PROXY)).outcome.error
    assert closed is not None
    assert "--config features.network_proxy=false " in closed.hint


def test_a_profile_that_codex_refuses_starts_nothing() -> None:
    words = "failed to load configuration: default_permissions refers to undefined profile `mine`"
    talk = opened(config_of(DENY)).reply("thread/settings/update", error={"code": -32600, "message": words})
    assert (talk.kind, talk.requests("turn/start")) == (ErrorKind.BAD_INPUT, [])


def test_a_configuration_that_codex_refuses_to_tell_starts_nothing() -> None:
    words = "failed to resolve feature override precedence: default_permissions refers to undefined profile `other`"
    talk = (
        Dialogue()
        .reply("initialize")
        .reply("account/read")
        .reply("config/read", error={"code": -32603, "message": words})
    )
    assert (talk.kind, talk.requests("thread/start")) == (ErrorKind.BAD_INPUT, [])


def test_what_the_profile_alone_allows_is_not_what_the_turn_is_allowed() -> None:
    talk = opened(config_of(DENY)).reply("thread/settings/update").receive(announced(WRITES, NAME))
    talk.reply("turn/start", {"turn": {"id": TURN, "status": "inProgress"}}).receive(announced(WRITES, NAME))
    talk.receive(announced(READ_ONLY), STARTED)
    assert talk.requests("turn/interrupt") == []
    assert talk.receive(COMPLETED).outcome.state is State.COMPLETE


def test_a_turn_that_codex_lets_do_more_than_asked_is_interrupted_under_a_profile_too() -> None:
    talk = opened(config_of(DENY)).reply("thread/settings/update")
    talk.reply("turn/start", {"turn": {"id": TURN, "status": "inProgress"}}).receive(announced(WRITES, NAME), STARTED)
    assert talk.requests("turn/interrupt")


def managed(policy: Json, **request: Any) -> Dialogue:
    """A session up to the point where a managed profile is known, with these facts of it."""
    talk = Dialogue(**request).reply("initialize").checked()
    return talk.reply(
        "thread/start", {"thread": {"id": THREAD}, "sandbox": policy, "activePermissionProfile": {"id": "theirs"}}
    )


def test_a_managed_profile_is_put_in_force_and_no_policy_laid_over_it() -> None:
    talk = managed(READ_ONLY)
    assert talk.requests("thread/settings/update") == [{"threadId": THREAD, "permissions": "theirs"}]
    talk.reply("thread/settings/update")
    assert "sandboxPolicy" not in talk.requests("turn/start")[0]
    talk.reply("turn/start", {"turn": {"id": TURN, "status": "inProgress"}})
    talk.receive(announced(READ_ONLY, {"id": "theirs"}), STARTED, COMPLETED)
    assert talk.outcome.state is State.COMPLETE


def test_nor_is_one_laid_over_it_before_a_review() -> None:
    talk = managed(READ_ONLY, review={"type": "uncommittedChanges"}).reply("thread/settings/update")
    assert len(talk.requests("thread/settings/update")) == len(talk.requests("review/start")) == 1


def test_a_managed_profile_that_allows_more_than_was_asked_starts_nothing() -> None:
    talk = managed(WRITES)
    assert (talk.kind, talk.requests("turn/start")) == (ErrorKind.SANDBOX, [])
    assert talk.outcome.error is not None
    assert "then ask again: `codex-server new --cwd /project " in talk.outcome.error.hint


def test_a_managed_profile_that_turns_out_to_allow_more_than_codex_had_said_is_interrupted() -> None:
    talk = managed(READ_ONLY).reply("thread/settings/update")
    talk.reply("turn/start", {"turn": {"id": TURN, "status": "inProgress"}})
    assert talk.receive(announced(WRITES, {"id": "theirs"}), STARTED).requests("turn/interrupt")


def test_a_reviewer_of_its_own_is_seen_under_a_profile_too() -> None:
    talk = opened(config_of(DENY), approval=Approval.ASK).reply("thread/settings/update")
    talk.reply("turn/start", {"turn": {"id": TURN, "status": "inProgress"}})
    wide = announced(READ_ONLY)
    wide["params"]["threadSettings"] |= {"approvalsReviewer": "auto_review", "approvalPolicy": "on-request"}
    assert talk.receive(wide, STARTED).requests("turn/interrupt")
