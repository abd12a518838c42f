"""One generation, before it is the keeper's: where it listens, and which version its codex has."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from codex_server_cli.codex.server.keeper import generations
from codex_server_cli.codex.server.keeper.generations import asked_at, listening_at, read_codex_version


def test_an_address_counts_once_its_line_is_whole() -> None:
    told = "codex app-server (WebSockets)\n  listening on: ws://[::1]:35551\n"
    assert [listening_at(told[:length]) for length in range(len(told))] == [""] * len(told)
    assert listening_at(f"{told}  readyz: …") == "ws://[::1]:35551"


@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        ([], ["ws://x"]),
        (["--ws-auth=capability-token", "--ws-token-file=/a=b"], ["ws://x", "/a=b"]),
        (["--ws-auth=capability-token", "--ws-token-sha256=00"], []),
        (["--ws-auth=signed-bearer-token", "--ws-shared-secret-file=/s"], []),
    ],
    ids=["no token", "its file", "its hash", "signed ones"],
)
def test_one_on_a_port_is_asked_where_its_token_is_at_hand(flags: list[str], asked: list[str]) -> None:
    assert asked_at("ws://x", ["--listen=ws://x", *flags]) == asked


@pytest.mark.parametrize(
    ("script", "version"),
    [
        ("echo codex-cli 0.171.0", "0.171.0"),
        ("printf codex-cli; sleep 0.1; echo ' 0.171.0'", "0.171.0"),
        ("echo no version:", ""),
        ("exit 1", ""),
    ],
    ids=["whole", "in pieces", "none", "fails"],
)
def test_the_version_is_the_last_word(tmp_path: Path, script: str, version: str) -> None:
    assert read_codex_version(_codex(tmp_path, script)) == version


def test_a_codex_that_prints_and_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generations, "_VERSION_S", 0.3)
    began = time.monotonic()
    assert read_codex_version(_codex(tmp_path, "echo 0.171.0; exec sleep 60")) == "0.171.0"
    assert time.monotonic() - began < 30


def _codex(folder: Path, script: str) -> str:
    path = folder / "codex"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)
