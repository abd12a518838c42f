"""The address of an app-server: every form that there is, and why another text is none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.model.server.address import (
    SPAWNED,
    AddressError,
    ServerAddress,
    ServerKind,
    parse_address,
)
from codex_server_cli.core.model.server.terms import OWN_SERVER, ServerTerms
from tests.kit.cases import for_each

UNIX, WS, SSH = ServerKind.UNIX, ServerKind.WS, ServerKind.SSH


@for_each(
    ("text", "address"),
    [
        ("spawn", SPAWNED),
        (" shared\n", ServerAddress(ServerKind.SHARED, "shared")),
        ("unix://", ServerAddress(UNIX, "unix://")),
        ("UNIX:///run/a.sock", ServerAddress(UNIX, "unix:///run/a.sock", "/run/a.sock")),
        ("ws://127.0.0.1:4500", ServerAddress(WS, "ws://127.0.0.1:4500", host="127.0.0.1", port=4500)),
        ("ws://h:1/", ServerAddress(WS, "ws://h:1", host="h", port=1)),
        ("WSS://Example.org", ServerAddress(WS, "wss://example.org:443", host="example.org", port=443, is_tls=True)),
        (
            "wss://h:8/codex",
            ServerAddress(WS, "wss://h:8/codex", host="h", port=8, is_tls=True, resource="/codex"),
        ),
        ("ws://[::1]:4500", ServerAddress(WS, "ws://[::1]:4500", host="::1", port=4500)),
        ("ssh://box", ServerAddress(SSH, "ssh://box", host="box")),
        # A `Host` line of ~/.ssh/config is found by its exact case.
        ("ssh://Me@MyBox:22", ServerAddress(SSH, "ssh://Me@MyBox:22", user="Me", host="MyBox", port=22)),
        ("ssh://me@box:2222/", ServerAddress(SSH, "ssh://me@box:2222/", user="me", host="box", port=2222)),
        (
            "ssh://me@[fe80::1]/srv/codex%20home",
            ServerAddress(
                SSH, "ssh://me@[fe80::1]/srv/codex%20home", user="me", host="fe80::1", codex_home="/srv/codex home"
            ),
        ),
    ],
)
def test_every_form_is_read(text: str, address: ServerAddress) -> None:
    assert parse_address(text) == address


@for_each(
    ("text", "words"),
    [
        ("", "no address"),
        ("spawned", "no address"),
        ("unix:/run/a.sock", "no address"),
        ("tcp://h:1", "no address"),
        ("unix:///a b", "blank"),
        ("unix:///a\x07b", "blank"),
        ("unix://rel.sock", "relative"),
        ("unix:///run/", "directory"),
        ("stdio://", "stdio"),
        ("http://h", "HTTP"),
        ("https://h/x", "HTTP"),
        ("ws://h", "no port"),
        ("ws://[::1]", "no port"),
        ("ws://", "no host"),
        ("ws://:4500", "no host"),
        ("ws://h:0", "no port 0"),
        ("ws://h:99999", "no address"),
        ("ws://h:x", "no address"),
        ("ws://[::1:4500", "no address"),
        ("ws://token@h:1", "no user and no token"),
        ("ws://h:1/?token=x", "'?'"),
        ("ws://h:1/?", "'?'"),
        ("ws://h:1/#x", "'?'"),
        ("ssh://me:secret@h", "no password"),
        ("ssh://@h", "no user before"),
        ("ssh://-oProxyCommand=id", "begins with '-'"),
        ("ssh://-l@h", "begins with '-'"),
    ],
)
def test_another_text_is_refused_with_a_next_step(text: str, words: str) -> None:
    with pytest.raises(AddressError) as caught:
        parse_address(text)
    assert words in str(caught.value)
    assert caught.value.hint


@for_each(
    ("text", "expected"),
    [
        ("ws://localhost:1", True),
        ("ws://127.0.0.1:1", True),
        ("ws://127.1.2.3:1", True),
        ("ws://[::1]:1", True),
        ("ws://127.0.0.1.example.org:1", False),
        ("ws://10.0.0.1:1", False),
        ("ws://example.org:1", False),
    ],
)
def test_only_what_leads_to_this_machine_is_loopback(text: str, expected: bool) -> None:
    assert parse_address(text).is_loopback is expected


def test_what_lives_on_and_what_runs_here_follows_from_the_kind() -> None:
    kinds = [ServerAddress(kind, "") for kind in ServerKind]
    assert {each.kind for each in kinds if each.is_socket} == {ServerKind.SHARED, UNIX, WS}
    assert {each.kind for each in kinds if each.is_here} == {ServerKind.SPAWN, ServerKind.SHARED, UNIX}
    assert {each.kind for each in kinds if not each.is_foreign} == {ServerKind.SPAWN, ServerKind.SHARED}


NAMES = st.text("az09_.-", max_size=6).map(lambda text: f"h{text}z")
HOSTS = st.one_of(NAMES, st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(lambda each: f"[{each}]"))
PORTS = st.integers(1, 65535).map(lambda port: f":{port}")
PATHS = st.text("aZ.~%/-", max_size=8).map(lambda text: f"/{text}e")
TEXTS = st.one_of(
    st.sampled_from(["spawn", "shared", "unix://"]),
    PATHS.map(lambda path: f"unix://{path}"),
    st.tuples(st.sampled_from(["ws://", "wss://"]), HOSTS, PORTS, st.one_of(st.just(""), st.just("/"), PATHS)).map(
        "".join
    ),
    HOSTS.map(lambda host: f"wss://{host}"),
    st.tuples(
        st.just("ssh://"),
        st.one_of(st.just(""), NAMES.map(lambda user: f"{user}@")),
        HOSTS,
        st.one_of(st.just(""), PORTS),
        st.one_of(st.just(""), PATHS),
    ).map("".join),
)


@given(TEXTS)
def test_the_address_that_is_stored_is_read_as_the_same(text: str) -> None:
    address = parse_address(text)
    assert parse_address(address.url) == address


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_is_refused(text: str) -> None:
    for each in (text, f"ws://{text}", f"ssh://{text}", f"unix:///{text}"):
        try:
            address = parse_address(each)
        except AddressError:
            continue
        assert parse_address(address.url) == address


def test_a_server_of_the_turns_own_gets_no_environment_and_is_not_shared() -> None:
    assert ServerTerms() == OWN_SERVER
    assert OWN_SERVER == (False, False, None)
