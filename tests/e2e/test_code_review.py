"""A review as a turn, in a real git repository, with every real codex."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say, usage_limit
from tests.kit.home import Home
from tests.kit.support import Json, wait_until


def reviewers_text(path: Path) -> str:
    """The output of a reviewer's model: Codex makes the text of the review of it."""
    place = {"absolute_file_path": str(path), "line_range": {"start": 1, "end": 1}}
    finding = {"title": "[P1] Two is not one", "body": "It was one.", "confidence_score": 0.9, "priority": 1}
    return json.dumps(
        {
            "findings": [{**finding, "code_location": place}],
            "overall_correctness": "patch is incorrect",
            "overall_explanation": "One bug.",
            "overall_confidence_score": 0.8,
        }
    )


def _git(home: Home, *arguments: str) -> str:
    identity = ["-c", "user.name=Dev", "-c", "user.email=dev@example.com"]
    run = subprocess.run(["git", *identity, *arguments], cwd=home.project, capture_output=True, text=True, check=True)
    return run.stdout.strip()


def make_repository_to_review(home: Home) -> str:
    """A branch with one commit over main, and one change on top of it; the commit."""
    _git(home, "init", "-q", "-b", "main")
    (home.project / "a.txt").write_text("one\n")
    _git(home, "add", ".")
    _git(home, "commit", "-qm", "First")
    _git(home, "checkout", "-qb", "topic")
    (home.project / "a.txt").write_text("two\n")
    _git(home, "commit", "-qam", "Make it two")
    (home.project / "a.txt").write_text("three\n")
    return _git(home, "rev-parse", "HEAD")


def test_all_four_targets_are_reviewed_and_the_review_is_the_answer(home: Home) -> None:
    commit = make_repository_to_review(home)
    path = home.project / "a.txt"
    targets: list[tuple[list[str], Json, str, str]] = [
        ([], {"type": "uncommittedChanges"}, "Review the uncommitted changes.", "current changes"),
        (["--base", "main"], {"type": "baseBranch", "branch": "main"}, "against main", "changes against 'main'"),
        (
            ["--commit", commit[:8]],
            {"type": "commit", "sha": commit, "title": "Make it two"},
            f"{commit}: Make it two",
            f"commit {commit[:7]}",
        ),
        (
            ["--instructions", "Look at a.txt"],
            {"type": "custom", "instructions": "Look at a.txt"},
            "Look at a.txt",
            "a.txt",
        ),
    ]
    for flags, target, prompt, shown in targets:
        model = home.model(
            [reply(say("Hm.", phase="commentary"), run_command("cat a.txt")), say(reviewers_text(path), chunks=3)]
        )
        turn = home.start("review", *flags, "--effort", "high")
        ended = turn.wait()
        assert (ended["state"], ended["codex_turn_id"]) == ("complete", turn.meta["codex_turn_id"])
        assert ended["answer"].startswith("One bug.")
        assert f"[P1] Two is not one — {path}:1-1\n  It was one." in ended["answer"]
        assert turn.sent("review/start")["target"] == target
        assert prompt in (turn.path / "prompt.txt").read_text()
        assert turn.out.startswith("! ") or turn.out.startswith("· review: ")
        assert f"{shown}" in turn.out.partition("$ cat a.txt")[0]
        assert turn.out.count("One bug.") == 1
        assert {request.body["reasoning"]["effort"] for request in model.model_requests} == {"high"}
        assert turn.meta["effective"]["sandbox_policy"]["type"] == "readOnly"


def test_a_review_that_is_cancelled_ends_at_once_and_has_no_answer(home: Home) -> None:
    make_repository_to_review(home)
    gate = Gate()
    home.model([reply(say("Half a review ", hold(gate), "and more"))])
    turn = home.start("review")
    gate.wait_until_reached()
    assert home.run("steer", turn.id, "faster").code == 65
    run = home.run("cancel", turn.id)
    assert (run.code, run.json["state"]) == (0, "cancelled")
    assert turn.result["answer"] is None
    interrupts = [event for event in turn.events if event.get("method") == "turn/interrupt"]
    assert interrupts
    assert all(event["params"] == interrupts[0]["params"] for event in interrupts)  # repeated until Codex obeys
    completed = [event for event in turn.events if event.get("method") == "turn/completed"]
    assert [event["params"]["turn"]["status"] for event in completed] == ["interrupted"]
    assert turn.result["error"]["hint"].endswith(f"`codex-server review --cwd {home.project} --uncommitted`")


def test_a_review_whose_worker_was_killed_is_repaired_and_recovered(home: Home) -> None:
    make_repository_to_review(home)
    home.model([say(reviewers_text(home.project / "a.txt"))])
    turn = home.start("review", "--base", "main")
    answer = turn.wait()["answer"]
    turn.wait_for_exit_of_worker()
    lines = (turn.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    cut = next(index for index, line in enumerate(lines) if b'"exitedReviewMode"' in line)
    for name in ("done", "result.json", "answer.txt"):
        (turn.path / name).unlink()
    (turn.path / "events.jsonl").write_bytes(b"".join(lines[:cut]))
    assert turn.status()["state"] == "abandoned"
    recovered = home.run("recover", turn.id).json
    assert (recovered["state"], recovered["answer"]) == ("complete", answer)


def test_a_review_that_fails_tells_why(one_home: Home) -> None:
    make_repository_to_review(one_home)
    one_home.model([usage_limit(resets_at=4_000_000_000)])
    ended = one_home.start("review", "--commit", "HEAD").wait()
    assert (ended["state"], ended["answer"], ended["error"]["kind"]) == ("failed", None, "usage_limit")


def test_what_cannot_be_reviewed_is_refused_before_anything_is_made(one_home: Home) -> None:
    make_repository_to_review(one_home)
    one_home.model([])
    cases = (
        (["--schema", "s.json"], 64, "--schema"),
        (["--image", "a.png"], 64, "--image"),
        (["--write"], 64, "--write"),
        (["--sandbox", "workspace-write"], 64, "--sandbox"),
        (["look here"], 64, "look here"),
        (["--base", "main", "--commit", "HEAD"], 64, "exclude each other"),
        (["--uncommitted", "--base", "main"], 64, "exclude each other"),
        (["--base", ""], 64, "--base is empty"),
        (["--instructions", " "], 64, "--instructions is empty"),
        (["--base", "nowhere"], 65, "no branch 'nowhere'"),
        (["--base", "--all"], 65, "no branch '--all'"),
        (["--commit", "deadbeef"], 65, "no commit 'deadbeef'"),
        (["--cwd", "/"], 65, "/ is in no git work tree"),
    )
    runs = [(case, one_home.call("review", *case[0])) for case in cases]
    runs += [(case, one_home.run("review", *case[0])) for case in (cases[2], cases[-1])]  # with their workers
    for (flags, code, expected), run in runs:
        assert (run.code, run.error["exit_code"]) == (code, code), flags
        assert expected in run.error["message"], flags
        assert run.error["hint"], flags
        assert "Possible options" not in run.error["message"], flags
    assert one_home.turn_ids == []
    wait_until(lambda: not one_home.processes(), what="the end of the workers that got no turn")


def test_where_nothing_is_uncommitted_a_review_says_so_beforehand(one_home: Home) -> None:
    make_repository_to_review(one_home)
    _git(one_home, "checkout", "a.txt")
    one_home.model([say("Nothing to see.")])
    run = one_home.run("review")
    assert run.code == 0
    assert "nothing is uncommitted" in run.stderr
    assert one_home.turn(run.json["turn_id"]).wait()["answer"] == "Nothing to see."
    wait_until(lambda: one_home.left_running() == [], what="the end of everything")
