"""The shortest exchange: with the real codex, and with ones that do not answer."""

from __future__ import annotations

import select
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.codex import client
from codex_server_cli.errors import CodexMissingError, Exit
from tests.fakes import codex as fake


def test_the_real_codex_says_who_it_is_and_makes_its_databases(
    codex: Path, codex_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(codex_home))
    assert client.read_user_agent(codex, tmp_path).startswith("codex_server/0.1")
    assert list(codex_home.glob("*.sqlite"))


@pytest.mark.parametrize(
    ("behaviour", "expected", "timeout_s"),
    [
        ("exits", fake.STDERR_TAIL, 60),
        ("too_old", "unrecognized subcommand", 60),
        ("refuses", "it printed nothing", 60),
        ("garbage", "it printed nothing", 0.4),
        ("silent", "it printed nothing", 0.4),
        ("mute", "it printed nothing", 0.4),
        ("stubborn", "ready", 3),
    ],
)
@pytest.mark.full
def test_one_that_does_not_answer_is_reported_with_its_stderr_tail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, behaviour: str, expected: str, timeout_s: float
) -> None:
    looks, real_select = Counter[str](), select.select

    def select_and_count(*arguments: Any) -> Any:
        looks[behaviour] += 1
        return real_select(*arguments)

    monkeypatch.setattr(client, "INITIALIZE_TIMEOUT_S", timeout_s)
    monkeypatch.setattr(select, "select", select_and_count)
    with pytest.raises(CodexMissingError, match=f"does not answer: .*{expected}") as caught:
        client.read_user_agent(fake.write(tmp_path / "codex", behaviour), tmp_path)
    assert caught.value.exit_code is Exit.CODEX_MISSING
    assert looks[behaviour] < 20  # waiting must not spin


def test_one_that_cannot_be_run_is_reported(tmp_path: Path) -> None:
    with pytest.raises(CodexMissingError, match=r"cannot be started: .*No such file"):
        client.read_user_agent(tmp_path / "missing", tmp_path)
