"""The terminal's echo of control keys: off while text is followed, and then as it was."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterator
from typing import Any

import pytest

from codex_server_cli.cli.terminal import echo
from codex_server_cli.cli.terminal.echo import ControlEcho

LOCAL = 3


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal that is ours."""
    monkeypatch.setattr(echo, "is_foreground", lambda: True)
    master, slave = os.openpty()
    try:
        yield slave
    finally:
        os.close(slave)
        os.close(master)


def shows_keys(terminal: int) -> bool:
    return bool(termios.tcgetattr(terminal)[LOCAL] & termios.ECHOCTL)


def test_control_keys_are_not_shown_until_it_is_over_and_what_is_typed_is(terminal: int) -> None:
    control_echo = ControlEcho(terminal)
    for _ in range(2):  # before and after the job was stopped
        assert shows_keys(terminal)
        control_echo.hide()
        assert (shows_keys(terminal), control_echo.is_hidden) == (False, True)
        assert termios.tcgetattr(terminal)[LOCAL] & termios.ECHO
        control_echo.restore()
        control_echo.restore()
        assert (shows_keys(terminal), control_echo.is_hidden) == (True, False)


def test_a_terminal_that_shows_none_stays_so(terminal: int) -> None:
    modes = termios.tcgetattr(terminal)
    modes[LOCAL] &= ~termios.ECHOCTL
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
    control_echo = ControlEcho(terminal)
    control_echo.hide()
    control_echo.restore()
    assert not shows_keys(terminal)


def test_the_terminal_of_another_job_is_left_alone(terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    control_echo = ControlEcho(terminal)
    control_echo.hide()
    monkeypatch.setattr(echo, "is_foreground", lambda: False)
    control_echo.restore()
    assert not shows_keys(terminal)
    ControlEcho(terminal).hide()
    assert not control_echo.is_hidden


def test_an_interrupt_in_the_very_moment_leaves_the_terminal_as_it_was(
    terminal: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_modes, control_echo = termios.tcsetattr, ControlEcho(terminal)

    def interrupted(*modes: Any) -> None:
        set_modes(*modes)
        monkeypatch.setattr(termios, "tcsetattr", set_modes)
        raise KeyboardInterrupt

    monkeypatch.setattr(termios, "tcsetattr", interrupted)
    with pytest.raises(KeyboardInterrupt):
        control_echo.hide()
    assert shows_keys(terminal)
