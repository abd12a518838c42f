"""Turns in a git worktree of their own, from `new --worktree` to `apply` and `gc`, with every real codex."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import apply_patch, hold, reply, run_command, say
from tests.kit.cases import in_full
from tests.kit.home import Home, Turn
from tests.kit.shell import assert_refused
from tests.kit.support import wait_until
from tests.worker.git.conftest import Repository

PATCH = "*** Begin Patch\n*** Update File: a.txt\n@@\n-one\n+two\n*** End Patch"
COMMAND = "pwd > where.txt; rm keep; mkdir deep && printf 'ü\\n' > 'deep/ü b'"


@pytest.fixture
def project(home: Home) -> Repository:
    home.project.rmdir()
    return Repository(home.project, {"sub/a.txt": "one\n", "sub/keep": "k\n", "top": "t\n"})


@pytest.fixture
def one_project(one_home: Home) -> Repository:
    one_home.project.rmdir()
    return Repository(one_home.project, {"sub/a.txt": "one\n", "sub/keep": "k\n", "top": "t\n"})


def tree_of(turn: Turn) -> Path:
    return Path(turn.meta["worktree"]["path"])


def is_gone(turn: Turn, project: Repository) -> bool:
    """Whether nothing is left of a turn's worktree: folder, lock, branch, refs, git's own record."""
    path = tree_of(turn)
    left = [each.name for each in path.parent.iterdir() if each.name != ".apply"]
    return left == [] and project.refs == {"refs/heads/main"} and project.worktrees == 1


def test_a_turn_writes_in_its_worktree_and_apply_brings_it_back(home: Home, project: Repository) -> None:
    home.model([apply_patch(PATCH), run_command(COMMAND), say("done")])
    config = (home.codex_home / "config.toml").read_bytes()
    project.write({"sub/mine": "untracked\n"})
    run = home.run("new", "hi", "--write", "--worktree", cwd=home.project / "sub")
    assert "is not in the worktree: it begins with the last commit" in run.stderr
    turn = home.turn(run.json["turn_id"])
    ended = turn.wait()
    assert ended["state"] == "complete"
    path = home.path.resolve() / "worktrees" / turn.id
    assert ended["cwd"] == str(path / "sub")
    assert ended["worktree"] == {
        "repository": str(home.project.resolve()),
        "prefix": "sub/",
        "base": project.head,
        "started_in": str(home.project / "sub"),
        "name": None,
        "path": str(path),
        "branch": f"codex/{turn.id}",
        "is_removed": False,
    }
    lean = home.call("status", turn.id).json
    assert lean["worktree"] == {"path": str(path), "branch": f"codex/{turn.id}"}
    assert project.status == ["?? sub/mine"]
    assert turn.result["cwd"] == str(home.project / "sub")
    assert (home.codex_home / "config.toml").read_bytes() == config
    assert (path / "sub" / "where.txt").read_text() == f"{path / 'sub'}\n"
    assert turn.sent("turn/start")["cwd"] == str(path / "sub")

    assert home.call("status", "last", cwd=home.project / "sub").json["turn_id"] == turn.id
    assert f'"{turn.id}"' in home.call("list-turns", "--json", "--cwd", "sub").stdout
    applied = home.call("apply", turn.id)
    assert applied.code == 0
    assert {entry["path"]: entry["kind"] for entry in applied.json["applied"]} == {
        "sub/a.txt": "update",
        "sub/keep": "delete",
        "sub/where.txt": "add",
        "sub/deep/ü b": "add",
    }
    assert applied.json["branch"] == f"codex/{turn.id}"
    assert (home.project / "sub/a.txt").read_text() == "two\n"
    assert project.git("log", "--format=%s") == "First"
    again = home.call("apply", turn.id)
    assert (again.code, again.json["applied"]) == (0, [])
    assert "Already applied" in again.stderr
    assert turn.id in home.call("gc", "--older-than", "0s").stdout
    assert project.refs == {"refs/heads/main"}
    assert project.worktrees == 1


@pytest.mark.full
def test_a_turn_that_changes_nothing_leaves_no_worktree_and_can_go_on_in_one(home: Home, project: Repository) -> None:
    home.model([say("nothing to do"), run_command("echo two > a.txt"), say("done"), say("more")])
    first = home.start("new", "hi", "--write", "--worktree", "--worktree-name", "idea", cwd=home.project / "sub")
    assert first.wait()["state"] == "complete"
    assert is_gone(first, project)
    assert "worktree" not in home.call("status", first.id).json
    assert "changed nothing" in home.call("apply", first.id).stderr
    project.write({"sub/keep": "K\n"})
    project.commit("Second")
    second = home.start("continue", "--turn", first.id, "--write", "go on")
    assert second.wait()["state"] == "complete"
    assert second.meta["cwd"] == first.meta["cwd"]
    assert second.meta["worktree"]["base"] == project.head
    assert project.refs >= {"refs/heads/codex/idea"}
    third = home.start("continue", "--last", "--write", "and on", cwd=home.project / "sub")
    assert third.wait()["state"] == "complete"
    assert (third.meta["thread_id"], third.meta["cwd"]) == (first.meta["thread_id"], first.meta["cwd"])
    assert home.call("apply", third.id).json["applied"] == [{"path": "sub/a.txt", "kind": "update"}]
    assert project.status == [" M sub/a.txt"]


@pytest.mark.measured
@pytest.mark.full
def test_a_thread_goes_on_in_its_worktree_and_only_what_is_new_is_applied(
    one_home: Home, one_project: Repository
) -> None:
    one_home.model([run_command("echo 1 > one"), say("done"), run_command("echo 2 > two"), say("done")])
    first = one_home.start("new", "hi", "--write", "--worktree")
    first.wait()
    assert one_home.call("apply", "last").json["applied"] == [{"path": "one", "kind": "add"}]
    thread = str(first.meta["thread_id"])
    second = one_home.start("continue", "--thread", thread, "--cwd", str(one_home.project), "--write", "go on")
    second.wait()
    assert tree_of(second) == tree_of(first)
    assert one_home.call("apply", first.id).json["applied"] == [{"path": "two", "kind": "add"}]
    one_home.call("gc", "--older-than", "0s")
    assert one_project.refs == {"refs/heads/main"}


def test_a_worktree_with_changes_stays_until_it_is_applied_or_asked_for(
    one_home: Home, one_project: Repository
) -> None:
    one_home.model([run_command("echo 1 > one"), say("done")])
    turn = one_home.start("new", "hi", "--write", "--worktree")
    turn.wait()
    turn.wait_for_exit_of_worker()
    assert turn.id not in one_home.call("gc", "--older-than", "0s").stdout
    assert (tree_of(turn) / "one").exists()
    assert turn.id in one_home.call("gc", "--older-than", "0s", "--worktrees", "--dry-run").stdout
    assert (tree_of(turn) / "one").exists()
    path = tree_of(turn)
    assert turn.id in one_home.call("gc", "--older-than", "0s", "--worktrees").stdout
    assert not path.exists()
    assert one_project.refs == {"refs/heads/main"}
    assert one_project.worktrees == 1


@pytest.mark.full
def test_a_worktree_of_a_repository_that_is_gone_is_deleted_when_asked(one_home: Home, one_project: Repository) -> None:
    one_home.model([run_command("echo 1 > one"), say("done")])
    turn = one_home.start("new", "hi", "--write", "--worktree")
    turn.wait()
    turn.wait_for_exit_of_worker()
    path = tree_of(turn)
    one_project.path.rename(one_home.root / "moved")
    one_home.project.mkdir()
    assert_refused(one_home.call("apply", turn.id), 65, "is gone", as_json=True)
    assert one_home.call("gc", "--older-than", "0s").stdout == ""
    assert path.exists()
    assert turn.id in one_home.call("gc", "--older-than", "0s", "--worktrees").stdout
    assert not path.exists()


@pytest.mark.measured
def test_conflicts_end_with_1_and_are_named(one_home: Home, one_project: Repository) -> None:
    one_home.model([run_command("echo theirs > top; echo 1 > 'clean ü'"), say("done")])
    turn = one_home.start("new", "hi", "--write", "--worktree", "--name", "w")
    turn.wait()
    one_project.write({"top": "mine\n"})
    refused = one_home.call("apply", "w")
    assert_refused(refused, 65, f"uncommitted work in {one_home.project}: top", as_json=True)
    assert not (one_home.project / "clean ü").exists()
    one_project.commit("Mine")
    conflicting = one_home.call("apply", "w")
    assert conflicting.code == 1
    assert conflicting.json["conflicts"] == ["top"]
    assert "conflict: top\n" in conflicting.stderr
    assert "<<<<<<< HEAD\nmine\n" in (one_home.project / "top").read_text()
    assert (one_home.project / "clean ü").read_text() == "1\n"


@pytest.mark.full
def test_what_git_ignores_keeps_the_worktree_and_is_named(one_home: Home, one_project: Repository) -> None:
    one_home.model([run_command("mkdir out && echo r > out/report.md"), say("done")])
    one_project.write({".gitignore": "out/\n"})
    one_project.commit("Ignored")
    turn = one_home.start("new", "hi", "--write", "--worktree")
    turn.wait()
    turn.wait_for_exit_of_worker()
    applied = one_home.call("apply", turn.id)
    assert applied.code == 0
    assert applied.json["left"] == ["out/"]
    told = f"Nothing new to apply. What git ignores, and repositories within, stay in {tree_of(turn)}: out/."
    assert told in applied.stderr
    assert one_home.call("gc", "--older-than", "0s").stdout == ""
    assert (tree_of(turn) / "out" / "report.md").exists()


@pytest.mark.full
def test_a_conflict_without_markers_is_told_each_time(one_home: Home, one_project: Repository) -> None:
    one_home.model([run_command("printf '\\0theirs' > top"), say("done")])
    turn = one_home.start("new", "hi", "--write", "--worktree")
    turn.wait()
    turn.wait_for_exit_of_worker()
    one_project.write({"top": "\0mine"})
    one_project.commit("Mine")
    for _ in range(2):
        applied = one_home.call("apply", turn.id)
        assert (applied.code, applied.json["applied"]) == (1, [])
        assert applied.json["conflicts"] == applied.json["left"] == ["top"]
        assert f"Yours was kept of top; the turn's is in {tree_of(turn)}" in applied.json["message"]
        assert "next" not in applied.json
        assert one_home.call("gc", "--older-than", "0s").stdout == ""


@pytest.mark.full
def test_a_running_turn_is_not_applied_and_a_second_writer_is_warned(one_home: Home, one_project: Repository) -> None:
    gate = Gate()
    one_home.model([reply(say("a", hold(gate), "b")), say("two"), say("three"), say("four")])
    first = one_home.start("new", "hi", "--write", "--name", "first")
    wait_until(lambda: "a" in first.out, what="the first words")
    second = one_home.run("new", "hi", "--write", "--cwd", "sub")
    assert f"turn {first.id} (first) may be writing in {one_home.project}" in second.stderr
    assert second.stderr.count("\n") == 1
    assert "--worktree" in second.stderr
    assert one_home.run("new", "hi").stderr == ""
    own = one_home.run("new", "hi", "--write", "--worktree")
    assert own.stderr == ""
    assert_refused(one_home.call("apply", first.id), 75, "is still running", as_json=True)
    gate.open()
    first.wait()
    assert_refused(one_home.call("apply", first.id), 65, "has no worktree: it worked in", as_json=True)
    assert_refused(one_home.call("apply", "nobody"), 66, "no turn is named nobody", as_json=True)
    one_home.turn(own.json["turn_id"]).wait()
    one_home.turn(second.json["turn_id"]).wait()


@pytest.mark.measured
@pytest.mark.full
def test_a_turn_that_cannot_have_its_worktree_fails_and_leaves_nothing(one_home: Home, one_project: Repository) -> None:
    gate = Gate()
    one_home.configure(max_running=1)
    one_home.model([reply(say("a", hold(gate), "b"))])
    first = one_home.start("new", "hi")
    wait_until(lambda: "a" in first.out, what="the first words")
    turn = one_home.start("new", "hi", "--write", "--worktree-name", "taken")
    one_project.git("branch", "codex/taken")
    gate.open()
    ended = turn.wait()
    assert (ended["state"], ended["error"]["kind"]) == ("failed", "bad_input")
    assert "already a branch codex/taken" in ended["error"]["message"]
    assert "--worktree" in ended["error"]["hint"]
    assert list((one_home.path / "worktrees").iterdir()) == []
    assert one_project.refs == {"refs/heads/main", "refs/heads/codex/taken"}


@pytest.mark.parametrize("has_changes", [False, True])
@pytest.mark.full
def test_a_killed_workers_worktree_goes_unless_it_holds_something(
    one_home: Home, one_project: Repository, has_changes: bool
) -> None:
    gate = Gate()
    command = "echo 1 > one" if has_changes else "true"
    one_home.model([run_command(command), reply(say("a", hold(gate), "b"))])
    turn = one_home.start("new", "hi", "--write", "--worktree")
    wait_until(lambda: "a" in turn.out.split("\n")[-1], what="the first words")
    path = tree_of(turn)
    turn.kill_worker()
    assert turn.wait()["state"] == "abandoned"
    assert path.exists() is has_changes
    assert (f"refs/heads/codex/{turn.id}" in one_project.refs) is has_changes
    if has_changes:
        assert one_home.call("apply", turn.id).json["applied"] == [{"path": "one", "kind": "add"}]


@pytest.mark.parametrize("how", ["killed", in_full("cancelled"), in_full("late")])
def test_a_turn_that_ends_while_its_worktree_is_made_leaves_none(
    one_home: Home, one_project: Repository, how: str
) -> None:
    one_home.model([say("done")])
    one_project.write({".gitattributes": "* filter=slow\n"})
    one_project.commit("Filtered")
    one_project.git("config", "filter.slow.smudge", f"touch {one_home.root}/reached; sleep 300")
    turn = one_home.start("new", "hi", "--write", "--worktree", *(("--deadline", "3") if how == "late" else ()))
    wait_until(lambda: (one_home.root / "reached").exists(), what="the checkout")
    path = tree_of(turn)
    if how == "killed":
        assert turn.status()["phase"] == "starting"
        turn.kill_worker()
    elif how == "cancelled":
        assert one_home.call("cancel", turn.id).code == 0
    ended = turn.wait()
    assert ended["state"] == {"killed": "abandoned", "cancelled": "cancelled", "late": "failed"}[how]
    assert ended["error"]["kind"] == {"killed": "worker_died", "cancelled": "cancelled", "late": "deadline"}[how]
    assert "The turn changed nothing: it never began." in one_home.call("apply", turn.id).stderr
    assert not path.exists()
    assert one_project.worktrees == 1
    assert one_project.refs == {"refs/heads/main"}


@pytest.mark.full
def test_a_worktree_of_a_shallow_clone_a_linked_worktree_and_a_submodule(
    one_home: Home, one_project: Repository
) -> None:
    one_home.model([run_command("echo 1 > one"), say("done")] * 3)
    one_project.write({"more": "m\n"})
    one_project.commit("Second")
    places = [one_home.root / "shallow", one_home.root / "linked", one_home.project / "module"]
    one_project.git("clone", "-q", "--depth", "1", f"file://{one_home.project}", str(places[0]))
    one_project.git("worktree", "add", "-q", str(places[1]))
    one_project.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(places[0]), "module")
    for place in places:
        turn = one_home.start("new", "hi", "--write", "--worktree", cwd=place)
        assert turn.wait()["state"] == "complete"
        assert one_home.call("apply", turn.id, cwd=place).json["applied"] == [{"path": "one", "kind": "add"}]
        assert (place / "one").read_text() == "1\n"


@pytest.mark.measured
def test_hooks_of_the_repository_are_not_run(one_home: Home, one_project: Repository) -> None:
    one_home.model([say("done")])
    hook = one_project.path / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\ntouch {one_home.root}/trapped\n")
    hook.chmod(0o755)
    assert one_home.start("new", "hi", "--write", "--worktree").wait()["state"] == "complete"
    assert not (one_home.root / "trapped").exists()


@pytest.mark.full
@pytest.mark.measured
def test_git_prunes_a_worktree_folder_that_the_user_deleted_and_the_thread_goes_on(
    one_home: Home, one_project: Repository
) -> None:
    one_home.model([run_command("echo 1 > one"), say("done"), run_command("ls > listing"), say("done")])
    first = one_home.start("new", "hi", "--write", "--worktree")
    first.wait()
    subprocess.run(["rm", "-rf", tree_of(first)], check=True)
    gone = one_home.call("apply", first.id)
    assert gone.code == 65
    assert "is gone" in gone.stderr
    second = one_home.start("continue", "--turn", first.id, "--write", "go on")
    assert second.wait()["state"] == "complete"
    assert tree_of(second) == tree_of(first)
    assert (tree_of(second) / "listing").read_text() == "listing\nsub\ntop\n"


@pytest.mark.parametrize("command", ["rm .git", in_full("mv .git .git.bak"), in_full("rm .git; git init -q")])
def test_a_worktree_whose_turn_breaks_it_stays_with_its_work(
    one_home: Home, one_project: Repository, command: str
) -> None:
    """The worker reaps orphans, and with them a git of its own: a git that has failed must not look like one without
    changes.
    """
    one_home.model([run_command(f"{command}; echo hi > n"), say("done")])
    turn = one_home.start("new", "hi", "--sandbox", "danger-full-access", "--worktree")
    assert turn.wait()["state"] == "complete"
    assert (tree_of(turn) / "n").read_text() == "hi\n"
    assert not turn.meta["worktree"]["is_removed"]
