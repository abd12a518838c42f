"""A home whose turns reach their app-server in one way, and all that stands behind that way.

Owns: the ways, the tier of a test in each of them, and what is behind each. Never here: assertions about the product.
"""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import psutil

from codex_server_cli.demo.codex_home import write_custom_provider
from tests.kit.app_servers import ListeningServer, jwt, jwt_flags, token_flags
from tests.kit.home import Home
from tests.kit.processes import has, is_of_codex_itself, is_over, with_variable
from tests.kit.sshd import running_sshd
from tests.kit.support import wait_until

NOWHERE = "http://127.0.0.1:9/v1"
_TOKEN = "a-token-of-the-tests-that-is-long-enough"
_TOKEN_VARIABLE = "TOKEN_OF_THE_APP_SERVER"
_TAG = "CODEX_SERVER_TURN_ID"
_SERVER = ("app-server", "--listen")
"""The words of an app-server that outlives its turns."""
_KEEPER = ("codex.server.keeper",)
_OURS = ("codex_server_cli",)
_STARTING = ("new", "review")
"""The verbs that take a server from the configuration; `continue` takes that of the turn before it."""


class TransportHome(Home):
    """A home whose turns reach their app-server in one way.

    Attributes:
        way: how.
        settings: what its `config.json` has for that.
        flags: what the starting verbs are given for it.
        where: what names the directory, where a server may be another machine's.
        socket_path: where the server listens that is somebody else's.
    """

    def __init__(self, root: Path, codex: Path, initialised_codex_home: Path, way: Way) -> None:
        self.way = way
        self.settings: dict[str, object] = {}
        self.flags: tuple[str, ...] = ()
        self.where: tuple[str, ...] = ()
        self.socket_path = root / "own.sock"
        super().__init__(root, codex, initialised_codex_home)
        # A server that lives longer than a model was started before it: with the switches that all have in common.
        write_custom_provider(self.codex_home, NOWHERE, features=self.spared)
        way.open(self)
        self.configure()

    @property
    def is_here(self) -> bool:
        """Whether the app-server runs on this machine for certain: then a turn has its caller's variables."""
        return self.way in (Way.SPAWN, Way.SHARED, Way.UNIX)

    def configure(self, **values: object) -> None:
        """Write `config.json`: the pinned binary, the server, and `values`."""
        super().configure(**{**self.settings, **values})

    def spawn(self, *args: str, **options: Any) -> Any:
        """Start `codex-server ARGS`, with the flags of the way where a turn is started."""
        flags = self.flags if args[:1] and args[0] in _STARTING else self.where if "--last" in args else ()
        return super().spawn(*args[:1], *flags, *args[1:], **options)

    def left_running(self) -> list[psutil.Process]:
        """What turns left running, also on a server that has no variable of ours; without the servers themselves, and
        without what a server started for itself: only what bears a turn's id must have ended with the turn."""
        found = super().left_running()
        marked = {each for turn_id in self.turn_ids for each in with_variable(_TAG, turn_id)}
        turns = marked | {each for each in found if not is_of_codex_itself(each)}
        return [each for each in turns if not (has(each, _SERVER) or has(each, _OURS) or is_over(each))]

    def keepers(self) -> list[psutil.Process]:
        """Our processes above shared servers, one for each that runs."""
        return self.processes(*_KEEPER)

    def close(self, *, has_failed: bool = False) -> list[str]:
        """End what stands behind the way, too.

        Returns:
            The command lines of what stayed; also of what the end of a server would have taken along.
        """
        left: list[str] = []
        if not has_failed:
            try:
                wait_until(lambda: not self.left_running(), what="the end of what turns had started")
            except AssertionError:
                left = [" ".join(each.cmdline()) for each in self.left_running()]
        for keeper in self.keepers():
            with contextlib.suppress(psutil.NoSuchProcess):  # gone meanwhile: its server was told to end
                keeper.send_signal(signal.SIGINT)  # `server stop --now` does the same, at the price of a command
        return left + super().close(has_failed=has_failed)


class Way(Enum):
    """How a turn reaches its app-server; each test of the suite runs in each of them."""

    SPAWN = "spawn"
    SHARED = "shared"
    UNIX = "unix"
    WS_TOKEN = "ws-token"
    WS_JWT = "ws-jwt"
    SSH = "ssh"

    def open(self, place: TransportHome) -> None:
        """Have all that stands behind it, until the place is closed."""
        match self:
            case Way.SPAWN:
                pass
            case Way.SHARED:
                place.settings = {"server": "shared"}
            case Way.UNIX:
                _listen(place, f"unix://{place.socket_path}")
            case Way.WS_TOKEN:
                token = place.root / "token"
                token.write_text(_TOKEN)
                token.chmod(0o600)
                _listen(place, "ws://127.0.0.1:0", *token_flags(place.root, _TOKEN))
                place.flags = ("--server-token-file", str(token))
            case Way.WS_JWT:
                _listen(place, "ws://127.0.0.1:0", *jwt_flags(place.root))
                place.env[_TOKEN_VARIABLE] = jwt()
                place.flags = ("--server-token-env", _TOKEN_VARIABLE)
            case Way.SSH:
                codex_dir = str(place.codex.parent)
                sshd = place.opened.enter_context(running_sshd(place.root / "sshd", place.codex_home, codex_dir))
                place.env["PATH"] = f"{sshd.bin}:{place.env['PATH']}"
                place.settings = {"server": sshd.address}
        if not place.is_here:
            place.where = ("--cwd", str(place.project))
            place.flags += place.where


def _listen(place: TransportHome, listen: str, *flags: str) -> None:
    server = place.opened.enter_context(ListeningServer(place.codex, place.codex_home, listen, *flags))
    place.settings = {"server": server.url}


class Tier(Enum):
    """When a test runs over which ways; with the second codex everything but `EVERY_DAY` is left to the judges."""

    EVERY_DAY = 1  # over each way, in every run
    SHORT_LIST = 2  # over each, in a full run
    WHOLE = 3  # in a full run over our own two, over the others for the judges


_WHOLE_IN_FULL_RUNS = (Way.SPAWN, Way.SHARED)
T = TypeVar("T", bound=Callable[..., object])


def every_day(test: T) -> T:
    """Mark the test that is run over each way every day."""
    test.__dict__["tier"] = Tier.EVERY_DAY
    return test


def short_list(test: T) -> T:
    """Mark a test that is run over each way in full runs."""
    test.__dict__["tier"] = Tier.SHORT_LIST
    return test


def marker_of(test: object, way: Way, *, is_first_codex: bool) -> str | None:
    """The marker of a test over a way with a codex; None where it runs every day."""
    tier = getattr(test, "tier", Tier.WHOLE)
    if tier is Tier.EVERY_DAY:
        return None if is_first_codex else "full"
    is_full = is_first_codex and (tier is Tier.SHORT_LIST or way in _WHOLE_IN_FULL_RUNS)
    return "full" if is_full else "judge"
