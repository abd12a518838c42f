"""The next step: from the request of a turn and its state, and after a failure from its hint."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView, has_notifier
from codex_server_cli.core.result.hints import End, hint_of
from codex_server_cli.core.result.next_step import next_commands
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
PATH = f"/my home/turns/{TURN_ID}"
SCHEMA = f"'{PATH}/schema.json'"
FLAGS = {"--write": [], "--network": [], "--name": ["mine"], "--schema": []}
GO_ON = f"codex-server continue --turn {TURN_ID}"


def view(
    state: State = State.COMPLETE, *, answer: str | None = None, kind: str | None = None, **asked: Any
) -> TurnView:
    """A turn that has begun."""
    meta = {"codex_turn_id": "c", "request": {"cwd": "/project", "flags": FLAGS, **asked}}
    seen = TurnView(TURN_ID, PATH, state, meta=meta, result={"answer": answer})
    return seen if kind is None else with_error(seen, kind)


def with_error(seen: TurnView, kind: str) -> TurnView:
    """The turn, ended with this kind and its hint."""
    request = TurnRequest.from_json(seen.meta["request"], TURN_ID, f"{PATH}/prompt.txt")
    hint = hint_of(End(ErrorKind(kind), "m", is_resumable=seen.is_resumable), request)
    return seen._replace(error={"kind": kind, "message": "m", "hint": hint})


@for_each(
    "asked", [{"approval": "ask"}, {"may_ask_questions": True}, {"is_plan": True}], ids=["ask", "questions", "plan"]
)
def test_a_wait_for_a_turn_that_may_ask_comes_back_once_it_does(asked: dict[str, Any]) -> None:
    command = next_commands(view(State.RUNNING, **asked))["wait"]
    assert command == f"codex-server wait {TURN_ID} --timeout 100 --until attention"


@for_each("meta", [{}, {"request": {"approval": "auto"}}], ids=str)
def test_a_wait_for_any_other_ends_with_it(meta: dict[str, Any]) -> None:
    running = TurnView(TURN_ID, PATH, State.RUNNING, meta=meta)
    assert next_commands(running)["wait"] == f"codex-server wait {TURN_ID} --timeout 100"


@for_each(("request_", "is_told"), [({"notify": "tell"}, True), ({"notify": None}, False), (None, False)])
def test_a_record_tells_whether_a_command_is_told(request_: Any, *, is_told: bool) -> None:
    assert has_notifier({"request": request_}) is is_told


def test_what_waits_for_an_answer_comes_first() -> None:
    waiting = view(State.RUNNING)._replace(live={"pending": [{"id": "0"}]})
    assert [*next_commands(waiting)] == ["pending", "wait", "tail", "status", "cancel"]


def test_the_next_question_of_a_complete_turn_has_its_flags_but_not_its_name() -> None:
    reported = next_commands(view(answer="yes"))
    assert [*reported] == ["answer", "tail", "continue"]
    assert reported["continue"] == f"{GO_ON} - --write --network --schema {SCHEMA}"


def test_a_record_of_an_older_version_has_no_flags() -> None:
    assert next_commands(view(answer="yes", flags=None))["continue"] == f"{GO_ON} -"
    assert next_commands(view(answer="yes")._replace(meta={"codex_turn_id": "c"}))["continue"] == f"{GO_ON} -"


def test_an_answer_is_offered_only_where_there_is_one() -> None:
    assert "answer" not in next_commands(view(answer=""))
    assert "answer" not in next_commands(view(State.FAILED, kind="network"))
    assert [*next_commands(view(State.FAILED, answer="half", kind="network"))] == ["continue", "answer", "tail"]


@for_each(
    ("kind", "verbs"),
    [
        ("auth", ["login", "continue", "tail"]),
        ("usage_limit", ["continue", "tail"]),
        ("context_window", ["new", "tail"]),
        ("sandbox", ["doctor", "tail"]),
        ("worker_died", ["recover", "continue", "tail"]),
    ],
)
def test_after_a_failure_the_commands_of_its_hint_come_first(kind: str, verbs: list[str]) -> None:
    reported = next_commands(view(State.FAILED, kind=kind))
    assert [*reported] == verbs
    if "continue" in reported:
        reset = " --after-reset" if kind == "usage_limit" else ""
        assert reported["continue"] == f"{GO_ON} 'go on' --write --network --name mine --schema {SCHEMA}{reset}"


def test_a_turn_that_left_no_thread_is_asked_again() -> None:
    lost = view(State.FAILED)
    lost = with_error(lost._replace(meta={**lost.meta, "codex_turn_id": None}), "cancelled")
    ephemeral = view(State.FAILED, kind="cancelled", is_ephemeral=True)
    again = (
        f"codex-server new --cwd /project --write --network --name mine --schema {SCHEMA} --file '{PATH}/prompt.txt'"
    )
    assert [next_commands(each)["new"] for each in (lost, ephemeral)] == [again, again]
    assert "continue" not in next_commands(ephemeral._replace(state=State.COMPLETE, error=None))


def test_of_two_ways_with_one_verb_the_first_is_the_next() -> None:
    hint = "A fork has another: `codex-server continue --thread t --fork`; or allow it, then: `codex-server continue x`"
    reported = next_commands(view(State.FAILED)._replace(error={"hint": hint}))
    assert reported["continue"] == "codex-server continue --thread t --fork"


@for_each("error", [{}, {"hint": None}, {"hint": 3}, {"hint": "Fix `x`, then ask again."}], ids=str)
def test_a_hint_without_commands_leaves_the_rest(error: dict[str, Any]) -> None:
    assert [*next_commands(view(State.FAILED, answer="half")._replace(error=error))] == ["answer", "tail"]


def test_a_turn_that_goes_on_stays_in_its_worktree() -> None:
    assert (
        next_commands(view(answer="yes", flags={"--write": [], "--worktree": []}))["continue"] == f"{GO_ON} - --write"
    )


def test_a_request_for_reading_alone_takes_no_worktree() -> None:
    request = TurnRequest(TURN_ID, "/p", flags={"--write": [], "--worktree": []}, prompt_path=f"{PATH}/prompt.txt")
    hint = hint_of(End(ErrorKind.SANDBOX, words="Read alone: {plain}"), request)
    assert "--sandbox read-only" in hint
    assert "--worktree" not in hint
