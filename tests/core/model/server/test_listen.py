"""Where an app-server on a TCP port may listen, and with which flags: each start that codex refuses is refused here."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.model.server.listen import ListenFlags, listen_arguments
from codex_server_cli.core.model.server.ws_auth import WsAuth
from codex_server_cli.errors import UsageError
from tests.kit.cases import for_each

HERE = "ws://127.0.0.1:4500"
ALL = "ws://0.0.0.0:4500"
TOKEN, SIGNED = WsAuth.CAPABILITY_TOKEN, WsAuth.SIGNED_BEARER_TOKEN
DIGEST = "aB" * 32


@for_each(
    ("flags", "arguments"),
    [
        (ListenFlags(HERE), [f"--listen={HERE}"]),
        (ListenFlags("ws://127.0.0.2:0"), ["--listen=ws://127.0.0.2:0"]),
        (ListenFlags("ws://[::1]:4500"), ["--listen=ws://[::1]:4500"]),
        (
            ListenFlags(ALL, TOKEN, ws_token_file="t/ok"),
            [f"--listen={ALL}", "--ws-auth=capability-token", "--ws-token-file=/here/t/ok"],
        ),
        (
            ListenFlags(HERE, TOKEN, ws_token_sha256=DIGEST),
            [f"--listen={HERE}", "--ws-auth=capability-token", f"--ws-token-sha256={DIGEST}"],
        ),
        (
            ListenFlags("ws://[::]:1", SIGNED, None, None, "/s", "me", "-you", 0),
            [
                *("--listen=ws://[::]:1", "--ws-auth=signed-bearer-token", "--ws-shared-secret-file=/s"),
                *("--ws-issuer=me", "--ws-audience=-you", "--ws-max-clock-skew-seconds=0"),
            ],
        ),
    ],
)
def test_right_flags_become_codexs_arguments(flags: ListenFlags, arguments: list[str]) -> None:
    assert listen_arguments(flags, "/here") == arguments


def test_a_path_in_the_root_directory_has_one_slash() -> None:
    assert listen_arguments(ListenFlags(ALL, TOKEN, "t"), "/")[-1] == "--ws-token-file=/t"


@for_each(
    ("url", "message", "hint"),
    [
        ("ws://localhost:80", "takes an IP address", "ws://127.0.0.1:80"),
        ("ws://LocalHost", "takes an IP address", "ws://127.0.0.1:4500"),
        ("ws://example.org:80", "takes an IP address, and 'example.org' is none", "ws://[::1]:4500"),
        ("ws://:80", "takes an IP address, and '' is none", ""),
        ("ws://127.0.0.1", "takes a port from 0", HERE),
        ("ws://127.0.0.1:", "takes a port from 0", HERE),
        ("ws://127.0.0.1:65536", "takes a port from 0", HERE),
        ("ws://127.0.0.1:9999999999", "takes a port from 0", HERE),
        ("ws://127.0.0.1:-1", "takes a port from 0", HERE),
        ("ws://127.0.0.1:٣", "takes a port from 0", HERE),
        ("ws://127.0.0.1:80/path", "takes an IP address and a port", HERE),
        ("ws://me@127.0.0.1:80", "takes an IP address and a port", HERE),
        ("ws://[::1:80", "takes an IP address and a port", HERE),
        ("ws://[127.0.0.1]:80", "takes an IPv6 address in brackets", "ws://[::1]:4500"),
        ("ws://::1", "takes an IP address and a port", HERE),
        ("ws://[fe80::1%1]:80", "without a zone", "ws://[::1]:4500"),
        ("wss://127.0.0.1:80", "has no server of its own for wss://", "a proxy that does TLS"),
        ("unix:///run/x.sock", "listens on a unix socket anyway", "server start"),
        ("off", "--listen off is not offered", "remote enable"),
        ("stdio://", "takes ws://IP:PORT, not 'stdio://'", HERE),
        ("127.0.0.1:80", "takes ws://IP:PORT, not '127.0.0.1:80'", HERE),
        ("unix", "takes ws://IP:PORT, not 'unix'", HERE),
        ("", "takes ws://IP:PORT, not ''", HERE),
    ],
)
def test_another_place_is_none_and_the_right_form_is_told(url: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        listen_arguments(ListenFlags(url), "/here")
    assert message in caught.value.message
    assert hint in caught.value.hint
    assert caught.value.exit_code == 64


@for_each(
    ("given", "message"),
    [
        ({"listen": ALL}, "can be reached from other machines, and without --ws-auth by everybody"),
        ({"ws_token_file": "/t"}, "--ws-token-file needs --ws-auth"),
        ({"ws_max_clock_skew_seconds": 0}, "--ws-max-clock-skew-seconds needs --ws-auth"),
        ({"ws_auth": TOKEN}, "--ws-auth capability-token needs --ws-token-file or --ws-token-sha256"),
        ({"ws_auth": SIGNED}, "--ws-auth signed-bearer-token needs --ws-shared-secret-file"),
        ({"ws_auth": TOKEN, "ws_token_file": "/t", "ws_token_sha256": DIGEST}, "exclude each other"),
        ({"ws_auth": TOKEN, "ws_issuer": "me"}, "--ws-issuer goes with --ws-auth signed-bearer-token alone"),
        ({"ws_auth": SIGNED, "ws_token_file": "/t"}, "--ws-token-file goes with --ws-auth capability-token alone"),
        ({"ws_auth": TOKEN, "ws_token_sha256": "ab"}, "64 hexadecimal digits"),
        ({"ws_auth": TOKEN, "ws_token_sha256": "g" * 64}, "64 hexadecimal digits"),
        ({"ws_auth": TOKEN, "ws_token_file": ""}, "--ws-token-file is empty"),
        ({"ws_auth": SIGNED, "ws_shared_secret_file": "/s", "ws_audience": ""}, "--ws-audience is empty"),
        ({"ws_auth": SIGNED, "ws_shared_secret_file": "/s", "ws_max_clock_skew_seconds": -1}, "takes 0 to 86400"),
        ({"ws_auth": SIGNED, "ws_shared_secret_file": "/s", "ws_max_clock_skew_seconds": 86401}, "takes 0 to 86400"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        listen_arguments(ListenFlags(**{"listen": HERE, **given}), "/here")
    assert message in caught.value.message
    assert caught.value.hint
