"""The built-in scripts: that of `codex-server demo`, and a word source for benchmarks.

Owns: their text and pace. Pure. Never here: the builders (`replies`) or the server.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import cycle, islice

from codex_server_cli.demo.replies import Answer, pause, reply, run_command, say
from codex_server_cli.demo.request import Request

DEMO_COMMAND = "echo hello from $(uname -s)"
DEMO_ANSWER = (
    "**Hello!** ",
    "A scripted model says this, offline; ",
    "codex and its sandbox are ",
    "real.",
)
_STEP_S = 0.25
_WORDS = ("alpha ", "beta ", "gamma ", "delta ")


def demo_script() -> Callable[[Request], Answer]:
    """Every turn runs one harmless command and then streams a short answer, slowly enough to watch."""

    def script(request: Request) -> Answer:
        if not request.is_follow_up:
            return reply(pause(_STEP_S), run_command(DEMO_COMMAND))
        pieces = [piece for words in DEMO_ANSWER for piece in (words, pause(_STEP_S))]
        return reply(say(*pieces))

    return script


def words_script() -> Callable[[Request], Answer]:
    """A prompt that is a number gets that many one-word deltas; any other is repeated word by word."""

    def script(request: Request) -> Answer:
        prompt = request.prompt.strip()
        if prompt.isdecimal():
            return reply(say(*islice(cycle(_WORDS), int(prompt))))
        return reply(say(*(f"{word} " for word in prompt.split())))

    return script
