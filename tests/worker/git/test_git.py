"""Running git: what ends it, and what its caller is told then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from codex_server_cli.worker.git.git import read_git, run_git


def test_an_interrupt_stays_one_where_git_has_just_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `communicate` raises it: after it has waited for git, which Ctrl-C does not reach."""

    def interrupted(process: subprocess.Popen[bytes], *_: object, **__: object) -> None:
        process.wait()
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "communicate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_git(tmp_path, "version")


def test_only_the_first_bytes_are_read_and_git_is_not_left_running(tmp_path: Path) -> None:
    assert (
        read_git(tmp_path, "help", "-a", variables={}, most_bytes=3)
        == read_git(tmp_path, "help", "-a", variables={}, most_bytes=1 << 20)[:3]
    )
    with pytest.raises(OSError, match="git ended with"):
        read_git(tmp_path, "no-such-command", variables={}, most_bytes=10)
