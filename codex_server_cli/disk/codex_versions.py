"""The versions of probed codex binaries, cached in `codex.json` of the home, so that no start probes again.

Owns that file. An entry belongs to one native binary as it is on disk: an update of codex invalidates it. A script is
never cached: it may stay the same while the program that it starts changes. Must never cause an error: where the file
is missing or cannot be written, the binary is probed.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from codex_server_cli.disk.files import read_json, write_json

_NAME = "codex.json"
_MAX_ENTRIES = 8


def read_version(home: Path, codex: Path) -> str | None:
    """The version from the last probe of this binary; None where unknown, or the binary has changed since."""
    try:
        entry = _entries(home).get(str(codex))
        return entry["version"] if entry is not None and entry["file"] == _identity(codex) else None
    except (OSError, KeyError, TypeError):  # codex is gone, or another version of this program cached other fields
        return None


def write_version(home: Path, codex: Path, version: str) -> None:
    """Cache the result of a probe; best effort. A home that does not exist yet is not created for it."""
    with contextlib.suppress(OSError):  # codex is being updated, or the home is not writable
        if not home.is_dir() or _is_script(codex):
            return
        entries = {path: entry for path, entry in _entries(home).items() if path != str(codex)}
        kept = dict(list(entries.items())[1 - _MAX_ENTRIES :])
        kept[str(codex)] = {"version": version, "file": _identity(codex)}
        write_json(home / _NAME, {"version": 1, "codex": kept})


def _entries(home: Path) -> dict[str, Any]:
    content = read_json(home / _NAME) or {}
    entries = content.get("codex") if content.get("version") == 1 else None
    return entries if isinstance(entries, dict) else {}


def _is_script(codex: Path) -> bool:
    with codex.open("rb") as file:
        return file.read(2) == b"#!"


def _identity(codex: Path) -> list[int]:
    status = codex.stat()
    return [status.st_mtime_ns, status.st_size, status.st_ino]
