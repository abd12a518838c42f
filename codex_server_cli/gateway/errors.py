"""The refusals that several parts of the gateway make, so that they have the same words everywhere."""

from __future__ import annotations

from codex_server_cli.core.openai.refusal import ApiError

CLIENT_GONE = 499
"""For the log, and for a client that has closed its sending side alone; nobody else sees it."""


def stopping() -> ApiError:
    """What is refused, or cut, because the gateway is shutting down."""
    again = (("Retry-After", "2"), ("Connection", "close"))
    message = "the gateway is shutting down"
    return ApiError(503, message, type="server_error", code="gateway_stopping", headers=again)


def client_gone() -> ApiError:
    """What is answered where the client has left."""
    message = "the client closed the connection before the answer"
    return ApiError(CLIENT_GONE, message, code="client_gone", headers=(("Connection", "close"),))
