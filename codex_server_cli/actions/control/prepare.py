"""Spawning a worker before the command line is parsed. Kept apart from `start`, whose imports take longer."""

from __future__ import annotations

from codex_server_cli.worker.launch import Launch


def prepare() -> Launch:
    """Spawn a worker that waits for its turn; hand it to `start.new` or `start.go_on`, or drop it."""
    launch = Launch()
    launch.spawn()
    return launch
