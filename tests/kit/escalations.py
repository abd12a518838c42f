"""A turn that sends a request, and the second shell that lists and answers it.

Never here: assertions about the product.
"""

from __future__ import annotations

import json

from codex_server_cli.demo.parts import ToolCall
from codex_server_cli.demo.replies import call, run_command
from tests.kit.home import Home, Turn
from tests.kit.support import Json, wait_until

ASK = ("--approval", "ask")
QUESTION = {
    "id": "q1",
    "header": "Colour",
    "question": "Which colour?",
    "options": [{"label": "Red", "description": "warm"}, {"label": "Blue", "description": "cold"}],
}


def escalated(home: Home, name: str = "mark", *, call_id: str | None = None) -> ToolCall:
    """A command that leaves a file outside of all that a sandbox allows."""
    command = f"echo hello > {home.root}/{name}"
    return run_command(command, escalated=True, justification="to leave a mark", call_id=call_id)


def question(*questions: Json) -> ToolCall:
    """Codex's tool that asks the user."""
    return call("request_user_input", {"questions": [*(questions or (QUESTION,))]})


def pending(home: Home, turn: Turn | None = None) -> list[Json]:
    """The output of `pending --full`."""
    found: list[Json] = json.loads(home.call("pending", *([turn.id] if turn else []), "--full").stdout)
    return found


def wait_for_request(home: Home, turn: Turn, id_: str = "0") -> Json:
    """The request of this id, once it waits; read from `pending.json`, so that no process is started meanwhile."""
    path = turn.path / "pending.json"

    def find() -> Json | None:
        entries = json.loads(path.read_bytes())["pending"] if path.exists() else []
        return next((entry for entry in entries if entry["id"] == id_), None)

    wait_until(find, what=f"request {id_}")
    return next(entry for entry in pending(home, turn) if entry["id"] == id_)


def wait_for_any_id(turn: Turn, *, but: str = "") -> str:
    """The id of the one request that waits beside this one: app-servers that others use count theirs for all."""
    path = turn.path / "pending.json"

    def find() -> list[str]:
        entries = json.loads(path.read_bytes())["pending"] if path.exists() else []
        return [entry["id"] for entry in entries if entry["id"] != but]

    (id_,) = wait_until(find, what="a request")
    return id_


def of_server(turn: Turn) -> list[Json]:
    """Codex's requests in this turn, and what we replied, in the order of the events."""
    return [e for e in turn.events if "id" in e and ("method" in e) is (e["dir"] == "in") and e["dir"] in ("in", "out")]


def replies_of(turn: Turn) -> list[Json]:
    """What we replied to Codex's requests."""
    return [event["result"] for event in of_server(turn) if event["dir"] == "out"]
