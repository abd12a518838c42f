"""An ended turn's events get shorter; whatever interrupts that, the turn reads as before."""

from __future__ import annotations

import io
import os
from random import Random

import pytest

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.protocol.event_log import is_delta
from codex_server_cli.core.record.replay import replay
from codex_server_cli.core.result.outcome import Outcome
from codex_server_cli.disk import files
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.turn import compaction
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.reader import TurnReader
from codex_server_cli.disk.turn.writer import COMPACTED_FROM_BYTES, TurnWriter
from tests.disk.conftest import FullDisk
from tests.kit.turns_on_disk import ANSWER, WHOLE_TURN, TurnsOnDisk

COMPLETE = Outcome(State.COMPLETE, ANSWER, None, None, None)
HEAD, DELTA, TAIL = (
    WHOLE_TURN[: WHOLE_TURN.index(b"\n", WHOLE_TURN.index(b'"agentMessage"')) + 1],
    next(line for line in WHOLE_TURN.split(b"\n") if is_delta(line)).replace(b'"delta":"', b'"delta":"","was":"'),
    WHOLE_TURN[WHOLE_TURN.index(b"\n", WHOLE_TURN.index(b'"agentMessage"')) + 1 :],
)
LONG = HEAD + 200 * (DELTA + b"\n") + TAIL
"""A turn that ended well, with 200 deltas more than it had, all of them empty."""

SEED = 20261130


class KilledError(BaseException):
    """What ends a process without a word: nothing may clean up after it."""


@pytest.fixture
def turn(turns: TurnsOnDisk) -> TurnDir:
    turn = turns.running()
    turn.events.write_bytes(LONG)
    return turn


@pytest.fixture
def writer(turns: TurnsOnDisk, turn: TurnDir) -> TurnWriter:
    return TurnWriter(turn, turns.lock_fd(turn.turn_id))


def hidden(turn: TurnDir) -> list[str]:
    return [path.name for path in turn.path.iterdir() if path.name.startswith(".") and path.name != ".reserve"]


def deltas(turn: TurnDir) -> int:
    return sum(map(is_delta, turn.events.read_bytes().split(b"\n")))


def assert_reads_the_same(turn: TurnDir) -> None:
    (record, text), (before, text_before) = replay(turn.events.read_bytes()), replay(LONG)
    assert (record.status, record.answer, text) == (before.status, before.answer, text_before)
    assert hidden(turn) == []


def test_what_is_said_twice_is_dropped_and_all_else_is_left_byte_for_byte(turn: TurnDir, writer: TurnWriter) -> None:
    writer.compact_events()
    assert turn.events.read_bytes() == b"".join(line for line in io.BytesIO(LONG) if not is_delta(line))
    assert turn.events.stat().st_mode & 0o777 == 0o600
    assert_reads_the_same(turn)
    writer.finish(COMPLETE, read_json(turn.meta) or {})
    writer.close()
    assert deltas(turn) == 0
    assert (turn.done.exists(), hidden(turn), (turn.path / ".reserve").exists()) == (True, [], False)


def test_a_follower_reads_what_was_written_before(turn: TurnDir, writer: TurnWriter) -> None:
    with turn.events.open("rb") as followed:
        assert followed.read(1000) == LONG[:1000]
        writer.append_events(b'{"seq":999,"dir":"in","method":"last"}\n')
        writer.compact_events()
        assert followed.read() == LONG[1000:] + b'{"seq":999,"dir":"in","method":"last"}\n'
    assert turn.events.read_bytes().endswith(b'"last"}\n')
    writer.close()


def test_a_short_log_is_not_looked_at_nor_one_rewritten_that_would_save_little(
    turn: TurnDir, writer: TurnWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = LONG.replace(DELTA + b"\n", b"", 190)
    for log in (few, few + b" " * COMPACTED_FROM_BYTES + b"\n"):
        turn.events.write_bytes(log)
        writer.compact_events()
        assert turn.events.read_bytes() == log
        monkeypatch.setattr(compaction, "write_pieces", None)  # and so it is not written either
    writer.close()


def test_a_file_that_was_put_in_its_place_is_left_alone(turn: TurnDir, writer: TurnWriter) -> None:
    turn.events.unlink()
    turn.events.write_bytes(LONG)
    writer.compact_events()
    assert turn.events.read_bytes() == LONG
    turn.events.unlink()
    os.mkfifo(turn.events)
    with pytest.raises(OSError, match="Not a regular file"):
        writer.compact_events()
    writer.close()


def test_a_full_disk_keeps_all_of_it(turn: TurnDir, writer: TurnWriter, full_disk: FullDisk) -> None:
    with full_disk(), pytest.raises(OSError, match="File too large"):
        writer.compact_events()
    assert turn.events.read_bytes() == LONG
    assert hidden(turn) == []
    writer.finish(COMPLETE, read_json(turn.meta) or {})
    writer.close()
    assert turn.done.exists()


def test_a_file_that_gets_shorter_meanwhile_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(OSError, match="became shorter"):
        list(compaction._kept(io.BytesIO(b"abc"), [(10, 12)]))


def test_a_defect_leaves_no_file_behind(turn: TurnDir, writer: TurnWriter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "_kept", lambda *_: ["text, not bytes"])
    with pytest.raises(TypeError):
        writer.compact_events()
    assert turn.events.read_bytes() == LONG
    assert hidden(turn) == []
    writer.close()


def die_after(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process end once it has written so many bytes of a new file, or instead of the next step."""
    left = size

    def write(fd: int, data: bytes) -> None:
        nonlocal left
        os.write(fd, data[:left])
        if len(data) > left:
            raise KilledError
        left -= len(data)

    monkeypatch.setattr(files, "write_all", write)
    monkeypatch.setattr(compaction, "_READ_BYTES", 1000)


def assert_repaired(turns: TurnsOnDisk, turn: TurnDir) -> None:
    turns.drop_lock(turn.turn_id)
    view = TurnReader(lambda _: None).view(turn)
    assert (view.state, view.answer) == (State.COMPLETE, ANSWER)
    assert_reads_the_same(turn)


@pytest.mark.parametrize("size", [0, 1, *Random(SEED).sample(range(2, len(HEAD + TAIL) - 1000), 12)])
def test_a_worker_that_dies_at_any_byte_of_it_leaves_all_of_it(
    turns: TurnsOnDisk, turn: TurnDir, writer: TurnWriter, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    die_after(size, monkeypatch)
    with pytest.raises(KilledError):
        writer.compact_events()
    monkeypatch.undo()
    writer.close()
    assert len(hidden(turn)) == 1
    assert turn.events.read_bytes() == LONG
    assert_repaired(turns, turn)
    assert turn.events.read_bytes() == LONG


@pytest.mark.parametrize("step", ["codex_server_cli.disk.files.os.fsync", "pathlib.Path.rename"])
def test_a_worker_that_dies_right_before_the_new_file_takes_the_name_leaves_all_of_it(
    turns: TurnsOnDisk, turn: TurnDir, writer: TurnWriter, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def die(*_: object) -> None:
        raise KilledError

    monkeypatch.setattr(step, die)
    with pytest.raises(KilledError):
        writer.compact_events()
    monkeypatch.undo()
    writer.close()
    assert turn.events.read_bytes() == LONG
    assert_repaired(turns, turn)


def test_a_worker_that_dies_right_after_that_is_repaired_from_what_is_left(
    turns: TurnsOnDisk, turn: TurnDir, writer: TurnWriter
) -> None:
    writer.append_text(replay(LONG)[1][:7])  # the rest comes from the replay
    writer.compact_events()
    writer.close()
    assert_repaired(turns, turn)
    assert deltas(turn) == 0
    assert turn.out.read_text() == replay(LONG)[1]


def test_a_log_that_takes_too_long_to_look_through_stays_as_it_is(
    turn: TurnDir, writer: TurnWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "_LOOK_S", -1.0)
    with pytest.raises(TimeoutError):
        writer.compact_events()
    assert turn.events.read_bytes() == LONG
    writer.finish(COMPLETE, {})
    assert_reads_the_same(turn)
