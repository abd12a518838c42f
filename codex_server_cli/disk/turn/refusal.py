"""A turn that is not readable: another user's, created under sudo for instance. Owns its error message.

The state of such a turn is unknown, neither running nor dead: it must never be repaired.
"""

from __future__ import annotations

import os

from codex_server_cli.disk.safe_open import open_regular
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import HomeError


def refusal_of(turn: TurnDir, refusal: PermissionError) -> HomeError:
    """The error for a turn that the user may not read."""
    path = str(refusal.filename or turn.path).removesuffix("/.")
    try:
        owner_id = os.lstat(path if os.path.lexists(path) else turn.path).st_uid
    except OSError:
        owner_id = -1
    no_effect = "Nothing of it is known, and nothing was done to it. "
    hint = no_effect + (
        "Give yourself the right to read it."
        if owner_id == os.geteuid()
        else f"It belongs to {_name_of(owner_id)}: ask as that user."
    )
    return HomeError(f"turn {turn.turn_id} cannot be read: {path}: {refusal.strerror}", hint=hint)


def _name_of(user_id: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(user_id).pw_name
    except (KeyError, OverflowError):
        return "another user" if user_id < 0 else f"user {user_id}"


def probe_records(turn: TurnDir) -> None:
    """Check that the records of a dead worker's turn are readable, before an end is derived without them.

    Raises:
        PermissionError: one is not readable.
    """
    for path in (turn.meta, turn.result, turn.events):
        try:
            os.close(open_regular(path))
        except PermissionError:
            raise
        except OSError:  # missing, or not a regular file
            continue
