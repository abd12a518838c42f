"""What a process of ours gets as its environment. Needed before anything else: it imports only `os` and `sys`."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing itself takes 3 ms
if TYPE_CHECKING:
    from pathlib import Path

TURN_VARIABLE = "CODEX_SERVER_TURN_ID"
"""Marks every process of a turn, so that none outlives it; tells us too that we run inside one."""

NOTIFY_VARIABLE = "CODEX_SERVER_NOTIFY"
"""Marks a command that is told of a turn: a turn that it starts is not told of by `config.json`, again and for ever."""

_OF_A_DISPLAY = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")
_API_KEY_VARIABLES = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")


def worker_environment() -> dict[str, str]:
    """The environment of a worker: the caller's, but for the mark of the caller's turn.

    It must not bear that one, or it would end with the caller's turn; and its own turn has no id yet.
    """
    return {**os.environ, TURN_VARIABLE: "worker"}


def codex_environment(
    *, may_bill_api_key: bool, turn_id: str | None = None, codex_home: str | None = None
) -> dict[str, str]:
    """The environment of a codex process: ours, less what could make it bill an API key.

    Everything else stays: an allow-list would lose proxies, CA bundles and `CODEX_HOME`.

    Args:
        may_bill_api_key: keep the keys, because the user said so.
        turn_id: the turn to mark it with; None leaves the mark that we bear ourselves.
        codex_home: another `CODEX_HOME` than ours.
    """
    left_out = () if may_bill_api_key else _API_KEY_VARIABLES
    environment = {name: value for name, value in os.environ.items() if name not in left_out}
    told = {TURN_VARIABLE: turn_id, "CODEX_HOME": codex_home}
    return environment | {name: value for name, value in told.items() if value is not None}


def turn_environment(turn_id: str) -> dict[str, str]:
    """The environment of a process that helps a turn, and ends with it: ours, with that turn's mark."""
    return {**os.environ, TURN_VARIABLE: turn_id}


def notifier_environment(home: Path) -> dict[str, str]:
    """The environment of a notifier: ours, with a mark that is no turn's, so that no turn's end is its end."""
    return {**os.environ, TURN_VARIABLE: "notifier", "CODEX_SERVER_HOME": str(home)}


def told_environment() -> dict[str, str]:
    """The environment of a command that is told of a turn: outside of any turn, and known for what it is."""
    return unmarked_environment() | {NOTIFY_VARIABLE: "1"}


def unmarked_environment() -> dict[str, str]:
    """Our environment outside of any turn, for what belongs to no turn, and starts turns that belong to none."""
    return {name: value for name, value in os.environ.items() if name != TURN_VARIABLE}


def browser_environment() -> dict[str, str] | None:
    """The environment of a browser: ours; None where nothing says that there is one which can show a page.

    Without a display `webbrowser` would take a text browser, and with it the terminal.
    """
    has_one = sys.platform == "darwin" or any(os.environ.get(name) for name in _OF_A_DISPLAY)
    return dict(os.environ) if has_one else None


def demo_environment(home: Path, codex_home: Path) -> dict[str, str]:
    """The environment of the demo's commands: ours, in a throw-away home, outside of any turn."""
    return unmarked_environment() | {"CODEX_SERVER_HOME": str(home), "CODEX_HOME": str(codex_home)}
