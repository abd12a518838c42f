"""Spawning a worker before the command line is parsed. Kept apart from `start`, whose imports take longer."""

from __future__ import annotations

from codex_server_cli.worker.launch import Launch


def prepare() -> Launch:
    """Spawn a worker that waits for its turn; hand it to `start.new` or `start.go_on`, or drop it."""
    launch = Launch()
    launch.spawn()
    return launch


Worker = Launch
"""A worker for a turn, for a front end, which must not know how it is spawned."""


def prepare_later() -> Launch:
    """A worker that is spawned only when it gets its turn: for a long-lived program, in which a turn may be refused."""
    return Launch()
