"""The home's log of all turns: many writers, no line lost, torn or doubled, and cursors that stay valid."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.disk.journal import journal
from tests.kit.cases import examples
from tests.kit.support import DEADLINE_S, Json

TURN = "20261120-165501-482-7f3a"
WRITER = """
import sys
from pathlib import Path
from codex_server_cli.disk.journal import journal
home, turn_id, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
journal.MAX_SEGMENT_BYTES = 2000
for number in range(count):
    journal.append(home, journal.phase_entry(turn_id, f"phase{number}", None))
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_SEGMENT_BYTES", 300)


def entry(number: int) -> journal.Entry:
    return {"turn_id": TURN, "event": "phase", "number": number}


def fill(home: Path, count: int) -> None:
    for number in range(count):
        journal.append(home, entry(number))


def numbers(home: Path, after: int = 0) -> list[object]:
    return [found["number"] for _, found in journal.read(home, after)]


def segments(home: Path) -> list[Path]:
    return sorted(journal.folder_of(home).glob("*.jsonl"))


def raw(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in segments(home))


def test_what_was_written_is_read_in_its_order_and_cursors_go_on_behind_a_line(home: Path) -> None:
    fill(home, 5)
    cursors = [cursor for cursor, _ in journal.read(home)]
    assert cursors == sorted(set(cursors))
    assert [numbers(home, cursor) for cursor in [0, *cursors]] == [list(range(first, 5)) for first in range(6)]
    assert journal.end(home) == cursors[-1] == len(raw(home))


def test_a_journal_that_is_not_there_has_no_lines_and_no_bounds(home: Path) -> None:
    assert list(journal.read(home)) == []
    assert (journal.bounds(home), journal.end(home)) == (None, 0)
    assert journal.drop_before(home, 0) == 0
    assert not journal.folder_of(home).exists()
    journal.prepare(home)
    assert (list(journal.read(home)), journal.bounds(home)) == ([], (0, 0))


@pytest.mark.usefixtures("small_segments")
def test_a_full_segment_is_followed_by_one_that_is_named_by_its_first_offset(home: Path) -> None:
    fill(home, 40)
    paths = segments(home)
    assert len(paths) > 3
    offset = 0
    for path in paths:
        assert path.name == f"{offset:020}.jsonl"
        offset += path.stat().st_size
    assert journal.bounds(home) == (0, offset)
    assert numbers(home) == list(range(40))
    for cursor, found in journal.read(home):
        assert numbers(home, cursor) == list(range(int(str(found["number"])) + 1, 40))


@pytest.mark.usefixtures("small_segments")
def test_old_segments_go_and_neither_the_newest_nor_a_cursor_suffers(home: Path) -> None:
    fill(home, 40)
    everything = list(journal.read(home))
    for path in segments(home)[:2]:
        os.utime(path, (1, 1))
    assert journal.drop_before(home, 3600) == 2
    begin, end = journal.bounds(home) or (-1, -1)
    assert begin == int(segments(home)[0].stem) > 0
    assert list(journal.read(home, begin)) == [found for found in everything if found[0] > begin]
    assert list(journal.read(home, 0)) == list(journal.read(home, begin))
    for path in segments(home):
        os.utime(path, (1, 1))
    journal.drop_before(home, 0)
    assert len(segments(home)) == 1
    journal.append(home, entry(40))
    assert numbers(home, end) == [40]


@pytest.mark.usefixtures("small_segments")
def test_a_segment_that_is_newer_than_its_follower_keeps_that_one_too(home: Path) -> None:
    fill(home, 40)
    for path in segments(home)[1:]:
        os.utime(path, (1, 1))
    assert journal.drop_before(home, 3600) == 0


def test_a_torn_line_is_not_read_and_spoils_no_other(home: Path) -> None:
    fill(home, 2)
    path = segments(home)[0]
    whole = journal.end(home)
    with path.open("ab") as file:
        file.write(b'{"turn_id":"2026')
    assert journal.end(home) == whole
    assert numbers(home) == [0, 1]
    assert numbers(home, whole) == []
    journal.append(home, entry(2))
    assert numbers(home) == [0, 1, 2]
    assert numbers(home, whole) == [2]


@pytest.mark.usefixtures("small_segments")
def test_a_torn_line_at_the_end_of_a_full_segment_is_ended_there(home: Path) -> None:
    fill(home, 1)
    with segments(home)[0].open("ab") as file:
        file.write(b"x" * 400)
    journal.append(home, entry(1))
    first, second = segments(home)
    assert first.read_bytes().endswith(b"x\n")
    assert int(second.stem) == first.stat().st_size
    assert numbers(home) == [0, 1]


def test_what_is_no_line_of_a_journal_is_passed_over(home: Path) -> None:
    fill(home, 1)
    with segments(home)[0].open("ab") as file:
        file.write(b"\n[]\n\xff\xfe\n")
    (journal.folder_of(home) / "note.jsonl").write_text("{}\n")
    journal.append(home, entry(1))
    assert numbers(home) == [0, 1]


def test_an_end_is_written_once(home: Path) -> None:
    end = journal.end_entry(TURN, "failed", "network", "fix")
    assert journal.append_once(home, journal.end_entry("20261120-165502-000-0000", "complete", None, None))
    journal.append(home, journal.phase_entry(TURN, "thinking", "fix"))
    assert journal.append_once(home, end)
    assert not journal.append_once(home, end)
    ends = [found for _, found in journal.read(home) if found["turn_id"] == TURN and found["event"] == "end"]
    assert ends == [end]


def test_an_end_that_lacks_nothing_but_its_newline_counts_and_becomes_readable(home: Path) -> None:
    end = journal.end_entry(TURN, "complete", None, None)
    journal.prepare(home)
    (journal.folder_of(home) / f"{0:020}.jsonl").write_text(json.dumps(end))
    assert list(journal.read(home)) == []
    assert not journal.append_once(home, end)
    assert [found for _, found in journal.read(home)] == [end]


@pytest.mark.usefixtures("small_segments")
def test_an_end_is_looked_for_in_the_segments_that_can_hold_it(home: Path) -> None:
    today = f"{time.strftime('%Y%m%d', time.gmtime())}-000000-000-0000"
    assert journal.append_once(home, journal.end_entry(today, "complete", None, None))
    fill(home, 40)
    assert len(segments(home)) > 3
    assert not journal.append_once(home, journal.end_entry(today, "complete", None, None))
    os.utime(segments(home)[0], (1, 1))  # written to last before the turn was made
    assert journal.append_once(home, journal.end_entry(today, "complete", None, None))


def test_the_end_of_a_turn_from_the_future_of_a_clock_that_was_set_back_is_written_once(home: Path) -> None:
    end = journal.end_entry("20991231-235959-999-ffff", "complete", None, None)
    assert journal.append_once(home, end)
    assert not journal.append_once(home, end)


def test_what_a_person_is_asked_stands_in_its_line_as_far_as_it_fits() -> None:
    entry = journal.attention_entry(TURN, "waiting_approval", "0", "run " + "x" * 1000, "fix")
    assert (entry["event"], entry["phase"], entry["request"], entry["name"]) == (
        *("attention", "waiting_approval", "0"),
        "fix",
    )
    assert entry["message"] == "run " + "x" * 296


words = st.one_of(st.none(), st.text(), st.integers(), st.sampled_from(["network", "running_command"]))


@given(st.lists(st.dictionaries(st.sampled_from(["turn_id", "name", "kind", "phase"]), words), max_size=8))
@examples(60)
def test_any_text_comes_back_as_it_was(entries: list[Json]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for given_entry in entries:
            journal.append(Path(folder), given_entry)
        assert [found for _, found in journal.read(Path(folder))] == entries


@given(st.binary(max_size=200), st.integers(0, 250))
@examples(100)
def test_no_bytes_and_no_cursor_break_a_reader(data: bytes, after: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal.prepare(Path(folder))
        (journal.folder_of(Path(folder)) / f"{0:020}.jsonl").write_bytes(data)
        for cursor, _ in journal.read(Path(folder), after):
            assert after < cursor <= len(data)
            assert data[cursor - 1 : cursor] == b"\n"
        bounds = journal.bounds(Path(folder))
        assert bounds == (0, data.rfind(b"\n") + 1)


def test_processes_that_write_at_once_lose_and_tear_nothing(home: Path) -> None:
    ids = [f"20261120-16550{number}-482-7f3a" for number in range(4)]
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(home), turn_id, "150"]) for turn_id in ids]
    assert [writer.wait(DEADLINE_S) for writer in writers] == [0] * 4
    found = [found for _, found in journal.read(home)]
    assert len(found) == raw(home).count(b"\n") == 600
    for turn_id in ids:
        phases = [str(line["phase"]) for line in found if line["turn_id"] == turn_id]
        assert phases == [f"phase{number}" for number in range(150)]
    assert len(segments(home)) > 10


def test_a_follower_sees_each_line_once_while_others_write_and_roll_over(home: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(home), TURN, "150"]) for _ in range(2)]
    cursor, seen = 0, list[tuple[int, journal.Entry]]()
    while len(seen) < 300:
        for cursor, found in journal.read(home, cursor):  # noqa: B020 — the generator has the old one
            seen.append((cursor, found))
        assert seen or any(writer.poll() is None for writer in writers)
    assert [writer.wait(DEADLINE_S) for writer in writers] == [0, 0]
    assert seen == list(journal.read(home))
