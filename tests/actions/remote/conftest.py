"""Remote control with each real codex, a stand-in of ChatGPT's service, and one app-server in place of the shared."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from codex_server_cli import __version__
from codex_server_cli.actions.remote.reach import Server
from codex_server_cli.codex.client import CodexClient
from codex_server_cli.core.protocol.query import initialize
from codex_server_cli.demo.codex_home import write_chatgpt_login
from codex_server_cli.settings.places import Settings
from tests.kit.remote_backend import RemoteBackend
from tests.kit.support import DEADLINE_S, codex_env, spared_features


class OneServer:
    """A `Reach` whose server is started where that is asked for, and then lives until the test ends it.

    Attributes:
        starts: how often it was started.
    """

    def __init__(self, codex: Path, codex_home: Path) -> None:
        self._codex, self._codex_home = codex, codex_home
        self._client: CodexClient | None = None
        self.starts = 0

    @contextmanager
    def __call__(self, settings: Settings, *, starts: bool) -> Iterator[Server | None]:
        """The server, or None."""
        if self._client is None and starts:
            self.starts += 1
            self._client = CodexClient.spawn(self._codex, Path("/"), codex_home=str(self._codex_home))
            self._client.run(initialize(__version__), DEADLINE_S)
        yield self._client

    def living(self, settings: Settings) -> list[Server]:
        """It, where it runs."""
        return [] if self._client is None else [self._client]

    def die(self) -> None:
        """End it under the hands of a client."""
        assert self._client is not None
        self._client.end()

    def end(self) -> None:
        """End it, as an idle one is ended."""
        if self._client is not None:
            self._client.__exit__(None, None, None)
            self._client = None


@pytest.fixture
def backend() -> Iterator[RemoteBackend]:
    with RemoteBackend() as backend:
        yield backend


@pytest.fixture
def settings(tmp_path: Path, codex_home: Path) -> Settings:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return Settings(home, codex_home, tmp_path, os.environ["PATH"], None)


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Path]:
    """A CODEX_HOME with the databases of a codex, made once for each: that takes it longer than all else here."""
    made: dict[Path, Path] = {}

    def make(codex: Path) -> Path:
        if codex not in made:
            made[codex] = tmp_path_factory.mktemp("databases")
            with CodexClient.spawn(codex, Path("/"), codex_home=str(made[codex])) as client:
                client.run(initialize(__version__), DEADLINE_S)
        return made[codex]

    return make


@pytest.fixture
def reach(
    codex: Path,
    codex_home: Path,
    backend: RemoteBackend,
    databases: Callable[[Path], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[OneServer]:
    """A server with a ChatGPT login, whose service is the stand-in."""
    shutil.copytree(databases(codex), codex_home, dirs_exist_ok=True)
    write_chatgpt_login(codex_home, backend.origin, features=spared_features(codex))
    for name, value in codex_env(codex_home).items():
        monkeypatch.setenv(name, value)
    server = OneServer(codex, codex_home)
    yield server
    server.end()
