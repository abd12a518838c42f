"""The JSON of the shared app-server."""

from __future__ import annotations

from codex_server_cli.core.documents.server import server_row, servers_document, token_document
from codex_server_cli.core.model.server.report import ServerReport
from tests.kit.server_reports import READY, UNKNOWN


def test_all_of_them_have_one_version_and_what_was_done_beside_them() -> None:
    document = servers_document([READY], ran_already=True)
    assert document == {"version": 2, "ran_already": True, "servers": [server_row(READY)]}
    assert set(server_row(READY)) == {name.removeprefix("is_") for name in ServerReport._fields}


def test_a_generation_has_each_fact_under_its_name_and_null_where_it_is_not_known() -> None:
    row = server_row(UNKNOWN)
    assert (row["state"], row["codex_version"], row["memory_bytes"], row["turns"]) == ("silent", None, None, [])
    assert row["leftovers"] == [{"pid": 77, "command": "sleep 9\x1b[31m"}]


def test_a_token_is_told_by_its_file_and_its_digest() -> None:
    assert token_document("/t", "ab") == {"version": 2, "path": "/t", "sha256": "ab"}
