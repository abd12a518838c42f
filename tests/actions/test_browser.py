"""Opening a page: where there is a browser, without waiting for it, and never as a failure."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from codex_server_cli.actions.browser import open_page
from tests.kit.support import wait_until

URL = "https://auth.example/authorize?state=a&b=%20c"
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")


@pytest.fixture(autouse=True)
def _headless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in DISPLAYS:
        monkeypatch.delenv(name, raising=False)


def test_a_page_is_opened_in_a_browser_that_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    opened = tmp_path / "told"
    os.mkfifo(gate := tmp_path / "gate")
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho noise\nread word <"{gate}"\necho "$1" >"{opened}"\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    assert open_page(URL)
    with gate.open("w") as go:  # it still runs
        go.write("go\n")
    wait_until(lambda: opened.exists() and opened.read_text() == f"{URL}\n", what="the page in the browser")
    pid, status = os.waitpid(-1, 0)
    assert (pid > 0, status) == (True, 0)
    assert capfd.readouterr() == ("", "")


def test_without_a_display_nothing_is_opened() -> None:
    assert not open_page(URL)


@pytest.mark.parametrize("name", DISPLAYS)
def test_a_browser_that_cannot_be_started_is_no_failure(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "something")
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    assert not open_page(URL)


def test_a_mac_always_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(sys, "executable", "/usr/bin/true")
    assert open_page(URL)
    os.waitpid(-1, 0)
