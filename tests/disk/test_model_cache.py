"""The list of models is kept for one codex as it is on disk, and for no other."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codex_server_cli.core.account.account import Model
from codex_server_cli.disk.model_cache import read_efforts, read_models, write_models

MODELS = [
    Model("big", "Big", "The big one", True, False, ("low", "high"), "low", ("text", "image")),
    Model("small", "Small", "", False, True, (), None, ()),
]


@pytest.fixture
def codex(tmp_path: Path) -> Path:
    """A binary."""
    path = tmp_path / "codex"
    path.write_bytes(b"binary")
    return path


def test_what_a_codex_listed_is_read_back(tmp_path: Path, codex: Path) -> None:
    assert read_models(tmp_path, codex) is None
    write_models(tmp_path, codex, MODELS)
    assert read_models(tmp_path, codex) == MODELS
    assert (tmp_path / "models.json").stat().st_mode & 0o777 == 0o600


def test_another_codex_or_a_newer_one_has_a_list_of_its_own(tmp_path: Path, codex: Path) -> None:
    write_models(tmp_path, codex, MODELS)
    other = tmp_path / "other"
    other.write_bytes(b"binary")
    assert read_models(tmp_path, other) is None
    os.utime(codex, ns=(1, 1))
    assert read_models(tmp_path, codex) is None


def test_the_list_of_a_codex_that_is_gone_is_void(tmp_path: Path, codex: Path) -> None:
    write_models(tmp_path, codex, MODELS)
    codex.unlink()
    assert read_models(tmp_path, codex) is None
    write_models(tmp_path, codex, MODELS)
    assert read_models(tmp_path, codex) is None


@pytest.mark.parametrize("change", [{"version": 2}, {"models": [{"name": "x"}]}])
def test_a_list_that_another_version_kept_is_none(tmp_path: Path, codex: Path, change: dict[str, object]) -> None:
    write_models(tmp_path, codex, MODELS)
    path = tmp_path / "models.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    assert read_models(tmp_path, codex) is None


def test_a_home_that_cannot_be_written_is_no_fault(tmp_path: Path, codex: Path) -> None:
    write_models(tmp_path / "missing", codex, MODELS)
    assert not (tmp_path / "missing").exists()


def test_the_efforts_of_all_models_are_known_whichever_codex_listed_them(tmp_path: Path, codex: Path) -> None:
    assert read_efforts(tmp_path) == []
    write_models(tmp_path, codex, [*MODELS, MODELS[0]._replace(efforts=("high", "max"))])
    codex.unlink()
    assert read_efforts(tmp_path) == ["low", "high", "max"]
