"""Whether an idle shared server may be stopped. The keeper imports this after the idle time only: it is large."""

from __future__ import annotations

from pathlib import Path

from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.config import read_config


def may_stop(directory: str) -> bool:
    """False while remote control is on: a paired device may connect at any moment, unseen by the keeper.

    Args:
        directory: of the server, two levels below the home.
    """
    try:
        return not read_config(Path(directory).parent.parent / "config.json").remote_control
    except CodexServerError:  # a broken config.json: as if there were none
        return True
