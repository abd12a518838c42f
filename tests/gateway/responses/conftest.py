"""The gateway, the model and the client of the chats' tests."""

from tests.gateway.openai.conftest import chats, client, rules

__all__ = ["chats", "client", "rules"]
