"""What Codex's own record of a turn adds to ours. Owns the merge; must never fetch the record or publish.

A stored turn is the wire's `Turn` with its items in full, as `thread/turns/list` and `session_file_turns` return
it. Seen with 0.163.0 and 0.171.0: the list needs neither a login nor a loaded thread; a turn whose codex was killed is
`interrupted` there, with only its complete items (an answer that was still streaming is missing), and so is a turn that
another process is running right now. Only `completed` proves an end.
"""

from __future__ import annotations

from typing import NamedTuple

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result.outcome import Cause, Outcome, decide
from codex_server_cli.errors import ErrorKind

NOTICE = "[recovered from Codex's own record]\n"
"""The line in `out.txt` above text that was not shown while the turn ran."""


def find_match(turns: list[Message], turn_id: str) -> Message | None:
    """The turn with this Codex id among those of its thread; None if it is missing."""
    return next((turn for turn in turns if turn.get("id") == turn_id), None)


class Published(NamedTuple):
    """What is published so far: the answer or a part of it, and the error's kind."""

    answer: str | None
    kind: str | None


class Recovery(NamedTuple):
    """What to publish.

    Attributes:
        answer: the answer, or a longer part of it.
        outcome: the turn's true end; None if the end is unchanged and only the answer is longer.
    """

    answer: str
    outcome: Outcome | None


def merge(record: TurnRecord, stored: Message, published: Published, request: TurnRequest) -> Recovery | None:
    """What Codex's record of the turn adds to what is published; None if it adds nothing.

    An end of kind `sandbox` is never replaced: that turn ran under a policy that was refused.

    Args:
        record: the replay of our own events, with Codex's id of the turn; the stored turn is applied to it.
        stored: the turn of that id in Codex's record.
    """
    record.adopt_stored_turns([stored])
    if record.status == "completed" and published.kind != ErrorKind.SANDBOX:
        outcome = decide(record, Cause.TURN_ENDED, request)
        kind = str(outcome.error.kind) if outcome.error is not None else None
        is_new = (outcome.answer, kind) != (published.answer or "", published.kind)
        return Recovery(outcome.answer or "", outcome) if is_new else None
    answer = record.answer if record.answer is not None else record.partial_answer
    if not answer or (published.answer or "").startswith(answer):
        return None
    return Recovery(answer, None)


def text_to_append(shown: str, published_answer: str | None, answer: str) -> str:
    """What `out.txt` lacks of a recovered answer: a notice, and the text not shown yet.

    Args:
        shown: the content of `out.txt`; if it ends in a part of this addition, left by a recovery that was killed,
            only the rest is returned.
        published_answer: the part of the answer that had arrived.
    """
    before, notice, after = shown.rpartition(NOTICE)
    if notice:
        addition = _addition(before, published_answer, answer)
        if addition.startswith(NOTICE + after):
            return addition.removeprefix(NOTICE + after)
    lead = "\n" if shown and not shown.endswith("\n") else ""
    return lead + _addition(shown, published_answer, answer)


def _addition(shown: str, published_answer: str | None, answer: str) -> str:
    known = published_answer or ""
    is_shown = bool(known) and answer.startswith(known) and known in shown
    rest = answer[len(known) :] if is_shown else answer
    return NOTICE + (rest if not rest or rest.endswith("\n") else f"{rest}\n")
