"""How a fault is injected into the real program, and what must be true after it. Shared by the `test_fault_…` files.

Faults enter at the process boundary alone: a fake codex executable, a signal, a mount, a file, or a
`sitecustomize` that changes the interpreter which the installed command runs in. Workers are isolated from it, so it
changes the command lines that start them. Never here: one fault.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from codex_server_cli.demo.codex_home import write_custom_provider
from tests.fakes import codex, faulty
from tests.kit.home import Home, Turn
from tests.kit.shell import Shell
from tests.kit.support import DEADLINE_S, Json, wait_until

FIRST_HALF, WHOLE = faulty.FIRST_HALF, faulty.WHOLE
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]
MANY = 200
"""So many deltas make a log long enough to be compacted."""
NOWHERE = "http://127.0.0.1:9/v1"
KILLED_AFTER_S = 2 * DEADLINE_S
_HAND_ON = """
import os

def _changed(path, words, *rest, _start, **options):
    if "-I" in words and "-c" in words:
        at = words.index("-c") + 1
        begin, places, code = words[at].split("; ", 2)  # where it imports from is set first
        words[at] = f"{begin}; {places}; exec(open({__file__!r}).read(), {{'__file__': {__file__!r}}}); {code}"
    return _start(path, words, *rest, **options)

from functools import partial
for _name in ("posix_spawn", "execv"):
    setattr(os, _name, partial(_changed, _start=getattr(os, _name)))
"""
"""Makes every Python that such a Python execs or starts run this file first."""


def pin_fake_codex(home: Home, app_server: str) -> None:
    """Pin one of `tests.fakes`, and a provider that needs no login."""
    home.configure(codex=str(codex.write(home.root / "fake" / "codex", app_server)))
    write_custom_provider(home.codex_home, NOWHERE)


def change_workers(home: Home, code: str) -> None:
    """Run `code` first in every worker from now on, whatever was set before."""
    _change(home, "", code)


def change_python(home: Home | Shell, code: str) -> None:
    """Run `code` first in every command and worker from now on."""
    _change(home, code, code)


def _change(home: Home | Shell, of_commands: str, of_workers: str) -> None:
    folder = home.root / "changed"
    folder.mkdir(exist_ok=True)
    in_workers = folder / "in_workers.py"
    in_workers.write_text(f"{_HAND_ON}\n{of_workers}\n")
    (folder / "sitecustomize.py").write_text(f"__file__ = {str(in_workers)!r}\n{_HAND_ON}\n{of_commands}\n")
    home.env["PYTHONPATH"] = str(folder)


def cancel_and_wait(home: Home | Shell, more: str = "") -> None:
    """Let a cancel wait for `KILLED_AFTER_S` before it kills a worker: one that ends sooner has ended by itself."""
    code = f"from codex_server_cli.actions.control import control\ncontrol.CANCEL_TIMEOUT_S = {KILLED_AFTER_S}\n"
    change_python(home, code + more)


def shorten(home: Home, **limits_ms: float) -> None:
    """Let workers wait less: `REQUEST=300` for `timers.LIMIT_MS[Timer.REQUEST]`."""
    changes = "".join(f"LIMIT_MS[Timer.{name}] = {limit}\n" for name, limit in limits_ms.items())
    model = "codex_server_cli.core.model"
    begin = f"from {model} import timers\nfrom {model}.timers import LIMIT_MS, Timer\n"
    change_workers(home, f"{begin}timers.STALL_CHECK_MS = 50\n{changes}")


def shorten_requests(home: Home, limit_ms: float, methods: str) -> None:
    """Let workers wait so long for the replies to these methods alone: all others may take their time.

    Args:
        methods: an expression in the terms of `core.session.requests`.
    """
    change_workers(
        home,
        "from codex_server_cli.core.session import requests\n"
        "from codex_server_cli.core.session.requests import LIMIT_MS, Requests, Timer\n"
        "_due_ms = Requests._due_ms\n"
        f"saved_ms = LIMIT_MS[Timer.REQUEST] - {limit_ms}\n"
        f"is_short = lambda asked: asked.method in ({methods})\n"
        "Requests._due_ms = lambda self, asked: _due_ms(self, asked) - (saved_ms if is_short(asked) else 0)",
    )


def start_silent(home: Home) -> Turn:
    """Start a turn of a fake that sends the first half, has used tokens, and then sends nothing more."""
    pin_fake_codex(home, "silent mid-turn")
    turn = home.start("new", "hi")
    wait_until(lambda: FIRST_HALF in turn.out, what="the first half")
    return turn


def methods(turn: Turn) -> list[str]:
    """The methods of all messages, both ways."""
    return [event["method"] for event in turn.events if "method" in event]


def signal_worker(turn: Turn, signum: int) -> None:
    """Send the worker a signal."""
    os.kill(turn.worker().pid, signum)


def assert_ended(
    home: Home,
    turn: Turn,
    state: str,
    kind: str | None,
    answer: str | None,
    *,
    tokens: int | None = None,
    is_compacted: bool = False,
) -> Json:
    """Assert how a turn ended, that everything of it is kept and agrees, and that none of its processes stays.

    Args:
        state, kind: what `wait` prints.
        answer: the answer, or the part of it that was received.
        tokens: the turn's total usage; None where Codex sent none.
        is_compacted: the deltas have been dropped from its events; else they have every number.

    Returns:
        The output of `wait --print json`.
    """
    ended = turn.wait()
    error = ended["error"] or {}
    assert (ended["state"], error.get("kind"), ended["answer"]) == (state, kind, answer), ended
    assert home.left_running() == []
    _assert_numbers(turn, is_compacted=is_compacted)
    _assert_files_agree(turn, ended, (ended["usage"] or {}).get("total_tokens"), tokens)
    if kind is not None:
        assert error["message"]
        assert error["hint"]
        assert "Traceback" not in error["message"] + error["hint"]
    return ended


def _assert_numbers(turn: Turn, *, is_compacted: bool) -> None:
    seqs = [event["seq"] for event in turn.events]
    if is_compacted:
        assert seqs == sorted({*seqs})
        assert len(seqs) < seqs[-1] - MANY / 2
        assert "item/agentMessage/delta" not in methods(turn)
    else:
        assert seqs == list(range(len(seqs)))


def _assert_files_agree(turn: Turn, ended: Json, used: Any, tokens: int | None) -> None:
    result, answer = turn.result, ended["answer"]
    assert (result["state"], result["answer"], result["usage"]) == (ended["state"], answer, ended["usage"])
    assert used == tokens
    assert [name for name in ("done", "error") if (turn.path / name).exists()] == [
        "done" if ended["state"] == "complete" else "error"
    ]
    if answer:
        assert (turn.path / "answer.txt").read_text(encoding="utf-8") == answer
        assert answer in turn.out
    assert (turn.path / "prompt.txt").read_text() == "hi"
    hidden = [path.name for path in turn.path.iterdir() if path.name.startswith(".")]
    assert hidden == []
