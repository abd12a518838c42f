"""Files that no reader ever sees half-written."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.disk.files import encode_json, read_json, tail_text, write_all, write_atomic, write_json
from tests.disk.conftest import FullDisk


def test_a_file_is_replaced_whole_and_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "meta.json"
    path.write_text("old, and longer")
    path.chmod(0o644)
    write_atomic(path, b"new")
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [tmp_path / "meta.json"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, full_disk: FullDisk) -> None:
    path = tmp_path / "meta.json"
    path.write_bytes(b"old")
    with full_disk(), pytest.raises(OSError, match="File too large"):
        write_atomic(path, b"new", is_durable=True)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "meta.json"]


def test_a_failed_rename_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomic(tmp_path / "taken", b"new")
    assert list(tmp_path.iterdir()) == [tmp_path / "taken"]


@pytest.mark.parametrize(
    "value", [{}, {"text": "naïve \u2028 🦀"}, {"lone": "\udcff surrogate"}, {"control": "\x00\x1b\n"}], ids=repr
)
def test_any_json_object_reads_back_as_it_was_written(tmp_path: Path, value: dict[str, Any]) -> None:
    path = tmp_path / "value.json"
    write_json(path, value)
    assert read_json(path) == value
    path.read_bytes().decode("utf-8")


def test_json_stays_readable_for_people() -> None:
    assert encode_json({"text": "naïve"}) == '{\n "text": "naïve"\n}\n'.encode()


@pytest.mark.parametrize(
    "data", [b"", b'{"torn": ', b"[1]", b'"text"', b"null", b"\xff\xfe", b"[" * 100_000], ids=lambda data: str(data[:8])
)
def test_what_holds_no_json_object_reads_as_none(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "value.json"
    path.write_bytes(data)
    assert read_json(path) is None


def test_what_cannot_be_read_reads_as_none(tmp_path: Path) -> None:
    assert read_json(tmp_path / "missing") is None
    assert read_json(tmp_path) is None


def test_writing_goes_on_over_short_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []

    def write_some(_fd: int, data: memoryview) -> int:
        written.append(bytes(data[:3]))
        return min(3, len(data))

    monkeypatch.setattr(os, "write", write_some)
    write_all(99, b"abcdefgh")
    assert written == [b"abc", b"def", b"gh"]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", ""),
        (b"short\n", "short"),
        (b"0123456789\nlast\n", "last"),
        (b"no newline at all here", "all here"),
        ("ééééé\nend".encode(), "end"),
        (b"\xff\n", "\ufffd"),
    ],
)
def test_the_tail_of_a_text_begins_with_a_whole_line(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "worker.log"
    path.write_bytes(data)
    assert tail_text(path, 8) == expected


def test_the_tail_of_a_missing_text_is_empty(tmp_path: Path) -> None:
    assert tail_text(tmp_path / "missing", 8) == ""
