"""The keys of a document that `--fields` asks for. Owns their check; the documents own which keys there are."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from codex_server_cli.errors import UsageError


def read_fields(text: str | None, known: Collection[str], *, is_full: bool) -> tuple[str, ...] | None:
    """The keys that were asked for, in their order; None where `--fields` was not given.

    Args:
        text: its value.
        known: the keys that there are.
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
    """These keys of a document: as it is printed without `--full` where it has one there, else as with it."""
    return {name: lean[name] if name in lean else full.get(name) for name in names}
