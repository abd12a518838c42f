"""Which app-server a turn uses: the flag's, else that of the turn that is continued, else that of `config.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.start.given_flags import given_flags
from codex_server_cli.actions.start.options import GivenServer, StartOptions, ThreadChoice
from codex_server_cli.actions.start.place.server import choose, remote_dir
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.server.address import ServerKind
from codex_server_cli.errors import BadInputError, CodexServerError, UsageError
from codex_server_cli.settings.config import Config
from codex_server_cli.settings.places import Settings

SOCKET = "/run/a.sock"
OF_WS = {"url": "ws://host:1", "token_file": "/t", "token_env": None, "is_insecure": True, "path": None}
OF_UNIX = {"url": "unix://", "token_file": None, "token_env": None, "is_insecure": False, "path": SOCKET}


def of_turn(server: dict[str, Any] | None) -> ThreadChoice:
    return ThreadChoice("thread", "/srv", "turn", server=server)


def chosen(
    settings: Settings, given: GivenServer | None, config: str | None = None, choice: ThreadChoice | None = None
) -> tuple[GivenServer | None, str | None]:
    """What is noted as given, and the address; None for an app-server of the turn's own."""
    options, server = choose(settings, StartOptions("hi", server=given), Config(server=config), choice)
    return options.server, server.address.url if server is not None else None


@pytest.mark.parametrize(
    ("given", "config", "choice", "url"),
    [
        (None, None, None, None),
        (None, "spawn", None, None),
        (None, "shared", None, "shared"),
        ("spawn", "shared", None, None),
        ("unix:///run/b.sock", "shared", None, "unix:///run/b.sock"),
        (None, "shared", of_turn(OF_WS), "ws://host:1"),
        ("shared", None, of_turn(OF_WS), "shared"),
        (None, "ssh://host", of_turn(None), None),  # its thread is here
        (None, "shared", of_turn(None), "shared"),  # which has the same threads
        (None, "shared", ThreadChoice("thread", "/srv"), "shared"),  # of no turn of ours
        (None, None, of_turn(OF_UNIX), f"unix://{SOCKET}"),  # the default one of that turn's CODEX_HOME
    ],
)
def test_the_flag_comes_before_the_turn_and_the_turn_before_the_configuration(
    settings: Settings, given: str | None, config: str | None, choice: ThreadChoice | None, url: str | None
) -> None:
    assert chosen(settings, GivenServer(given) if given else None, config, choice)[1] == url


def test_the_server_of_a_turn_is_named_in_the_hints_of_the_next_one_and_that_of_the_configuration_is_not(
    settings: Settings,
) -> None:
    def flags(given: GivenServer | None, **more: Any) -> dict[str, list[str]]:
        return given_flags(StartOptions("hi", server=chosen(settings, given, **more)[0]), TurnRequest("", "/"))

    assert flags(None, choice=of_turn(OF_WS)) == {
        "--server": ["ws://host:1"],
        "--server-token-file": ["/t"],
        "--insecure": [],
    }
    assert flags(None, config="unix:///a") == {}
    assert flags(None, config="ssh://host", choice=of_turn(None)) == {"--server": ["spawn"]}
    given = GivenServer(None, None, "TOKEN")
    assert flags(given, choice=of_turn(OF_WS)) == {
        "--server": ["ws://host:1"],
        "--server-token-env": ["TOKEN"],
        "--insecure": [],
    }


def test_the_record_says_where_the_token_is_and_where_the_socket_is(settings: Settings) -> None:
    def record(given: GivenServer) -> dict[str, Any]:
        server = choose(settings, StartOptions("hi", server=given), Config(), None)[1]
        assert server is not None
        return server.record

    unknown = {"pid": None, "generation": None}
    assert record(GivenServer("wss://host", "token")) == unknown | {
        "url": "wss://host:443",
        "token_file": str(Path("token").absolute()),
        "token_env": None,
        "is_insecure": False,
        "path": None,
    }
    socket = f"{settings.codex_home}/app-server-control/app-server-control.sock"
    assert record(GivenServer("unix://"))["path"] == socket
    assert record(GivenServer("unix:///a"))["path"] == "/a"
    assert record(GivenServer("shared"))["path"] is None


@pytest.mark.parametrize(
    ("given", "config", "error", "message", "hint"),
    [
        (GivenServer("http://a"), None, UsageError, "--server: http://a speaks HTTP", "ws://HOST:PORT"),
        (None, "unix:a", BadInputError, "server in .*config.json: 'unix:a' is no address", "or give --server"),
        (GivenServer("unix:///a", "t"), None, UsageError, "--server-token-file needs a server at ws", "asks for"),
        (GivenServer(None, None, "T"), None, UsageError, "--server-token-env needs .*, not spawn", "asks for"),
        (GivenServer("shared", None, None, True), None, UsageError, "--insecure needs", "asks for"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    settings: Settings,
    given: GivenServer | None,
    config: str | None,
    error: type[CodexServerError],
    message: str,
    hint: str,
) -> None:
    with pytest.raises(error, match=message) as caught:
        chosen(settings, given, config)
    assert hint in caught.value.hint


def test_a_directory_of_another_host_is_absolute_and_is_not_looked_up() -> None:
    assert remote_dir("/nowhere/at/../all/") == "/nowhere/all"
    for path, message in ((None, "needs --cwd"), ("", "needs --cwd"), ("here", "--cwd here is relative")):
        with pytest.raises(UsageError, match=message) as caught:
            remote_dir(path)
        assert "absolute path" in caught.value.hint


def test_who_is_known_by_its_kind(settings: Settings) -> None:
    facts = {}
    for url in ("shared", "unix:///a", "ws://127.0.0.1:1", "ssh://host"):
        server = choose(settings, StartOptions("hi", server=GivenServer(url)), Config(), None)[1]
        assert server is not None
        facts[server.address.kind] = (server.is_ours, server.is_elsewhere)
    assert facts == {
        ServerKind.SHARED: (True, False),
        ServerKind.UNIX: (False, False),
        ServerKind.WS: (False, True),
        ServerKind.SSH: (False, True),
    }


def test_a_worktree_is_one_of_this_machine(settings: Settings) -> None:
    options = StartOptions("hi", server=GivenServer("ssh://host"), has_worktree=True)
    with pytest.raises(UsageError, match="--worktree needs a server on this machine"):
        choose(settings, options, Config(), None)
