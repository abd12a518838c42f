"""What a thread's queue holds, and what is queued while our turn runs: nothing is resumed over it, nothing is lost."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.record.effective_settings import effective_terms
from codex_server_cli.core.session.queued_messages import what_waits
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    COMPLETED,
    INTERRUPTED,
    STARTED,
    THREAD,
    Dialogue,
    Json,
    item_notification,
    notification,
    said,
    turn_notification,
)

CHANGED = {"method": "thread/queue/changed", "params": {"threadId": THREAD}}
NOT_OURS = turn_notification("turn/started", status="inProgress") | {
    "params": {"threadId": THREAD, "turn": {"id": "turn-9", "status": "inProgress"}}
}
CONFINED = {"threadId": THREAD, "sandboxPolicy": {"type": "readOnly", "networkAccess": False}}


def entry(number: int = 1, **more: Any) -> Json:
    """A queued message."""
    text = [{"type": "text", "text": f"message {number}", "text_elements": []}]
    return {"id": f"q{number}", "clientUserMessageId": f"c{number}", "input": text, **more}


def with_queue(*entries: Json, **request: Any) -> Dialogue:
    """A running turn, after Codex has reported its thread's queue."""
    talk = Dialogue(**request).started().receive(CHANGED)
    return talk.reply("thread/queue/list", {"data": list(entries)})


def is_awaiting_report(talk: Dialogue) -> bool:
    """Whether the app-server must stay alive until it has reported what it began with."""
    return (talk.session.queue.awaited_until_ms or 0.0) > talk.now_ms


# --- before the thread is opened


@for_each(
    ("queue", "goal", "expected"),
    [
        ({"data": [entry()]}, {"goal": None}, '"message 1"'),
        ({"data": [entry(1), entry(2), entry(3)]}, {}, '"message 1" (and 2 more)'),
        ({"data": [{"input": [{"type": "localImage", "path": "/a.png"}]}]}, {}, "something that is no text"),
        ({"data": [{"input": [{"type": "text", "text": "a\nb " * 100}]}]}, {}, '"a b a b'),
        (
            {},
            {"goal": {"status": "active", "objective": "count"}},
            'active goal, on which Codex would go on by itself: "count"',
        ),
    ],
)
def test_a_thread_in_which_something_waits_is_not_even_opened(queue: Json, goal: Json, expected: str) -> None:
    talk = Dialogue(thread_id="t", prompt_path="/p/prompt.txt").reply("initialize").checked()
    talk.reply("thread/goal/get", goal).reply("thread/queue/list", queue)
    error = talk.outcome.error
    assert error is not None
    assert (talk.outcome.state, error.kind, error.retryable) == (State.FAILED, ErrorKind.THREAD_BUSY, True)
    assert "thread t was not resumed" in error.message
    assert expected in error.message
    assert "`codex-server continue --thread t --fork --cwd /project --file /p/prompt.txt`" in error.hint
    assert "`codex resume t`" in error.hint
    assert talk.requests("thread/resume") == []


def test_one_that_may_be_forked_is_forked_then() -> None:
    talk = Dialogue(thread_id="t", may_fork_if_busy=True).reply("initialize").checked()
    talk.reply("thread/queue/list", {"data": [entry()]}).reply("thread/goal/get")
    assert talk.requests("thread/resume") == []
    assert [params["threadId"] for params in talk.requests("thread/fork")] == ["t"]
    talk.reply("thread/fork", {"thread": {"id": THREAD}})
    assert [params["threadId"] for params in talk.requests("turn/start")] == [THREAD]


@for_each("goal", [{"goal": {"status": "paused", "objective": "x"}}, {"goal": None}, {"goal": "odd"}, {}])
def test_where_nothing_waits_or_codex_does_not_know_the_thread_is_resumed(goal: Json) -> None:
    unknown = {"code": -32600, "message": "Invalid request: unknown variant `thread/queue/list`"}
    talk = Dialogue(thread_id="t").reply("initialize").checked()
    talk.reply("thread/queue/list", error=unknown)
    assert talk.requests("thread/resume") == []
    talk.reply("thread/goal/get", goal)
    assert len(talk.requests("thread/resume")) == 1


@for_each("request_", [{}, {"thread_id": "t", "is_fork": True}])
def test_a_new_thread_and_a_fork_have_nothing_waiting_in_them(request_: Json) -> None:
    talk = Dialogue(**request_).reply("initialize")
    assert talk.requests("thread/queue/list") + talk.requests("thread/goal/get") == []


def test_a_turn_that_codex_begins_as_the_thread_is_opened_is_not_joined() -> None:
    talk = Dialogue(thread_id="t").reply("initialize").queue_empty()
    talk.reply("thread/resume", {"thread": {"id": THREAD}}).receive(NOT_OURS, notification("item/started", item={}))
    talk.checked()
    assert talk.kind is ErrorKind.THREAD_BUSY
    assert talk.requests("turn/start") == []
    assert not talk.session.queue.is_untouched


def test_what_waits_is_nothing_where_codex_answers_something_else() -> None:
    assert what_waits({"data": "odd"}, {"goal": "odd"}) is None


# --- while the turn runs


def test_what_is_queued_is_noted_and_then_taken_out_of_codexs_reach() -> None:
    talk = with_queue(entry(1), entry(2))
    assert talk.queued == [(entry(1), entry(2))]
    deletes = [{"threadId": THREAD, "queuedSubmissionId": id_} for id_ in ("q1", "q2")]
    assert talk.requests("thread/queue/delete") == deletes
    assert not talk.session.queue.is_untouched
    sent = [message["id"] for message in talk.sent if message.get("method") == "thread/queue/delete"]
    talk.receive(*({"id": id_, "result": {"deleted": True}} for id_ in sent))
    talk.receive(CHANGED).reply("thread/queue/list", {"data": [entry(3)]})
    assert talk.queued[-1] == (entry(1), entry(2), entry(3))
    assert talk.requests("thread/queue/delete")[2:] == [{"threadId": THREAD, "queuedSubmissionId": "q3"}]
    talk.receive(*said("yes"), COMPLETED)
    assert talk.outcome.state is State.COMPLETE
    assert list(talk.session.queue.entries) == ["q1", "q2", "q3"]


def test_what_is_listed_again_is_taken_once() -> None:
    talk = with_queue(entry(1)).reply("thread/queue/delete", error={"code": -32603, "message": "x"})
    talk.receive(CHANGED).reply("thread/queue/list", {"data": [entry(1)]})
    assert len(talk.requests("thread/queue/delete")) == len(talk.queued) == 1
    assert talk.session.queue.owed == (entry(1),)


def test_an_empty_queue_costs_one_request_and_no_wait() -> None:
    talk = with_queue()
    assert talk.session.queue.is_untouched
    assert talk.queued == []
    assert not talk.advance(2_000).receive(*said("yes"), COMPLETED).session.queue.entries
    assert talk.session.queue.is_untouched
    assert not is_awaiting_report(talk)


def test_what_changes_while_codex_is_being_asked_is_asked_for_once_more() -> None:
    talk = Dialogue().started().receive(CHANGED, CHANGED, CHANGED)
    assert len(talk.requests("thread/queue/list")) == 1
    talk.reply("thread/queue/list", {"data": []})
    assert len(talk.requests("thread/queue/list")) == 2
    assert not talk.session.queue.is_untouched
    assert talk.reply("thread/queue/list").session.queue.is_untouched
    assert len(talk.requests("thread/queue/list")) == 2


def test_what_changes_before_the_turn_has_started_is_asked_for_then() -> None:
    talk = Dialogue().replied().look_at_queue()
    assert talk.requests("thread/queue/list") == []
    assert len(talk.receive(STARTED).requests("thread/queue/list")) == 1


def test_what_somebody_else_had_first_is_not_ours_to_put_back_and_is_looked_for_afterwards() -> None:
    talk = with_queue(entry(1), entry(2)).reply("thread/queue/delete", {"deleted": False})
    assert list(talk.session.queue.entries) == ["q1"]
    assert talk.session.queue.owed == (entry(1),)
    assert not talk.session.queue.is_untouched
    assert not is_awaiting_report(talk)
    first = next(message["id"] for message in talk.sent if message.get("method") == "thread/queue/delete")
    talk.receive({"id": first, "result": {"deleted": True}}, CHANGED)
    talk.reply("thread/queue/list", {"data": [entry(3)]})
    assert talk.queued[-1] == (entry(1), entry(2), entry(3))  # whose a missing one is shows only afterwards


def test_a_delete_that_is_refused_or_not_answered_stays_in_doubt() -> None:
    talk = with_queue(entry(1)).reply("thread/queue/delete", error={"code": -32603, "message": "x"})
    assert not talk.has_ended
    assert list(talk.session.queue.entries) == ["q1"]
    silent = with_queue(entry(1)).advance(61_000)
    assert not silent.has_ended
    assert list(silent.session.queue.entries) == ["q1"]


def test_what_changes_when_the_turn_is_over_is_asked_for_all_the_same() -> None:
    talk = Dialogue().started().receive(*said("yes"), COMPLETED, CHANGED)
    assert len(talk.requests("thread/queue/list")) == 1
    late = Dialogue().started().receive(*said("yes"), COMPLETED).look_at_queue()
    for each in (talk, late):
        assert not each.session.queue.is_untouched
        assert is_awaiting_report(each)
        each.reply("thread/queue/list", {"data": [entry()]}).reply("thread/queue/delete", {"deleted": True})
        assert not is_awaiting_report(each)
        each.receive(CHANGED).reply("thread/queue/list", {"data": []})  # caused by us, and reported
        assert not is_awaiting_report(each.advance(101))
        assert each.session.queue.owed == (entry(),)


def test_a_turn_that_codex_begins_after_ours_is_looked_at_afterwards() -> None:
    talk = Dialogue().started().receive(*said("yes"), COMPLETED, NOT_OURS)
    assert talk.session.record.foreign.turn_id == "turn-9"
    assert not talk.session.queue.is_untouched


@for_each("is_seen", [False, True])
def test_codex_is_given_the_time_to_tell_what_it_begins_with_behind_our_turn(is_seen: bool) -> None:
    """Ended before, it leaves no record of a message that is no longer in its queue."""
    listed = with_queue(entry(1), entry(2)) if is_seen else with_queue()
    if is_seen:
        listed.reply("thread/queue/delete", {"deleted": False})
    talk = listed.receive(*said("yes"), COMPLETED)
    queue = talk.session.queue
    assert is_awaiting_report(talk)
    talk.receive(NOT_OURS, item_notification("item/started", "reasoning", turnId="turn-9"))
    assert is_awaiting_report(talk)
    assert [*queue.owed] == ([entry(1), entry(2)] if is_seen else [])
    assert talk.queued[-1] == queue.owed  # the worker may be killed now
    message = {"type": "userMessage", "id": "i", "clientId": "c2", "content": entry(2)["input"]}
    talk.receive(notification("item/started", turnId="turn-9", item=message))
    assert not is_awaiting_report(talk)
    begun = {"clientUserMessageId": "c2", "input": entry(2)["input"]}
    assert [*queue.owed] == ([entry(1), begun] if is_seen else [begun])
    assert talk.queued[-1] == queue.owed


def test_where_the_databases_alone_tell_of_a_change_codex_has_but_a_moment_and_nothing_is_looked_for() -> None:
    """The databases hold the queues of all threads."""
    talk = Dialogue().started().look_at_queue().reply("thread/queue/list", {"data": []})
    talk.receive(*said("yes"), COMPLETED)
    assert is_awaiting_report(talk)
    assert talk.session.wakeup_ms == talk.now_ms + 100
    assert talk.session.queue.is_untouched
    talk.receive(NOT_OURS)
    assert talk.session.wakeup_ms == talk.now_ms + 2_000


def test_what_was_taken_long_ago_explains_no_change_that_codex_tells_of() -> None:
    talk = with_queue(entry(1)).reply("thread/queue/delete", {"deleted": True}).advance(5_000)
    talk.receive(CHANGED).reply("thread/queue/list", {"data": []}).receive(*said("yes"), COMPLETED)
    assert talk.session.wakeup_ms == talk.now_ms + 2_000


def test_what_codex_began_with_has_its_place_among_what_was_taken() -> None:
    """What was taken before is older, what was listed afterwards is younger."""
    talk = (
        with_queue(entry(1)).reply("thread/queue/delete", {"deleted": True}).receive(*said("yes"), COMPLETED, NOT_OURS)
    )
    message = {"type": "userMessage", "id": "i", "clientId": "c2", "content": entry(2)["input"]}
    talk.receive(notification("item/started", turnId="turn-9", item=message), CHANGED)
    talk.reply("thread/queue/list", {"data": [entry(3)]})
    begun = {"clientUserMessageId": "c2", "input": entry(2)["input"]}
    assert talk.session.queue.owed == (entry(1), begun, entry(3))


def test_who_never_tells_is_not_waited_for_long_nor_where_our_turn_was_interrupted() -> None:
    talk = with_queue().receive(*said("yes"), COMPLETED)
    assert talk.session.queue.awaited_until_ms == talk.now_ms + 2_000
    assert not talk.session.queue.is_untouched
    interrupted = with_queue().receive(INTERRUPTED)
    assert not is_awaiting_report(interrupted)


def test_an_ephemeral_thread_has_no_queue() -> None:
    talk = Dialogue(is_ephemeral=True, sandbox=Sandbox.WORKSPACE_WRITE).started().receive(CHANGED).look_at_queue()
    assert talk.requests("thread/queue/list") + talk.requests("thread/settings/update") == []
    assert talk.session.queue.is_untouched


# --- the policy of turns that are not ours


@for_each(
    "request_",
    [
        {"sandbox": Sandbox.WORKSPACE_WRITE},
        {"sandbox": Sandbox.DANGER_FULL_ACCESS},
        {"has_network": True},
        {"sandbox": Sandbox.WORKSPACE_WRITE, "approval": Approval.ASK},
    ],
)
def test_whatever_else_starts_on_the_thread_may_touch_nothing_and_ours_keeps_its_policy(request_: Json) -> None:
    policy = Dialogue(**request_).session._request.sandbox_policy()
    talk = Dialogue(**request_).started()
    assert talk.requests("thread/settings/update") == [CONFINED]
    later = {name: value for name, value in CONFINED.items() if name != "threadId"}
    talk.receive(notification("thread/settings/updated", threadSettings={"sandboxPolicy": policy, "model": "m"}))
    talk.receive(notification("thread/settings/updated", threadSettings={**later, "model": "m"}))
    assert effective_terms(talk.session.record.settings)["sandbox_policy"] == policy
    assert effective_terms(talk.session.record.settings)["model"] == "m"
    talk.reply("thread/settings/update", error={"code": -32600, "message": "unknown variant `x`"})
    assert not talk.has_ended
    assert talk.session.queue.is_untouched
    talk.receive(STARTED)
    assert len(talk.requests("thread/settings/update")) == 1


@for_each("approval", Approval)
def test_a_turn_that_may_touch_nothing_itself_leaves_the_settings_alone(approval: Approval) -> None:
    """Who decides over approvals is never changed: the thread's settings decide whether MCP calls are asked about."""
    assert Dialogue(approval=approval).started().requests("thread/settings/update") == []


def test_a_foreign_turn_of_which_nothing_is_told_is_none() -> None:
    odd = {"method": "turn/started", "params": {"threadId": THREAD, "turnId": "turn-9", "turn": "odd"}}
    assert Dialogue().started().receive(odd).session.record.foreign.turn_id is None
