"""Remote control as people and programs read it."""

from __future__ import annotations

from datetime import UTC

from codex_server_cli.core.account.remote import PairingCode, RemoteClient, RemoteStatus
from codex_server_cli.core.documents.remote import CLIENT_KEYS, client_document, pairing_document, remote_document
from codex_server_cli.render.server.remote import (
    change_line,
    clients_table,
    clients_view,
    pairing_text,
    remote_text,
    remote_view,
    state_words,
)
from codex_server_cli.render.style.ink import Ink
from codex_server_cli.render.style.wrap import Display
from tests.kit.cases import for_each

ON = RemoteStatus("connected", "here", "i-1", "env_1")
CODE = PairingCode("pair-1", "ABCD-EFGH", 1_800_000_000)
NOW_S = 1_799_999_400.0


def test_its_state_is_one_fact_a_line() -> None:
    assert remote_text(ON, is_kept=True) == (
        "remote control  on, connected to ChatGPT\n"
        "kept on         yes: at each start of the shared server\n"
        "this machine    here\n"
        "environment     env_1\n"
    )
    assert remote_text(None, is_kept=False) == "remote control  off: no shared server runs\nkept on         no\n"


@for_each(
    ("state", "words"),
    [
        ("disabled", "off"),
        ("connecting", "on, connecting to ChatGPT"),
        ("errored", "on, but ChatGPT refuses; Codex goes on trying (codex-server remote enable says why)"),
        ("paused", "paused"),
    ],
)
def test_each_state_has_words_and_an_unknown_one_is_shown(state: str, words: str) -> None:
    assert state_words(RemoteStatus(state)) == words


def test_a_change_has_its_time() -> None:
    assert change_line(ON, NOW_S, UTC) == "07:50:00  on, connected to ChatGPT"
    assert change_line(None, NOW_S, UTC) == "07:50:00  off: no shared server runs"
    assert change_line(RemoteStatus("\x1b[2J"), NOW_S, UTC) == "07:50:00  ␛[2J"


def test_a_code_has_its_end_in_local_time_and_in_minutes() -> None:
    text = pairing_text(CODE, NOW_S, UTC)
    assert text == "pairing code  ABCD-EFGH\nvalid until   08:00 (in 10 min)\n"
    assert "any moment" in pairing_text(CODE, CODE.expires_at_s + 1, UTC)


def test_devices_are_a_table() -> None:
    phone = RemoteClient("cl_1", "My phone", "ios", "X", "1.2", NOW_S)
    assert clients_table([phone, RemoteClient("cl_2")], NOW_S, 80, UTC) == (
        "CLIENT  DEVICE  LAST SEEN  NAME\ncl_1    ios X   07:50      My phone\ncl_2\n"
    )
    assert clients_table([], NOW_S, 80) == "No devices are paired.\n"


def test_the_documents_of_a_state() -> None:
    assert remote_document(ON, is_kept=True) == {
        "version": 2,
        "status": "connected",
        "kept": True,
        "server_running": True,
        "server_name": "here",
        "installation_id": "i-1",
        "environment_id": "env_1",
        "at": None,
    }
    nothing = remote_document(None, is_kept=False, at_s=NOW_S)
    assert (nothing["status"], nothing["kept"], nothing["server_running"]) == ("disabled", False, False)
    assert nothing["at"] == "2027-01-15T07:50:00.000Z"


def test_the_documents_of_a_code_and_of_a_device() -> None:
    assert pairing_document(CODE, is_claimed=False) == {
        "version": 2,
        "code": "ABCD-EFGH",
        "pairing_code": "pair-1",
        "manual_code": "ABCD-EFGH",
        "expires_at": "2027-01-15T08:00:00.000Z",
        "claimed": False,
    }
    device = client_document(RemoteClient("cl_1", "My phone", "ios", "X", "1.2", NOW_S))
    assert tuple(device) == CLIENT_KEYS
    assert device["last_seen_at"] == "2027-01-15T07:50:00.000Z"
    assert client_document(RemoteClient("cl_2"))["last_seen_at"] is None


@for_each(
    ("status", "shown"),
    [
        (ON, "\x1b[32m✓ on, connected to ChatGPT\x1b[0m"),
        (None, "\x1b[2m– off: no shared server runs\x1b[0m"),
        (RemoteStatus("connecting"), "\x1b[33m! on, connecting to ChatGPT\x1b[0m"),
    ],
)
def test_on_a_terminal_its_state_has_a_mark(status: RemoteStatus | None, shown: str) -> None:
    text = remote_view(status, Display(80, Ink(is_coloured=True)), is_kept=True)
    assert text.splitlines()[0].endswith(shown)
    assert "yes: at each start" in text


def test_on_a_terminal_no_line_of_the_devices_is_too_wide() -> None:
    client = RemoteClient("c-1", platform="ios", name="日本語の" * 10)
    lines = clients_view([client], NOW_S, Display(40)).splitlines()
    assert lines == ["CLIENT  DEVICE  LAST SEEN  NAME", "c-1     ios                日本語の日本…"]
    assert clients_view([], NOW_S, Display(40)) == "No devices are paired.\n"
