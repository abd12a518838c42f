"""The examples in `deploy/`: what of them can be run is run, the rest is read by the tools that know its form."""

from __future__ import annotations

from tests.e2e.conftest import initialised, one_home

__all__ = ["initialised", "one_home"]
