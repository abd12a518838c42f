"""What the user's own Codex denies stays denied: their permission profile under every way to run a turn."""

from __future__ import annotations

import json

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike, ToolCall
from codex_server_cli.demo.replies import hold, run_command, say
from codex_server_cli.demo.scripted_model import Script, ScriptedModel
from tests.kit.escalations import ASK, wait_for_request
from tests.kit.home import Home, Turn
from tests.kit.support import make_repository, wait_until

LOOK = "cat secret.txt; cat deep/er/a.env; cat open.txt; echo made > made; ls made"
SECRETS = ("TOP-SECRET", "ENV-SECRET")


class Denied:
    """A home whose Codex denies two files of its project, and the results of reading them."""

    def __init__(self, home: Home) -> None:
        self.home = home
        project = home.project
        make_repository(project)
        (project / "deep" / "er").mkdir(parents=True)
        (project / "secret.txt").write_text("TOP-SECRET\n")
        (project / "deep" / "er" / "a.env").write_text("ENV-SECRET\n")
        (project / "open.txt").write_text("OPEN\n")
        self.before = b""

    def rules(self, extends: str = ":workspace") -> str:
        """A profile with a denied path and a denied glob, as TOML."""
        secret = json.dumps(str(self.home.project / "secret.txt"))
        return (
            f'[permissions.mine]\nextends = "{extends}"\n'
            f'[permissions.mine.filesystem]\nglob_scan_max_depth = 4\n{secret} = "deny"\n'
            '[permissions.mine.filesystem.":workspace_roots"]\n"**/*.env" = "deny"\n'
        )

    def model(
        self,
        script: Script,
        toml: str | None = None,
        name: str | None = "mine",
        features: dict[str, bool] | None = None,
    ) -> ScriptedModel:
        """Serve a script to a Codex that runs under a profile; `toml` may hold other rules."""
        model = self.home.model(script, features=features, extra_toml=self.rules() if toml is None else toml)
        config = self.home.codex_home / "config.toml"
        if name is not None:
            config.write_text(f'default_permissions = "{name}"\n' + config.read_text())
        self.before = config.read_bytes()
        return model

    def has_kept_config(self) -> bool:
        """Whether nothing was written into the user's configuration, no mark of trust either."""
        return (self.home.codex_home / "config.toml").read_bytes() == self.before


@pytest.fixture
def denied(home: Home) -> Denied:
    """Denied files, with each codex."""
    return Denied(home)


@pytest.fixture
def one_denied(one_home: Home) -> Denied:
    """Denied files, with one codex."""
    return Denied(one_home)


def output_of(model: ScriptedModel, call_id: str = "look") -> str:
    """The output of the command of this id."""
    output: str = model.model_requests[-1].tool_outputs[call_id]
    return output


def look(call_id: str = "look", *, escalated: bool = False) -> ToolCall:
    """A command that reads everything, and writes."""
    return run_command(LOOK, call_id=call_id, escalated=escalated, justification="please" if escalated else None)


def settings_of(turn: Turn) -> list[dict[str, object]]:
    """The settings sent between the opening of the thread and the turn, without the thread."""
    asked = [event for event in turn.events if event["dir"] == "out" and "id" in event]
    starts = next(n for n, event in enumerate(asked) if event["method"] in ("turn/start", "review/start"))
    updates = [event["params"] for event in asked[:starts] if event["method"] == "thread/settings/update"]
    return [{name: value for name, value in update.items() if name != "threadId"} for update in updates]


def assert_denied(output: str, *, may_write: bool) -> None:
    """Assert that denied files were not read, that the rest was, and whether the project could be written."""
    assert not any(secret in output for secret in SECRETS), output
    assert output.count("Permission denied") == 2
    assert "OPEN" in output
    assert ("Read-only file system" not in output) == may_write


# --- every way to run a turn


@pytest.mark.parametrize("extends", [":workspace", pytest.param(":read-only", marks=pytest.mark.full)])
def test_what_is_denied_stays_denied(denied: Denied, extends: str) -> None:
    ways = {"plain": [], "write": ["--write", "--add-dir", "deep"], "plan": ["--plan"]}
    model = denied.model([reply for way in ways for reply in (look(way), say("done"))], denied.rules(extends))
    for way, options in ways.items():
        turn = denied.home.start("new", "hi", *options)
        assert turn.wait()["state"] == "complete"
        assert_denied(output_of(model, way), may_write=way == "write")
        assert settings_of(turn) == [{"permissions": "mine"}]
        assert denied.has_kept_config()
        (denied.home.project / "made").unlink(missing_ok=True)


@pytest.mark.full
def test_it_stays_denied_in_a_thread_and_a_fork_of_one_that_had_run_wider(denied: Denied) -> None:
    wider = run_command("cat secret.txt > kept", call_id="wide")
    model = denied.home.model(
        [wider, say("done"), look("1"), say("1"), look("2"), say("2"), look("3"), say("3")],
    )
    wide = denied.home.start("new", "hi", "--sandbox", "danger-full-access")
    assert wide.wait()["state"] == "complete"
    (denied.home.project / "kept").unlink()
    config = denied.home.codex_home / "config.toml"
    config.write_text('default_permissions = "mine"\n' + config.read_text() + denied.rules())
    for number, options in (("1", []), ("2", ["--write"]), ("3", ["--fork", "--write"])):
        turn = denied.home.start("continue", "--turn", wide.id, "go on", *options)
        assert turn.wait()["state"] == "complete"
        assert_denied(output_of(model, number), may_write="--write" in options)


def test_a_review_is_denied_it_and_may_not_write_what_its_reviewer_could(denied: Denied) -> None:
    model = denied.model([look(), say("done")])
    turn = denied.home.start("review", "--uncommitted")
    assert turn.wait()["state"] == "complete"
    assert_denied(output_of(model), may_write=False)
    policy = {"type": "readOnly", "networkAccess": False}
    assert settings_of(turn) == [{"permissions": "mine"}, {"sandboxPolicy": policy}]
    assert denied.has_kept_config()


def test_an_approval_and_a_steering_do_not_lift_it(denied: Denied) -> None:
    gate = Gate()
    model = denied.model([look("asked", escalated=True), say("so ", hold(gate)), look("steered"), say("done")])
    turn = denied.home.start("new", "hi", *ASK)
    wait_for_request(denied.home, turn)
    assert denied.home.run("approve", turn.id, "--session").code == 0
    wait_until(lambda: "so " in turn.out, what="the first words")
    assert denied.home.run("steer", turn.id, "look again").code == 0
    gate.open()
    assert turn.wait()["state"] == "complete"
    assert_denied(output_of(model, "asked"), may_write=True)
    assert_denied(output_of(model, "steered"), may_write=False)


def test_what_a_profile_file_denies_is_denied_too(denied: Denied) -> None:
    model = denied.model([look(), say("done")], "", name=None)
    (denied.home.codex_home / "locked.config.toml").write_text(f'default_permissions = "mine"\n{denied.rules()}')
    run = denied.home.run("new", "hi", "--profile", "locked", "--wait")
    assert (run.code, "has no effect" in run.stderr) == (0, False)
    assert_denied(output_of(model), may_write=False)


@pytest.mark.full
def test_it_is_denied_by_a_project_that_its_user_trusts(denied: Denied) -> None:
    trust = f'[projects."{denied.home.project}"]\ntrust_level = "trusted"\n'
    model = denied.model([look(), say("done")], trust, name=None)
    (denied.home.project / ".codex").mkdir()
    rules = f'default_permissions = "mine"\n{denied.rules()}'
    (denied.home.project / ".codex" / "config.toml").write_text(rules)
    assert denied.home.start("new", "hi", "--write").wait()["state"] == "complete"
    assert_denied(output_of(model), may_write=True)


@pytest.mark.full
def test_a_thread_that_goes_on_in_such_a_project_is_denied_it_too(denied: Denied) -> None:
    other = denied.home.root / "other"
    (other / ".codex").mkdir(parents=True)
    (other / ".codex" / "config.toml").write_text(f'default_permissions = "mine"\n{denied.rules()}')
    trust = f'[projects."{other}"]\ntrust_level = "trusted"\n'
    look = f"cat {denied.home.project}/secret.txt"
    script: list[ReplyLike] = [
        say("0"),
        run_command(look, call_id="1"),
        say("1"),
        run_command(look, call_id="2"),
        say("2"),
    ]
    model = denied.model(script, trust, name=None)
    first = denied.home.start("new", "hi")
    assert first.wait()["state"] == "complete"
    for number, options in (("1", ["--fork"]), ("2", [])):
        turn = denied.home.start("continue", "--turn", first.id, "--cwd", str(other), "go on", *options)
        assert turn.wait()["state"] == "complete"
        assert "Permission denied" in output_of(model, number)


def test_without_a_profile_of_ones_own_nothing_is_set(one_denied: Denied) -> None:
    one_denied.model([say("done")], "", name=":workspace")
    turn = one_denied.home.start("new", "hi")
    assert turn.wait()["state"] == "complete"
    assert settings_of(turn) == []


# --- what cannot be kept


def test_full_access_would_lift_it_and_is_refused_before_anything_is_made(one_denied: Denied) -> None:
    one_denied.model([say("done")])
    run = one_denied.home.run("new", "hi", "--sandbox", "danger-full-access")
    assert (run.code, run.error["kind"]) == (65, "bad_input")
    assert "'mine'" in run.error["message"]
    assert "--write" in run.error["hint"]
    assert one_denied.home.turn_ids == []


@pytest.mark.full
def test_full_access_is_refused_too_where_only_codex_knows_of_the_profile(denied: Denied) -> None:
    trust = f'[projects."{denied.home.project}"]\ntrust_level = "trusted"\n'
    model = denied.model([say("done")], trust, name=None)
    (denied.home.project / ".codex").mkdir()
    rules = f'default_permissions = "mine"\n{denied.rules()}'
    (denied.home.project / ".codex" / "config.toml").write_text(rules)
    ended = denied.home.start("new", "hi", "--sandbox", "danger-full-access").wait()
    assert (ended["state"], ended["error"]["kind"]) == ("failed", "sandbox")
    assert " --write " in ended["error"]["hint"]
    assert model.model_requests == []


def test_a_profile_that_does_not_exist_runs_nothing(denied: Denied) -> None:
    model = denied.model([say("done")], name="other")
    ended = denied.home.start("new", "hi").wait()
    assert (ended["state"], ended["error"]["kind"]) == ("failed", "bad_input")
    assert "undefined profile `other`" in ended["error"]["message"]
    assert model.model_requests == []


def test_overrides_of_what_is_denied_are_refused(one_denied: Denied) -> None:
    for override in ("default_permissions=':workspace'", "permissions.mine.extends=':workspace'"):
        run = one_denied.home.run("new", "hi", "--config", override)
        assert (run.code, one_denied.home.turn_ids) == (64, []), run


READS = """[permissions.mine.filesystem]
":minimal" = "read"
{codex} = "read"
[permissions.mine.filesystem.":workspace_roots"]
"." = "{access}"
"""


def reading_rules(denied: Denied, access: str) -> str:
    """A profile that lets nothing be read but the project, and what commands need."""
    return READS.format(codex=json.dumps(str(denied.home.codex.resolve().parent)), access=access)


@pytest.mark.parametrize(("access", "options"), [("read", []), ("write", ["--write"])])
@pytest.mark.full
def test_a_profile_that_limits_reading_runs_as_it_stands_where_that_is_what_was_asked(
    denied: Denied, access: str, options: list[str]
) -> None:
    outside = denied.home.root / "outside"
    outside.write_text("OUTSIDE\n")
    command = run_command(f"cat open.txt; cat {outside}; echo made > made; ls made", call_id="look")
    model = denied.model([command, say("done")], reading_rules(denied, access))
    turn = denied.home.start("new", "hi", *options)
    assert turn.wait()["state"] == "complete"
    assert "OPEN" in output_of(model)
    assert "OUTSIDE" not in output_of(model)
    assert ("\nmade\n" in output_of(model)) == bool(options)
    assert "sandboxPolicy" not in turn.sent("turn/start")
    assert denied.has_kept_config()


@pytest.mark.full
@pytest.mark.parametrize(("access", "options"), [("write", []), ("read", ["--write"])])
def test_a_profile_that_limits_reading_runs_nothing_where_it_would_be_lost(
    one_denied: Denied, access: str, options: list[str]
) -> None:
    model = one_denied.model([say("done")], reading_rules(one_denied, access))
    ended = one_denied.home.start("new", "hi", *options).wait()
    assert (ended["state"], ended["error"]["kind"]) == ("failed", "sandbox")
    assert "limits what may be read" in ended["error"]["message"]
    assert model.model_requests == []


NETWORK = """[permissions.mine]
extends = ":read-only"
[permissions.mine.network]
enabled = true
allow_local_binding = true
[permissions.mine.network.domains]
"127.0.0.1" = "allow"
"denied.example" = "deny"
"""
PROXY = {"network_proxy": True}
OFF = ["--config", "features.network_proxy=false"]


def fetch(model_url: str) -> ToolCall:
    """A command that requests the scripted model's own port, through Codex's proxy where there is one."""
    return run_command(
        f"no_proxy= NO_PROXY= curl -s -m 9 -o /dev/null -w 'HTTP %{{http_code}}' {model_url}", call_id="1"
    )


def test_a_profile_that_opens_the_network_opens_it_to_no_turn_that_was_not_asked_to_have_it(denied: Denied) -> None:
    model = denied.model([say("done")], NETWORK, features=PROXY)
    ended = denied.home.start("new", "hi").wait()
    assert (ended["state"], ended["error"]["kind"], model.model_requests) == ("failed", "sandbox", [])
    hint = ended["error"]["hint"]
    assert " --config features.network_proxy=false " in hint

    model = denied.model([fetch(model.origin), say("done")], NETWORK, features=PROXY)
    assert denied.home.start("new", "hi", *OFF).wait()["state"] == "complete"
    assert "HTTP 000" in output_of(model, "1")


@pytest.mark.full
def test_with_network_its_rules_hold(denied: Denied) -> None:
    with ScriptedModel([]) as other:
        fetch_denied = run_command("curl -s http://denied.example/", call_id="2")
        model = denied.model([fetch(other.origin), fetch_denied, say("done")], NETWORK, features=PROXY)
        assert denied.home.start("new", "hi", "--network").wait()["state"] == "complete"
    assert "HTTP 404" in output_of(model, "1")
    assert "explicitly denied by policy" in output_of(model, "2")
    lifted = denied.home.start("new", "hi", "--network", *OFF).wait()
    assert (lifted["state"], lifted["error"]["kind"]) == ("failed", "sandbox")
