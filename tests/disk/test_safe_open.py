"""Whatever stands in a file's place is examined before use, and modes do not depend on the umask."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codex_server_cli.disk import lock
from codex_server_cli.disk.files import create_file, read_bytes, read_json, tail_text, write_atomic, write_json
from codex_server_cli.disk.safe_open import (
    ensure_directory,
    is_directory,
    is_regular,
    make_directory,
    make_fifo,
    open_fifo,
    open_regular,
    tighten_directory,
)

UMASKS = [0o000, 0o022, 0o277, 0o777]


@contextmanager
def umask(mask: int) -> Iterator[None]:
    """Within it, new files are created without these bits."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def link_to_a_file(path: Path) -> None:
    target = path.with_name("target")
    target.write_text('{"secret": 1}')
    path.symlink_to(target)


NO_FILES: dict[str, Callable[[Path], object]] = {
    "link": link_to_a_file,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "directory": lambda path: path.mkdir(),
    "fifo": lambda path: os.mkfifo(path),
    "socket": make_socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
}


@pytest.mark.parametrize("mask", UMASKS, ids="{:03o}".format)
def test_what_we_make_is_its_owners_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    with umask(mask):
        make_directory(tmp_path / "a" / "b")
        create_file(tmp_path / "a" / "created", b"")
        write_json(tmp_path / "a" / "written", {})
        make_fifo(tmp_path / "a" / "fifo")
        os.close(lock.create_locked(tmp_path / "a" / "lock"))
        os.close(open_regular(tmp_path / "a" / "appended", os.O_WRONLY | os.O_APPEND | os.O_CREAT))
    made = {path: mode(path) for path in (tmp_path / "a").rglob("*")}
    assert len(made) == 6
    assert {found for path, found in made.items() if path.is_dir()} == {0o700}
    assert {found for path, found in made.items() if not path.is_dir()} == {0o600}
    assert mode(tmp_path / "a") == 0o700


def test_a_file_that_is_opened_for_writing_is_tightened_and_one_for_reading_stays(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("text")
    path.chmod(0o644)
    os.close(open_regular(path))
    assert mode(path) == 0o644
    os.close(open_regular(path, os.O_WRONLY))
    assert mode(path) == 0o600


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_regular_file_is_neither_read_nor_written_nor_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    NO_FILES[kind](path)
    for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR | os.O_CREAT):
        with pytest.raises(OSError, match=r".+"):
            open_regular(path, flags)
    with pytest.raises(OSError, match=r".+"):
        read_bytes(path)
    with pytest.raises(FileExistsError):
        create_file(path, b"data")
    assert read_json(path) is None
    assert tail_text(path, 100) == ""
    assert not is_regular(path)
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kind", NO_FILES)
def test_what_is_no_lock_is_not_held_and_cannot_be_taken(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lock"
    NO_FILES[kind](path)
    assert not lock.is_held(path)
    assert lock.wait_until_free(path, 0.0)
    assert lock.probe(path) is None
    with pytest.raises(OSError, match=r".+"):
        lock.try_lock(path)
    with pytest.raises(OSError, match=r".+"):
        lock.try_acquire(path)


@pytest.mark.parametrize("kind", sorted(NO_FILES.keys() - {"directory"}))
def test_an_atomic_write_replaces_what_was_planted_and_reaches_nothing_else(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "file"
    NO_FILES[kind](path)
    NO_FILES[kind](tmp_path / f".file.{os.getpid()}") if kind != "link" else None
    write_atomic(path, b"ours")
    assert is_regular(path)
    assert path.read_bytes() == b"ours"
    assert not (tmp_path / "nowhere").exists()
    if kind == "link":
        assert (tmp_path / "target").read_text() == '{"secret": 1}'


def test_a_link_under_the_name_of_our_neighbour_is_not_written_through(tmp_path: Path) -> None:
    neighbour = tmp_path / f".file.{os.getpid()}"
    link_to_a_file(neighbour)
    write_atomic(tmp_path / "file", b"ours")
    assert (tmp_path / "target").read_text() == '{"secret": 1}'
    assert not neighbour.exists()


def test_a_hard_link_under_that_name_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("precious")
    (tmp_path / f".file.{os.getpid()}").hardlink_to(tmp_path / "target")
    write_atomic(tmp_path / "file", b"ours")
    assert (tmp_path / "target").read_text() == "precious"


@pytest.mark.parametrize("kind", sorted(NO_FILES.keys() - {"fifo"}))
def test_what_is_no_fifo_gets_no_byte(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "wake"
    NO_FILES[kind](path)
    with pytest.raises(OSError, match=r".+"):
        open_fifo(path, os.O_WRONLY)


def test_a_regular_file_is_no_fifo(tmp_path: Path) -> None:
    (tmp_path / "wake").write_text("")
    with pytest.raises(OSError, match="Not a FIFO"):
        open_fifo(tmp_path / "wake", os.O_RDWR)


def test_a_link_to_a_directory_is_used_where_one_may_be_and_is_no_directory_itself(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to("real")
    ensure_directory(tmp_path / "link")
    tighten_directory(tmp_path / "link")
    assert mode(tmp_path / "real") == 0o755
    assert not is_directory(tmp_path / "link")
    tighten_directory(tmp_path / "real")
    assert mode(tmp_path / "real") == 0o700
    tighten_directory(tmp_path / "missing")


@pytest.mark.parametrize("kind", sorted(NO_FILES.keys() - {"directory"}))
def test_what_stands_in_a_directorys_place_is_told(tmp_path: Path, kind: str) -> None:
    NO_FILES[kind](tmp_path / "folder")
    with pytest.raises(FileExistsError):
        ensure_directory(tmp_path / "folder")


@pytest.mark.parametrize(
    "text", ['{"a": NaN}', '{"a": [Infinity]}', '{"a": -Infinity}', '{"a": 1e999}', '{"a": -1e999}']
)
def test_a_number_that_no_json_may_hold_is_no_json(tmp_path: Path, text: str) -> None:
    (tmp_path / "meta.json").write_text(text)
    assert read_json(tmp_path / "meta.json") is None


def test_a_file_that_an_editor_began_with_a_mark_reads_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "meta.json").write_text('{"a": 1.5}', encoding="utf-8-sig")
    assert read_json(tmp_path / "meta.json") == {"a": 1.5}
