"""A connection that is lost ends no turn: it is made again, and the turn is found where it stands."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from codex_server_cli.core.model.request import Approval
from codex_server_cli.core.model.server.terms import ServerTerms
from codex_server_cli.core.model.timers import LIMIT_MS, Timer
from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.record.replay import replay
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    COMPLETED,
    LOST,
    RETRY,
    SHARED,
    STARTED,
    THREAD,
    TURN,
    TURN_ID,
    Dialogue,
    Json,
    delta,
    item_notification,
    message_completed,
    message_started,
    notification,
    said,
    status_notification,
)

CLOSE = ("thread/backgroundTerminals/clean", "thread/unsubscribe")
COUNTED = (CLOSE[0], "thread/resume", CLOSE[1])
NO_ROLLOUT = {"code": -32600, "message": f"no rollout found for thread id {THREAD}"}
DRAINING = {"code": -32600, "message": "Server is draining", "data": {"reason": "serverShuttingDown"}}
PROMPT = {"type": "userMessage", "id": "prompt", "clientId": TURN_ID, "content": []}
MESSAGE = {"type": "agentMessage", "id": "msg-1", "phase": "final_answer", "text": "Hello, world"}
COMMAND = {"type": "commandExecution", "id": "c", "command": "ls", "status": "completed", "exitCode": 0}
APPROVAL = {"method": "item/commandExecution/requestApproval", "id": 0, "params": {"threadId": THREAD, "command": "ls"}}


def shared(**request: Any) -> Dialogue:
    return Dialogue(server=SHARED, **request)


def turn(*items: Json, status: str = "inProgress", id_: str = TURN, **more: Any) -> Json:
    return {"id": id_, "status": status, "items": [PROMPT, *items], "error": None, **more}


def resumed(*turns: Json, status: Json | None = None) -> Json:
    thread = {"id": THREAD, "status": status or {"type": "active", "activeFlags": []}}
    return {"thread": thread, "sandbox": {"type": "readOnly"}, "initialTurnsPage": {"data": list(turns)}}


def back(talk: Dialogue, *turns: Json) -> Dialogue:
    return talk.reconnected().reply("thread/resume", resumed(*turns))


def replayed(talk: Dialogue) -> Dialogue:
    record, text = replay(talk.events)
    live = talk.session.record
    assert text == talk.text
    assert (record.answer, record.status, record.usage) == (live.answer, live.status, live.usage)
    assert (record.turn_id, record.open_items) == (live.turn_id, live.open_items)
    return talk


# --- a turn that goes on


def test_a_turn_goes_on_live_and_its_text_has_no_hole() -> None:
    talk = shared().started().receive(message_started(), delta("Hello")).lose()
    assert (talk.has_ended, talk.session.phase) == (False, Phase.RETRYING)
    back(talk, turn()).receive(delta("rld"))
    assert (talk.text, talk.session.record.partial_answer) == ("Hello", "Hello")
    assert talk.session.phase is Phase.ANSWERING
    talk.receive(message_completed("Hello, world"), COMPLETED)
    assert talk.outcome_after(*COUNTED).answer == "Hello, world"
    assert replayed(talk).text == "Hello, world\n"


def test_it_is_resumed_with_what_it_was_opened_with() -> None:
    terms = ServerTerms(True, False, {"FOO": "bar"})
    talk = Dialogue(server=terms, sandbox="workspace-write", model="gpt-x").started().lose().reconnected()
    opened, (again,) = talk.requests("thread/start")[0], talk.requests("thread/resume")
    assert again == {
        **{name: opened[name] for name in ("approvalPolicy", "approvalsReviewer", "sandbox", "model", "config", "cwd")},
        **{"threadId": THREAD, "excludeTurns": True},
        "initialTurnsPage": {"limit": 1, "sortDirection": "desc", "itemsView": "full"},
    }
    assert opened["config"]["shell_environment_policy"]["set"]["FOO"] == "bar"
    assert talk.session.record.settings["sandbox"] == {"type": "readOnly", "networkAccess": False}


def test_what_was_completed_meanwhile_is_taken_once_and_in_order() -> None:
    talk = shared().started().receive(item_notification("item/completed", "userMessage", "prompt"))
    talk.receive(*said("First", "m0", "commentary"), message_started(), delta("Hello")).lose()
    first = {"type": "agentMessage", "id": "m0", "phase": "commentary", "text": "First"}
    back(talk, turn(first, MESSAGE, COMMAND, {"id": "open", "type": "reasoning", "status": "inProgress"}))
    assert talk.text == "First\n\nHello, world\n\n$ ls\n→ exit 0\n"
    talk.lose()
    back(talk, turn(first, MESSAGE, COMMAND)).receive(COMPLETED)
    assert talk.outcome_after(*COUNTED).answer == "Hello, world"
    assert replayed(talk).text == "First\n\nHello, world\n\n$ ls\n→ exit 0\n"


def test_items_that_were_never_seen_to_start_are_open_once_they_are_heard_of() -> None:
    talk = back(shared().started().lose(), turn())
    talk.receive(notification("item/commandExecution/outputDelta", itemId="c", delta="x"))
    assert talk.session.phase is Phase.RUNNING_COMMAND
    talk.receive({"method": "item/completed", "params": {"threadId": THREAD, "turnId": TURN, "item": COMMAND}})
    talk.receive(delta("lo", "late"))
    assert (talk.session.phase, talk.text) == (Phase.ANSWERING, "$ ls\n→ exit 0\n")
    talk.receive(message_completed("Hello", "late"), delta("?", "late"))
    assert talk.session.record.open_items == {}
    assert replayed(talk).text == "$ ls\n→ exit 0\n\nHello\n"


def test_a_message_that_starts_later_streams_as_ever() -> None:
    talk = back(shared().started().receive(message_started("m0"), delta("a", "m0")).lose(), turn())
    talk.receive(message_started("m1"), delta("abc", "m1"))
    assert talk.text == "abc"
    assert talk.session.record.partial_answer == "abc"
    assert shared().started().receive(notification("item/commandExecution/outputDelta", itemId="c")).text == ""


def test_silence_without_a_connection_is_no_stall_and_neither_is_that_of_an_unseen_command() -> None:
    talk = shared().started().receive(message_started(), RETRY).lose()
    assert back(talk, turn()).session.record.is_retrying is False
    talk.advance(2 * LIMIT_MS[Timer.STALL])
    assert not talk.has_ended
    talk.receive(message_started("m1")).advance(LIMIT_MS[Timer.STALL] + 60_000)
    assert talk.requests("thread/turns/list")


def test_the_deadline_goes_on() -> None:
    talk = shared(deadline_s=2).started().lose().advance(1_000)
    back(talk, turn()).advance(1_000)
    assert talk.requests("turn/interrupt")
    talk.receive(COMPLETED)
    assert talk.outcome_after(*COUNTED).state is State.COMPLETE


# --- a turn that has ended


def test_a_turn_that_was_completed_meanwhile_is_complete() -> None:
    talk = back(shared().started().receive(message_started(), delta("Hello")).lose(), turn(MESSAGE, status="completed"))
    assert talk.outcome_after(*COUNTED).answer == "Hello, world"
    assert replayed(talk).text == "Hello, world\n"


def test_one_that_failed_has_its_error() -> None:
    error = {"message": "no more", "codexErrorInfo": "usageLimitExceeded"}
    talk = back(shared().started().lose(), turn(status="failed", error=error))
    assert talk.outcome_after(*COUNTED).error is not None
    assert talk.kind is ErrorKind.USAGE_LIMIT


def test_one_that_went_with_its_server_was_cut_off_not_cancelled() -> None:
    torn = resumed(turn(status="interrupted"))
    talk = shared().started().lose().reconnected().reply("thread/resume", torn)
    for _ in range(3):  # so may stand what is just ending, for a moment
        assert not talk.session.is_closing
        talk.advance(LIMIT_MS[Timer.POLL]).reply("thread/resume", torn)
    assert talk.outcome_after(*COUNTED).error is not None
    assert talk.kind is ErrorKind.CODEX_CRASHED


def test_one_whose_end_is_just_being_stored_is_looked_at_again() -> None:
    talk = shared().started().receive(message_started(), delta("Hello")).lose()
    talk = back(talk, turn(MESSAGE, status="interrupted"))
    assert not talk.session.is_closing
    talk.advance(LIMIT_MS[Timer.POLL]).reply("thread/resume", resumed(turn(MESSAGE, status="completed")))
    assert talk.outcome_after(*COUNTED).answer == "Hello, world"
    assert talk.outcome.state is State.COMPLETE
    replayed(talk)


def _usage(last: int, total: int, turn_id: str = TURN) -> Json:
    def counts(n: int) -> Json:
        return {"inputTokens": n, "outputTokens": n, "totalTokens": 2 * n}

    tokens = {"last": counts(last), "total": counts(total)}
    return notification("thread/tokenUsage/updated", turnId=turn_id, tokenUsage=tokens)


@for_each("resumes", [True, False])
def test_usage_is_counted_by_totals_once_reports_were_missed(resumes: bool) -> None:
    before = 100 if resumes else 0
    talk = shared(thread_id=THREAD if resumes else None)
    talk.opened(method="thread/resume" if resumes else "thread/start")
    if resumes:
        talk.receive(_usage(30, before, "an earlier turn"))
    talk.reply("turn/start", {"turn": {"id": TURN}}).receive(STARTED).lose()
    back(talk, turn()).receive(_usage(5, before + 25), _usage(0, before + 25))
    assert (talk.session.record.usage or {})["total_tokens"] == 50
    talk.receive(COMPLETED)
    usage = talk.outcome_after(*CLOSE).usage  # a report has come: none is asked for
    assert (usage or {})["input_tokens"] == 25
    replayed(talk)


def test_a_report_before_the_loss_tells_what_the_thread_had_before() -> None:
    talk = shared(thread_id=THREAD).opened(method="thread/resume").reply("turn/start", {"turn": {"id": TURN}})
    talk.receive(STARTED, _usage(5, 105)).lose()
    back(talk, turn()).receive(_usage(5, 120), _usage(1, 1, "of a later turn"))
    assert (talk.session.record.usage or {})["input_tokens"] == 20


def test_the_last_report_is_asked_for_where_it_was_missed() -> None:
    talk = back(shared().started().lose(), turn(MESSAGE, status="completed"))
    talk.reply(CLOSE[0]).reply("thread/resume").receive(_usage(5, 5)).reply(CLOSE[1])
    assert (talk.outcome.usage or {})["total_tokens"] == 10


# --- was it sent at all?


def test_a_connection_that_is_lost_before_anything_was_sent_begins_again() -> None:
    for talk in (shared(), shared().reply("initialize"), shared().reply("initialize").checked()):
        talk.lose().reconnected().checked()
        talk.reply("thread/start", {"thread": {"id": THREAD}})
        assert len(talk.requests("turn/start")) == 1


def test_a_thread_without_a_turn_is_gone_and_opened_anew() -> None:
    talk = shared().reply("initialize").checked({"account": {"type": "apiKey"}})
    talk = shared().reply("initialize")
    talk.reply("config/read").reply("configRequirements/read").reply("thread/start", {"thread": {"id": "gone"}})
    talk.lose().reconnected().checked().reply("thread/start", {"thread": {"id": THREAD}})
    assert [params["threadId"] for params in talk.requests("turn/start")] == [THREAD]
    assert talk.requests("thread/resume") == []


def test_a_start_that_was_never_answered_is_found_by_our_id_of_the_prompt() -> None:
    talk = back(shared().opened().lose(), turn(id_="found"))
    assert (talk.session.record.turn_id, len(talk.requests("turn/start"))) == ("found", 1)
    talk.stop()
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": "found"}]


def test_early_messages_count_once_the_turn_is_known() -> None:
    talk = shared().opened().receive(STARTED, *said("Hello")).lose()
    back(talk, turn(MESSAGE | {"text": "Hello"}))
    assert talk.text == "Hello\n"
    replayed(talk)


@for_each(
    "reply", [{"error": NO_ROLLOUT}, {"result": resumed()}, {"result": resumed(turn(id_="x") | {"items": []}, turn())}]
)
def test_a_prompt_is_not_sent_again_after_one_look(reply: Json) -> None:
    talk = shared().opened().lose().reconnected().reply("thread/resume", **reply)
    assert len(talk.requests("turn/start")) == 1
    talk.advance(LIMIT_MS[Timer.POLL] - 1)
    assert len(talk.requests("thread/resume")) <= 1


@for_each("reply", [{"error": NO_ROLLOUT}, {"result": resumed()}])
def test_a_prompt_that_never_arrived_is_sent_again_once(reply: Json) -> None:
    talk = shared().opened()
    for times in (2, 2):
        talk.lose().reconnected().reply("thread/resume", **reply).advance(LIMIT_MS[Timer.POLL])
        assert talk.requests("thread/resume")[-1]["initialTurnsPage"]["limit"] == 5
        talk.reply("thread/resume", **reply)
        if not talk.session.is_closing:
            talk.reply("initialize").checked().reply("thread/start", {"thread": {"id": THREAD}})
        assert len(talk.requests("turn/start")) == times
    assert talk.outcome_after("thread/turns/list", *COUNTED).error is not None
    assert talk.kind is ErrorKind.NETWORK


def test_a_turn_that_does_not_say_yet_whose_it_is_is_looked_at_until_it_does() -> None:
    talk = shared().opened().lose()
    unsaid = {"id": TURN, "status": "inProgress", "items": []}
    talk = back(talk, unsaid)
    for _ in range(5):
        talk.advance(LIMIT_MS[Timer.POLL]).reply("thread/resume", resumed(unsaid))
    talk.advance(LIMIT_MS[Timer.POLL]).reply("thread/resume", resumed(turn()))
    assert talk.session.record.turn_id == TURN
    assert len(talk.requests("turn/start")) == 1


def test_but_not_for_ever() -> None:
    unsaid = {"id": TURN, "status": "inProgress", "items": []}
    talk = back(shared().opened().lose(), unsaid)
    while not talk.session.is_closing:
        talk.advance(LIMIT_MS[Timer.POLL]).reply("thread/resume", resumed(unsaid))
    assert len(talk.requests("turn/start")) == 1
    assert talk.outcome_after("thread/turns/list", *COUNTED).error is not None


def test_its_prompt_tells_it_live() -> None:
    unsaid = {"id": TURN, "status": "inProgress", "items": []}
    talk = back(shared().opened().lose(), unsaid).stop()
    assert talk.requests("turn/interrupt") == []
    item = {"threadId": THREAD, "turnId": TURN, "item": PROMPT}
    talk.receive({"method": "item/started", "params": item})
    assert talk.session.record.has_started
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]
    replayed(talk)


def test_a_turn_that_codex_no_longer_shows_is_lost_and_not_sent_again() -> None:
    talk = back(shared().started().lose(), turn(id_="newer") | {"items": []})
    for _ in range(2):
        talk.advance(LIMIT_MS[Timer.POLL]).reply("thread/resume", error=NO_ROLLOUT)
    assert len(talk.requests("turn/start")) == 1
    talk.advance(LIMIT_MS[Timer.CLOSING])
    assert talk.kind is ErrorKind.NETWORK
    assert "does not show the turn" in talk.outcome.error.message if talk.outcome.error else False


def test_a_second_look_finds_a_turn_that_others_have_followed() -> None:
    talk = back(shared().started().lose(), turn(id_="newer")).advance(LIMIT_MS[Timer.POLL])
    talk.reply("thread/resume", resumed(turn(id_="newer"), turn(MESSAGE, status="completed")))
    assert talk.outcome_after(*COUNTED).answer == "Hello, world"


# --- a review has no id of ours


REVIEW = {"type": "custom", "instructions": "look"}


def test_a_review_is_what_is_newer_than_all_before_it() -> None:
    talk = shared(review=REVIEW).opened().lose()
    back(talk, {"id": "r", "status": "inProgress", "items": [{"type": "enteredReviewMode", "id": "x"}, PROMPT]})
    assert talk.session.record.turn_id == "r"


@for_each("newest", [[], [{"id": "old"}]])
@for_each(
    ("asked", "method"), [({"review": REVIEW}, "review/start"), ({"is_compaction": True}, "thread/compact/start")]
)
def test_a_review_or_compaction_of_a_thread_with_turns_knows_the_newest_of_them(
    newest: list[Json], asked: dict[str, Any], method: str
) -> None:
    talk = shared(**asked, thread_id=THREAD)
    talk.opened(method="thread/resume", initialTurnsPage={"data": newest})
    assert talk.requests("thread/resume")[0]["initialTurnsPage"]["itemsView"] == "notLoaded"
    back(talk.lose(), *(turn(id_=one["id"]) for one in newest)).advance(LIMIT_MS[Timer.POLL])
    assert len(talk.requests(method)) == 1
    talk.reply("thread/resume", resumed(turn(id_="r"), *newest))
    assert talk.session.record.turn_id == "r"


def test_a_review_of_which_that_is_not_known_is_lost() -> None:
    talk = shared(review=REVIEW, thread_id="t", is_fork=True).opened(method="thread/fork").lose()
    back(talk, turn()).advance(LIMIT_MS[Timer.POLL]).reply("thread/resume", resumed(turn()))
    assert talk.session.is_closing
    assert len(talk.requests("review/start")) == 1


# --- a server that ends, or is gone


def test_a_draining_server_is_asked_until_the_turn_has_ended() -> None:
    talk = shared().started().receive(message_started(), delta("Hello")).lose().reconnected()
    talk.reply("thread/resume", error=DRAINING).reply("thread/turns/list", {"data": [turn()]})
    for items in ([], [MESSAGE]):
        talk.advance(LIMIT_MS[Timer.POLL]).reply("thread/turns/list", {"data": [turn(*items)]})
    assert talk.text == "Hello, world\n"
    assert talk.session.phase is Phase.RETRYING
    talk.advance(LIMIT_MS[Timer.POLL]).reply("thread/turns/list", {"data": [turn(MESSAGE, status="completed")]})
    assert talk.outcome_after(*CLOSE).answer == "Hello, world"
    replayed(talk)


def test_a_turn_there_is_interrupted_where_it_is_stopped() -> None:
    talk = shared().started().lose().reconnected().reply("thread/resume", error=DRAINING)
    talk.stop().reply("turn/interrupt").reply(
        "thread/turns/list", {"data": [turn(status="interrupted", completedAt=1)]}
    )
    assert talk.outcome_after(*CLOSE).error is not None
    assert talk.kind is ErrorKind.CANCELLED


def test_a_list_that_is_refused_there_shows_no_turn() -> None:
    talk = shared().started().lose().reconnected().reply("thread/resume", error=DRAINING)
    talk.reply("thread/turns/list", error=NO_ROLLOUT).advance(LIMIT_MS[Timer.POLL])
    talk.reply("thread/turns/list", error=NO_ROLLOUT)
    assert talk.session.is_closing


@for_each("method", ["thread/start", "turn/start"])
def test_a_new_turn_that_a_draining_server_refuses_begins_on_the_next(method: str) -> None:
    talk = shared()
    if method == "turn/start":
        talk.opened()
    else:
        talk.reply("initialize").checked()
    talk.reply(method, error=DRAINING).reconnected().checked().reply("thread/start", {"thread": {"id": THREAD}})
    talk.reply("turn/start", {"turn": {"id": TURN}}).receive(STARTED, *said("Hello"), COMPLETED)
    assert talk.outcome_after(*CLOSE).answer == "Hello"
    replayed(talk)


def test_on_a_server_of_its_own_that_ends_the_turn() -> None:
    assert Dialogue().opened().reply("turn/start", error=DRAINING).kind is ErrorKind.OVERLOADED


def test_a_server_that_is_gone_for_certain_ends_the_turn_at_once() -> None:
    talk = shared().started().lose(is_final=True)
    assert (talk.kind, len(talk.server_starts)) == (ErrorKind.NETWORK, 1)
    assert shared().started().receive(*said("x"), COMPLETED).lose(is_final=True).outcome.state is State.COMPLETE
    talk = shared().started().receive(*said("x"), COMPLETED)
    assert talk.outcome_after(*CLOSE).state is State.COMPLETE
    assert talk.lose().outcome.state is State.COMPLETE


def test_it_is_connected_to_again_and_again_for_ten_seconds() -> None:
    talk, starts_ms = shared().started().lose(), [0.0]
    while not talk.has_ended:
        before = len(talk.server_starts)
        while len(talk.server_starts) == before and not talk.has_ended:
            talk.advance(5)
        starts_ms.append(talk.now_ms)
        talk.lose()
    delays = [later - earlier for earlier, later in pairwise(starts_ms[1:])]
    assert delays[0] <= 150
    assert max(delays) <= 2_005
    assert 10_000 <= starts_ms[-1] - starts_ms[1] < 12_100
    assert talk.kind is ErrorKind.NETWORK
    assert talk.outcome.error is not None
    assert LOST.message in talk.outcome.error.message
    assert "times" in talk.outcome.error.message


def test_a_server_that_lets_every_connection_time_out_is_no_server_after_ten_seconds() -> None:
    talk, attempts = shared(), 0
    while not talk.has_ended and attempts < 10:
        talk.advance(4_000)
        attempts += 1
        talk.lose().advance(2_005)
    assert attempts == 3
    assert talk.kind is ErrorKind.NETWORK


@for_each("held_ms", [0, 4_000, 30_000])
def test_a_server_over_which_no_turn_begins_is_given_up_however_long_each_attempt_takes(held_ms: float) -> None:
    talk = shared()
    for starts in range(1, 100):
        while len(talk.server_starts) < starts:
            talk.advance(5)
        if talk.advance(held_ms).lose().has_ended:
            break
    assert talk.kind is ErrorKind.NETWORK
    assert talk.outcome.error is not None
    assert "times" in talk.outcome.error.message


def test_a_connection_that_held_has_its_ten_seconds_again() -> None:
    talk = shared().started()
    for _ in range(8):
        back(talk.lose(), turn()).advance(3_000)
    assert not talk.has_ended


def test_a_server_that_does_not_answer_over_the_next_connection_loses_the_turn() -> None:
    talk = shared().started().lose().reconnected().advance(LIMIT_MS[Timer.REQUEST] + LIMIT_MS[Timer.CLOSING])
    assert talk.kind is ErrorKind.NETWORK
    assert talk.outcome.error is not None
    assert "did not answer thread/resume" in talk.outcome.error.message


def test_one_that_refuses_the_conversation_loses_it_too() -> None:
    talk = shared().started().lose()
    while len(talk.server_starts) == 1:
        talk.advance(10)
    talk.reply("initialize", error={"code": -32600, "message": "no"})
    talk.advance(LIMIT_MS[Timer.CLOSING])
    assert talk.kind is ErrorKind.NETWORK


def test_another_refusal_loses_the_turn_which_is_interrupted_all_the_same() -> None:
    talk = shared().started().lose().reconnected()
    talk.reply("thread/resume", error={"code": -32600, "message": "failed to load configuration: x"})
    assert talk.requests("turn/interrupt") == [{"threadId": THREAD, "turnId": TURN}]
    talk.advance(LIMIT_MS[Timer.CLOSING])
    assert talk.kind is ErrorKind.NETWORK


def test_the_turn_of_an_ephemeral_thread_is_interrupted_and_lost() -> None:
    talk = shared(is_ephemeral=True).started().lose().reconnected()
    assert talk.requests("thread/resume") == []
    talk.advance(LIMIT_MS[Timer.INTERRUPT])
    for message in [message for message in talk.sent if message.get("method") == "turn/interrupt"]:
        talk.receive({"id": message["id"], "result": {}})
    assert len(talk.requests(CLOSE[0])) == 1
    assert talk.outcome_after(*CLOSE).error is not None
    assert talk.kind is ErrorKind.NETWORK
    assert talk.outcome.error is not None
    assert "ephemeral" in talk.outcome.error.message


def test_a_turn_that_is_being_stopped_is_cancelled_whatever_is_found() -> None:
    talk = shared().started().lose().stop().reconnected()
    talk.reply("thread/resume", error={"code": -32600, "message": "failed to load configuration: x"})
    talk.advance(LIMIT_MS[Timer.CLOSING])
    assert talk.kind is ErrorKind.CANCELLED


def test_a_stalled_turn_that_is_interrupted_over_another_connection_stays_stalled() -> None:
    talk = shared().started().receive(message_started())
    talk.advance(LIMIT_MS[Timer.STALL] + LIMIT_MS[Timer.RECONCILE]).lose()
    back(talk, turn(status="interrupted", completedAt=1))
    assert talk.outcome_after(*COUNTED).error is not None
    assert talk.kind is ErrorKind.STALLED


# --- what waits for a user, and other shells


def asked(**more: Any) -> Dialogue:
    return shared(approval=Approval.ASK, **more).started().receive(APPROVAL)


def test_a_request_that_waits_comes_again_and_is_the_same() -> None:
    talk = asked().lose().reconnected()
    waiting = resumed(turn(), status={"type": "active", "activeFlags": ["waitingOnApproval"]})
    talk.reply("thread/resume", waiting).receive(APPROVAL)
    assert [request.id for request in talk.session.approvals.pending] == ["0"]
    talk.serve("approve")
    assert talk.sent[-1] == {"id": 0, "result": {"decision": "accept"}}
    assert replayed(talk).text == "[waiting for approval 0: run ls]\n\n[approval 0: approved]\n"


def test_an_answer_that_was_lost_is_sent_again() -> None:
    talk = asked().lose().serve("approve")
    waiting = resumed(turn(), status={"type": "active", "activeFlags": ["waitingOnApproval"]})
    talk.reconnected().reply("thread/resume", waiting)
    sent = len(talk.sent)
    talk.receive(APPROVAL)
    assert talk.sent[sent:] == [{"id": 0, "result": {"decision": "accept"}}]
    assert talk.session.approvals.pending == ()
    assert replayed(talk).text.count("waiting") == 1


def test_another_request_of_the_same_id_is_another_request() -> None:
    talk = asked().serve("approve").receive({**APPROVAL, "params": {"threadId": THREAD, "command": "rm"}})
    assert [request.params["command"] for request in talk.session.approvals.pending] == ["rm"]
    assert replayed(talk).text.count("waiting") == 2


def test_what_was_resolved_meanwhile_no_longer_waits() -> None:
    talk = back(asked().lose(), turn())
    assert talk.session.approvals.pending == ()
    assert "taken back" in replayed(talk).text


def test_other_shells_learn_that_their_text_may_be_lost() -> None:
    talk = shared().started().serve("steer", text="more").lose()
    assert "may have reached Codex or not" in str(talk.replies[-1].error)
    talk.serve("steer", tag="other", text="again")
    assert "is being made again" in str(talk.replies[-1].error)
    assert len(talk.requests("turn/steer")) == 1
    back(talk, turn()).serve("steer", tag="third", text="again").reply("turn/steer")
    assert (len(talk.requests("turn/steer")), talk.replies[-1].error) == (2, None)


def test_the_queue_of_the_thread_is_read_again() -> None:
    talk = shared().started().look_at_queue().lose().look_at_queue()
    before = len(talk.requests("thread/queue/list"))
    back(talk, turn())
    assert len(talk.requests("thread/queue/list")) == before + 1


def test_a_request_of_the_first_connection_is_never_answered() -> None:
    talk = back(shared().started().lose(), turn())
    talk.receive({"id": 1, "result": {}}, status_notification("active"))
    assert not talk.has_ended


def test_a_turn_without_a_prompt_to_show_is_none_of_ours() -> None:
    talk = shared().opened().lose().reconnected()
    talk.reply("thread/resume", {"initialTurnsPage": None}).advance(LIMIT_MS[Timer.POLL])
    assert len(talk.requests("thread/resume")) == 2
