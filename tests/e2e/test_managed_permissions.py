"""An administrator's requirements on Codex hold for a turn: permission profiles, and lists of permitted settings.

Everyday: each answer once. The further combinations are for the full run: what is decided stands in
`tests/core/session/test_permissions.py` and `test_requirements.py`, with every case.
"""

from __future__ import annotations

import json
import shlex

import pytest

from codex_server_cli.core.result.commands import commands_in
from codex_server_cli.demo.replies import run_command, say
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.kit.command_run import Run
from tests.kit.home import Home
from tests.kit.machine import Machine, needs_root
from tests.kit.support import Json, make_repository

pytestmark = needs_root

ALLOWED = 'default_permissions = "theirs"\n[allowed_permission_profiles]\ntheirs = true\n'
READS = """[permissions.theirs.filesystem]
":minimal" = "read"
{codex} = "read"
[permissions.theirs.filesystem.":workspace_roots"]
"." = "{access}"
"""
NETWORK = "[permissions.theirs.network]\nenabled = true\n"


class Managed:
    """A home on a machine whose administrator has everything run under the profile `theirs`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        make_repository(home.project)
        (home.project / "open.txt").write_text("OPEN\n")
        (home.root / "outside").write_text("OUTSIDE\n")
        self.model: ScriptedModel
        self._machine: Machine

    def requires(self, access: str, more: str = "", *, head: str = ALLOWED) -> None:
        """Let the project be read or written, and nothing else be read but what commands need."""
        codex = json.dumps(str(self.home.codex.resolve().parent))
        self.requires_alone(head + READS.format(codex=codex, access=access) + more)

    def requires_alone(self, requirements: str) -> None:
        """Require just this."""
        self._machine = Machine(self.home, requirements=requirements)
        look = f"cat open.txt; cat {self.home.root}/outside; echo made > made; ls made"
        self.model = self.home.model([reply for n in "1234" for reply in (run_command(look, call_id=n), say(n))])

    def run(self, *args: str) -> Run:
        """Run `codex-server ARGS --wait --full` there."""
        return self._machine.run(*args, "--wait", "--full")

    def output_of(self, call_id: str = "1") -> str:
        """The output of the command of this id."""
        output: str = self.model.model_requests[-1].tool_outputs[call_id]
        return output


@pytest.fixture
def managed(home: Home) -> Managed:
    """A managed machine, with each codex."""
    return Managed(home)


@pytest.fixture
def one_managed(one_home: Home) -> Managed:
    """A managed machine, with one codex."""
    return Managed(one_home)


def assert_unread(output: str, *, may_write: bool) -> None:
    """Assert that the project was read and nothing outside of it, and whether it could be written."""
    assert "OPEN" in output, output
    assert "OUTSIDE" not in output
    assert ("\nmade\n" in output) == may_write


def assert_refused(managed: Managed, run: Run, expected: str) -> Json:
    """Assert that nothing was run, and why in one line; returns the error."""
    error: Json = run.json["error"]
    assert (run.code, run.json["state"], error["kind"]) == (1, "failed", "sandbox")
    assert "'theirs'" in error["message"]
    assert expected in error["message"]
    assert "\n" not in error["message"]
    assert managed.model.model_requests == []
    return error


def test_a_turn_that_only_reads_reads_what_the_profile_lets_it(managed: Managed) -> None:
    managed.requires("read")
    assert managed.run("review", "--uncommitted").code == 0
    assert_unread(managed.output_of(), may_write=False)


@pytest.mark.full
def test_so_do_a_plain_turn_and_the_turns_that_go_on_with_it(managed: Managed) -> None:
    managed.requires("read")
    for number, args in (("1", ["new", "hi"]), ("2", ["continue", "go on"]), ("3", ["continue", "go on", "--fork"])):
        assert managed.run(*args).code == 0
        assert_unread(managed.output_of(number), may_write=False)


@pytest.mark.full
def test_a_turn_that_writes_writes_in_the_project_and_reads_no_more_than_that(managed: Managed) -> None:
    managed.requires("write")
    run = managed.run("new", "hi", "--write")
    assert run.code == 0
    assert_unread(managed.output_of(), may_write=True)
    sent = [event for event in managed.home.turn(run.json["turn_id"]).events if event["dir"] == "out"]
    settings = [event["params"] for event in sent if event.get("method") == "thread/settings/update"]
    assert [each.get("permissions") for each in settings] == ["theirs"]  # the thread is left under nothing else, either
    assert managed.run("continue", "go on", "--write").code == 0
    assert_unread(managed.output_of("2"), may_write=True)


@pytest.mark.parametrize(
    ("access", "more", "unfit"),
    [
        (
            "read",
            "",
            [
                (["new", "hi", "--write"], "lets nothing be written"),
                (["new", "hi", "--network"], "keeps the network closed"),
            ],
        ),
        (
            "write",
            "",
            [
                (["new", "hi"], "lets commands write, which this turn was not asked to have"),
                (["review", "--uncommitted"], "lets commands write, which this turn was not asked to have"),
            ],
        ),
        ("read", NETWORK, [(["new", "hi"], "opens the network")]),
    ],
    ids=["reads", "writes", "network"],
)
def test_what_the_profile_does_not_fit_runs_nothing(
    managed: Managed, access: str, more: str, unfit: list[tuple[list[str], str]]
) -> None:
    managed.requires(access, more)
    for args, expected in unfit:
        error = assert_refused(managed, managed.run(*args), expected)
        assert "of those that your administrator allows" in error["hint"]


@pytest.mark.full
def test_a_profile_that_writes_elsewhere_writes_nothing_for_a_turn_in_the_project(one_managed: Managed) -> None:
    (one_managed.home.root / "else").mkdir()
    elsewhere = f'[permissions.theirs.filesystem.{json.dumps(str(one_managed.home.root / "else"))}]\n"." = "write"\n'
    one_managed.requires("write", elsewhere)
    assert_refused(one_managed, one_managed.run("new", "hi", "--write"), "elsewhere")


@pytest.mark.full
@pytest.mark.parametrize("access", ["read", "write"])
def test_full_access_is_refused_with_a_next_step_that_works(one_managed: Managed, access: str) -> None:
    one_managed.requires(access)
    error = assert_refused(one_managed, one_managed.run("new", "hi", "--sandbox", "danger-full-access"), "would lift")
    assert (" --write " in error["hint"]) == (access == "write")


@pytest.mark.full
def test_selecting_an_allowed_profile_that_fits_is_a_next_step_that_works(managed: Managed) -> None:
    managed.requires("write", head=f'{ALLOWED}":read-only" = true\n')
    assert_refused(managed, managed.run("new", "hi"), "lets commands write")
    config = managed.home.codex_home / "config.toml"
    config.write_text(f'default_permissions = ":read-only"\n{config.read_text()}')
    assert managed.run("new", "hi").code == 0
    assert "Read-only file system" in managed.output_of()


@pytest.mark.full
def test_a_managed_profile_of_which_nothing_at_all_is_told_runs_nothing(managed: Managed) -> None:
    managed.requires("read", head="")
    config = managed.home.codex_home / "config.toml"
    config.write_text(f'default_permissions = "theirs"\n{config.read_text()}')
    assert_refused(managed, managed.run("new", "hi"), "may let anything be written")


READS_ALONE = 'default_permissions = ":read-only"\n[allowed_permission_profiles]\n":read-only" = true\n'
MODE = 'allowed_sandbox_modes = ["read-only"]\n'
WIDER = [["--write"], ["--network"], ["--write", "--network"], ["--sandbox", "danger-full-access"]]


def assert_not_allowed(managed: Managed, run: Run, requests: int = 0) -> Json:
    """Assert that nothing was run because of the requirements, and that the hint has the command that works."""
    error: Json = run.json["error"]
    assert (run.code, run.json["state"], error["kind"]) == (1, "failed", "sandbox")
    assert error["message"].startswith("Your administrator's requirements for Codex allow the ")
    assert "\n" not in error["message"]
    assert len(managed.model.model_requests) == requests
    assert not (managed.home.project / "made").exists()
    return error


@pytest.mark.full
def test_a_list_that_lets_everything_be_read_alone_holds_for_every_turn(managed: Managed) -> None:
    managed.requires_alone(READS_ALONE)
    runs = [managed.run("new", "hi", *options) for options in WIDER]
    for number, run in enumerate(runs, 1):
        hint = assert_not_allowed(managed, run, requests=2 * (number - 1))["hint"]
        assert managed.run(*shlex.split(commands_in(hint)[0])[1:]).code == 0
        assert "Read-only file system" in managed.output_of(str(number))
    for options in WIDER:
        for more in ([], ["--fork"]):
            assert_not_allowed(managed, managed.run("continue", "go on", *options, *more), requests=2 * len(WIDER))


@pytest.mark.full
def test_a_turn_that_was_refused_leaves_no_thread_to_go_on_with(managed: Managed) -> None:
    managed.requires_alone(READS_ALONE)
    assert managed.run("new", "hi").code == 0
    assert_not_allowed(managed, managed.run("new", "hi", "--write"), requests=2)
    assert managed.run("continue", "go on").code == 0
    assert "Read-only file system" in managed.output_of("2")


@pytest.mark.full
def test_a_plain_turn_and_a_review_run_under_such_a_list(managed: Managed) -> None:
    managed.requires_alone(READS_ALONE)
    for number, verb in (("1", ["new", "hi"]), ("2", ["continue", "go on"]), ("3", ["review", "--uncommitted"])):
        assert managed.run(*verb).code == 0
        assert "Read-only file system" in managed.output_of(number)


@pytest.mark.full
def test_a_list_with_the_workspace_lets_it_be_written_and_the_network_stay_closed(managed: Managed) -> None:
    managed.requires_alone(f'{READS_ALONE}":workspace" = true\n')
    for options in WIDER[1:]:
        assert_not_allowed(managed, managed.run("new", "hi", *options))
    assert managed.run("new", "hi", "--write").code == 0
    assert "\nmade\n" in managed.output_of()


@pytest.mark.full
def test_a_list_with_full_access_lets_a_turn_have_anything(one_managed: Managed) -> None:
    one_managed.requires_alone(f'{READS_ALONE}":danger-full-access" = true\n')
    for number, options in enumerate((WIDER[0], WIDER[3]), 1):
        assert one_managed.run("new", "hi", *options).code == 0
        assert "\nmade\n" in one_managed.output_of(str(number))


@pytest.mark.full
def test_a_listed_profile_of_the_users_own_lets_no_more_be_written_than_it_does(managed: Managed) -> None:
    managed.requires_alone(f"{READS_ALONE}mine = true\n")
    config = managed.home.codex_home / "config.toml"
    provider = config.read_text()
    for base, is_allowed in ((":read-only", False), (":workspace", True)):
        mine = f'[permissions.mine]\nextends = "{base}"\n[permissions.mine.filesystem]\n'
        denied = json.dumps(str(managed.home.root / "outside"))
        config.write_text(f'default_permissions = "mine"\n{provider}\n{mine}{denied} = "deny"\n')
        run = managed.run("new", "hi", "--write")
        if is_allowed:
            assert run.code == 0
            assert_unread(managed.output_of(), may_write=True)
        else:
            assert_not_allowed(managed, run)


@pytest.mark.full
def test_a_sandbox_that_is_not_allowed_is_told_and_network_is_no_part_of_one(managed: Managed) -> None:
    managed.requires_alone(MODE)
    for options in (WIDER[0], WIDER[2], WIDER[3]):
        assert_not_allowed(managed, managed.run("new", "hi", *options))
    assert managed.run("new", "hi", "--network").code == 0
    assert "Read-only file system" in managed.output_of()


@pytest.mark.full
@pytest.mark.parametrize(
    ("requirement", "options"),
    [
        ('allowed_approval_policies = ["never"]', ["--approval", "ask"]),
        ('allowed_approval_policies = ["on-request"]', []),
        ('allowed_approvals_reviewers = ["user"]', ["--approval", "auto"]),
    ],
)
def test_who_decides_is_held_against_the_requirements_by_codex(
    managed: Managed, requirement: str, options: list[str]
) -> None:
    managed.requires_alone(f"{requirement}\n")
    run = managed.run("new", "hi", *options)
    assert (run.code, run.json["state"]) == (1, "failed")
    assert "is not in the allowed set" in run.json["error"]["message"]
    assert managed.model.model_requests == []


WORKSPACE = READS_ALONE.replace('default_permissions = ":read-only"', 'default_permissions = ":workspace"')


@pytest.mark.full
def test_where_the_workspace_may_be_written_by_default_a_plain_turn_and_a_review_only_read(managed: Managed) -> None:
    managed.requires_alone(f'{WORKSPACE}":workspace" = true\n')
    for number, verb in (("1", ["new", "hi"]), ("2", ["continue", "go on"]), ("3", ["review", "--uncommitted"])):
        assert managed.run(*verb).code == 0
        assert "Read-only file system" in managed.output_of(number)


def test_and_a_turn_that_may_write_does(managed: Managed) -> None:
    managed.requires_alone(f'{WORKSPACE}":workspace" = true\n')
    assert managed.run("new", "hi", "--write").code == 0
    assert "\nmade\n" in managed.output_of()


@pytest.mark.full
def test_a_profile_of_the_users_own_that_is_not_listed_changes_nothing(managed: Managed) -> None:
    managed.requires_alone(READS_ALONE)
    config = managed.home.codex_home / "config.toml"
    mine = '[permissions.mine]\nextends = ":workspace"\n'
    config.write_text(f'default_permissions = "mine"\n{config.read_text()}\n{mine}')
    assert_not_allowed(managed, managed.run("new", "hi", "--write"))
    assert managed.run("new", "hi").code == 0
    assert "Read-only file system" in managed.output_of()
