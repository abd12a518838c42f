"""A monitor as a test runs it: `tail --all --follow --full` in a separate process. Never here: assertions."""

from __future__ import annotations

import json
from typing import IO

from tests.kit.home import Home
from tests.kit.support import DEADLINE_S, Json

FOLLOW = ("tail", "--all", "--follow", "--full")


class Monitor:
    """A running `tail --all --follow --full`, read line by line."""

    def __init__(self, home: Home, *options: str) -> None:
        self.process = home.spawn(*FOLLOW, *options)
        self.lines: list[Json] = []

    def read_until(self, turn_id: str, event: str = "end") -> Json:
        """The first line from now on that has this event of a turn."""
        for text in self._stdout:
            self.lines.append(json.loads(text))
            if (self.lines[-1]["turn_id"], self.lines[-1]["event"]) == (turn_id, event):
                return self.lines[-1]
        raise AssertionError(f"the stream ended before {event} of {turn_id}")

    def read(self, count: int) -> None:
        """So many further lines."""
        for _ in range(count):
            self.lines.append(json.loads(self._stdout.readline()))

    def end(self, signum: int) -> tuple[int, str]:
        """End it, and keep its output in whole lines; its exit code and stderr."""
        self.process.send_signal(signum)
        self.lines += [json.loads(line) for line in self._stdout.read().split("\n")[:-1]]
        return self.close()

    def close(self) -> tuple[int, str]:
        """Wait until it has ended; its exit code and stderr."""
        assert self.process.stdin is not None
        assert self.process.stderr is not None
        self.process.stdin.close()
        stderr = self.process.stderr.read()
        self.process.stderr.close()
        self._stdout.close()
        return self.process.wait(DEADLINE_S), stderr

    @property
    def _stdout(self) -> IO[str]:
        assert self.process.stdout is not None
        return self.process.stdout


def phases_of(lines: list[Json], turn_id: str) -> list[str]:
    """The phases of a turn, and its end state, from these lines."""
    return [line["phase"] or line["state"] for line in lines if line["turn_id"] == turn_id]
