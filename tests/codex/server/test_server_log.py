"""The log of the shared app-server keeps its bound, whichever process writes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from codex_server_cli.codex.server.keeper.server_log import MOST_BYTES, ServerLog


def test_it_keeps_its_end_once_it_is_too_long(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    log = ServerLog(str(path))
    codex = os.open(path, os.O_WRONLY | os.O_APPEND)
    for number in range(MOST_BYTES // 32 + 1):
        os.write(codex, b"line %026d\n" % number)
    log.bound()
    log.say("still here")
    os.write(codex, b"the last line\n")
    os.close(codex)
    lines = path.read_text().splitlines()
    assert path.stat().st_size < MOST_BYTES // 8
    assert lines[-1] == "the last line"
    assert lines[-2].endswith("keeper: still here")
    assert lines[0].startswith("line 0")
    size = path.stat().st_size
    log.bound()
    assert path.stat().st_size == size


def test_its_tail_is_what_was_written_since_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_text("of yesterday\n")
    log = ServerLog(str(path))
    assert log.tail() == ""
    os.write(log.fd, b"x" * 5000 + b"end")
    assert len(log.tail()) == 4000
    assert log.tail().endswith("xend")


def test_a_full_disk_is_borne(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ServerLog(str(tmp_path / "server.log"))
    os.write(log.fd, b"x" * (MOST_BYTES + 1))

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "write", refuse)
    log.say("unheard")
    log.bound()


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "server.log").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic links"):
        ServerLog(str(tmp_path / "server.log"))
