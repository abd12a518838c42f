"""What an administrator's requirements allow: how a thread is opened, what is forbidden, what is reported of it."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import Sandbox, TurnRequest
from codex_server_cli.core.model.turn import State, TurnError
from codex_server_cli.core.session.permissions import PermissionProfile
from codex_server_cli.core.session.requirements import problem_of, profile_to_open_under
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import READ_ONLY, STARTED, THREAD, TURN, TURN_ID, Dialogue, Json

READ = "configRequirements/read"
WRITE: Json = {"sandbox": Sandbox.WORKSPACE_WRITE}
NETWORK: Json = {"has_network": True}
FULL: Json = {"sandbox": Sandbox.DANGER_FULL_ACCESS}
IN_FORCE: Json = {"activePermissionProfile": {"id": ":read-only", "extends": None}}
MINE = PermissionProfile("mine", {"/x": "deny", ":root": "read"}, True, False, False, {})
WRITING = {":workspace_roots": "write", ":tmpdir": "write", ":slash_tmp": "write"}


def listed(*names: str, **more: Any) -> Json:
    """Requirements whose list of profiles allows these."""
    return {"requirements": {"allowedPermissionProfiles": dict.fromkeys(names, True) | more}}


def problem(reported: Any, asked: Json, profile: PermissionProfile | None = None, **settings: Any) -> TurnError | None:
    """Why such requirements forbid such a turn."""
    return problem_of(reported, settings, TurnRequest(TURN_ID, "/p", **asked), profile)


@for_each("asked", [{}, WRITE, NETWORK, WRITE | NETWORK, FULL], ids=str)
@for_each("reported", [None, {}, {"requirements": None}, {"requirements": {"allowedPermissionProfiles": None}}])
def test_without_a_list_everything_may_be_asked(reported: Json, asked: Json) -> None:
    assert problem(reported, asked) is None


@for_each(
    ("names", "allowed", "forbidden"),
    [
        ([":read-only"], [{}], [WRITE, NETWORK, FULL]),
        (
            [":read-only", ":workspace"],
            [{}, WRITE, {**WRITE, "writable_roots": ("/q",)}],
            [NETWORK, WRITE | NETWORK, FULL],
        ),
        ([":read-only", ":danger-full-access"], [{}, WRITE, NETWORK, WRITE | NETWORK, FULL], []),
        ([":read-only", "theirs"], [{}], [WRITE, NETWORK, FULL]),
        ([], [{}], [WRITE, NETWORK, FULL]),
    ],
    ids=str,
)
def test_a_list_allows_what_one_of_its_profiles_is_known_to(
    names: list[str], allowed: list[Json], forbidden: list[Json]
) -> None:
    assert [problem(listed(*names), asked) for asked in allowed] == [None] * len(allowed)
    for asked in forbidden:
        found = problem(listed(*names), asked)
        assert found is not None
        assert found.kind is ErrorKind.SANDBOX
        assert f"profiles {', '.join(names) or '(none)'} alone" in found.message
        assert "\n" not in found.message


def test_a_profile_that_the_list_switches_off_allows_nothing() -> None:
    off: Json = {":workspace": False, ":danger-full-access": "yes"}
    assert problem(listed(":read-only", **off), WRITE) is not None


@for_each("odd", [[":workspace"], "all", True, 0], ids=str)
def test_what_cannot_be_read_of_them_allows_nothing(odd: Any) -> None:
    for reported in ({"requirements": {"allowedPermissionProfiles": odd}}, {"requirements": odd}, odd):
        assert [problem(reported, asked) is None for asked in ({}, WRITE, NETWORK, FULL)] == [True, False, False, False]
        assert profile_to_open_under(reported, {}) is None


def test_a_list_that_is_told_by_the_thread_alone_allows_nothing() -> None:
    assert problem({}, WRITE, **IN_FORCE) is not None
    assert problem({}, {}, **IN_FORCE) is None


@for_each(
    ("changes", "asked", "is_allowed"),
    [
        ({}, WRITE, False),
        ({"rules": WRITING}, WRITE, True),
        ({"rules": {":root": "write"}}, WRITE, True),
        ({"rules": {":workspace_roots": "write"}}, WRITE, False),
        ({"rules": WRITING}, WRITE | NETWORK, False),
        ({"rules": WRITING, "has_network": True}, WRITE | NETWORK, True),
        ({"rules": WRITING, "name": "another"}, WRITE, False),
        ({"has_network": True}, NETWORK, True),
        ({"rules": {":root": "write"}, "has_network": True}, FULL, False),
    ],
    ids=str,
)
def test_a_listed_profile_of_the_users_own_allows_what_it_lets_be_done_itself(
    changes: Json, asked: Json, is_allowed: bool
) -> None:
    found = problem(listed(":read-only", "mine"), asked, MINE._replace(**changes))
    assert (found is None) == is_allowed


def test_a_managed_profile_in_force_is_judged_by_what_is_told_of_it_alone() -> None:
    assert problem(listed("theirs"), WRITE, MINE._replace(name="theirs", is_told=False)) is None


@for_each(
    ("modes", "allowed", "forbidden"),
    [
        (["read-only"], [{}, NETWORK], [WRITE, FULL]),
        (["read-only", "workspace-write"], [WRITE | NETWORK], [FULL]),
        ("all", [{}], [WRITE]),
    ],
    ids=str,
)
def test_sandboxes_that_are_not_allowed_are_told_before_codex_refuses_them(
    modes: Any, allowed: list[Json], forbidden: list[Json]
) -> None:
    reported = {"requirements": {"allowedSandboxModes": modes}}
    assert [problem(reported, asked) for asked in allowed] == [None] * len(allowed)
    for asked in forbidden:
        found = problem(reported, asked)
        assert found is not None
        assert f"not {asked['sandbox']}" in found.message


# --- how a turn starts


def opened(requirements: Json | None, **request: Any) -> Dialogue:
    """A session up to the point where every check is done."""
    talk = Dialogue(**request).reply("initialize").checked(requirements=requirements)
    if talk.sent[-1]["method"] == "thread/goal/get":  # the thread is to be resumed
        talk.queue_empty()
    method = "thread/fork" if request.get("is_fork") else "thread/resume" if "thread_id" in request else "thread/start"
    return talk.reply(method, {"thread": {"id": THREAD}, "model": "gpt", "sandbox": READ_ONLY})


WAYS: list[Json] = [{}, {"thread_id": "t"}, {"thread_id": "t", "is_fork": True}]


@for_each("way", WAYS, ids=str)
@for_each("asked", [WRITE, NETWORK, FULL], ids=str)
def test_a_turn_that_may_more_than_read_is_held_against_them_before_it_starts(way: Json, asked: Json) -> None:
    assert len(opened(None, **way, **asked).requests("turn/start")) == 1
    talk = opened(listed(":read-only")["requirements"], **way, **asked)
    assert (talk.kind, talk.outcome.state, talk.requests("turn/start")) == (ErrorKind.SANDBOX, State.FAILED, [])


def refused(message: str, code: int = -32600) -> Dialogue:
    """A session in which Codex refuses to report them."""
    talk = Dialogue(**WRITE).reply("initialize").reply("account/read", {"requiresOpenaiAuth": False})
    return talk.reply("config/read").reply(READ, error={"code": code, "message": message})


@for_each(
    ("code", "message"),
    [(-32600, f"Invalid request: unknown variant `{READ}`, expected one of"), (-32601, "Method not found")],
)
def test_a_codex_that_does_not_know_of_them_runs_the_turn(code: int, message: str) -> None:
    talk = refused(message, code).reply("thread/start", {"thread": {"id": THREAD}})
    assert len(talk.requests("turn/start")) == 1


def test_a_codex_that_cannot_tell_them_opens_no_thread() -> None:
    talk = refused("failed to read requirements.toml")
    assert (talk.outcome.state, talk.requests("thread/start")) == (State.FAILED, [])


def test_what_is_no_object_at_all_allows_no_more_than_to_read() -> None:
    for asked, is_allowed in ((WRITE, False), ({}, True)):
        talk = Dialogue(**asked).reply("initialize").reply("account/read", {"requiresOpenaiAuth": False})
        talk.receive({"id": next(each["id"] for each in talk.sent if each["method"] == READ), "result": []})
        talk.reply("config/read").reply("thread/start", {"thread": {"id": THREAD}})
        assert len(talk.requests("turn/start")) == is_allowed


def hint(requirements: Json, **request: Any) -> str:
    """The next step."""
    error = opened(requirements["requirements"], **request).outcome.error
    assert error is not None
    return error.hint


def test_the_next_step_is_the_same_command_without_what_is_not_allowed() -> None:
    flags = {"--write": [], "--network": [], "--add-dir": ["/q"], "--skip-git-check": [], "--name": ["x"]}
    reported = hint(listed(":read-only"), **WRITE, **NETWORK, flags=flags)
    assert "`codex-server new --cwd /project --skip-git-check --name x --sandbox read-only " in reported
    assert "--write" not in reported
    assert "--network" not in reported
    assert "default_permissions" not in reported


def test_or_to_select_another_profile_of_the_list() -> None:
    reported = hint(listed(":read-only", "theirs"), **WRITE)
    assert "--sandbox read-only" in reported
    assert "(`default_permissions`), of those allowed (theirs)" in reported


def test_in_place_of_full_access_it_is_what_the_list_does_allow() -> None:
    reported = hint(listed(":read-only", ":workspace"), **FULL, flags={"--sandbox": ["danger-full-access"]})
    assert "`codex-server new --cwd /project --sandbox workspace-write " in reported


# --- a built-in profile that a list has put in force


def listing(name: str, config: Json, reported: Json | None = None, **request: Any) -> Dialogue:
    """A session in which Codex names this profile as the one in force, which writes unless it is `:read-only`."""
    policy = READ_ONLY if name == ":read-only" else {"type": "workspaceWrite", "writableRoots": []}
    talk = Dialogue(**request).reply("initialize").checked(config=config, requirements=reported)
    active = {"id": name, "extends": None}
    return talk.reply("thread/start", {"thread": {"id": THREAD}, "sandbox": policy, "activePermissionProfile": active})


@for_each("asked", [{}, {"review": {"type": "uncommittedChanges"}}], ids=str)
def test_one_that_writes_is_narrowed_before_a_turn_that_only_reads(asked: Json) -> None:
    talk = listing(":workspace", {}, **asked)
    assert talk.requests("thread/settings/update") == [{"threadId": THREAD, "sandboxPolicy": READ_ONLY}]
    assert talk.requests("turn/start") == talk.requests("review/start") == []
    talk.reply("thread/settings/update")
    assert len(talk.requests("turn/start") + talk.requests("review/start")) == 1


def test_and_the_turn_is_interrupted_where_codex_does_not_keep_to_that() -> None:
    talk = listing(":workspace", {}).reply("thread/settings/update")
    talk.reply("turn/start", {"turn": {"id": TURN, "status": "inProgress"}}).receive(STARTED)
    assert talk.requests("turn/interrupt")


OWN: Json = {"default_permissions": "mine", "permissions": {"mine": {"extends": ":read-only"}}}


@for_each("is_listed", [False, True])
def test_a_profile_of_the_users_own_is_in_force_unless_a_list_leaves_it_out(is_listed: bool) -> None:
    reported = listed(":read-only", **({"mine": True} if is_listed else {}))["requirements"]
    talk = listing(":read-only", OWN, reported)
    assert [each["permissions"] for each in talk.requests("thread/settings/update")] == ["mine"] * is_listed
    assert len(talk.requests("turn/start")) == (not is_listed)


def test_what_is_not_told_of_a_list_lifts_no_profile() -> None:
    talk = listing(":read-only", OWN)
    assert [each["permissions"] for each in talk.requests("thread/settings/update")] == ["mine"]


# --- how a thread is opened, so that its project is not trusted

BOTH = (":read-only", ":workspace")
THEIRS = {"defaultPermissions": "theirs"}
BELOW_THEIRS: Json = {"default_permissions": "mine", "permissions": {"mine": {"extends": "theirs"}}}


@for_each(
    ("names", "more", "config", "is_named"),
    [
        (BOTH, {"defaultPermissions": ":workspace"}, {}, True),
        (BOTH, {"defaultPermissions": ":read-only"}, {"default_permissions": ":workspace"}, True),
        (BOTH, {}, {}, True),
        (BOTH, {"defaultPermissions": ":workspace"}, OWN, True),
        ((*BOTH, "mine"), THEIRS, OWN, True),
        ((*BOTH, "theirs"), THEIRS, {}, False),
        ((*BOTH, "theirs"), THEIRS, OWN, False),
        ((*BOTH, "mine"), {}, BELOW_THEIRS, False),
        ((":workspace",), {"defaultPermissions": ":workspace"}, {}, False),
    ],
    ids=str,
)
def test_a_new_thread_opens_read_only_unless_that_is_not_listed_or_would_hide_a_managed_profile(
    names: tuple[str, ...], more: Json, config: Json, is_named: bool
) -> None:
    reported = {"requirements": {**listed(*names)["requirements"], **more}}
    assert profile_to_open_under(reported, config) == (":read-only" if is_named else None)
    assert profile_to_open_under({"requirements": more}, config) is None


@for_each("asked", [{}, WRITE, {"review": {"type": "uncommittedChanges"}}], ids=str)
@for_each("overrides", [{}, {"profile_config": {"default_permissions": ":workspace"}}], ids=str)
def test_so_does_the_thread_of_every_turn_that_starts_one(asked: Json, overrides: Json) -> None:
    reported = listed(*BOTH)["requirements"] | {"defaultPermissions": ":workspace"}
    (thread,) = opened(reported, **asked, **overrides).requests("thread/start")
    assert (thread["sandbox"], thread["config"]["default_permissions"]) == ("read-only", ":read-only")
    (thread,) = opened(None, **asked).requests("thread/start")
    assert "default_permissions" not in thread["config"]


@for_each("way", WAYS[1:], ids=str)
def test_a_thread_that_is_there_already_names_none(way: Json) -> None:
    talk = opened(listed(*BOTH)["requirements"], **way)
    (thread,) = talk.requests("thread/fork" if "is_fork" in way else "thread/resume")
    assert "default_permissions" not in thread["config"]
