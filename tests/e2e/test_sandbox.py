"""What a turn may touch: nothing unless asked, never the user's trust, and never more than the last flag allows."""

from __future__ import annotations

import json

import pytest

from codex_server_cli.demo.replies import Answer, apply_patch, call, reply, run_command, say
from codex_server_cli.demo.request import Request
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.kit.home import Home, Turn
from tests.kit.support import make_repository

PATCH = "*** Begin Patch\n*** Add File: hello.txt\n+hello\n*** End Patch"
FULL_ACCESS = ("--sandbox", "danger-full-access", "--skip-git-check")


@pytest.fixture
def repository(home: Home) -> Home:
    """The project as a git repository whose own `.codex/` would run a command if Codex trusted it."""
    make_repository(home.project)
    (home.project / ".codex").mkdir()
    trap = f'command = "touch"\nargs = ["{home.root}/trapped"]\n'
    (home.project / ".codex" / "config.toml").write_text(f"[mcp_servers.trap]\n{trap}")
    return home


def policy(turn: Turn) -> str:
    """The sandbox in Codex's request for this turn."""
    kind: str = turn.sent("turn/start")["sandboxPolicy"]["type"]
    return kind


def tool_output(model: ScriptedModel, call_id: str) -> str:
    """What Codex sent to the model about a command."""
    output: str = model.model_requests[-1].tool_outputs[call_id]
    return output


def test_write_edits_the_repository_and_leaves_trust_and_config_alone(repository: Home) -> None:
    repository.model([apply_patch(PATCH), say("done")])
    config = repository.codex_home / "config.toml"
    before = config.read_bytes()
    turn = repository.start("new", "hi", "--write")
    assert turn.wait()["state"] == "complete"
    assert (repository.project / "hello.txt").read_text() == "hello\n"
    assert config.read_bytes() == before
    assert not (repository.root / "trapped").exists()
    assert policy(turn) == "workspaceWrite"
    assert "± " in turn.out
    assert turn.status()["sandbox"] == "workspace-write"


def test_the_trap_would_spring_in_a_project_that_its_user_trusts(repository: Home) -> None:
    trust = f'[projects."{repository.project}"]\ntrust_level = "trusted"\n'
    repository.model([say("done")], extra_toml=trust)
    assert repository.start("new", "hi").wait()["state"] == "complete"
    assert (repository.root / "trapped").exists()


def test_a_turn_writes_nothing_unless_asked(repository: Home) -> None:
    model = repository.model([run_command("touch made", call_id="c1"), say("done")])
    turn = repository.start("new", "hi")
    assert turn.wait()["state"] == "complete"
    assert not (repository.project / "made").exists()
    assert "Read-only file system" in tool_output(model, "c1")
    assert policy(turn) == "readOnly"


def test_a_thread_that_had_full_access_is_read_only_again(repository: Home) -> None:
    model = repository.model(
        [
            run_command("touch first"),
            say("done"),
            run_command("touch second", call_id="c2"),
            say("done"),
        ]
    )
    wide = repository.start("new", "hi", *FULL_ACCESS)
    assert wide.wait()["state"] == "complete"
    assert (repository.project / "first").exists()
    narrow = repository.start("continue", "--turn", wide.id, "go on")
    assert narrow.wait()["state"] == "complete"
    assert narrow.meta["thread_id"] == wide.meta["thread_id"]
    assert not (repository.project / "second").exists()
    assert "Read-only file system" in tool_output(model, "c2")
    assert [policy(wide), policy(narrow)] == ["dangerFullAccess", "readOnly"]


def test_what_a_command_asks_beyond_its_sandbox_is_declined(repository: Home) -> None:
    repository.model([run_command("touch made", escalated=True, justification="please"), say("done")])
    turn = repository.start("new", "hi")
    assert turn.wait()["state"] == "complete"
    assert not (repository.project / "made").exists()
    assert turn.sent("turn/start")["approvalPolicy"] == "never"


def test_writing_outside_of_git_needs_a_word(one_home: Home) -> None:
    one_home.model([apply_patch(PATCH), say("done")])
    for options in (["--write"], ["--sandbox", "danger-full-access"]):
        run = one_home.run("new", "hi", *options)
        assert (run.code, run.error["kind"]) == (65, "bad_input")
        assert "--skip-git-check" in run.error["hint"]
    assert one_home.turn_ids == []
    turn = one_home.start("new", "hi", "--write", "--skip-git-check")
    assert turn.wait()["state"] == "complete"
    assert (one_home.project / "hello.txt").exists()


def test_an_empty_directory_called_git_opens_no_way_in(one_home: Home) -> None:
    one_home.model([say("done")])
    first = one_home.start("new", "hi")
    first.wait()
    for place in (one_home.root, one_home.project):  # as Codex's own sandbox leaves them
        (place / ".git").mkdir()
    started = (["new", "hi"], ["continue", "--turn", first.id, "go on"])
    for verb in started:
        for options in (["--write"], ["--sandbox", "danger-full-access"]):
            run = one_home.run(*verb, *options)
            assert (run.code, "in no git work tree" in run.error["message"]) == (65, True)
    one_home.configure(sandbox="workspace-write")
    for verb in started:
        assert one_home.run(*verb).code == 65
    assert one_home.turn_ids == [first.id]


def test_a_directory_that_is_opened_outside_of_a_repository_needs_a_word(one_home: Home) -> None:
    make_repository(one_home.project)
    extra = one_home.root / "extra"
    extra.mkdir()
    run = one_home.run("new", "hi", "--write", "--add-dir", str(extra))
    assert (run.code, run.error["message"].partition(",")[0]) == (65, f"{extra} is in no git work tree")
    make_repository(extra)
    one_home.model([say("done")])
    assert one_home.run("new", "hi", "--write", "--add-dir", str(extra), "--wait").code == 0


def test_a_folder_below_a_repository_is_in_it(one_home: Home) -> None:
    make_repository(one_home.project)
    below = one_home.project / "src" / "deep"
    below.mkdir(parents=True)
    one_home.model([say("done")])
    assert one_home.run("new", "hi", "--write", "--wait", cwd=below).code == 0


def test_a_further_directory_is_opened_and_no_other(one_home: Home) -> None:
    # Codex opens /tmp to every writing turn, which is where tests live: only the request can be checked.
    extra = one_home.root / "extra"
    extra.mkdir()
    one_home.model([say("done")])
    turn = one_home.start("new", "hi", "--write", "--skip-git-check", "--add-dir", str(extra), "--network")
    assert turn.wait()["state"] == "complete"
    asked = turn.sent("turn/start")["sandboxPolicy"]
    assert (asked["writableRoots"], asked["networkAccess"]) == ([str(extra)], True)
    assert one_home.run("new", "hi", "--add-dir", str(extra)).code == 64


def test_files_of_a_turn_are_the_users_alone(one_home: Home) -> None:
    one_home.model([reply(say("done"))])
    turn = one_home.start("new", "hi")
    turn.wait()
    modes = {path: path.stat().st_mode & 0o777 for path in (one_home.path / "turns", turn.path, *turn.path.rglob("*"))}
    assert {mode for path, mode in modes.items() if path.is_dir()} == {0o700}
    assert {mode for path, mode in modes.items() if not path.is_dir()} == {0o600}


def test_the_default_sandbox_comes_from_config_json(one_home: Home) -> None:
    one_home.configure(sandbox="workspace-write")
    one_home.model([say("done")])
    assert one_home.run("new", "hi").code == 65
    turn = one_home.start("new", "hi", "--skip-git-check")
    turn.wait()
    assert policy(turn) == "workspaceWrite"
    assert one_home.run("new", "hi", "--sandbox", "read-only", "--wait").code == 0


def test_what_a_turn_may_write_its_sub_agents_may_write_too(home: Home) -> None:
    patch = "*** Begin Patch\n*** Add File: note.txt\n+hello\n*** End Patch"

    def script(request: Request) -> Answer:
        reported = request.tool_outputs
        if request.prompt == "be my child":
            return reply(say("Child done.") if reported else apply_patch(patch))
        if "spawned" not in reported:
            return reply(call("spawn_agent", {"message": "be my child"}, namespace="multi_agent_v1", call_id="spawned"))
        if "waited" not in reported:
            targets = [json.loads(reported["spawned"])["agent_id"]]
            return reply(call("wait_agent", {"targets": targets}, namespace="multi_agent_v1", call_id="waited"))
        return reply(say("Done."))

    home.model(script)
    turn = home.start("new", "hi", "--write", "--skip-git-check")
    assert turn.wait()["answer"] == "Done."
    assert (home.project / "note.txt").read_text() == "hello\n"
