"""A turn that we may not read: another user's, made under sudo for instance. Owns the words for it.

What may not be read is not known: neither running nor dead, and nobody repairs it.
"""

from __future__ import annotations

import os

from codex_server_cli.disk.safe_open import open_regular
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import HomeError


def refusal_of(turn: TurnDir, refusal: PermissionError) -> HomeError:
    """What a user is told of a turn that he may not read."""
    path = str(refusal.filename or turn.path).removesuffix("/.")
    try:
        owner_id = os.lstat(path if os.path.lexists(path) else turn.path).st_uid
    except OSError:
        owner_id = -1
    mine = "Nothing of it is known, and nothing was done to it. "
    hint = mine + (
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
    """Open what tells the end of a turn whose worker is dead, before one is made up.

    Raises:
        PermissionError: we may not.
    """
    for path in (turn.meta, turn.result, turn.events):
        try:
            os.close(open_regular(path))
        except PermissionError:
            raise
        except OSError:  # there is none, or it is no file of ours
            continue
