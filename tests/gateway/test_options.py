"""The flags of `serve`, and its table in config.json: what is taken, and the way out of each refusal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.codex.server.token import make_token
from codex_server_cli.errors import BadInputError, CodexServerError, UsageError
from codex_server_cli.gateway.options import ServeOptions, is_loopback, options_of, parse_aliases
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.serve import checked_table
from tests.kit.cases import for_each

CWD = "/"


@for_each(
    ("listen", "host", "port", "path"),
    [
        (None, "127.0.0.1", 8787, None),
        ("127.0.0.1:0", "127.0.0.1", 0, None),
        ("localhost:80", "127.0.0.1", 80, None),
        ("http://127.0.0.1:80/", "127.0.0.1", 80, None),
        ("[::1]:4500", "::1", 4500, None),
        ("unix:/run/codex.sock", None, None, "/run/codex.sock"),
        ("unix:///run/codex.sock", None, None, "/run/codex.sock"),
        ("unix:here.sock", None, None, "/here.sock"),
    ],
)
def test_where_it_listens(listen: str | None, host: str | None, port: int | None, path: str | None) -> None:
    found = options_of({"listen": listen}, CWD)
    assert (found.host, found.port, found.path) == (host, port, path)


@for_each(
    ("given", "error", "words"),
    [
        ({"listen": "8787"}, UsageError, "HOST:PORT"),
        ({"listen": "127.0.0.1:99999"}, UsageError, "HOST:PORT"),
        ({"listen": "127.0.0.1:٣"}, UsageError, "HOST:PORT"),
        ({"listen": "::1:80"}, UsageError, "HOST:PORT"),
        ({"listen": ""}, UsageError, "HOST:PORT"),
        ({"listen": "unix:"}, UsageError, "no path"),
        ({"listen": "unix:/a\0b"}, UsageError, "no path"),
        ({"listen": f"unix:/{'x' * 107}"}, UsageError, "107 bytes"),
        ({"listen": "0.0.0.0:80"}, BadInputError, "--token-file FILE"),
        ({"listen": "[::]:80"}, BadInputError, "--token-file FILE"),
        ({"listen": "example.org:80"}, BadInputError, "--token-file FILE"),
        ({"allow_host": ["codex.example.org"]}, BadInputError, "--token-file FILE"),
        ({"allow_origin": ["*"]}, BadInputError, "--token-file FILE"),
        ({"allow_origin": ["http://page", " NULL"]}, BadInputError, "--token-file FILE"),
        ({"allow_origin": ["http://user:word@example.org"]}, UsageError, "--allow-origin"),
        ({"allow_origin": ["http://example.org:99999"]}, UsageError, "--allow-origin"),
        ({"allow_origin": ["http://:80"]}, UsageError, "--allow-origin"),
        ({"allow_origin": ["http://example org"]}, UsageError, "--allow-origin"),
        ({"allow_origin": ["http://example.org:"]}, UsageError, "--allow-origin"),
        ({"allow_origin": ["example.org"]}, UsageError, "--allow-origin http://localhost:3000"),
        ({"allow_origin": ["https://example.org/page"]}, UsageError, "--allow-origin"),
        ({"allow_origin": ["http://[x"]}, UsageError, "--allow-origin"),
        ({"allow_host": ["https://example.org"]}, UsageError, "--allow-host codex.example.org"),
        ({"allow_host": ["*"]}, UsageError, "--allow-host"),
        ({"token_file": ""}, UsageError, "--token-file"),
        ({"token_file": "nowhere/token"}, BadInputError, "codex-server server token FILE"),
        ({"cwd": ""}, UsageError, "--cwd"),
        ({"cwd": "/nowhere"}, BadInputError, "/nowhere"),
    ],
)
def test_what_cannot_be_is_refused_with_a_way_out(
    given: dict[str, Any], error: type[CodexServerError], words: str
) -> None:
    with pytest.raises(error) as refusal:
        options_of(given, CWD)
    assert words in f"{refusal.value.message}\n{refusal.value.hint}"


def test_with_a_token_it_may_listen_anywhere_and_never_shows_it(tmp_path: Path) -> None:
    make_token(tmp_path / "token")
    given = {"listen": "0.0.0.0:80", "token_file": "token", "allow_host": ["Codex.Example.org."]}
    given |= {"allow_origin": ["*", "null"]}
    found = options_of(given, str(tmp_path))
    assert found.token == (tmp_path / "token").read_text().strip()
    assert found.allowed_hosts == ("codex.example.org",)
    assert found.token not in repr(found)


def test_a_token_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    make_token(tmp_path / "token")
    (tmp_path / "token").chmod(0o644)
    with pytest.raises(BadInputError, match="others can read"):
        options_of({"token_file": "token"}, str(tmp_path))


def test_origins_are_compared_as_browsers_write_them() -> None:
    given = ["HTTP://LocalHost:3000/", "https://example.org:443", "http://[::1]:80", "chrome-extension://abc"]
    found = ("http://localhost:3000", "https://example.org", "http://[::1]", "chrome-extension://abc")
    assert options_of({"allow_origin": given}, CWD).allowed_origins == found


def test_nothing_given_is_the_default() -> None:
    assert options_of({}, CWD) == ServeOptions()


def test_aliases() -> None:
    assert parse_aliases(["gpt-4o=gpt-6.2-sol", "a = b=c"]) == {"gpt-4o": "gpt-6.2-sol", "a": "b=c"}
    for wrong in ("gpt-4o", "=b", "a="):
        with pytest.raises(UsageError, match="A=M"):
            parse_aliases([wrong])


@for_each(
    ("host", "expected"),
    [
        ("localhost", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("::ffff:8.8.8.8", False),
        ("0.0.0.0", False),
        ("localhost.evil", False),
    ],
)
def test_what_is_loopback(host: str, expected: bool) -> None:
    assert is_loopback(host) is expected


def test_the_table_of_config_json_has_the_flags_names(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"serve": {"listen": "unix:/s", "max_streams": 3, "hold_s": 60, "cwd": null, "colour": 1}}')
    table, warnings = checked_table(read_config(path).serve, path)
    assert table == {"listen": "unix:/s", "max_streams": 3, "hold_s": 60}
    assert warnings == (f"{path}: unknown key 'serve.colour' is ignored",)
    assert (options_of(table, CWD).most_streams, options_of(table, CWD).hold_s) == (3, 60)
    assert options_of({}, CWD).hold_s == 600
    assert checked_table(None, path) == ({}, ())


@for_each(
    ("text", "words"),
    [
        ('{"serve": []}', "serve must be an object"),
        ('{"serve": {"listen": 1}}', "serve.listen must be HOST:PORT or unix:PATH, not 1"),
        ('{"serve": {"token_file": "token"}}', "serve.token_file must be an absolute path"),
        ('{"serve": {"cwd": "/a\\u0000"}}', "serve.cwd must be an absolute path"),
        ('{"serve": {"allow_host": "a"}}', "serve.allow_host must be a list of texts"),
        ('{"serve": {"write": "yes"}}', "serve.write must be true or false"),
        ('{"serve": {"max_streams": true}}', "serve.max_streams must be a whole number from 1"),
        ('{"serve": {"max_streams": 0}}', "serve.max_streams must be a whole number from 1"),
        *(
            (f'{{"serve": {{"hold_s": {value}}}}}', "serve.hold_s must be whole seconds from 1 to 86400")
            for value in (0, 1.5, 86_401, "true")
        ),
        ('{"serve": {"model_alias": {"a": ""}}}', "serve.model_alias must be an object"),
        ('{"serve": {"instructions": "mine"}}', 'serve.instructions must be "client" or "codex"'),
    ],
)
def test_a_wrong_table_is_refused(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(BadInputError) as refusal:
        checked_table(read_config(path).serve, path)
    assert words in refusal.value.message
