"""A compaction: its reply names no turn, so the first one that starts on the thread is ours.

The shapes are those of 0.163.0 and 0.171.0.
"""

from __future__ import annotations

from codex_server_cli.core.model.request import COMPACT, TurnRequest
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.result import commands
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import COMPLETED, INTERRUPTED, THREAD, TURN, Dialogue, item_notification, turn_notification

STARTED = turn_notification("turn/started", id=TURN, rootTurnId=TURN, status="inProgress")
ITEM = [item_notification(f"item/{end}", "contextCompaction", "c") for end in ("started", "completed")]


def opened() -> Dialogue:
    """A compaction whose thread is open."""
    talk = Dialogue("/compact", is_compaction=True, thread_id=THREAD).opened(method="thread/resume")
    assert talk.requests(COMPACT) == [{"threadId": THREAD}]
    assert talk.requests("turn/start") == []
    return talk


@for_each("has_reply", [True, False])
def test_a_compaction_is_the_turn_that_starts_behind_it_and_is_complete_without_an_answer(has_reply: bool) -> None:
    talk = opened()
    if has_reply:
        talk.reply(COMPACT, {})
    talk.receive(STARTED, ITEM[0])
    assert talk.session.record.turn_id == TURN
    assert talk.session.phase is Phase.THINKING
    talk.receive(ITEM[1], COMPLETED)
    assert (talk.outcome.state, talk.outcome.answer, talk.text) == (State.COMPLETE, "", "· context compacted\n")


def test_it_is_interrupted_by_its_id_and_its_hint_leads_back_to_the_chat() -> None:
    talk = opened().reply(COMPACT, {}).receive(STARTED, ITEM[0]).stop()
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]
    talk.receive(INTERRUPTED)
    assert talk.kind is ErrorKind.CANCELLED
    assert talk.outcome.error is not None
    assert f"codex-server chat --thread {THREAD}" in str(talk.outcome.error.hint)


def test_it_is_asked_for_again_in_the_chat_of_its_thread() -> None:
    request = TurnRequest("id", "/p", thread_id=THREAD, is_compaction=True)
    assert commands.anew(request) == commands.again(request) == f"codex-server chat --thread {THREAD} --cwd /p"
