"""Patches of sub-agents: we may be asked to approve one, in a request that does not repeat its content."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol.rpc import Message


class AgentsPatches:
    """The open patches on other threads than ours: `open_items` by id, the wire's item objects."""

    def __init__(self) -> None:
        self.open_items: dict[str, Message] = {}

    def note(self, method: str, item: Any) -> None:
        """Take a notification about another thread; anything but a patch is ignored."""
        if isinstance(item, dict) and item.get("type") == "fileChange":
            if method == "item/started":
                self.open_items[str(item.get("id"))] = item
            else:
                self.open_items.pop(str(item.get("id")), None)
