"""What a review is about, as git knows it; the messages for a wrong target are in `tests/e2e`."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.start import review
from codex_server_cli.actions.start.review import ReviewChoice
from codex_server_cli.errors import BadInputError
from codex_server_cli.worker.git import git


def run_git(cwd: Path, *arguments: str) -> str:
    """Run git with an identity."""
    identity = ["-c", "user.name=Dev", "-c", "user.email=dev@example.com"]
    run = subprocess.run(["git", *identity, *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return run.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit on main."""
    run_git(tmp_path, "init", "-q", "-b", "main")
    run_git(tmp_path, "commit", "-q", "--allow-empty", "-m", 'First: "all" of it')
    return tmp_path


def subject(cwd: Path, **choice: str) -> Any:
    """The subject of a review here."""
    return review._subject(str(cwd), ReviewChoice(**choice))


def test_what_is_uncommitted_is_reviewed_unless_told_otherwise(repository: Path) -> None:
    (repository / "new.txt").touch()
    assert subject(repository) == ({"type": "uncommittedChanges"}, "Review the uncommitted changes.", ())


def test_a_clean_work_tree_is_warned_of(repository: Path) -> None:
    assert subject(repository).warnings == (f"nothing is uncommitted in {repository}: there may be nothing to review",)


def test_a_repository_without_a_commit_can_be_reviewed(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    (tmp_path / "new.txt").touch()
    assert subject(tmp_path).warnings == ()
    with pytest.raises(BadInputError) as caught:
        subject(tmp_path, base="main")
    assert caught.value.hint == "There is no branch yet."


def test_a_commit_is_named_in_full_and_by_its_title(repository: Path) -> None:
    sha = run_git(repository, "rev-parse", "HEAD")
    target = {"type": "commit", "sha": sha, "title": 'First: "all" of it'}
    for name in (sha[:7], "HEAD", "main"):
        assert subject(repository, commit=name)[:2] == (target, f'Review the commit {sha}: First: "all" of it')


def test_a_commit_without_a_title_has_none(repository: Path) -> None:
    run_git(repository, "commit", "-q", "--allow-empty", "--allow-empty-message", "-m", "")
    found = subject(repository, commit="HEAD")
    assert found.target["title"] is None
    assert found.words == f"Review the commit {found.target['sha']}."


def test_instructions_are_the_prompt_and_need_no_repository(tmp_path: Path) -> None:
    target = {"type": "custom", "instructions": "look"}
    assert subject(tmp_path, instructions="look") == (target, "look", ())


@pytest.mark.parametrize("name", ["nowhere", "--all", "main:", "HEAD~9", "a b"])
@pytest.mark.parametrize("kind", ["base", "commit"])
def test_what_git_does_not_know_is_refused_with_the_branches_there_are(repository: Path, kind: str, name: str) -> None:
    with pytest.raises(BadInputError, match=r"^git knows no ") as caught:
        subject(repository, **{kind: name})
    assert caught.value.hint == "Branches here: main."


def test_outside_of_a_work_tree_there_is_nothing_to_review(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="is in no git work tree: not a git repository"):
        subject(tmp_path)
    run_git(tmp_path, "init", "-q", "--bare")
    with pytest.raises(BadInputError, match="is in no git work tree: it is bare"):
        subject(tmp_path)


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (FileNotFoundError(2, "No such file"), "there is no git to ask"),
        (PermissionError(13, "Permission denied"), "git does not answer: "),
        (subprocess.TimeoutExpired("git", 20), "git does not answer within 10 s"),
    ],
)
def test_a_git_that_cannot_be_asked_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: Exception, message: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(git, "run_git", fail)
    with pytest.raises(BadInputError, match=message):
        subject(tmp_path)


def test_a_git_that_fails_without_a_word_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git, "run_git", lambda *_, **__: git.GitOutput(1, b"", b""))
    assert git.ask_git(tmp_path, "status").complaint == "git failed and printed nothing"
