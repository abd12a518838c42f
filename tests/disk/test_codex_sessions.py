"""Codex's sessions on disk: found, ordered, filtered and read at both ends, over files of the real binaries."""

from __future__ import annotations

import json
import os
from pathlib import Path
from uuid import UUID

import pytest

from codex_server_cli.disk.codex_sessions import (
    ThreadSummary,
    find_threads,
    list_threads,
    newest_thread,
    provider_of_thread,
    read_tail,
)
from codex_server_cli.disk.session_files import thread_ids

FIXTURES = Path(__file__).parents[1] / "fixtures" / "rollouts"
SHORTENED = " […]"


class SessionFiles:
    """A `CODEX_HOME` that session files are put into, each newer than the one before."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._count = 0

    def path(self, thread_id: str | None = None) -> Path:
        """A fresh session path; ids count up from 1."""
        self._count += 1
        thread_id = thread_id or str(UUID(int=self._count))
        directory = self.home / "sessions" / "2026" / "11" / f"{self._count:02d}"
        directory.mkdir(parents=True)
        return directory / f"rollout-2026-11-20T18-37-09-{thread_id}.jsonl"

    def add(self, fixture: str, *, cwd: str = "/home/dev/project", thread_id: str | None = None) -> str:
        """Put a copy of `fixture` there, its first line as long as a real one; returns the thread id."""
        text = (FIXTURES / f"{fixture}.jsonl").read_text(encoding="utf-8")
        text = text.replace(SHORTENED, "x" * 21_000, 1).replace("/home/dev/project", cwd)
        return self.write(text.encode(), thread_id=thread_id)

    def write(self, data: bytes, *, thread_id: str | None = None) -> str:
        path = self.path(thread_id)
        path.write_bytes(data)
        os.utime(path, (self._count * 100, self._count * 100 + 0.25))
        return path.stem[-36:]


@pytest.fixture
def sessions(tmp_path: Path) -> SessionFiles:
    return SessionFiles(tmp_path / "codex")


def ids(threads: list[ThreadSummary]) -> list[str]:
    return [thread.thread_id for thread in threads]


def meta_line(cwd: str, **payload: object) -> bytes:
    record = {"timestamp": "t", "type": "session_meta", "payload": {"id": "x", "cwd": cwd, **payload}}
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def user_line(text: str) -> bytes:
    record = {"timestamp": "t", "type": "event_msg", "payload": {"type": "user_message", "message": text}}
    return json.dumps(record).encode() + b"\n"


def test_a_row_has_what_the_file_holds(sessions: SessionFiles) -> None:
    thread_id = sessions.add("paginated-0.169.0")

    (row,) = list_threads(sessions.home, limit=5)

    assert row == ThreadSummary(
        thread_id=thread_id,
        path=row.path,
        cwd="/home/dev/project",
        name=None,
        model="scripted",
        started_at="2026-11-20T18:37:09.638Z",
        updated_at="1970-01-01T00:01:40.250Z",
        first_prompt="First prompt: héllo\nsecond line",
        source="vscode",
        originator="codex_server",
        cli_version="0.169.0",
        is_subagent=False,
    )
    assert row.path.is_file()


@pytest.mark.parametrize("version", ["0.163.0", "0.169.0"])
def test_both_layouts_of_both_versions_are_listed(sessions: SessionFiles, version: str) -> None:
    for layout in ("paginated", "legacy", "changes"):
        sessions.add(f"{layout}-{version}")

    rows = list_threads(sessions.home, limit=9)

    assert [row.first_prompt for row in rows] == ["PATCH it", "PATCH it", "First prompt: héllo\nsecond line"]
    assert {row.cli_version for row in rows} == {version}


def test_the_newest_come_first_whatever_their_names_say(sessions: SessionFiles) -> None:
    old, middle, new = (sessions.add("paginated-0.169.0") for _ in range(3))
    (resumed,) = find_threads(sessions.home, old)
    os.utime(resumed.path, (9000, 9000))

    assert ids(list_threads(sessions.home, limit=9)) == [old, new, middle]
    assert ids(list_threads(sessions.home, limit=2)) == [old, new]
    assert list_threads(sessions.home, limit=0) == []


def test_subagents_are_left_out(sessions: SessionFiles) -> None:
    review = sessions.add("review-0.169.0")
    sessions.add("subagent-0.169.0")
    sessions.add("subagent-0.163.0")

    assert ids(list_threads(sessions.home, limit=9)) == [review]


def test_cwd_is_compared_by_real_path(sessions: SessionFiles, tmp_path: Path) -> None:
    project, link = tmp_path / "project", tmp_path / "link"
    project.mkdir()
    link.symlink_to(project)
    direct = sessions.add("paginated-0.169.0", cwd=str(project))
    through_link = sessions.add("paginated-0.169.0", cwd=str(link))
    sessions.add("paginated-0.169.0", cwd=str(project / "below"))

    for spelling in (project, link, project / ".." / "project"):
        assert ids(list_threads(sessions.home, limit=9, cwd=str(spelling))) == [through_link, direct]


def test_search_ignores_case_and_sees_names(sessions: SessionFiles) -> None:
    greeting = sessions.add("paginated-0.169.0")
    patch = sessions.add("changes-0.169.0")
    (sessions.home / "session_index.jsonl").write_text(f'{{"id":"{patch}","thread_name":"Big Refactor"}}\n')

    assert ids(list_threads(sessions.home, limit=9, search="HÉLLO")) == [greeting]
    assert ids(list_threads(sessions.home, limit=9, search="refactor")) == [patch]
    assert list_threads(sessions.home, limit=9, search="AGENTS.md") == []
    assert list_threads(sessions.home, limit=9, search="big refactor")[0].name == "Big Refactor"


def test_a_missing_home_has_no_threads(tmp_path: Path) -> None:
    home = tmp_path / "nowhere"

    assert list_threads(home, limit=9) == []
    assert newest_thread(home, str(tmp_path)) is None
    assert find_threads(home, str(UUID(int=1))) == []


def test_what_cannot_be_read_is_skipped(sessions: SessionFiles, tmp_path: Path) -> None:
    good = sessions.add("paginated-0.169.0")
    sessions.write(b"")
    sessions.write(b"\x00\xff not json")
    sessions.write(b'{"timestamp":"t","type":"session_meta","payload":{"id":"x"')
    sessions.write(b'{"a":"' + b"x" * 5000)
    sessions.path().symlink_to(tmp_path / "gone.jsonl")
    sessions.path().mkdir()
    os.mkfifo(sessions.path())
    sessions.path().with_suffix(".jsonl.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    (sessions.home / "sessions" / "notes.txt").write_text("mine")
    (sessions.home / "sessions" / "7").write_text("a file where a year is looked for")

    assert ids(list_threads(sessions.home, limit=20)) == [good]


def test_archived_sessions_are_not_listed(sessions: SessionFiles) -> None:
    sessions.add("paginated-0.169.0")
    (sessions.home / "sessions").rename(sessions.home / "archived_sessions")

    assert list_threads(sessions.home, limit=9) == []


def test_a_source_behind_long_instructions_is_found(sessions: SessionFiles) -> None:
    sessions.write(meta_line("/home/dev", instructions="x" * 30_000, source={"subagent": "review"}))
    top = sessions.write(meta_line("/home/dev", instructions="y" * 30_000, source="cli"))

    rows = list_threads(sessions.home, limit=9)

    assert ids(rows) == [top]
    assert rows[0].source == "cli"


def test_a_first_prompt_far_into_the_file_is_found(sessions: SessionFiles) -> None:
    sessions.write(meta_line("/home/dev", source="cli", instructions="x" * 200_000) + user_line("here I am"))

    assert list_threads(sessions.home, limit=1)[0].first_prompt == "here I am"


def test_a_session_without_messages_has_no_prompt(sessions: SessionFiles) -> None:
    sessions.write(meta_line("/home/dev", source="cli"))

    (row,) = list_threads(sessions.home, limit=1)

    assert (row.first_prompt, row.model) == (None, None)
    assert read_tail(row, limit=5) == ()


def test_the_newest_thread_of_a_directory_is_found(sessions: SessionFiles) -> None:
    sessions.add("paginated-0.169.0", cwd="/home/dev/a")
    newest = sessions.add("legacy-0.163.0", cwd="/home/dev/a")
    sessions.add("paginated-0.169.0", cwd="/home/dev/b")
    sessions.add("subagent-0.169.0", cwd="/home/dev/a")

    found = newest_thread(sessions.home, "/home/dev/a")

    assert found is not None
    assert found.thread_id == newest
    assert newest_thread(sessions.home, "/home/dev") is None


def test_a_thread_is_found_by_its_whole_id_alone(sessions: SessionFiles) -> None:
    wanted = "01a1fa3f-89d2-7142-9508-7b9df8bc2f1f"
    sessions.add("review-0.169.0", thread_id=wanted)
    sessions.write(b"unreadable")

    assert ids(find_threads(sessions.home, wanted.upper())) == [wanted]


def test_a_subagent_is_found_by_its_whole_id(sessions: SessionFiles) -> None:
    wanted = sessions.add("subagent-0.169.0")

    [found] = find_threads(sessions.home, wanted)

    assert found.is_subagent


def test_a_prefix_finds_top_level_threads_before_subagents(sessions: SessionFiles) -> None:
    parent = sessions.add("review-0.169.0", thread_id="01a1fa3f-89d2-7142-9508-7b9df8bc2f1f")
    child = sessions.add("subagent-0.169.0", thread_id="01a1fa3f-89f2-7033-885f-57ce2678bcdb")
    other = sessions.add("paginated-0.169.0", thread_id="01a1fa40-0000-7033-885f-57ce2678bcdb")

    assert ids(find_threads(sessions.home, "01a1fa3f")) == [parent]
    assert ids(find_threads(sessions.home, "01a1fa3f-89f")) == [child]
    assert ids(find_threads(sessions.home, "01A1")) == [other, parent]
    assert ids(find_threads(sessions.home, "01a1", limit=1)) == [other]
    assert find_threads(sessions.home, "ff") == []
    assert find_threads(sessions.home, "") == []


def test_the_tail_is_the_last_entries_oldest_first(sessions: SessionFiles) -> None:
    sessions.add("paginated-0.163.0")
    (row,) = list_threads(sessions.home, limit=1)

    tail = read_tail(row, limit=2)

    assert [(entry.type, entry.text) for entry in tail] == [
        ("commandExecution", "echo hello; exit 3"),
        ("agentMessage", "Answer to: the prompt"),
    ]
    assert len(read_tail(row, limit=100)) == 5
    assert read_tail(row, limit=0) == ()


def test_a_fork_begins_at_the_fork(sessions: SessionFiles) -> None:
    sessions.add("fork-0.169.0")
    (row,) = list_threads(sessions.home, limit=1)

    assert row.first_prompt == "prompt in the fork"
    assert [entry.text for entry in read_tail(row, limit=9)] == ["prompt in the fork", "Answer to: the prompt"]


def test_the_tail_grows_over_long_lines_up_to_a_bound(sessions: SessionFiles) -> None:
    noise = b'{"type":"response_item","payload":"' + b"n" * 300_000 + b'"}\n'
    data = meta_line("/home/dev", source="cli") + user_line("first") + noise * 5 + user_line("near") + noise
    sessions.write(data + user_line("last") + b'{"torn')
    (row,) = list_threads(sessions.home, limit=1)

    assert row.first_prompt == "first"
    assert [entry.text for entry in read_tail(row, limit=1)] == ["last"]
    assert [entry.text for entry in read_tail(row, limit=2)] == ["near", "last"]
    assert [entry.text for entry in read_tail(row, limit=3)] == ["near", "last"]  # "first" is over 1 MB back


def test_the_tail_of_a_file_that_has_gone_is_empty(sessions: SessionFiles) -> None:
    sessions.add("paginated-0.169.0")
    (row,) = list_threads(sessions.home, limit=1)
    row.path.unlink()

    assert read_tail(row, limit=5) == ()


def test_the_provider_of_a_thread_is_the_one_that_it_was_made_with(sessions: SessionFiles) -> None:
    meta = {"id": "x", "cwd": "/p", "source": "cli", "model_provider": "own", "base_instructions": {"text": "y" * 9000}}
    thread_id = sessions.write(json.dumps({"type": "session_meta", "payload": meta}).encode() + b"\n")
    silent = sessions.write(json.dumps({"type": "session_meta", "payload": {"cwd": "/p"}}).encode() + b"\n")
    assert provider_of_thread(sessions.home, thread_id.upper()) == "own"
    assert provider_of_thread(sessions.home, silent) is None
    assert provider_of_thread(sessions.home, str(UUID(int=99))) is None


def test_an_end_of_an_id_finds_a_thread_where_no_id_begins_with_it(sessions: SessionFiles) -> None:
    first = sessions.add("review-0.169.0", thread_id="01a1fa3f-89d2-7142-9508-7b9df8bc2f1f")
    second = sessions.add("paginated-0.169.0", thread_id="2f1f0000-0000-7033-885f-57ce2678bcdb")

    assert ids(find_threads(sessions.home, "2f1f")) == [second]
    assert ids(find_threads(sessions.home, "C2F1F")) == [first]
    assert ids(find_threads(sessions.home, "bcdb")) == [second]
    assert find_threads(sessions.home, "f1f") == []  # too short to be meant as one
    assert sorted(thread_ids(sessions.home)) == sorted([first, second])
