"""The scripted model's replies to the benchmarks; run by `python -m codex_server_cli.demo --script`.

The prompt is a command: `N` → so many one-word pieces; `ticks N` → numbered pieces, one every 50 ms;
`hold N PATH` → `N` pieces, then nothing until the file exists; anything else comes back word by word.
"""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

from codex_server_cli.demo.gates import FileGate
from codex_server_cli.demo.replies import Answer, hold, pause, reply, say
from codex_server_cli.demo.request import Request
from codex_server_cli.demo.script import words_script

TICK_S = 0.05
_WORDS = ("alpha ", "beta ", "gamma ", "delta ")
_words = words_script()


def script(request: Request) -> Answer:
    """The answer to one model request."""
    match request.prompt.split(maxsplit=2):
        case ["ticks", n]:
            return reply(say(*(piece for i in range(int(n)) for piece in (f"tick-{i} ", pause(TICK_S)))))
        case ["hold", n, path]:
            return reply(say(*islice(cycle(_WORDS), int(n)), hold(FileGate(Path(path))), "end"))
        case _:
            return _words(request)
