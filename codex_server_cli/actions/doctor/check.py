"""One finding of `doctor`. Owns how an error becomes a finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from codex_server_cli.codex.client import DOCTOR
from codex_server_cli.errors import CodexServerError, Exit

_RUN_BY_HAND = "Start it by hand and see what it says: the path above, with app-server behind it."


class Check(NamedTuple):
    """One finding.

    Attributes:
        is_ok: whether a turn can run as far as this is concerned.
        hint: what to do; together with `is_ok` it makes the finding a warning.
        exit_code: that of a command that fails because of it.
    """

    name: str
    is_ok: bool
    detail: str
    hint: str = ""
    exit_code: Exit = Exit.OK


def check(name: str, look: Callable[[], str | tuple[str, str]]) -> Check:
    """Run one check and return its finding.

    Args:
        look: returns what it found, or that and a hint; raises where a turn could not run.
    """
    try:
        found = look()
    except CodexServerError as error:
        hint = _RUN_BY_HAND if error.hint == DOCTOR else error.hint  # not a hint to run doctor
        return Check(name, False, error.message, hint, error.exit_code)
    detail, hint = (found, "") if isinstance(found, str) else found
    return Check(name, True, detail, hint)
