"""What `server` of a turn's `meta.json` tells, from any writer."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.model.server.record import is_elsewhere, is_foreign, text_of, url_of
from codex_server_cli.core.model.turn_files import is_meta

WHOLE = {"url": "shared", "token_file": None, "token_env": None, "path": "/g1.sock", "pid": 7, "generation": 1}


@pytest.mark.parametrize(
    ("record", "url", "foreign", "elsewhere"),
    [
        (None, "spawn", False, False),
        ({}, "spawn", False, False),
        ("edited", "spawn", False, False),
        ({"url": 7}, "spawn", False, False),
        (WHOLE, "shared", False, False),
        ({"url": "unix:///a"}, "unix:///a", True, False),
        ({"url": "ws://127.0.0.1:1"}, "ws://127.0.0.1:1", True, True),
        ({"url": "wss://host:443"}, "wss://host:443", True, True),
        ({"url": "ssh://host"}, "ssh://host", True, True),
    ],
)
def test_a_record_tells_whose_server_and_whose_files_they_are(
    record: Any, url: str, foreign: bool, elsewhere: bool
) -> None:
    assert (url_of(record), is_foreign(record), is_elsewhere(record)) == (url, foreign, elsewhere)


def test_only_text_is_text() -> None:
    assert text_of(WHOLE, "path") == "/g1.sock"
    assert (
        text_of(WHOLE, "token_file")
        is text_of(WHOLE, "pid")
        is text_of(WHOLE, "other")
        is text_of(None, "path")
        is None
    )


@pytest.mark.parametrize(
    ("server", "is_valid"),
    [
        (None, True),
        (WHOLE, True),
        (WHOLE | {"is_insecure": True}, True),
        ({"url": "ssh://host"}, True),
        ({}, False),
        ("shared", False),
        (WHOLE | {"url": None}, False),
        (WHOLE | {"path": 7}, False),
        (WHOLE | {"pid": "7"}, False),
        (WHOLE | {"is_insecure": "yes"}, False),
    ],
)
def test_a_damaged_record_is_no_record(server: Any, is_valid: bool) -> None:
    assert is_meta({"request": {}, "server": server}) is is_valid
