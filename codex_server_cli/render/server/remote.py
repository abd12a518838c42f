"""Remote control for people: its state, a pairing code, the paired devices. Owns the wording."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, tzinfo
from typing import TYPE_CHECKING

from codex_server_cli.core.account.remote import (
    CONNECTED,
    CONNECTING,
    DISABLED,
    ERRORED,
    PairingCode,
    RemoteClient,
    RemoteStatus,
)
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.limits import local_time, time_until
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.tables import table

if TYPE_CHECKING:
    from codex_server_cli.render.style.wrap import Display

_STATES = {
    DISABLED: "off",
    CONNECTING: "on, connecting to ChatGPT",
    CONNECTED: "on, connected to ChatGPT",
    ERRORED: "on, but ChatGPT refuses; Codex goes on trying (codex-server remote enable says why)",
}
_LOOKS = {DISABLED: ("–", Style.DIM), CONNECTED: ("✓", Style.GREEN), ERRORED: ("✗", Style.RED)}
_HEADINGS = ("CLIENT", "DEVICE", "LAST SEEN", "NAME")
_NO_DEVICES = "No devices are paired.\n"
_NO_SERVER = "off: no shared server runs"


def state_words(status: RemoteStatus | None) -> str:
    """A state in words; None if no shared server runs."""
    return _NO_SERVER if status is None else _STATES.get(status.state, status.state)


def remote_text(status: RemoteStatus | None, *, is_kept: bool) -> str:
    """The state of remote control, one fact per line; unknown ones are omitted.

    Args:
        is_kept: whether each start of the shared server switches it on again.
    """
    facts = _facts(status, is_kept=is_kept)
    return "".join(f"{label.ljust(14)}  {one_line(value, 200)}\n" for label, value in facts if value)


def remote_view(status: RemoteStatus | None, display: Display, *, is_kept: bool) -> str:
    """The same for a terminal, with a mark that shows whether it works."""
    from codex_server_cli.render.style.facts import Fact, facts_block  # a pipe needs none of it

    mark, style = _LOOKS.get(status.state if status else DISABLED, ("!", Style.YELLOW))
    (label, words), *others = _facts(status, is_kept=is_kept)
    return facts_block([Fact(label, f"{mark} {words}", style), *(Fact(*each) for each in others)], display)


def _facts(status: RemoteStatus | None, *, is_kept: bool) -> list[tuple[str, str | None]]:
    found = status or RemoteStatus()
    return [
        ("remote control", state_words(status)),
        ("kept on", "yes: at each start of the shared server" if is_kept else "no"),
        ("this machine", found.server_name),
        ("environment", found.environment_id),
    ]


def change_line(status: RemoteStatus | None, at_s: float, zone: tzinfo | None = None) -> str:
    """One change of the state, with its local time."""
    return f"{datetime.fromtimestamp(at_s, zone):%H:%M:%S}  {one_line(state_words(status), 200)}"


def pairing_text(code: PairingCode, now_s: float, zone: tzinfo | None = None) -> str:
    """A pairing code, and until when it is valid."""
    until = f"{local_time(code.expires_at_s, now_s, zone)} ({time_until(code.expires_at_s - now_s)})"
    return f"pairing code  {one_line(code.to_type, 200)}\nvalid until   {until}\n"


def clients_table(clients: Sequence[RemoteClient], now_s: float, width: int, zone: tzinfo | None = None) -> str:
    """The paired devices, the most recently seen first."""
    return table(_HEADINGS, _rows(clients, now_s, zone), width) if clients else _NO_DEVICES


def clients_view(clients: Sequence[RemoteClient], now_s: float, display: Display, zone: tzinfo | None = None) -> str:
    """The same for a terminal."""
    from codex_server_cli.render.style.grid import styled_table

    return styled_table(_HEADINGS, _rows(clients, now_s, zone), display) if clients else _NO_DEVICES


def _rows(clients: Sequence[RemoteClient], now_s: float, zone: tzinfo | None) -> list[tuple[str, ...]]:
    return [
        (
            client.client_id,
            " ".join(filter(None, (client.platform, client.model))),
            "" if client.last_seen_s is None else local_time(client.last_seen_s, now_s, zone),
            client.name or "",
        )
        for client in clients
    ]
