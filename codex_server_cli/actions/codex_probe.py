"""The version of a codex binary, probed once: every verb that needs it reads the cache in the home first."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.codex.binary import CodexBinary, probe
from codex_server_cli.settings.places import Settings


def probe_once(settings: Settings, path: Path) -> CodexBinary:
    """As `probe`, cached in the home: a binary is not probed again until it changes.

    Raises:
        CodexMissingError: it does not run.
    """
    from codex_server_cli.disk.codex_versions import read_version, write_version  # not needed for a pinned codex

    version = read_version(settings.home, path)
    if version is not None:
        return CodexBinary(path, version)
    found = probe(path)
    if found.version is not None:
        write_version(settings.home, path, found.version)
    return found
