"""What a turn changed: `diff`, the `changes` of its JSON, and the line at the end of its text."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ToolCall
from codex_server_cli.demo.replies import apply_patch, hold, reply, say
from tests.kit.home import Home
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
 c.txt => sub/d.txt | 2 +-
 new.txt            | 2 ++
 ü b.txt            | 2 +-
 m.txt => moved.txt | 0
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
    assert (shown.code, shown.stderr) == (0, DOUBT)
    after = git(home.project, "add", "-A") + git(home.project, "write-tree")
    git(home.project, "reset", "-q", "--hard")
    git(home.project, "apply", "--index", stdin=shown.stdout)
    assert git(home.project, "write-tree") == after
    assert home.call("diff", turn.id, "--stat").stdout == STAT
    assert home.call("diff", "last", "--name-only", "--cwd", str(inner)).stdout.split("\n")[0] == "a.txt"
    document = home.call("diff", turn.id, "--json").json
    assert document["diff"] == shown.stdout
    assert document["changes"] == run.json["changes"]
    assert turn.out.endswith("Done.\n\n± 6 files +5 −5 (by patches; what commands wrote is not known)\n")


def test_a_running_turn_tells_what_it_has_changed_so_far(one_home: Home) -> None:
    gate = Gate()
    one_home.model([patch("*** Add File: a.txt", "+one"), reply(say("Half", hold(gate), "."))])
    turn = one_home.start("new", "edit", *WITHOUT_GIT)
    wait_until(lambda: one_home.call("status", turn.id).json.get("changes"), what="the change")
    shown = one_home.call("diff", turn.id)
    assert (shown.code, shown.stdout.split("\n")[0]) == (0, "diff --git a/a.txt b/a.txt")
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
    assert [entry["path"] for entry in turn.wait()["changes"]] == [outside, "in.txt"]
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
