"""A home whose turns reach their app-server in one way, and all that stands behind that way.

Owns: the ways, the tier of a test in each of them, and what is behind each. Never here: assertions about the product.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import psutil

from codex_server_cli.demo.codex_home import write_custom_provider
from tests.kit.home import Home
from tests.kit.processes import has
from tests.kit.support import SPARED_FEATURES, wait_until

NOWHERE = "http://127.0.0.1:9/v1"
_SERVER = ("app-server", "--listen")
"""The words of an app-server that outlives its turns."""
_STARTING = ("new", "review")
"""The verbs that take a server from the configuration; `continue` takes that of the turn before it."""


class Place(Home):
    """A home whose turns reach their app-server in one way.

    Attributes:
        way: how.
        settings: what its `config.json` has for that.
        flags: what the starting verbs are given for it.
    """

    def __init__(self, root: Path, codex: Path, initialised_codex_home: Path, way: Way) -> None:
        self.way = way
        self.settings: dict[str, object] = {}
        self.flags: tuple[str, ...] = ()
        super().__init__(root, codex, initialised_codex_home)
        # A server that lives longer than a model was started before it: with the switches that all have in common.
        write_custom_provider(self.codex_home, NOWHERE, features=SPARED_FEATURES)
        way.open(self)
        self.configure()

    @property
    def is_here(self) -> bool:
        """Whether the app-server runs on this machine for certain: then a turn has its caller's variables."""
        return self.way in (Way.SPAWN,)

    def configure(self, **values: object) -> None:
        """Write `config.json`: the pinned binary, the server, and `values`."""
        super().configure(**{**self.settings, **values})

    def spawn(self, *args: str, **options: Any) -> Any:
        """Start `codex-server ARGS`, with the flags of the way where a turn is started."""
        words = (args[0], *self.flags, *args[1:]) if args and args[0] in _STARTING else args
        return super().spawn(*words, **options)

    def left_running(self) -> list[psutil.Process]:
        """What turns left running: without the servers that outlive them."""
        return [each for each in super().left_running() if not has(each, _SERVER)]

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
        return left + super().close(has_failed=has_failed)


class Way(Enum):
    """How a turn reaches its app-server; each test of the suite runs in each of them."""

    SPAWN = "spawn"

    def open(self, place: Place) -> None:
        """Have all that stands behind it, until the place is closed."""


class Tier(Enum):
    """When a test runs over which ways; with the second codex everything but `EVERY_DAY` is left to the judges."""

    EVERY_DAY = 1  # over each, whoever runs the tests
    SHORT_LIST = 2  # over each, in a full run
    WHOLE = 3  # in a full run over our own two, over the others for the judges


_WHOLE_IN_FULL_RUNS = (Way.SPAWN,)
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
