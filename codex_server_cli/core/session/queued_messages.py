"""Texts about messages or goals of a thread that Codex would run before our turn. Owns only these texts."""

from __future__ import annotations

from codex_server_cli.core.protocol.rpc import Message, at, object_at, objects_in

LIST, GOAL = "thread/queue/list", "thread/goal/get"
OCCUPIED = "Ask on a copy of the thread: {{fork}}; or first let Codex do what waits in it: `codex resume {thread_id}`"
"""The hint for it: the thread's id is filled in first, then `hints` fills in the command."""

NOT_PUT_BACK = "what was queued for this thread could not be put back"

RUN_BY_CODEX = "Codex answered in this thread, right behind the turn, what was queued meanwhile"

_MOST_SHOWN = 80


def what_waits(queue: Message, goal: Message) -> str | None:
    """What would run before our turn, as text; None for nothing.

    Args:
        queue, goal: the results of `LIST` and `GOAL`; empty if Codex does not know them, or the thread.
    """
    entries = objects_in(queue.get("data"))
    if entries:
        more = f" (and {len(entries) - 1} more)" if len(entries) > 1 else ""
        return f"a message waits in its queue, which Codex would run first: {shown(entries[0])}{more}"
    if at(goal, "goal.status", str) == "active":
        objective = object_at(goal, "goal").get("objective")
        return f"it has an active goal, on which Codex would go on by itself: {_cut(str(objective))}"
    return None


def shown(entry: Message) -> str:
    """The text of a queued message, in quotes, on one line."""
    texts = [str(part["text"]) for part in objects_in(entry.get("input")) if "text" in part]
    return _cut(" ".join(texts)) if texts else "something that is no text"


def put_back_words(count: int) -> str:
    """The text that so many messages, taken out of a thread's queue while a turn ran, were restored."""
    what, stand = ("1 message", "stands") if count == 1 else (f"{count} messages", "stand")
    return f"{what} for this thread, queued meanwhile, {stand} in Codex's queue again"


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return f'"{line if len(line) <= _MOST_SHOWN else line[: _MOST_SHOWN - 1] + "…"}"'
