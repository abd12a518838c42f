"""An app-server that is started before what drives it is loaded."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from codex_server_cli.codex.transport import early
from tests.fakes import codex as fake


def test_an_app_server_that_was_begun_is_taken_once(tmp_path: Path) -> None:
    binary = fake.write(tmp_path / "codex")
    early.begin(binary, str(tmp_path), may_bill_api_key=False, turn_id="a-turn", on_stderr=None)
    server = early.take()
    assert server is not None
    assert early.take() is None
    assert server.end().startswith(("exit code", "signal"))
    server.close()


def test_one_that_cannot_be_started_is_not_there(tmp_path: Path) -> None:
    early.begin(tmp_path / "none", str(tmp_path), may_bill_api_key=False, turn_id="a-turn", on_stderr=None)
    assert early.take() is None


def test_none_is_begun_where_few_files_may_be_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (14, 14))
    binary = fake.write(tmp_path / "codex")
    early.begin(binary, str(tmp_path), may_bill_api_key=False, turn_id="a-turn", on_stderr=None)
    assert early.take() is None
