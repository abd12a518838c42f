"""The state that all requests of the Responses API share."""

from __future__ import annotations

from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.responses.background import Background
from codex_server_cli.gateway.responses.memory import ResponseMemory


class ResponsesFace:
    """The face.

    Attributes:
        chats: the threads and turns of chat completions.
        gateway: the process.
        memory: the remembered responses.
        background: the responses that are turns.
    """

    def __init__(self, chats: ChatMemory) -> None:
        self.chats, self.gateway = chats, chats.gateway
        self.memory = ResponseMemory()
        self.background = Background(chats.gateway)
