"""How much is measured: enough for reliable numbers, or just enough for a smoke test (`--quick`)."""

from __future__ import annotations

from typing import NamedTuple


class Scale(NamedTuple):
    """See `FULL` and `QUICK`.

    Attributes:
        samples: of commands that take a fraction of a second.
        deltas, streams: how long a stream is, and how often it is measured.
        ticks: of the slow stream that measures `tail --follow`.
        idle_s: how long idle processes are measured.
        at_once, rounds: how many turns run concurrently, and how often.
        watched: how many turns are followed concurrently.
        files: how many turns, and how many sessions, are on disk.
        days: of 500 turns each, that `usage` reads.
        streams_at_once, streams_in_turn: how many chat completions the gateway answers.
    """

    samples: int
    deltas: int
    streams: int
    ticks: int
    idle_s: float
    at_once: int
    rounds: int
    watched: int
    files: int
    days: int
    streams_at_once: int
    streams_in_turn: int


FULL = Scale(
    samples=20,
    deltas=100_000,
    streams=3,
    ticks=400,
    idle_s=60,
    at_once=32,
    rounds=3,
    watched=50,
    files=10_000,
    days=30,
    streams_at_once=50,
    streams_in_turn=500,
)
QUICK = Scale(
    samples=5,
    deltas=20_000,
    streams=1,
    ticks=40,
    idle_s=10,
    at_once=8,
    rounds=1,
    watched=10,
    files=2_000,
    days=4,
    streams_at_once=10,
    streams_in_turn=50,
)
