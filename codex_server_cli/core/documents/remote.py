"""The JSON of remote control: its state, a pairing code, the paired devices (README, "JSON"). Owns their keys."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.account.remote import PairingCode, RemoteClient, RemoteStatus
from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.model.turn import format_time_ms

CLIENT_KEYS = ("version", "client_id", "name", "platform", "model", "app_version", "last_seen_at")


def remote_document(status: RemoteStatus | None, *, is_kept: bool, at_s: float | None = None) -> dict[str, Any]:
    """The state of remote control.

    Args:
        status: None if no shared server runs.
        is_kept: whether each start of the shared server switches it on again.
        at_s: when it was seen (Unix time), in a stream of changes.
    """
    found = status or RemoteStatus()
    return {
        "version": VERSION,
        "status": found.state,
        "kept": is_kept,
        "server_running": status is not None,
        "server_name": found.server_name,
        "installation_id": found.installation_id,
        "environment_id": found.environment_id,
        "at": _time(at_s),
    }


def pairing_document(code: PairingCode, *, is_claimed: bool) -> dict[str, Any]:
    """A pairing code; `code` is the one to type in."""
    return {
        "version": VERSION,
        "code": code.to_type,
        "pairing_code": code.code,
        "manual_code": code.manual_code,
        "expires_at": _time(code.expires_at_s),
        "claimed": is_claimed,
    }


def client_document(client: RemoteClient) -> dict[str, Any]:
    """One paired device."""
    return {
        "version": VERSION,
        "client_id": client.client_id,
        "name": client.name,
        "platform": client.platform,
        "model": client.model,
        "app_version": client.app_version,
        "last_seen_at": _time(client.last_seen_s),
    }


def _time(unix_s: float | None) -> str | None:
    return format_time_ms(round(unix_s * 1000)) if unix_s is not None else None
