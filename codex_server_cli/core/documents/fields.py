"""The keys of a document that `--fields` selects. Owns their validation; the documents own which keys exist."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from codex_server_cli.errors import UsageError


def read_fields(text: str | None, known: Collection[str], *, is_full: bool) -> tuple[str, ...] | None:
    """The selected keys, in the order given; None if `--fields` was not given.

    Args:
        text: its value.
        known: the keys that exist.
        is_full: whether `--full` was given, too.

    Raises:
        UsageError: one of them does not exist, there is none, or both flags were given.
    """
    if text is None:
        return None
    if is_full:
        raise UsageError("--fields and --full exclude each other")
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        message = f"--fields: there is no {', '.join(unknown)}" if unknown else "--fields is empty"
        raise UsageError(message, hint=f"The keys: {', '.join(known)}")
    return names


def only(names: tuple[str, ...], full: Mapping[str, Any], lean: Mapping[str, Any]) -> dict[str, Any]:
    """These keys of a document: the value of the lean form where it has the key, else that of the full form."""
    return {name: lean[name] if name in lean else full.get(name) for name in names}
