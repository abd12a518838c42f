"""What sub-agents would write: we may be asked about a patch of theirs, without being told again what it is."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol.rpc import Message


class AgentsPatches:
    """The patches under way on other threads than ours: `open_items` by id, the wire's item objects."""

    def __init__(self) -> None:
        self.open_items: dict[str, Message] = {}

    def note(self, method: str, item: Any) -> None:
        """Take a notification about another thread; what is no patch changes nothing."""
        if isinstance(item, dict) and item.get("type") == "fileChange":
            if method == "item/started":
                self.open_items[str(item.get("id"))] = item
            else:
                self.open_items.pop(str(item.get("id")), None)
