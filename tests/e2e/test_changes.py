"""What a turn changed: `diff`, the `changes` of its JSON, and the line at the end of its text."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from unittest.mock import ANY

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ToolCall
from codex_server_cli.demo.replies import apply_patch, hold, reply, run_command, say
from tests.kit.command_run import Run
from tests.kit.home import Home
from tests.kit.in_process import show
from tests.kit.support import make_repository, wait_until

WRITING = ("--sandbox", "danger-full-access")
WITHOUT_GIT = (*WRITING, "--skip-git-check")
DOUBT = "codex-server: only Codex's own patches are known, not what commands wrote\n"


def patch(*lines: str) -> ToolCall:
    return apply_patch("\n".join(["*** Begin Patch", *lines, "*** End Patch"]))


def git(directory: Path, *arguments: str, stdin: str | None = None) -> str:
    user = ("-c", "user.name=Dev", "-c", "user.email=dev@example.org")
    run = subprocess.run(
        ["git", *user, *arguments], cwd=directory, input=stdin, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run
    return run.stdout


@pytest.fixture
def files() -> dict[str, str]:
    return {
        "a.txt": "one\ntwo\nthree\n",
        "b.txt": "b1\nb2\n",
        "c.txt": "c1\nc2\nc3\n",
        "ü b.txt": "u\n",
        "m.txt": "m\n",
    }


EDITS = [
    patch("*** Update File: a.txt", "@@", " one", "-two", "+TWO", " three"),
    patch("*** Delete File: b.txt"),
    patch("*** Update File: c.txt", "*** Move to: sub/d.txt", "@@", " c1", "-c2", "+C2"),
    patch("*** Update File: ü b.txt", "@@", "-u", "+v"),
    patch("*** Add File: new.txt", "+n1", "+n2"),
    patch("*** Update File: m.txt", "*** Move to: moved.txt", "@@", "-m", "+m"),
]
LISTED = [
    {"path": "a.txt", "kind": "update", "added": 1, "removed": 1},
    {"path": "b.txt", "kind": "delete", "added": 0, "removed": 2},
    {"path": "moved.txt", "kind": "move", "from": "m.txt", "added": 0, "removed": 0},
    {"path": "new.txt", "kind": "add", "added": 2, "removed": 0},
    {"path": "sub/d.txt", "kind": "move", "from": "c.txt", "added": 1, "removed": 1},
    {"path": "ü b.txt", "kind": "update", "added": 1, "removed": 1},
]
STAT = """\
 a.txt              | 2 +-
 b.txt              | 2 --
 m.txt => moved.txt | 0
 new.txt            | 2 ++
 c.txt => sub/d.txt | 2 +-
 ü b.txt            | 2 +-
 6 files changed, 5 insertions(+), 5 deletions(-)
"""


def test_what_patches_changed_is_told_everywhere_and_git_applies_it(home: Home, files: dict[str, str]) -> None:
    make_repository(home.project)
    inner = home.project / "inner"
    inner.mkdir()
    for name, text in files.items():
        (inner / name).write_text(text)
    git(home.project, "add", "-A")
    git(home.project, "commit", "-qm", "before")
    home.model([*EDITS, say("Done.")])
    run = home.run("new", "edit", *WRITING, "--wait", cwd=inner)
    assert sorted(run.json["changes"], key=lambda each: str(each["path"])) == LISTED
    turn = home.turn(run.json["turn_id"])
    assert turn.result["changes"] == run.json["changes"] == turn.status()["changes"]
    shown = home.run("diff", turn.id)
    assert (shown.code, shown.stderr) == (0, "")
    after = git(home.project, "add", "-A") + git(home.project, "write-tree")
    git(home.project, "reset", "-q", "--hard")
    git(home.project, "apply", "--index", stdin=shown.stdout)
    assert git(home.project, "write-tree") == after
    assert home.call("diff", turn.id, "--stat").stdout == STAT
    assert home.call("diff", "last", "--name-only", "--cwd", str(inner)).stdout.split("\n")[0] == "a.txt"
    document = home.call("diff", turn.id, "--json").json
    assert document["diff"] == shown.stdout
    assert document["changes"] == run.json["changes"]
    assert turn.out.endswith("Done.\n\n± 6 files +5 −5\n")


def test_a_running_turn_tells_what_it_has_changed_so_far(one_home: Home) -> None:
    gate = Gate()
    one_home.model([patch("*** Add File: a.txt", "+one"), reply(say("Half", hold(gate), "."))])
    turn = one_home.start("new", "edit", *WITHOUT_GIT)
    wait_until(lambda: one_home.call("status", turn.id).json.get("changes"), what="the change")
    shown = one_home.call("diff", turn.id)
    # Relative to what Codex takes for the work tree: /tmp, while the sandbox of another test's turn has its .git there.
    assert re.fullmatch(r"diff --git a/(\S+/)?a\.txt b/(\S+/)?a\.txt", shown.stdout.split("\n")[0]), shown
    assert shown.code == 0
    assert shown.stderr == DOUBT.replace("wrote", "wrote so far")
    document = one_home.call("diff", turn.id, "--json", "--full").json
    entry = {"path": "a.txt", "kind": "add", "added": 1, "removed": 0}
    assert (document["changes"], document["diff_path"]) == ([entry], None)
    gate.open()
    assert turn.wait()["changes"] == [entry]


def test_a_turn_without_changes_says_so_and_ends_with_0(one_home: Home) -> None:
    one_home.model([say("Nothing to do."), say("Nor here.")])
    reading, writing = one_home.start("new", "look"), one_home.start("new", "look", *WITHOUT_GIT)
    for turn, doubt in ((reading, ""), (writing, DOUBT)):
        turn.wait()
        shown = one_home.call("diff", turn.id)
        assert (shown.code, shown.stdout) == (0, "")
        assert shown.stderr == f"codex-server: turn {turn.id} has changed no file\n{doubt}"
        document = one_home.call("diff", turn.id, "--json").json
        assert document.pop("changes_of", None) == ("patches" if doubt else None)
        assert document == {"version": 2, "turn_id": turn.id, "changes": []}
        assert "changes" not in turn.result
        assert turn.out.count("±") == 0


def test_a_file_outside_of_the_work_tree_is_shown_and_not_applied(one_home: Home) -> None:
    make_repository(one_home.project)
    (one_home.root / "user" / "o.txt").write_text("o\n")
    one_home.model(
        [patch("*** Update File: ../user/o.txt", "@@", "-o", "+p"), patch("*** Add File: in.txt", "+in"), say("Done.")]
    )
    turn = one_home.start("new", "edit", *WRITING)
    outside = str(one_home.root / "user" / "o.txt")
    assert [entry["path"] for entry in turn.wait()["changes"]] == ["in.txt", outside]
    shown = one_home.call("diff", turn.id).stdout
    assert "# +p\n" in shown
    (one_home.project / "in.txt").unlink()
    git(one_home.project, "apply", stdin=shown)
    assert (one_home.project / "in.txt").read_text() == "in\n"
    assert (one_home.root / "user" / "o.txt").read_text() == "p\n"


def test_many_files_are_told_by_their_number(one_home: Home) -> None:
    names = [f"f{number}.txt" for number in range(30)]
    one_home.model(
        [patch(*(line for name in names for line in (f"*** Add File: {name}", "+" + "x" * 700))), say("Done.")]
    )
    document = one_home.run("new", "edit", *WITHOUT_GIT, "--wait").json
    turn = one_home.turn(document["turn_id"])
    assert (document["changes_count"], "changes" in document) == (30, False)
    assert document["changes_listed_by"] == f"codex-server diff {turn.id} --stat"
    assert one_home.call("diff", turn.id, "--name-only").stdout.split() == sorted(names)
    told = one_home.call("diff", turn.id, "--json").json
    assert told["diff_path"] == str(turn.path / "changes.diff")
    assert told["diff_chars"] == len((turn.path / "changes.diff").read_text()) > 16_000
    assert "diff" not in told
    whole = one_home.call("diff", turn.id, "--full").json
    assert whole["diff"] == (turn.path / "changes.diff").read_text()


def test_a_killed_worker_leaves_what_its_patches_changed(one_home: Home) -> None:
    one_home.model([patch("*** Add File: a.txt", "+one"), reply(say("Half", hold(Gate()), "."))])
    turn = one_home.start("new", "edit", *WITHOUT_GIT)
    wait_until(lambda: "Half" in turn.out, what="the answer")
    turn.kill_worker()
    assert turn.status()["changes"] == [{"path": "a.txt", "kind": "add", "added": 1, "removed": 0}]
    assert one_home.call("diff", turn.id).stdout.endswith("+one\n")
    turn.status()
    assert turn.out.count("± 1 file +1 −0") == 1
    assert not (turn.path / "changes.diff").exists()


def test_a_turn_of_an_older_version_is_read_from_its_events(one_home: Home) -> None:
    one_home.model([patch("*** Add File: a.txt", "+\x1b[31mred"), say("Done.")])
    turn = one_home.start("new", "edit", *WITHOUT_GIT)
    turn.wait()
    turn.wait_for_exit_of_worker()
    before = one_home.call("diff", turn.id)
    assert "+\x1b[31mred\n" in before.stdout
    assert "+␛[31mred\n" in show("diff", turn.id, env=one_home.env, cwd=one_home.project).replace("\r\n", "\n")
    (turn.path / "changes.diff").unlink()
    old = {key: value for key, value in turn.result.items() if not key.startswith("changes")}
    (turn.path / "result.json").write_text(json.dumps(old))
    assert one_home.call("diff", turn.id) == Run(0, before.stdout, before.stderr, ANY)
    assert "changes" not in one_home.call("status", turn.id).json


def test_what_cannot_be_diffed_is_refused(one_home: Home) -> None:
    one_home.model([say("Hi.")])
    turn = one_home.start("new", "hi")
    turn.wait()
    for arguments, code, what in (
        (("20260101",), 66, "no such turn"),
        (("last", "--cwd", "/nowhere"), 66, ""),
        ((turn.id, "--stat", "--json"), 64, "exclude each other"),
        ((turn.id, "--name-only", "--full"), 64, "exclude each other"),
        ((), 64, "TURN"),
    ):
        run = one_home.call("diff", *arguments)
        assert (run.code, run.stdout) == (code, ""), run
        assert what in run.stderr, run


# --- what commands wrote


def hash_of(directory: Path) -> str:
    """A digest of all files of a directory, without their times."""
    digest = hashlib.sha256()
    for path in sorted(directory.rglob("*")):
        digest.update(repr((str(path), path.read_bytes() if path.is_file() else b"")).encode())
    return digest.hexdigest()


@pytest.fixture
def repository(home: Home) -> Path:
    """The project as a repository with a commit, something staged and something changed."""
    make_repository(home.project)
    for name in ("a.txt", "b.txt", "both.txt"):
        (home.project / name).write_text(f"{name} 1\n{name} 2\n")
    (home.project / ".gitignore").write_text("*.log\n")
    git(home.project, "add", "-A")
    git(home.project, "commit", "-qm", "before")
    (home.project / "staged.txt").write_text("staged\n")
    git(home.project, "add", "staged.txt")
    (home.project / "a.txt").write_text("changed by the user\n")
    return home.project


COMMAND = r"""
rm b.txt; mv staged.txt 'ü m.txt'; echo x > "$(printf 'odd\nname')"; printf '\000' > bin; echo more >> both.txt
echo x > x.log
"""


def test_what_commands_wrote_is_told_and_marked_and_the_repository_stays_as_it_is(home: Home, repository: Path) -> None:
    before = hash_of(repository / ".git")
    patches = [
        patch("*** Update File: both.txt", "@@", "-both.txt 1", "+patched", " both.txt 2"),
        patch("*** Add File: y.log", "+ignored by git, and patched"),
    ]
    home.model([*patches, run_command(COMMAND), say("Done.")])
    document = home.run("new", "edit", "--write", "--wait").json
    turn = home.turn(document["turn_id"])
    assert document["changes"] == [
        {"path": "b.txt", "kind": "delete", "added": 0, "removed": 2, "by": "command"},
        {"path": "bin", "kind": "add", "binary": True, "by": "command"},
        {"path": "both.txt", "kind": "update", "added": 2, "removed": 1},
        {"path": "odd\nname", "kind": "add", "added": 1, "removed": 0, "by": "command"},
        {"path": "ü m.txt", "kind": "move", "from": "staged.txt", "added": 0, "removed": 0, "by": "command"},
        {"path": "y.log", "kind": "add", "added": 1, "removed": 0},
    ]
    assert turn.result["changes_of"] == "work_tree"
    assert turn.out.endswith("\n\n± 6 files +4 −3 (4 by commands)\n")
    assert hash_of(repository / ".git") == before
    assert not (turn.path / ".snapshot").exists()
    shown = home.run("diff", turn.id)
    assert (shown.code, shown.stderr) == (0, "")
    copy = home.root / "copy"
    git(home.root, "clone", "-q", str(repository), str(copy))
    (copy / "staged.txt").write_text("staged\n")
    git(copy, "apply", stdin=shown.stdout)
    for name in ("bin", "both.txt", "odd\nname", "ü m.txt", "y.log"):
        assert (copy / name).read_bytes() == (repository / name).read_bytes()
    assert '"odd\\nname"' in home.call("diff", turn.id, "--name-only").stdout
    assert "ü m.txt" in home.call("diff", turn.id, "--stat").stdout
    assert "(by a command)" in home.call("diff", turn.id, "--stat").stdout


def test_a_running_turn_tells_what_its_commands_have_written(home: Home, repository: Path) -> None:
    gate = Gate()
    home.model([run_command("echo x > new.txt"), reply(say("Half", hold(gate), "."))])
    turn = home.start("new", "edit", "--write")
    wait_until(lambda: "Half" in turn.out, what="the answer")
    before = hash_of(turn.path / ".snapshot")
    document = home.call("diff", turn.id, "--json").json
    assert document["changes"] == [{"path": "new.txt", "kind": "add", "added": 1, "removed": 0, "by": "command"}]
    assert document["changes_of"] == "work_tree"
    assert document["diff"].endswith("+x\n")
    assert hash_of(turn.path / ".snapshot") == before
    assert home.call("diff", turn.id).stderr == ""
    gate.open()
    assert turn.wait()["changes"] == document["changes"]
    assert list(repository.glob("codex-server-diff-*")) == []


@pytest.mark.full
def test_what_a_rule_of_the_users_lets_a_read_only_turn_write_is_told(one_home: Home) -> None:
    make_repository(one_home.project)
    rules = one_home.codex_home / "rules" / "default.rules"
    rules.parent.mkdir(exist_ok=True)
    rules.write_text('prefix_rule(pattern=["touch"], decision="allow")\n')
    one_home.model([run_command("touch made.txt"), say("Made.")])
    turn = one_home.start("new", "make it", "--approval", "ask")
    assert [(each["path"], each["by"]) for each in turn.wait()["changes"]] == [("made.txt", "command")]
    assert turn.out.endswith("± 1 file +0 −0 (by a command)\n")


def test_a_turn_that_may_not_write_takes_no_state(one_home: Home) -> None:
    make_repository(one_home.project)
    one_home.model([say("Hi.")])
    turn = one_home.start("new", "hi")
    turn.wait()
    assert "changes_of" not in turn.result
    assert not (turn.path / ".snapshot").exists()


@pytest.mark.full
def test_a_git_that_hangs_costs_two_seconds_and_is_told(one_home: Home) -> None:
    make_repository(one_home.project)
    fake = one_home.root / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text('#!/bin/sh\ncase "$*" in *write-tree*) exec sleep 1000;; esac\nexec /usr/bin/git "$@"\n')
    fake.chmod(0o755)
    one_home.env["PATH"] = f"{fake.parent}:{one_home.env['PATH']}"
    one_home.model([patch("*** Add File: a.txt", "+one"), run_command("echo x > b.txt"), say("Done.")])
    turn = one_home.start("new", "edit", "--write")
    assert [entry["path"] for entry in turn.wait()["changes"]] == ["a.txt"]
    assert turn.out.endswith("± 1 file +1 −0 (by patches; what commands wrote is not known)\n")
    assert one_home.call("diff", turn.id).stderr == DOUBT
    log = (turn.path / "worker.log").read_text()
    assert "what commands write will not be known: git did not finish within 2 s" in log
    told = {event.get("method"): event["ts"] for event in reversed(turn.events)}
    assert 1500 < told["turn/started"] - told["initialize"] < 20_000
    assert not (turn.path / ".snapshot").exists()


def test_a_killed_worker_leaves_what_patches_changed_and_no_state(one_home: Home) -> None:
    make_repository(one_home.project)
    half = reply(say("Half", hold(Gate()), "."))
    one_home.model([patch("*** Add File: a.txt", "+one"), run_command("echo x > b.txt"), half])
    turn = one_home.start("new", "edit", "--write")
    wait_until(lambda: "Half" in turn.out, what="the answer")
    assert (turn.path / ".snapshot").is_dir()
    turn.kill_worker()
    assert [entry["path"] for entry in turn.status()["changes"]] == ["a.txt"]
    assert not (turn.path / ".snapshot").exists()
    assert one_home.call("diff", turn.id).stderr == DOUBT
