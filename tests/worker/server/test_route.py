"""The way to a turn's app-server is read from its record: the socket as it was, the token from where it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.core.model.request import Sandbox, TurnRequest
from codex_server_cli.core.model.server.terms import OWN_SERVER
from codex_server_cli.errors import BadInputError
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.server.attach import attach
from codex_server_cli.worker.server.connection import ServerConnection
from codex_server_cli.worker.server.route import route_to
from codex_server_cli.worker.server.shared import SharedConnection
from codex_server_cli.worker.server.ssh import SshCodex

REQUEST = TurnRequest("20261120-165501-482-7f3a", "/srv", sandbox=Sandbox.DANGER_FULL_ACCESS)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home of the environment."""
    monkeypatch.setenv("CODEX_SERVER_HOME", str(tmp_path))
    monkeypatch.setenv("CODEX_HOME", str(tmp_path / "codex-home"))
    monkeypatch.setenv("MARK", "of the caller")
    return Settings.load()


def record(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "token_file": None, "token_env": None, "is_insecure": False, "path": None, **more}


def never(meta: dict[str, Any]) -> None:
    raise AssertionError(meta)


def test_a_socket_is_the_recorded_one_whatever_the_environment_says_now(settings: Settings) -> None:
    assert route_to(record("unix://", path="/old/s.sock"), settings).socket_path == "/old/s.sock"
    assert route_to(record("shared", path="/g1.sock"), settings).socket_path == "/g1.sock"
    assert str(settings.codex_home) in str(route_to(record("unix://"), settings).socket_path)


def test_a_token_is_read_anew(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("one\n")
    assert route_to(record("ws://127.0.0.1:1", token_file=str(tmp_path / "token")), settings).token == "one"
    (tmp_path / "token").unlink()
    with pytest.raises(BadInputError):
        route_to(record("ws://127.0.0.1:1", token_file=str(tmp_path / "token")), settings)
    monkeypatch.setenv("TOKEN", "two")
    with pytest.raises(BadInputError, match="unencrypted"):
        route_to(record("ws://host:1", token_env="TOKEN"), settings)
    assert route_to(record("ws://host:1", token_env="TOKEN", is_insecure=True), settings).token == "two"


def test_the_command_of_another_host_is_that_of_the_configuration(settings: Settings) -> None:
    settings.config_path.write_text(json.dumps({"server_command": "/opt/codex"}))
    assert route_to(record("ssh://host"), settings).server_command == "/opt/codex"


def test_an_edited_record_is_refused(settings: Settings) -> None:
    with pytest.raises(BadInputError, match="the turn's server"):
        route_to(record("gopher://host"), settings)


def test_what_a_server_is_to_a_turn(settings: Settings) -> None:
    """Here the commands get the caller's environment, elsewhere that of the server."""
    here = {}
    for url, kind in (("shared", SharedConnection), ("unix:///s", ServerConnection), ("ws://host:1", ServerConnection)):
        attached = attach({"server": record(url), "codex": "/codex"}, REQUEST, never)
        assert type(attached.process) is kind
        assert attached.terms.is_shared
        here[url] = (attached.terms.is_ours, (attached.terms.environment or {}).get("MARK"))
    assert here == {
        "shared": (True, "of the caller"),
        "unix:///s": (False, "of the caller"),
        "ws://host:1": (False, None),
    }
    attached = attach({"server": record("ssh://host")}, REQUEST, never)
    assert type(attached.process) is SshCodex
    assert attached.terms == OWN_SERVER


def test_pictures_go_by_value_where_they_cannot_be_read(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    request = REQUEST._replace(images=(str(tmp_path / "a.png"),))
    method, params = attach({"server": record("ws://host:1")}, request, never).request.open_turn("t", "hi")
    assert params["input"][1] == {"type": "image", "url": "data:image/png;base64,iVBORw0KGgo="}
    method, params = attach({"server": record("unix:///s")}, request, never).request.open_turn("t", "hi")
    assert (method, params["input"][1]["type"]) == ("turn/start", "localImage")
    assert "image_urls" not in request.to_json()
