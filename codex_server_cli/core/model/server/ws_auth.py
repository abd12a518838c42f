"""How an app-server on a TCP port authenticates clients. Must import next to nothing: it is loaded at every start."""

from __future__ import annotations

from enum import StrEnum


class WsAuth(StrEnum):
    """The values of `--ws-auth`."""

    CAPABILITY_TOKEN = "capability-token"
    SIGNED_BEARER_TOKEN = "signed-bearer-token"
