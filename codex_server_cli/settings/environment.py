"""What a process of ours gets as its environment. Needed before anything else, so it imports nothing but `os`."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing itself takes 3 ms
if TYPE_CHECKING:
    from pathlib import Path

TURN_VARIABLE = "CODEX_SERVER_TURN_ID"
"""Marks every process of a turn, so that none outlives it; tells us too that we run inside one."""

_API_KEY_VARIABLES = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")


def worker_environment() -> dict[str, str]:
    """The environment of a worker: the caller's, but for the mark of the caller's turn.

    It must not bear that one, or it would end with the caller's turn; and its own turn has no id yet.
    """
    return {**os.environ, TURN_VARIABLE: "worker"}


def codex_environment(*, may_bill_api_key: bool, turn_id: str | None = None) -> dict[str, str]:
    """The environment of a codex process: ours, less what could make it bill an API key.

    Everything else stays: an allow-list would lose proxies, CA bundles and `CODEX_HOME`.

    Args:
        may_bill_api_key: keep the keys, because the user said so.
        turn_id: the turn to mark it with; None leaves the mark that we bear ourselves.
    """
    left_out = () if may_bill_api_key else _API_KEY_VARIABLES
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    return environment if turn_id is None else environment | {TURN_VARIABLE: turn_id}


def demo_environment(home: Path, codex_home: Path) -> dict[str, str]:
    """The environment of the demo's commands: ours, in a throw-away home, outside of any turn."""
    environment = {name: value for name, value in os.environ.items() if name != TURN_VARIABLE}
    return environment | {"CODEX_SERVER_HOME": str(home), "CODEX_HOME": str(codex_home)}
