"""The files that a completion offers: git's, or those of a short walk."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.actions.read import project_files as action
from codex_server_cli.actions.read.project_files import project_files
from tests.kit.support import make_repository


def test_in_a_repository_they_are_those_that_git_would_show(tmp_path: Path) -> None:
    make_repository(tmp_path)
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "src").mkdir()
    for name in ("src/a.py", "b.log", "ä ö.md", "evil\x1b[2J"):
        (tmp_path / name).write_text("x")
    assert {".gitignore", "src/a.py", "ä ö.md"} <= set(project_files(str(tmp_path)))
    assert not {"b.log", "evil\x1b[2J", ""} & set(project_files(str(tmp_path)))
    assert project_files(str(tmp_path / "src")) == ["a.py"]


def test_elsewhere_they_are_those_of_a_bounded_walk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a/one", "b/two", "node_modules/x", ".hidden/y"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    assert project_files(str(tmp_path)) == ["a/one", "b/two"]
    monkeypatch.setattr(action, "MOST_FILES", 1)
    assert project_files(str(tmp_path)) == ["a/one"]
    assert project_files("/nowhere") == []
