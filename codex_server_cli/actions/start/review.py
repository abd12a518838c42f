"""The subject of a review. Owns the protocol's `ReviewTarget` and its text. Checks with git before Codex is asked.

Codex accepts any branch or commit name; only the model's answer would mention that one does not exist.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from codex_server_cli.actions.start.checks import check_cwd
from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.actions.start.start import Started, choose_server, new
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.git.git import ask_git, outside_of_work_tree
from codex_server_cli.worker.launch import Launch


class ReviewChoice(NamedTuple):
    """What to review: at most one of these; none means the uncommitted changes."""

    base: str | None = None
    commit: str | None = None
    instructions: str | None = None


class _Subject(NamedTuple):
    """A review's target in the protocol, and its text for `prompt.txt`."""

    target: dict[str, Any]
    words: str
    warnings: tuple[str, ...] = ()


def review(settings: Settings, options: StartOptions, launch: Launch, choice: ReviewChoice) -> Started:
    """Start a review on a new thread. It reads and never writes, whatever `config.json` says.

    Args:
        options: their prompt is ignored.

    Raises:
        BadInputError: git does not know the subject.
        CodexServerError: as `start.new`.
    """
    is_there = choice.instructions is None and _is_elsewhere(settings, options)
    subject = _subject_there(choice) if is_there else _subject(options.cwd, choice)
    options = options._replace(prompt=subject.words, review=subject.target, sandbox=Sandbox.READ_ONLY)
    started = new(settings, options, launch)
    return started._replace(warnings=subject.warnings + started.warnings)


def _is_elsewhere(settings: Settings, options: StartOptions) -> bool:
    server = choose_server(settings, options, read_config(settings.config_path), None)[1]
    return server is not None and server.is_elsewhere


def _subject(cwd: str | None, choice: ReviewChoice) -> _Subject:
    if choice.instructions is not None:
        return _Subject({"type": "custom", "instructions": choice.instructions}, choice.instructions)
    place = Path(check_cwd(cwd))
    reason = outside_of_work_tree(place)
    if reason is not None:
        hint = "Name one with --cwd, or say with --instructions what to review."
        raise BadInputError(f"{place} is in no git work tree: {reason}", hint=hint)
    if choice.base is not None:
        _find_commit(place, choice.base, "branch")
        return _Subject({"type": "baseBranch", "branch": choice.base}, f"Review the changes against {choice.base}.")
    if choice.commit is not None:
        sha = _find_commit(place, choice.commit, "commit")
        title = ask_git(place, "log", "-1", "--format=%s", sha).text
        words = f"Review the commit {sha}: {title}" if title else f"Review the commit {sha}."
        return _Subject({"type": "commit", "sha": sha, "title": title or None}, words)
    is_clean = not ask_git(place, "status", "--porcelain").text
    warnings = (f"nothing is uncommitted in {place}: there may be nothing to review",) if is_clean else ()
    return _Subject({"type": "uncommittedChanges"}, "Review the uncommitted changes.", warnings)


def _subject_there(choice: ReviewChoice) -> _Subject:
    """The subject in a work tree on another host, where we cannot run git."""
    if choice.base is not None:
        return _Subject({"type": "baseBranch", "branch": choice.base}, f"Review the changes against {choice.base}.")
    if choice.commit is not None:
        target = {"type": "commit", "sha": choice.commit, "title": None}
        return _Subject(target, f"Review the commit {choice.commit}.")
    return _Subject({"type": "uncommittedChanges"}, "Review the uncommitted changes.")


def _find_commit(place: Path, name: str, what: str) -> str:
    """The full hash of the commit that `name` refers to; `what` is the kind that the user expects."""
    found = ask_git(place, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") if name[:1] != "-" else None
    if found is None or found.complaint is not None:
        branches = ask_git(place, "for-each-ref", "--count=10", "--format=%(refname:short)", "refs/heads").text.split()
        hint = f"Branches here: {', '.join(branches)}." if branches else "There is no branch yet."
        raise BadInputError(f"git knows no {what} {name!r} in {place}", hint=hint)
    return found.text
