"""Errors that several parts of the gateway return, with the same text everywhere."""

from __future__ import annotations

from codex_server_cli.core.openai.refusal import ApiError

CLIENT_GONE = 499
"""For the log, and for a client that has half-closed its connection; no other client reads it."""


def stopping() -> ApiError:
    """The error for a request that is refused or cut off because the gateway is shutting down."""
    again = (("Retry-After", "2"), ("Connection", "close"))
    message = "the gateway is shutting down"
    return ApiError(503, message, type="server_error", code="gateway_stopping", headers=again)


def client_gone() -> ApiError:
    """The error after the client has disconnected."""
    message = "the client closed the connection before the answer"
    return ApiError(CLIENT_GONE, message, code="client_gone", headers=(("Connection", "close"),))
