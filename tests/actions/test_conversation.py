"""Which thread a chat continues, what a follower of a chat turn sees, and the input history."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.actions import conversation as chat
from codex_server_cli.actions.conversation import ChatTarget, ChatTurn
from codex_server_cli.core.model.turn import State
from codex_server_cli.disk.files import write_json
from codex_server_cli.errors import AmbiguousError, BadInputError, NotFoundError
from codex_server_cli.settings.places import Settings
from tests.disk.test_codex_sessions import SessionFiles, meta_line, user_line
from tests.kit.turns_on_disk import WHOLE_TURN, TurnsOnDisk

THREAD = "01a1fa62-b67e-7a01-a798-fd4067f1c682"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "home").mkdir(mode=0o700)
    return Settings(tmp_path / "home", tmp_path / "codex", tmp_path, "", None)


@pytest.fixture
def turns(settings: Settings) -> Iterator[TurnsOnDisk]:
    with TurnsOnDisk(settings.turns_path) as turns:
        yield turns


# --- the conversations there are


def test_a_conversation_has_the_name_of_its_newest_named_turn_and_the_turn_that_runs(
    settings: Settings, turns: TurnsOnDisk
) -> None:
    sessions = SessionFiles(settings.codex_home)
    quiet, busy, here = (sessions.write(meta_line("/srv") + user_line(f"do {word}")) for word in ("a", "b", "c"))
    turns.complete(thread_id=quiet, name="first try")
    named = turns.complete(thread_id=quiet, name="second try")
    last = turns.complete(thread_id=quiet)
    running = turns.running(thread_id=busy)
    found = chat.resumable(settings, 9, here)
    assert [(each.thread.thread_id, each.thread.first_prompt) for each in found] == [(busy, "do b"), (quiet, "do a")]
    assert [each.name for each in found] == [None, "second try"]
    assert [each.running and each.running.turn_id for each in found] == [running.turn_id, None]
    newest = chat.last_turn(settings, quiet)
    assert newest is not None
    assert (newest.turn_id, newest.turn_id > named.turn_id) == (last.turn_id, True)
    assert chat.last_turn(settings, here) is None


# --- the history


def test_what_was_typed_comes_back_newest_first_lines_and_all(settings: Settings) -> None:
    for text in ("one", "two\nlines", "+ plus\n\n# hash", "ü"):
        chat.add_to_history(settings, text)
    assert chat.read_history(settings) == ["ü", "+ plus\n\n# hash", "two\nlines", "one"]
    assert stat.S_IMODE((settings.home / "chat_history").stat().st_mode) == 0o600


def test_a_very_long_line_is_not_stored_for_it_would_be_all_that_is(settings: Settings) -> None:
    chat.add_to_history(settings, "one")
    chat.add_to_history(settings, "x" * (chat.MOST_LINE_CHARS + 1))
    assert chat.read_history(settings) == ["one"]


def test_a_history_that_is_a_link_is_neither_read_nor_written(settings: Settings, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("\n# 2026\n+theirs\n")
    (settings.home / "chat_history").symlink_to(other)
    chat.add_to_history(settings, "mine")
    assert chat.read_history(settings) == []
    assert "mine" not in other.read_text()


def test_a_home_that_takes_no_history_costs_the_history_alone(settings: Settings) -> None:
    settings.home.rmdir()
    chat.add_to_history(settings, "one")
    assert chat.read_history(settings) == []


def test_of_a_long_history_the_newest_lines_come_back(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chat, "HISTORY_BYTES", 100)
    for number in range(50):
        chat.add_to_history(settings, f"line {number}")
    found = chat.read_history(settings)
    assert found[0] == "line 49"
    assert 0 < len(found) < 5


# --- which thread it continues


def test_a_turn_or_a_thread_is_named_by_one_word(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = turns.complete(thread_id=THREAD, name="fix", cwd="/project")
    for selector in (turn.turn_id, "fix"):
        choice = chat.target_of(settings, selector, None).choice
        assert choice is not None
        assert (choice.thread_id, choice.cwd) == (THREAD, "/project")


def test_what_is_neither_a_turn_nor_a_thread_is_said_to_be(settings: Settings, turns: TurnsOnDisk) -> None:
    settings.codex_home.mkdir()
    turns.complete()
    turns.complete()
    with pytest.raises(NotFoundError, match="no such turn or thread: zzz"):
        chat.target_of(settings, "zzz", None)
    with pytest.raises(AmbiguousError, match="2 turns begin with 2026"):
        chat.target_of(settings, "2026", None)
    with pytest.raises(BadInputError, match="left no thread"):
        chat.target_of(settings, turns.complete().turn_id, None)


def test_a_turn_that_runs_is_followed_first(settings: Settings, turns: TurnsOnDisk) -> None:
    turn = turns.running(thread_id=THREAD)
    target = chat.target_of_turn(settings, turn.turn_id, None)
    assert target.running is not None
    assert target.running.directory.turn_id == turn.turn_id


def test_after_a_chat_turn_its_thread_goes_on_and_else_the_one_before(settings: Settings, turns: TurnsOnDisk) -> None:
    before = ChatTarget(chat.target_of_turn(settings, turns.complete(thread_id=THREAD).turn_id, None).choice)
    other = THREAD[:-1] + "3"
    after = chat.target_after(settings, ChatTurn(turns.complete(thread_id=other)), before)
    assert after.choice is not None
    assert after.choice.thread_id == other
    assert chat.target_after(settings, ChatTurn(turns.complete()), before).choice == before.choice


def test_a_thread_that_codex_does_not_know_has_no_entries(settings: Settings, turns: TurnsOnDisk) -> None:
    choice = chat.target_of_turn(settings, turns.complete(thread_id=THREAD).turn_id, None).choice
    assert choice is not None
    assert chat.last_entries(settings, choice, 4) == []


# --- following


def test_a_follower_sees_all_events_and_then_the_end(turns: TurnsOnDisk) -> None:
    turn = turns.running()
    whole, cut = WHOLE_TURN.split(b"\n"), 7
    turn.events.write_bytes(b"\n".join(whole[:cut]) + b"\n")
    write_json(turn.pending, {"version": 1, "turn_id": turn.turn_id, "pending": [{"id": "0"}]})
    follower = ChatTurn(turn).follow()
    first = next(follower)
    assert (first.is_end, len(first.events), first.pending) == (False, cut, [{"id": "0"}])
    with turn.events.open("ab") as file:
        file.write(b"\n".join(whole[cut:]))
    turns.drop_lock(turn.turn_id)
    rest = list(follower)
    assert [seen.is_end for seen in rest] == [False] * (len(rest) - 1) + [True]
    assert rest[-1].view.state is State.COMPLETE
    assert rest[-1].pending == []
    assert [event["seq"] for seen in (first, *rest) for event in seen.events] == list(range(len(whole) - 1))


def test_a_chat_turn_that_is_left_is_followed_no_longer(turns: TurnsOnDisk) -> None:
    chat_turn = ChatTurn(turns.running())
    follower = chat_turn.follow()
    next(follower)
    chat_turn.leave()
    assert list(follower) == []
