"""A codex that is not pinned is probed once for each home, until it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.actions.start.start import _probe_once
from codex_server_cli.codex.binary import CodexBinary
from codex_server_cli.errors import CodexMissingError
from codex_server_cli.settings.places import Settings


def counting_codex(folder: Path, version: str) -> Path:
    """A codex that notes each run in `runs` beside it."""
    path = folder / "codex"
    path.write_text(
        f'#!/bin/sh\necho "$@" >> {folder}/runs\n[ "$1" = --version ] && echo "codex-cli {version}"; exit 0\n'
    )
    path.chmod(0o755)
    return path


def test_it_is_probed_again_only_when_it_has_changed(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    codex = counting_codex(tmp_path, "0.171.0")
    for _ in range(3):
        assert _probe_once(settings, codex) == CodexBinary(codex, "0.171.0")
    assert (tmp_path / "runs").read_text().splitlines() == ["--version", "app-server --help"]
    counting_codex(tmp_path, "0.171.12")
    assert _probe_once(settings, codex).version == "0.171.12"


def test_one_that_is_no_codex_is_probed_each_time(settings: Settings, tmp_path: Path) -> None:
    settings.home.mkdir()
    codex = counting_codex(tmp_path, "")
    for _ in range(2):
        with pytest.raises(CodexMissingError):
            _probe_once(settings, codex)
    assert (tmp_path / "runs").read_text().splitlines() == ["--version"] * 2
