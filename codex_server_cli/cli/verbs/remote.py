"""The verbs about remote control: `remote enable`, `disable`, `status`, `pair`, `clients`, `revoke`."""

from __future__ import annotations

import time
from typing import Any

from codex_server_cli.actions.remote import devices, switch
from codex_server_cli.actions.remote.reach import living_servers, shared_server
from codex_server_cli.cli import output
from codex_server_cli.core.account.remote import CONNECTING, DISABLED, PairingCode
from codex_server_cli.core.documents import remote as documents
from codex_server_cli.core.documents.fields import only, read_fields
from codex_server_cli.core.documents.lean import rows_of, without_empty
from codex_server_cli.core.documents.turn import dump
from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.model.server.address import AddressError, ServerKind, parse_address
from codex_server_cli.errors import Exit, UsageError
from codex_server_cli.render.server import remote as render
from codex_server_cli.settings.places import Settings


def enable(*, server: str | None, json: bool, full: bool) -> None:
    """Let paired devices use the shared server, now and after each start."""
    _check_server(server)
    found = switch.enable_remote(Settings.load(), shared_server)
    _show(found, as_json=json or full, is_full=full)
    if found.status is not None and found.status.state == CONNECTING:
        output.note("It is still connecting: codex-server remote status --follow")
    elif not (json or full):
        output.note("Pair a device: codex-server remote pair --manual-code --wait")


def disable(*, server: str | None, json: bool, full: bool) -> None:
    """Let no device use it any more. Paired devices stay paired."""
    _check_server(server)
    found = switch.disable_remote(Settings.load(), living_servers)
    _show(found, as_json=json or full, is_full=full)
    if found.status is not None and found.status.state != DISABLED:
        output.note("It is not connected, and Codex would not end its attempts: codex-server server restart does.")


def status(*, follow: bool, server: str | None, json: bool, full: bool) -> None:
    """Show whether remote control is on, and connected."""
    _check_server(server)
    settings = Settings.load()
    if not follow:
        _show(switch.read_remote(settings, shared_server), as_json=json or full, is_full=full)
        return
    for found in switch.follow_remote(settings, shared_server):
        now_s = time.time()
        if found is None:
            if output.is_reader_gone():
                raise output.ReaderGoneError
        elif json or full:
            _show_line(documents.remote_document(found.status, is_kept=found.is_kept, at_s=now_s), is_full=full)
        else:
            output.show(f"{render.change_line(found.status, now_s)}\n")


def _show(found: switch.Remote, *, as_json: bool, is_full: bool) -> None:
    if as_json:
        document = documents.remote_document(found.status, is_kept=found.is_kept)
        output.show_json(document if is_full else without_empty(document))
    elif output.is_terminal():
        output.show_styled(render.remote_view(found.status, output.display(), is_kept=found.is_kept))
    else:
        output.show(render.remote_text(found.status, is_kept=found.is_kept))


def pair(*, manual_code: bool, wait: bool, timeout: str | None, server: str | None, json: bool, full: bool) -> Exit:
    """Print a code for one device, and until when it is valid."""
    _check_server(server)
    if timeout is not None and not wait:
        raise UsageError("--timeout goes with --wait")
    timeout_s = parse_duration_s(timeout, "--timeout") if timeout is not None else None
    as_json = json or full
    codes: list[PairingCode] = []

    def show(code: PairingCode) -> None:
        codes.append(code)
        if as_json:
            _show_line(documents.pairing_document(code, is_claimed=False), is_full=full)
        else:
            output.show(render.pairing_text(code, time.time()))
        if wait and not as_json:
            output.note("Waiting until a device uses it; Ctrl-C ends that, and the code stays good.")

    def warn(text: str) -> None:
        output.note(f"codex-server: {text}")

    settings = Settings.load()
    is_claimed = devices.pair(
        settings, shared_server, show, warn, is_manual=manual_code, waits=wait, timeout_s=timeout_s
    )
    if is_claimed and as_json:
        _show_line(documents.pairing_document(codes[0], is_claimed=True), is_full=full)
    elif is_claimed:
        output.show("Paired.\n")
    elif wait:
        output.note("No device has used it yet.")
        return Exit.TIMEOUT
    return Exit.OK


def _show_line(document: dict[str, Any], *, is_full: bool) -> None:
    output.show(dump(document if is_full else without_empty(document), is_indented=False) + "\n")


def clients(*, server: str | None, json: bool, full: bool, fields: str | None) -> None:
    """List the paired devices."""
    _check_server(server)
    names = read_fields(fields, documents.CLIENT_KEYS, is_full=full)
    found = devices.read_clients(Settings.load(), shared_server)
    rows = [documents.client_document(client) for client in found]
    if names:
        output.show_json([only(names, row, {}) for row in rows])
    elif json or full:
        output.show_json(rows if full else rows_of(rows))
    elif output.is_terminal():
        output.show_styled(render.clients_view(found, time.time(), output.display()))
    else:
        output.show(render.clients_table(found, time.time(), output.width()))


def revoke(*, client: str, server: str | None, json: bool, full: bool) -> None:
    """Unpair a device."""
    _check_server(server)
    revoked = devices.revoke(Settings.load(), shared_server, client)
    if json or full:
        document = documents.client_document(revoked)
        output.show_json(document if full else without_empty(document))
    else:
        output.show(f"Unpaired: {revoked.client_id}{f' ({revoked.name})' if revoked.name else ''}\n")


def _check_server(url: str | None) -> None:
    """Check that a given server is the shared one.

    Raises:
        UsageError: it is another one.
    """
    if url is None:
        return
    try:
        address = parse_address(url)
    except AddressError as error:
        raise UsageError(str(error), hint=error.hint) from error
    if address.kind is ServerKind.SPAWN:
        message = "an app-server that is spawned for a turn ends with it, and has no remote control"
        raise UsageError(message, hint="On the shared server: leave --server out.")
    if address.kind is not ServerKind.SHARED:
        message = f"{address.url} is not ours: whether devices may use it is for the one who runs it to say"
        hint = "On the shared server: leave --server out. On codex's own daemon: codex remote-control pair"
        raise UsageError(message, hint=hint)
