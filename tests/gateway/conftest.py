"""Fixtures of the gateway's tests: homes as the end-to-end tests have them, and a gateway in one."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.e2e.conftest import home, initialised, one_home
from tests.kit.home import Home
from tests.kit.serving import Serving

__all__ = ["home", "initialised", "one_home", "serve", "serve_each"]

Serve = Callable[..., Serving]


@pytest.fixture
def serve(one_home: Home) -> Serve:
    """Starts a gateway with one codex."""
    return lambda *flags, **more: Serving(one_home, *flags, **more)


@pytest.fixture
def serve_each(home: Home) -> Serve:
    """Starts a gateway with each codex in turn."""
    return lambda *flags, **more: Serving(home, *flags, **more)
