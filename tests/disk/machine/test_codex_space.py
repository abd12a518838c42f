"""What Codex's session files take: counted within a bound, and never touched."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.disk.machine.codex_space import CodexSpace, sessions_space


def write(codex_home: Path, *names: str) -> int:
    """Write files below Codex's home; the bytes that they take."""
    n_bytes = 0
    for name in names:
        path = codex_home / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 5000)
        n_bytes += path.stat().st_blocks * 512
    return n_bytes


def test_session_files_count_wherever_codex_keeps_them_and_nothing_else_does(tmp_path: Path) -> None:
    n_bytes = write(
        tmp_path,
        "sessions/2026/11/29/rollout-a.jsonl",
        "sessions/2026/11/30/rollout-b.jsonl.zst",
        "archived_sessions/rollout-c.jsonl",
    )
    write(tmp_path, "sessions/2026/notes.txt", "history.jsonl", "log/x.jsonl")
    (tmp_path / "sessions" / "link").symlink_to(tmp_path / "log")
    assert sessions_space(tmp_path, lambda: True) == CodexSpace(3, n_bytes, is_whole=True)


def test_without_the_time_for_all_there_are_at_least_so_many(tmp_path: Path) -> None:
    n_bytes = write(tmp_path, "sessions/a.jsonl", "sessions/b.jsonl", "sessions/c.jsonl")
    looks = iter((True, True, False))
    assert sessions_space(tmp_path, lambda: next(looks)) == CodexSpace(2, n_bytes * 2 // 3, is_whole=False)


def test_a_home_without_sessions_takes_nothing(tmp_path: Path) -> None:
    assert sessions_space(tmp_path / "none", lambda: False) == CodexSpace(0, 0, is_whole=True)
