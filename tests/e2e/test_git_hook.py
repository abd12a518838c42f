"""Turns that a git hook starts: they work in their own directory, and do not see the hook's repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codex_server_cli.demo.replies import run_command, say
from tests.kit.home import COMMAND, Home

ASKED = "env | grep '^GIT_' | sort; git rev-parse --show-toplevel"
LOCAL = ("GIT_DIR=", "GIT_INDEX_FILE=", "GIT_PREFIX=", "GIT_WORK_TREE=", "GIT_CONFIG_")


def git(cwd: Path, env: dict[str, str], *arguments: str) -> str:
    """Run git with an identity, in a temporary home."""
    identity = {"GIT_AUTHOR_NAME": "Dev", "GIT_AUTHOR_EMAIL": "d@example.com"}
    committer = {"GIT_COMMITTER_NAME": "Dev", "GIT_COMMITTER_EMAIL": "d@example.com"}
    run = subprocess.run(
        ["git", *arguments], cwd=cwd, env={**env, **identity, **committer}, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run
    return run.stdout.strip()


def hook(repository: Path, name: str, command: str) -> None:
    path = repository / ".git" / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f'#!/bin/sh\nenv >"$OUT/{name}.env"\n{command} >"$OUT/{name}.out" 2>&1\n')
    path.chmod(0o755)


def test_a_turn_of_a_hook_works_in_the_repository_that_it_was_started_in(home: Home) -> None:
    """In a linked work tree git exports GIT_DIR, too, and `commit -a` an index that is locked."""
    git(home.project, home.env, "init", "-q", "-b", "main")
    (home.project / "a.txt").write_text("one\n")
    git(home.project, home.env, "add", ".")
    git(home.project, home.env, "commit", "-qm", "First")
    git(home.project, home.env, "worktree", "add", "-q", str(home.root / "second"))
    other = home.root / "other"
    git(home.root, home.env, "init", "-q", str(other))
    model = home.model([run_command(ASKED, call_id="c1"), say("done"), run_command(ASKED, call_id="c2"), say("done")])
    hook(home.project, "pre-commit", f"{COMMAND} new hi --write --wait")
    hook(home.project, "post-commit", f"{COMMAND} new hi --write --wait -C {other}")
    (home.root / "second" / "a.txt").write_text("two\n")
    env = {**home.env, "OUT": str(home.root), "GIT_SSH_COMMAND": "ssh -v"}
    git(home.root / "second", env, "commit", "-qam", "Second")
    assert "GIT_INDEX_FILE=" in (home.root / "pre-commit.env").read_text()
    assert "GIT_DIR=" in (home.root / "pre-commit.env").read_text()
    for call_id, place in (("c1", home.root / "second"), ("c2", other)):
        outputs = [each.tool_outputs for each in model.model_requests if call_id in each.tool_outputs]
        output = outputs[-1][call_id]
        assert f"\n{place}\n" in f"{output}\n", output
        assert [line for line in output.splitlines() if line.startswith(LOCAL)] == []
        assert "GIT_SSH_COMMAND=ssh -v" in output
        assert "GIT_AUTHOR_NAME=Dev" in output


@pytest.mark.full
def test_a_review_asks_the_repository_that_it_stands_in(one_home: Home) -> None:
    git(one_home.project, one_home.env, "init", "-q", "-b", "main")
    git(one_home.project, one_home.env, "commit", "-q", "--allow-empty", "-m", "First")
    other = one_home.root / "other"
    git(one_home.root, one_home.env, "init", "-q", "-b", "trunk", str(other))
    git(other, one_home.env, "commit", "-q", "--allow-empty", "-m", "Another")
    one_home.model([say("done")])
    one_home.env["GIT_DIR"] = str(other / ".git")
    run = one_home.run("review", "--base", "trunk")
    assert (run.code, run.error["hint"]) == (65, "Branches here: main.")
    assert one_home.run("review", "--base", "main", "--wait").code == 0
    assert one_home.run("review", "--base", "main", "--wait", "-C", str(one_home.project), cwd=other).code == 0
    run = one_home.run("new", "hi", "--write", cwd=one_home.root)
    assert (run.code, run.error["message"].startswith(f"{one_home.root} is in no git work tree")) == (65, True)
