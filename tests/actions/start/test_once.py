"""`--once`: which turn a repeated start is answered with, and what counts as the same call."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.actions.start.once import only_once
from codex_server_cli.actions.start.options import Once, StartOptions
from codex_server_cli.actions.start.start import Started
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.turn import once as keys
from codex_server_cli.errors import BadInputError, BusyError
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.launch import TurnExistsError
from tests.kit.turns_on_disk import TurnsOnDisk

YEARS_S = 100 * 365 * 86400.0
OPTIONS = StartOptions("hi", "/srv", once=Once("k", YEARS_S))
CALL = {"verb": ["new"]}


class _Starts:
    """What starts turns, on disk alone."""

    def __init__(self, turns: TurnsOnDisk) -> None:
        self.turns = turns
        self.count = 0

    def __call__(self, options: StartOptions) -> Started:
        assert options.once is not None
        self.count += 1
        turn = self.turns.running(once=options.once._asdict())
        return Started(TurnView(turn.turn_id, str(turn.path), State.RUNNING))


@pytest.fixture
def begin(turns: TurnsOnDisk) -> _Starts:
    return _Starts(turns)


def test_a_call_starts_one_turn_and_is_answered_with_it_from_then_on(settings: Settings, begin: _Starts) -> None:
    first = only_once(settings, OPTIONS, None, CALL, begin)
    again = only_once(settings, OPTIONS, None, CALL, begin)
    assert (again.view.turn_id, again.view.state, again.warnings) == (first.view.turn_id, State.RUNNING, ())
    assert (first.is_existing, again.is_existing, begin.count) == (False, True, 1)
    other = only_once(settings, OPTIONS._replace(once=Once("other", YEARS_S)), None, CALL, begin)
    assert (other.is_existing, begin.count) == (False, 2)


def test_a_prompt_from_a_pipe_and_the_same_as_an_argument_are_one_call(settings: Settings, begin: _Starts) -> None:
    started = only_once(settings, OPTIONS, None, CALL, begin)
    again = only_once(settings, OPTIONS._replace(prompt="hi\n"), None, CALL, begin)
    assert (again.is_existing, again.view.turn_id) == (True, started.view.turn_id)


@pytest.mark.parametrize(
    ("changed", "differing"),
    [
        ({"prompt": "hi!"}, "the prompt differs"),
        ({"cwd": "/srv/x"}, "the directory differs"),
        ({"model": "m", "effort": "low"}, "--model and --effort differ"),
        ({"sandbox": Sandbox.WORKSPACE_WRITE, "add_dirs": ("d",), "name": "n"}, "--write, --add-dir and --name differ"),
        ({"schema": "s.json", "images": ("a.png", "b.png")}, "--schema and --image differ"),
        ({"deadline_s": 5.0, "is_ephemeral": True}, "--ephemeral differs"),
        ({"has_worktree": True, "worktree_name": "n"}, "--worktree and --worktree-name differ"),
    ],
)
def test_another_call_is_refused_with_what_differs_whichever_comes_first(
    settings: Settings, begin: _Starts, changed: dict[str, Any], differing: str
) -> None:
    for number, (first, second) in enumerate([({}, changed), (changed, {})]):
        once = Once(f"k{number}", YEARS_S)
        started = only_once(settings, OPTIONS._replace(once=once, **first), None, CALL, begin)
        with pytest.raises(BadInputError, match=f"another call: {differing}$") as caught:
            only_once(settings, OPTIONS._replace(once=once, **second), None, CALL, begin)
        assert f"turn {started.view.turn_id} has the key 'k{number}'" in caught.value.message
        assert f"`codex-server status {started.view.turn_id}`" in caught.value.hint
    assert begin.count == 2


def test_what_does_not_change_the_turn_may_differ_and_what_the_turn_keeps_is_said(
    settings: Settings, begin: _Starts
) -> None:
    first = only_once(settings, OPTIONS, None, CALL, begin)
    allowed = OPTIONS._replace(may_nest=True, may_skip_git_check=True)
    assert only_once(settings, allowed, None, CALL, begin).warnings == ()
    kept = OPTIONS._replace(cwd="/srv/../srv", deadline_s=5.0, notify="true", approval_timeout_s=1.0)
    (warning,) = only_once(settings, kept, None, CALL, begin).warnings
    assert warning.startswith(f"turn {first.view.turn_id} keeps the --approval-timeout, --deadline, --notify that")
    assert begin.count == 1


def test_files_are_compared_by_their_path(settings: Settings, begin: _Starts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    only_once(settings, OPTIONS._replace(schema="srv/s.json", images=("p.png",)), None, CALL, begin)
    again = OPTIONS._replace(schema="/srv/s.json", images=("/p.png",))
    assert only_once(settings, again, None, CALL, begin).is_existing


def test_a_record_without_what_was_asked_is_another_call(
    settings: Settings, turns: TurnsOnDisk, begin: _Starts
) -> None:
    for asked in (None, "new", {"verb": "new"}):
        turns.running(once={"key": "k", "asked": asked})
        with pytest.raises(BadInputError, match="the verb, the prompt and the directory differ"):
            only_once(settings, OPTIONS, None, CALL, begin)


def test_a_thread_that_is_busy_with_the_turn_of_a_call_at_the_same_instant_is_that_turn(
    settings: Settings, begin: _Starts
) -> None:
    def overtaken(options: StartOptions) -> Started:
        begin(options)
        raise BusyError("thread t is being written by a turn that is just starting")

    answered = only_once(settings, OPTIONS, None, CALL, overtaken)
    assert (answered.is_existing, begin.count) == (True, 1)


def test_a_thread_that_is_busy_with_another_turn_is_busy(settings: Settings, begin: _Starts) -> None:
    def busy(_: StartOptions) -> Started:
        raise BusyError("thread t is being written by turn x")

    settings.home.mkdir()
    lock = settings.home / "once.lock"
    with pytest.raises(BusyError, match="by turn x"):
        only_once(settings, OPTIONS, None, CALL, busy)
    lock.unlink()
    lock.mkdir()  # it cannot be locked: then it is not known whether there is a turn, and the thread is busy
    with pytest.raises(BusyError, match="by turn x"):
        only_once(settings, OPTIONS, None, CALL, busy)


def test_a_turn_that_the_worker_has_found_is_the_answer_and_one_deleted_since_is_said(
    settings: Settings, begin: _Starts, turns: TurnsOnDisk
) -> None:
    def overtaken(options: StartOptions) -> Started:
        raise TurnExistsError(begin(options).view.turn_id)

    assert only_once(settings, OPTIONS, None, CALL, overtaken).is_existing

    def vanished(_: StartOptions) -> Started:
        raise TurnExistsError("20261120-165501-482-7f3a")

    other = OPTIONS._replace(once=Once("other", YEARS_S))
    with pytest.raises(BusyError, match="was deleted just now"):
        only_once(settings, other, None, CALL, vanished)
    assert keys.turn_of_key(turns.path, "other", YEARS_S) is None


def test_a_turn_that_has_ended_is_told_as_it_ended(settings: Settings, begin: _Starts, turns: TurnsOnDisk) -> None:
    started = only_once(settings, OPTIONS, None, CALL, begin)
    once = (read_json(settings.turns_path / started.view.turn_id / "meta.json") or {})["once"]
    ended = turns.complete("yes", once=once)
    write_json(ended.meta, {**(read_json(ended.meta) or {}), "once": once})
    again = only_once(settings, OPTIONS, None, CALL, begin)
    assert (again.view.turn_id, again.view.state, again.view.answer) == (ended.turn_id, State.COMPLETE, "yes")
