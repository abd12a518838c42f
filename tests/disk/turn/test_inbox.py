"""Requests of other shells, their order, their replies, and the byte that wakes the worker."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BadInputError
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def turn(turns: TurnsOnDisk) -> TurnDir:
    return turns.running()


def write_request(turn: TurnDir, name: str, text: str) -> Path:
    path = turn.inbox / name
    path.write_text(text)
    return path


def test_a_request_is_a_whole_file_whose_name_tells_its_time(turn: TurnDir) -> None:
    reply_path = inbox.post(turn, "steer", {"text": "left"})
    (path,) = turn.inbox.iterdir()
    assert re.fullmatch(r"\d{13}-[0-9a-f]{4}\.json", path.name)
    assert reply_path == path.with_suffix(".reply")
    assert json.loads(path.read_bytes()) == {
        "version": 1,
        "op": "steer",
        "args": {"text": "left"},
        "from_pid": os.getpid(),
    }
    assert path.stat().st_mode & 0o777 == 0o600
    assert inbox.unanswered(turn) == [inbox.InboxRequest(path, "steer", {"text": "left"})]


def test_requests_are_handled_in_name_order(turn: TurnDir) -> None:
    for name in ("1795193861521-0002.json", "1795193861520-ffff.json", "1795193861521-0001.json"):
        write_request(turn, name, json.dumps({"version": 1, "op": name, "args": {}}))
    assert [request.op for request in inbox.unanswered(turn)] == [
        "1795193861520-ffff.json",
        "1795193861521-0001.json",
        "1795193861521-0002.json",
    ]


def test_a_reply_completes_its_request_alone(turn: TurnDir) -> None:
    paths = [inbox.post(turn, op) for op in ("cancel", "steer")]
    for request in inbox.unanswered(turn):
        inbox.reply(request.path, None if request.op == "cancel" else BadInputError("unknown"))
    assert inbox.unanswered(turn) == []
    assert json.loads(paths[0].read_bytes()) == {"version": 1, "ok": True, "error": None, "result": None}
    error = {"kind": "bad_input", "message": "unknown", "hint": "", "exit_code": 65}
    assert json.loads(paths[1].read_bytes()) == {"version": 1, "ok": False, "error": error, "result": None}
    again = inbox.post(turn, "cancel")
    assert [request.path.with_suffix(".reply") for request in inbox.unanswered(turn)] == [again]


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_what_is_no_request_is_passed_over(turn: TurnDir, text: str) -> None:
    write_request(turn, "1795193861520-0000.json", text)
    write_request(turn, ".1795193861520-0000.json.99", '{"op": "cancel"}')
    write_request(turn, "notes.txt", '{"op": "cancel"}')
    assert inbox.unanswered(turn) == []


def test_odd_members_of_a_request_are_no_crash(turn: TurnDir) -> None:
    path = write_request(turn, "1795193861520-0000.json", '{"op": 7, "args": [1]}')
    assert inbox.unanswered(turn) == [inbox.InboxRequest(path, "7", {})]


def test_without_an_inbox_there_are_no_requests_and_none_can_be_left(turn: TurnDir) -> None:
    turn.inbox.rmdir()
    assert inbox.unanswered(turn) == []
    with pytest.raises(FileNotFoundError):
        inbox.post(turn, "cancel")


def test_a_byte_wakes_a_worker_that_listens(turn: TurnDir) -> None:
    fd = inbox.open_wake(turn)
    assert inbox.wake(turn)
    inbox.post(turn, "cancel")
    assert os.read(fd, 100) == b"!!"
    with pytest.raises(BlockingIOError):  # never EOF, though every writer has closed
        os.read(fd, 100)
    os.close(fd)


def test_without_a_listener_there_is_no_waiting(turn: TurnDir) -> None:
    assert not inbox.wake(turn)
    inbox.post(turn, "cancel")
    turn.wake.unlink()
    assert not inbox.wake(turn)


def test_a_fifo_full_of_bytes_is_as_good_as_woken(turn: TurnDir) -> None:
    fd = inbox.open_wake(turn)
    while True:
        try:
            os.write(fd, b"!" * 4096)
        except BlockingIOError:
            break
    assert inbox.wake(turn)
    os.close(fd)
