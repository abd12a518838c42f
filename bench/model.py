"""The scripted model's replies to the benchmarks; run by `python -m codex_server_cli.demo --script`.

The prompt is a command: `N` → that many one-word pieces; `ticks N` → numbered pieces, one every 50 ms;
`hold N PATH` → `N` pieces, then nothing until the file exists; `typical` → a typical agent's turn, see `TYPICAL`;
anything else is repeated word by word.
"""

from __future__ import annotations

from itertools import cycle, islice
from pathlib import Path

from codex_server_cli.demo.gates import FileGate
from codex_server_cli.demo.replies import Answer, apply_patch, hold, pause, reply, run_command, say
from codex_server_cli.demo.request import Request
from codex_server_cli.demo.script import words_script

TICK_S = 0.05
TYPICAL = "typical"
"""Ten commands and a patch, each after a remark of 20 pieces, and an answer: 640 pieces in all."""

_COMMANDS, _REMARK_PIECES, _PIECES = 10, 20, 640
_COMMAND = "seq -f 'src/module_%g.py: def function(argument): ...' 1 20"
_PATCH = "\n".join(["*** Begin Patch", "*** Add File: NOTES.md", *(f"+line {n}" for n in range(20)), "*** End Patch"])
_WORDS = ("alpha ", "beta ", "gamma ", "delta ")
_words = words_script()


def script(request: Request) -> Answer:
    """The answer to one model request."""
    match request.prompt.split(maxsplit=2):
        case ["ticks", n]:
            return reply(say(*(piece for i in range(int(n)) for piece in (f"tick-{i} ", pause(TICK_S)))))
        case ["hold", n, path]:
            return reply(say(*islice(cycle(_WORDS), int(n)), hold(FileGate(Path(path))), "end"))
        case [command] if command == TYPICAL:
            return _typical(len(request.tool_outputs))
        case _:
            return _words(request)


def _typical(step: int) -> Answer:
    remark = say(*islice(cycle(_WORDS), _REMARK_PIECES), phase="commentary")
    if step < _COMMANDS:
        return reply(remark, run_command(_COMMAND))
    if step == _COMMANDS:
        return reply(remark, apply_patch(_PATCH))
    return reply(say(*islice(cycle(_WORDS), _PIECES - step * _REMARK_PIECES)))
