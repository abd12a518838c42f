"""One finished command: what it printed, and its exit code."""

from __future__ import annotations

import json
from dataclasses import dataclass

from tests.kit.support import Json


@dataclass(frozen=True, slots=True)
class Run:
    """One finished command."""

    code: int
    stdout: str
    stderr: str
    duration_s: float

    @property
    def json(self) -> Json:
        """The one JSON object that stdout is, on one line."""
        assert self.stdout.count("\n") == 1, f"not one line: {self.stdout!r} {self.stderr!r}"
        document: Json = json.loads(self.stdout)
        return document

    @property
    def json_lines(self) -> list[Json]:
        """The JSON objects that stdout is, one a line."""
        return [json.loads(line) for line in self.stdout.splitlines()]

    @property
    def told(self) -> str:
        """What a command that failed says to do: on stderr, or in the hint of its JSON."""
        error = self.json.get("error", {}) if self.stdout.startswith("{") else {}
        return f"{self.stderr}{error.get('hint', '')}"

    @property
    def error(self) -> Json:
        """The error object of a command that failed."""
        error: Json = self.json["error"]
        assert error["exit_code"] == self.code
        return error
