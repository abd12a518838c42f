"""Remote control is switched on and kept on, or nothing is changed and the reason told."""

from __future__ import annotations

import itertools
import json
import threading
from pathlib import Path

import pytest

from codex_server_cli.actions.remote import switch
from codex_server_cli.actions.remote.switch import Remote
from codex_server_cli.core.account import remote as queries
from codex_server_cli.core.protocol.query import Query, T
from codex_server_cli.errors import BadInputError, CodexServerError, Exit, HomeError, ServerError
from codex_server_cli.settings.places import Settings
from tests.actions.remote.conftest import OneServer
from tests.kit.remote_backend import RemoteBackend
from tests.kit.support import DEADLINE_S, wait_until


def kept(settings: Settings) -> bool | None:
    """What `config.json` says."""
    path = settings.config_path
    value: bool | None = json.loads(path.read_text()).get("remote_control") if path.exists() else None
    return value


def state(settings: Settings, reach: OneServer) -> str | None:
    found = switch.read_remote(settings, reach)
    return found.status and found.status.state


def test_it_is_on_until_it_is_switched_off(settings: Settings, reach: OneServer, backend: RemoteBackend) -> None:
    assert switch.read_remote(settings, reach) == Remote(None, is_kept=False)
    settings.config_path.write_text('{"max_running": 3, "mine": "kept"}')
    found = switch.enable_remote(settings, reach)
    assert found.status is not None
    assert (found.status.state, found.status.environment_id, found.is_kept) == ("connected", "env_1", True)
    assert json.loads(settings.config_path.read_text()) == {"max_running": 3, "mine": "kept", "remote_control": True}
    assert switch.enable_remote(settings, reach) == found
    assert switch.read_remote(settings, reach) == found
    wait_until(lambda: backend.connections == 1, what="the one connection")
    assert reach.starts == 1
    assert backend.ask(1, "initialize", {"clientInfo": {"name": "phone", "title": "P", "version": "1"}})["result"]
    off = switch.disable_remote(settings, reach.living)
    assert off.status is not None
    assert (off.status.state, off.is_kept, kept(settings)) == ("disabled", False, False)
    wait_until(lambda: backend.connections == 0, what="the end of the connection")
    assert [each["client_id"] for each in backend.devices] == ["cl_1", "cl_2"]


def test_it_is_switched_off_for_later_where_no_server_runs(settings: Settings, reach: OneServer) -> None:
    settings.config_path.write_text('{"remote_control": true}')
    assert switch.disable_remote(settings, reach.living) == Remote(None, is_kept=False)
    assert (kept(settings), reach.starts) == (False, 0)
    written = settings.config_path.stat().st_mtime_ns
    switch.disable_remote(settings, reach.living)
    assert settings.config_path.stat().st_mtime_ns == written


REFUSALS = {
    401: (2, "does not take this login for remote control: HTTP 401 Unauthorized, 'scripted 401'"),
    403: (1, "does not give this account remote control: HTTP 403 Forbidden, 'scripted 403'"),
    404: (1, "does not give this account remote control: HTTP 404"),
    429: (75, "has had too many requests"),
    500: (75, "service fails: HTTP 500"),
    200: (1, "does not understand what ChatGPT answered about remote control"),
}


def test_a_refused_enrollment_changes_nothing(
    settings: Settings, reach: OneServer, backend: RemoteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "_RECOVERY_S", 0.1)
    for status, (exit_code, message) in REFUSALS.items():
        backend.broken["enroll"] = status
        with pytest.raises(CodexServerError) as caught:
            switch.enable_remote(settings, reach)
        assert message in caught.value.message
        assert caught.value.exit_code == Exit(exit_code)
        assert caught.value.hint
        assert (kept(settings), state(settings, reach)) == (None, "disabled"), status


def test_a_refused_connection_changes_nothing(
    settings: Settings, reach: OneServer, backend: RemoteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "_RECOVERY_S", 0.1)
    for status in (401, 500):
        backend.broken["connect"] = status
        with pytest.raises(CodexServerError, match="is enrolled, but ChatGPT refuses or loses its connection"):
            switch.enable_remote(settings, reach)
        assert (kept(settings), state(settings, reach)) == (None, "disabled"), status


@pytest.mark.full
def test_what_passes_while_codex_tries_again_is_no_failure(
    settings: Settings, reach: OneServer, backend: RemoteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "_RECOVERY_S", DEADLINE_S)
    backend.broken["connect"] = 500
    ask_reason = queries.ask_reason

    def mended(status: queries.RemoteStatus) -> Query[CodexServerError]:
        backend.broken.clear()
        return ask_reason(status)

    monkeypatch.setattr(queries, "ask_reason", mended)
    found = switch.enable_remote(settings, reach)
    assert found.status is not None
    assert (found.status.state, kept(settings)) == ("connected", True)


@pytest.mark.full
def test_a_failure_leaves_on_what_was_on(
    settings: Settings, reach: OneServer, backend: RemoteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "_RECOVERY_S", 0.1)
    switch.enable_remote(settings, reach)
    backend.broken["connect"] = 401
    backend.drop()
    with pytest.raises(CodexServerError, match="is enrolled"):
        wait_until(lambda: switch.enable_remote(settings, reach) is None)
    assert kept(settings) is True
    assert state(settings, reach) != "disabled"


@pytest.mark.parametrize(
    ("auth", "message"),
    [(None, "it is logged out"), pytest.param("apikey", "logged in with an API key", marks=pytest.mark.full)],
)
def test_without_a_chatgpt_login_nothing_is_switched_on(
    settings: Settings, reach: OneServer, backend: RemoteBackend, auth: str | None, message: str
) -> None:
    login = settings.codex_home / "auth.json"
    login.unlink()
    if auth is not None:
        login.write_text(json.dumps({"auth_mode": auth, "OPENAI_API_KEY": "sk-x"}))
    with pytest.raises(CodexServerError, match=message) as caught:
        switch.enable_remote(settings, reach)
    assert (caught.value.exit_code, caught.value.hint) == (Exit.NOT_LOGGED_IN, "codex-server login")
    assert (kept(settings), state(settings, reach)) == (None, "disabled")
    assert not any("remote" in path for _, path in backend.requests)
    with reach(settings, starts=False) as server:  # Codex refuses to switch off, too: that is no failure of `disable`
        assert server is not None
        server.run(queries.enable(), DEADLINE_S)
    assert switch.disable_remote(settings, reach.living).is_kept is False


def test_one_that_cannot_be_switched_off_hinders_no_other(settings: Settings, reach: OneServer) -> None:
    switch.enable_remote(settings, reach)

    class SilentServer:
        def run(self, query: Query[T], timeout_s: float) -> T:
            raise ServerError("it does not answer", hint="Look at it.")

    with pytest.raises(ServerError, match="it does not answer") as caught:
        switch.disable_remote(settings, lambda found: [SilentServer(), *reach.living(found), SilentServer()])
    assert caught.value.hint == "Look at it. Or end it: codex-server server restart"
    assert (kept(settings), state(settings, reach)) == (False, "disabled")


def test_another_base_url_is_named(settings: Settings, reach: OneServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(switch, "CONNECT_S", 0.5)
    config = settings.codex_home / "config.toml"
    config.write_text(f'chatgpt_base_url = "https://example.invalid/x/"\n{config.read_text().partition(chr(10))[2]}')
    with pytest.raises(BadInputError, match=r"another chatgpt_base_url, https://example.invalid/x/"):
        switch.enable_remote(settings, reach)
    assert kept(settings) is None


def test_a_config_that_cannot_be_written_switches_nothing_on(
    settings: Settings, reach: OneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, _value: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("codex_server_cli.actions.config_file.write_json", full)
    with pytest.raises(HomeError, match="No space left"):
        switch.enable_remote(settings, reach)
    assert (kept(settings), state(settings, reach)) == (None, "disabled")
    assert list(settings.home.glob(".config*")) == []


def test_ctrl_c_switches_nothing_on(settings: Settings, reach: OneServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_timeout_s: float, **_more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(queries, "await_connection", interrupted)
    with pytest.raises(KeyboardInterrupt):
        switch.enable_remote(settings, reach)
    assert (kept(settings), state(settings, reach)) == (None, "disabled")


def test_one_that_another_command_switches_off_meanwhile_is_not_kept(
    settings: Settings, reach: OneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def off(_timeout_s: float, **_more: object) -> Query[queries.RemoteStatus]:
        return (yield from queries.disable())

    monkeypatch.setattr(queries, "await_connection", off)
    with pytest.raises(CodexServerError, match="another command switched remote control off"):
        switch.enable_remote(settings, reach)
    assert kept(settings) is None


@pytest.mark.full
def test_each_change_is_followed_through_the_end_of_a_server_and_the_next_one(
    settings: Settings, reach: OneServer, backend: RemoteBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "_TICK_S", 0.2)
    monkeypatch.setattr(switch, "_RECONNECT_S", 0.05)
    changes = switch.follow_remote(settings, reach)

    def words() -> tuple[str, bool]:
        found = next(each for each in changes if each is not None)
        return (found.status.state if found.status else "none"), found.is_kept

    assert words() == ("none", False)
    assert next(changes) is None
    switch.enable_remote(settings, reach)
    assert words() == ("connected", True)
    assert next(changes) is None
    backend.broken["connect"] = 401
    threading.Timer(0.1, backend.drop).start()
    seen = [words()]
    while seen[-1][0] != "errored":
        seen.append(words())
    assert {each for each, _ in seen} <= {"connecting", "errored"}
    reach.end()
    assert words() == ("none", True)


def test_a_server_that_can_never_be_reached_is_not_followed_for_ever(
    settings: Settings, reach: OneServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(switch, "_RECONNECT_S", 0.0)
    changes = switch.follow_remote(settings, reach)
    assert next(changes) == Remote(None, is_kept=False)

    def refuse(*_args: object, **_more: object) -> None:
        raise ServerError("gone")

    monkeypatch.setattr(OneServer, "__call__", refuse)
    with pytest.raises(ServerError, match="gone"):
        list(itertools.islice(changes, 100))
