"""The models that a codex lists, cached in `models.json` of the home, so that flags are checked without asking again.

Owns that file. It belongs to one binary as it is on disk: an update of codex invalidates it. Must never be the only
reason for a refusal: the caller asks Codex first, because the list also depends on the account.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from codex_server_cli.core.account.account import Model
from codex_server_cli.disk.files import read_json, write_json

_NAME = "models.json"


def read_models(home: Path, codex: Path) -> list[Model] | None:
    """The models that this binary listed last; None where unknown."""
    kept = read_json(home / _NAME) or {}
    try:
        is_of_this_codex = kept.get("version") == 1 and kept.get("codex") == _identity(codex)
        return [_model(entry) for entry in kept["models"]] if is_of_this_codex else None
    except (OSError, KeyError, TypeError):  # codex is gone, or another version of this program cached other fields
        return None


def read_any_models(home: Path) -> list[Model]:
    """The cached models of any codex, for completion; empty without a cache, or with another version's."""
    try:
        return [_model(entry) for entry in (read_json(home / _NAME) or {})["models"]]
    except (KeyError, TypeError):
        return []


def read_efforts(home: Path) -> list[str]:
    """The efforts of all cached models of any codex, for completion; empty without a cache."""
    models = (read_json(home / _NAME) or {}).get("models", [])
    return list(dict.fromkeys(effort for model in models for effort in model["efforts"]))


def write_models(home: Path, codex: Path, models: list[Model]) -> None:
    """Cache what this binary has just listed; best effort: without the file Codex is asked again."""
    with contextlib.suppress(OSError):  # codex is being updated, or the home is not writable
        content = {"version": 1, "codex": _identity(codex), "models": [model._asdict() for model in models]}
        write_json(home / _NAME, content)


def _model(entry: dict[str, Any]) -> Model:
    return Model(**{**entry, "efforts": tuple(entry["efforts"]), "modalities": tuple(entry["modalities"])})


def _identity(codex: Path) -> dict[str, Any]:
    status = codex.stat()
    return {"path": str(codex), "mtime_ns": status.st_mtime_ns, "size": status.st_size}
