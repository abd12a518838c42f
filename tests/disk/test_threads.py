"""The locks that keep two turns of ours from writing one thread."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_server_cli.disk import threads

THREAD = "019ab1d2-0000-7000-8000-000000000001"
TURN = "20261120-165501-482-7f3a"


@pytest.fixture
def turns_path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "turns"


def test_a_thread_has_one_writer_who_is_named(turns_path: Path) -> None:
    claim = threads.claim(turns_path, THREAD)
    assert claim is not None
    assert threads.holder(turns_path, THREAD) == ""
    claim.name_holder(TURN)
    assert threads.claim(turns_path, THREAD) is None
    assert threads.holder(turns_path, THREAD) == TURN


def test_a_thread_that_was_given_back_is_free_and_leaves_no_file(turns_path: Path) -> None:
    claim = threads.claim(turns_path, THREAD)
    assert claim is not None
    claim.give_back()
    assert threads.holder(turns_path, THREAD) is None
    assert list(threads.folder_of(turns_path).iterdir()) == []
    assert threads.claim(turns_path, THREAD) is not None


def test_a_writer_that_died_is_no_holder_though_its_file_is_there(turns_path: Path) -> None:
    claim = threads.claim(turns_path, THREAD)
    assert claim is not None
    claim.name_holder(TURN)
    os.close(claim.fd)
    assert threads.holder(turns_path, THREAD) is None
    again = threads.claim(turns_path, THREAD)
    assert again is not None


def test_a_thread_that_nobody_ever_wrote_has_no_holder(turns_path: Path) -> None:
    assert threads.holder(turns_path, THREAD) is None
    assert not threads.folder_of(turns_path).exists()


@pytest.mark.parametrize("thread_id", ["../../escape", "/etc/passwd", "a" * 1000, "a\0b", "é"])
def test_whatever_an_id_is_it_stays_a_name(turns_path: Path, thread_id: str) -> None:
    claim = threads.claim(turns_path, thread_id)
    assert claim is not None
    assert claim.path.parent == threads.folder_of(turns_path)
    assert claim.path.exists()
