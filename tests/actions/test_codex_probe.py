"""A native codex that is not pinned is probed once for each home, until it changes; a script each time."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.actions import codex_probe
from codex_server_cli.actions.codex_probe import probe_once
from codex_server_cli.codex.binary import CodexBinary
from codex_server_cli.errors import CodexMissingError
from codex_server_cli.settings.places import Settings


@pytest.fixture
def probed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The versions that were printed so far; a binary prints what follows its magic number."""
    versions: list[str] = []

    def probe(path: Path) -> CodexBinary:
        version = path.read_text().rpartition(" ")[2]
        versions.append(version)
        if not version:
            raise CodexMissingError("no codex")
        return CodexBinary(path, version)

    monkeypatch.setattr(codex_probe, "probe", probe)
    settings.home.mkdir()
    return versions


@pytest.mark.parametrize(("magic", "is_cached"), [("\x7fELF", True), ("#!/bin/sh", False)], ids=["native", "script"])
def test_it_is_probed_again_only_when_it_may_have_changed(
    settings: Settings, tmp_path: Path, probed: list[str], magic: str, is_cached: bool
) -> None:
    codex = tmp_path / "codex"
    codex.write_text(f"{magic} 0.171.0")
    for _ in range(3):
        assert probe_once(settings, codex) == CodexBinary(codex, "0.171.0")
    assert probed == ["0.171.0"] * (1 if is_cached else 3)
    codex.write_text(f"{magic} 0.171.12")
    assert probe_once(settings, codex).version == "0.171.12"


def test_one_that_is_no_codex_is_probed_each_time(settings: Settings, tmp_path: Path, probed: list[str]) -> None:
    codex = tmp_path / "codex"
    codex.write_text("\x7fELF ")
    for _ in range(2):
        with pytest.raises(CodexMissingError):
            probe_once(settings, codex)
    assert probed == ["", ""]
