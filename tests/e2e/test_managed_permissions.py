"""What an administrator's permission profile keeps from being read stays unread: its rules Codex tells nobody."""

from __future__ import annotations

import json
import subprocess

import pytest

from codex_server_cli.demo.replies import run_command, say
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.e2e.home import Home, Run
from tests.e2e.machine import Machine, needs_root
from tests.support import Json

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
        subprocess.run(["git", "init", "--quiet"], cwd=home.project, check=True)
        (home.project / "open.txt").write_text("OPEN\n")
        (home.root / "outside").write_text("OUTSIDE\n")
        self.model: ScriptedModel
        self._machine: Machine

    def requires(self, access: str, more: str = "", *, head: str = ALLOWED) -> None:
        """Let the project be read or written, and nothing else read but what commands need."""
        codex = json.dumps(str(self.home.codex.resolve().parent))
        self._machine = Machine(self.home, requirements=head + READS.format(codex=codex, access=access) + more)
        look = f"cat open.txt; cat {self.home.root}/outside; echo made > made; ls made"
        self.model = self.home.model([reply for n in "123" for reply in (run_command(look, call_id=n), say(n))])

    def run(self, *args: str) -> Run:
        """Run `codex-server ARGS --wait` there."""
        return self._machine.run(*args, "--wait")

    def looked(self, call_id: str = "1") -> str:
        """What the command of this id printed."""
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
    """See that the project was read and nothing outside of it, and whether it could be written."""
    assert "OPEN" in output, output
    assert "OUTSIDE" not in output
    assert ("\nmade\n" in output) == may_write


def assert_refused(managed: Managed, run: Run, words: str) -> Json:
    """See that nothing was run, and why in one line; returns the error."""
    error: Json = run.json["error"]
    assert (run.code, run.json["state"], error["kind"]) == (1, "failed", "sandbox")
    assert "'theirs'" in error["message"]
    assert words in error["message"]
    assert "\n" not in error["message"]
    assert managed.model.model_requests == []
    return error


@pytest.mark.parametrize("verb", [["new", "hi"], ["review", "--uncommitted"]], ids=" ".join)
def test_a_turn_that_only_reads_reads_what_the_profile_lets_it(managed: Managed, verb: list[str]) -> None:
    managed.requires("read")
    assert managed.run(*verb).code == 0
    assert_unread(managed.looked(), may_write=False)


def test_so_do_the_turns_that_go_on_with_it(managed: Managed) -> None:
    managed.requires("read")
    assert managed.run("new", "hi").code == 0
    for number, options in (("2", []), ("3", ["--fork"])):
        assert managed.run("continue", "go on", *options).code == 0
        assert_unread(managed.looked(number), may_write=False)


def test_a_turn_that_writes_writes_in_the_project_and_reads_no_more_than_that(managed: Managed) -> None:
    managed.requires("write")
    run = managed.run("new", "hi", "--write")
    assert run.code == 0
    assert_unread(managed.looked(), may_write=True)
    sent = [event for event in managed.home.turn(run.json["turn_id"]).events if event["dir"] == "out"]
    settings = [event["params"] for event in sent if event.get("method") == "thread/settings/update"]
    assert [each.get("permissions") for each in settings] == ["theirs"]  # nor is the thread left under anything else
    assert managed.run("continue", "go on", "--write").code == 0
    assert_unread(managed.looked("2"), may_write=True)


@pytest.mark.parametrize(
    ("access", "more", "args", "words"),
    [
        ("read", "", ["new", "hi", "--write"], "lets nothing be written"),
        ("write", "", ["new", "hi"], "lets commands write, which this turn was not asked to have"),
        ("write", "", ["review", "--uncommitted"], "lets commands write, which this turn was not asked to have"),
        ("read", NETWORK, ["new", "hi"], "opens the network"),
        ("read", "", ["new", "hi", "--network"], "keeps the network closed"),
    ],
)
def test_what_the_profile_does_not_fit_runs_nothing(
    managed: Managed, access: str, more: str, args: list[str], words: str
) -> None:
    managed.requires(access, more)
    error = assert_refused(managed, managed.run(*args), words)
    assert "of those that your administrator allows" in error["hint"]


def test_a_profile_that_writes_elsewhere_writes_nothing_for_a_turn_in_the_project(one_managed: Managed) -> None:
    (one_managed.home.root / "else").mkdir()
    elsewhere = f'[permissions.theirs.filesystem.{json.dumps(str(one_managed.home.root / "else"))}]\n"." = "write"\n'
    one_managed.requires("write", elsewhere)
    assert_refused(one_managed, one_managed.run("new", "hi", "--write"), "elsewhere")


@pytest.mark.parametrize("access", ["read", "write"])
def test_full_access_is_refused_with_a_next_step_that_works(one_managed: Managed, access: str) -> None:
    one_managed.requires(access)
    error = assert_refused(one_managed, one_managed.run("new", "hi", "--sandbox", "danger-full-access"), "would lift")
    assert (" --write " in error["hint"]) == (access == "write")


def test_selecting_an_allowed_profile_that_fits_is_a_next_step_that_works(managed: Managed) -> None:
    managed.requires("write", head=f'{ALLOWED}":read-only" = true\n')
    assert_refused(managed, managed.run("new", "hi"), "lets commands write")
    config = managed.home.codex_home / "config.toml"
    config.write_text(f'default_permissions = ":read-only"\n{config.read_text()}')
    assert managed.run("new", "hi").code == 0
    assert "Read-only file system" in managed.looked()


def test_a_managed_profile_of_which_nothing_at_all_is_told_runs_nothing(managed: Managed) -> None:
    managed.requires("read", head="")
    config = managed.home.codex_home / "config.toml"
    config.write_text(f'default_permissions = "theirs"\n{config.read_text()}')
    assert_refused(managed, managed.run("new", "hi"), "may let anything be written")
