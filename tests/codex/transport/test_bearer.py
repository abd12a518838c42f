"""The token of an app-server: from a file or a variable, never shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from codex_server_cli.codex.transport.bearer import read_token
from codex_server_cli.codex.transport.connect import Route, route_of
from codex_server_cli.core.model.server.address import parse_address
from codex_server_cli.errors import BadInputError
from tests.kit.cases import for_each

TOKEN = "a-token.of_letters=+/~"


def refusal(token_file: str | None = None, token_env: str | None = None) -> str:
    with pytest.raises(BadInputError) as caught:
        read_token(token_file, token_env)
    assert caught.value.hint
    assert "\n" not in caught.value.message
    return caught.value.message


def test_a_token_is_read_without_the_blanks_around_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "token"
    path.write_text(f"  {TOKEN}\r\n\n")
    monkeypatch.setenv("MY_TOKEN", f"{TOKEN}\n")
    assert read_token(str(path), None) == TOKEN
    assert read_token(None, "MY_TOKEN") == TOKEN
    assert read_token(None, None) is None


@for_each(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"two words", "holds a blank"),
        (b"two\nlines", "holds a blank"),
        (b"a\0b", "holds a blank"),
        ("schlüssel".encode(), "special character"),
        (b"\xff\xfe", "special character"),
    ],
)
def test_what_is_no_token_is_refused_and_not_shown(content: bytes, words: str, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    message = refusal(str(path))
    assert message.startswith(f"the token file {path} ")
    assert words in message
    assert b"\n" in content or content.strip() == b"" or content.decode("utf-8", "replace") not in message


def test_what_is_no_readable_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "no regular file" in refusal(str(tmp_path / "fifo"))
    assert "no regular file" in refusal(str(tmp_path))
    assert "No such file" in refusal(str(tmp_path / "none"))
    assert "null" in refusal("a\0b")


def test_a_variable_that_holds_no_token_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", "")
    assert refusal(None, "EMPTY") == "the variable EMPTY is empty"
    assert TOKEN not in refusal(None, TOKEN), "somebody gives the token itself in place of a name"


def test_two_sources_are_one_too_many() -> None:
    assert "both" in refusal("file", "NAME")


# --- the route


def test_a_token_goes_unencrypted_only_to_this_machine(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(TOKEN)

    def route(url: str, *, is_insecure: bool = False) -> Route:
        return route_of(
            parse_address(url), codex_home=tmp_path, token_file=str(path), token_env=None, is_insecure=is_insecure
        )

    assert route("ws://127.0.0.1:1").token == route("wss://example.org").token == TOKEN
    assert route("ws://10.0.0.1:1", is_insecure=True).token == TOKEN
    with pytest.raises(BadInputError, match="unencrypted"):
        route("ws://10.0.0.1:1")
    assert route_of(parse_address("ws://10.0.0.1:1"), codex_home=tmp_path).token is None


@for_each("url", ["spawn", "shared", "unix://", "ssh://box"])
def test_where_no_token_is_taken_one_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="takes no token"):
        route_of(parse_address(url), codex_home=tmp_path, token_env="NAME")


def test_a_route_knows_what_its_kind_needs_and_does_not_show_the_token(tmp_path: Path) -> None:
    default = tmp_path / "app-server-control" / "app-server-control.sock"
    assert route_of(parse_address("unix://"), codex_home=tmp_path).socket_path == str(default)
    assert route_of(parse_address("unix:///a.sock"), codex_home=tmp_path).socket_path == "/a.sock"
    assert route_of(parse_address("shared"), codex_home=tmp_path).socket_path is None
    ssh = route_of(parse_address("ssh://box"), codex_home=tmp_path, server_command="/opt/codex")
    assert (ssh.socket_path, ssh.server_command) == (None, "/opt/codex")
    route = Route(parse_address("ws://127.0.0.1:1"), token=TOKEN)
    assert TOKEN not in f"{route!r} {route}"
    assert "has_token=True" in repr(route)
