"""The versions of codex binaries: kept for as long as the binary is the same, and never a reason to fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_server_cli.disk.codex_versions import read_version, write_version


@pytest.fixture
def codex(tmp_path: Path) -> Path:
    path = tmp_path / "codex"
    path.write_bytes(b"\x7fELF")
    return path


def test_a_version_is_kept_until_the_binary_changes(tmp_path: Path, codex: Path) -> None:
    assert read_version(tmp_path, codex) is None
    write_version(tmp_path, codex, "0.171.0")
    assert read_version(tmp_path, codex) == "0.171.0"
    codex.write_bytes(b"\x7fELF, newer")
    assert read_version(tmp_path, codex) is None
    codex.unlink()
    assert read_version(tmp_path, codex) is None


def test_binaries_are_kept_side_by_side_and_not_without_end(tmp_path: Path, codex: Path) -> None:
    for number in range(12):
        (other := tmp_path / f"codex-{number}").touch()
        write_version(tmp_path, other, str(number))
    write_version(tmp_path, codex, "1.2.3")
    assert (read_version(tmp_path, codex), read_version(tmp_path, other)) == ("1.2.3", "11")
    assert len(json.loads((tmp_path / "codex.json").read_text())["codex"]) == 8


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"version": 1, "codex": []}', '{"version": 2, "codex": {}}'])
def test_what_makes_no_sense_is_no_cache_and_is_replaced(tmp_path: Path, codex: Path, content: str) -> None:
    (tmp_path / "codex.json").write_text(content)
    assert read_version(tmp_path, codex) is None
    write_version(tmp_path, codex, "1.2.3")
    assert read_version(tmp_path, codex) == "1.2.3"


@pytest.mark.parametrize("entry", [7, {}, {"version": "1.2.3"}, {"version": "1.2.3", "file": 7}])
def test_an_entry_of_another_shape_is_none(tmp_path: Path, codex: Path, entry: object) -> None:
    (tmp_path / "codex.json").write_text(json.dumps({"version": 1, "codex": {str(codex): entry}}))
    assert read_version(tmp_path, codex) is None


def test_without_a_home_or_a_binary_nothing_is_written(tmp_path: Path, codex: Path) -> None:
    write_version(tmp_path / "none", codex, "1.2.3")
    assert not (tmp_path / "none").exists()
    write_version(tmp_path, tmp_path / "gone", "1.2.3")
    assert not (tmp_path / "codex.json").exists()


def test_a_script_is_not_kept_for_it_stays_the_same_while_what_it_starts_changes(tmp_path: Path, codex: Path) -> None:
    codex.write_text('#!/bin/sh\nexec /opt/codex "$@"')
    write_version(tmp_path, codex, "0.171.0")
    assert read_version(tmp_path, codex) is None
    assert not (tmp_path / "codex.json").exists()
