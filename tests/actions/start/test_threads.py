"""Choosing the thread that a turn continues: ours, Codex's, by id or by turn, and never another project's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from codex_server_cli.actions.start import thread_writer, threads
from codex_server_cli.actions.start.options import ThreadChoice
from codex_server_cli.actions.start.thread_writer import Holder
from codex_server_cli.disk import lock
from codex_server_cli.disk.queue import thread_locks
from codex_server_cli.errors import AmbiguousError, BadInputError, BusyError, ErrorKind, Exit, NotFoundError
from codex_server_cli.settings.places import Settings
from tests.kit.turns_on_disk import TurnsOnDisk

OURS, CODEX_SESSION = "01a1f9ff-9cbc-76c1-b5ee-b92ff9d7aa40", "01a1fa62-b67e-7a01-a798-fd4067f1c682"


@pytest.fixture
def here(tmp_path: Path) -> str:
    (tmp_path / "project").mkdir()
    return str(tmp_path / "project")


def add_session(settings: Settings, thread_id: str, cwd: str) -> None:
    """A session that Codex itself made."""
    folder = settings.codex_home / "sessions" / "2026" / "11" / "20"
    folder.mkdir(parents=True, exist_ok=True)
    head = {
        "id": thread_id,
        "timestamp": "2026-11-20T16:57:41.000Z",
        "cwd": cwd,
        "originator": "codex_cli",
        "source": "cli",
    }
    line = {"timestamp": head["timestamp"], "type": "session_meta", "payload": head}
    (folder / f"rollout-2026-11-20T16-57-41-{thread_id}.jsonl").write_text(json.dumps(line) + "\n")


def test_last_is_our_newest_turn_of_this_directory(settings: Settings, turns: TurnsOnDisk, here: str) -> None:
    add_session(settings, CODEX_SESSION, here)
    turns.complete(cwd=here, thread_id="older", codex_turn_id="a")
    newest = turns.complete(cwd=here, thread_id=OURS, codex_turn_id="b")
    turns.complete(cwd="/elsewhere", thread_id="another project's")
    turns.complete(cwd=here, thread_id="gone with its process", request={"is_ephemeral": True})
    turns.failed(ErrorKind.CODEX_MISSING, cwd=here, thread_id=None)
    assert threads.choose_last(settings, here) == ThreadChoice(OURS, here, newest.turn_id, "b")


def test_last_is_codexs_newest_thread_of_this_directory_where_we_have_none(settings: Settings, here: str) -> None:
    add_session(settings, CODEX_SESSION, here)
    assert threads.choose_last(settings, here) == ThreadChoice(CODEX_SESSION, here)


def test_last_is_never_the_thread_of_some_other_project(settings: Settings, turns: TurnsOnDisk, here: str) -> None:
    add_session(settings, CODEX_SESSION, "/elsewhere")
    turns.complete(cwd="/elsewhere", thread_id=OURS)
    with pytest.raises(BadInputError, match=f"no earlier thread in {here}") as caught:
        threads.choose_last(settings, here)
    assert (caught.value.exit_code, caught.value.kind) == (Exit.BAD_INPUT, ErrorKind.THREAD_MISSING)


def test_last_is_busy_while_the_newest_turn_of_this_directory_has_no_thread_yet(
    settings: Settings, turns: TurnsOnDisk, here: str
) -> None:
    add_session(settings, CODEX_SESSION, here)
    older = turns.complete(cwd=here, thread_id=OURS)
    turns.running(cwd="/elsewhere")
    turns.running(cwd=here, request={"is_ephemeral": True})
    assert threads.choose_last(settings, here).resumed_from == older.turn_id
    running = turns.running(cwd=here, request={"is_ephemeral": False})
    with pytest.raises(BusyError, match=running.turn_id) as caught:
        threads.choose_last(settings, here)
    assert caught.value.exit_code == 75
    turns.drop_lock(running.turn_id)


def test_a_turn_that_failed_before_codex_wrote_a_session_left_no_thread(
    settings: Settings, turns: TurnsOnDisk, here: str
) -> None:
    older = turns.complete(cwd=here, thread_id=CODEX_SESSION, codex_turn_id="a")
    failed = turns.failed(ErrorKind.SANDBOX, cwd=here, thread_id=OURS)
    assert threads.choose_last(settings, here).resumed_from == older.turn_id
    with pytest.raises(BadInputError, match=f"turn {failed.turn_id} left no thread to go on with"):
        threads.choose_by_turn(settings, failed.turn_id, None)
    add_session(settings, OURS, here)  # it was to continue a thread, or Codex sent only the thread's id
    assert threads.choose_last(settings, here).resumed_from == failed.turn_id
    assert threads.choose_by_turn(settings, failed.turn_id, None).thread_id == OURS


def test_one_whose_thread_is_archived_is_told_so(settings: Settings, turns: TurnsOnDisk, here: str) -> None:
    turns.failed(ErrorKind.SANDBOX, cwd=here, thread_id=OURS)
    add_session(settings, OURS, here)
    (settings.codex_home / "sessions" / "2026" / "11" / "20").rename(settings.codex_home / "archived_sessions")
    with pytest.raises(NotFoundError, match="is archived"):
        threads.choose_last(settings, here)


def test_last_sees_through_links(settings: Settings, turns: TurnsOnDisk, here: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(here)
    turns.complete(cwd=str(tmp_path / "link"), thread_id=OURS)
    assert threads.choose_last(settings, here).thread_id == OURS


def test_a_thread_is_meant_by_its_id_or_a_unique_prefix(settings: Settings, here: str) -> None:
    add_session(settings, OURS, here)
    add_session(settings, CODEX_SESSION, "/elsewhere")
    assert threads.choose_by_id(settings, OURS) == ThreadChoice(OURS, here)
    assert threads.choose_by_id(settings, "01a1fa") == ThreadChoice(CODEX_SESSION, "/elsewhere")
    with pytest.raises(AmbiguousError, match="several threads begin with 01a1f"):
        threads.choose_by_id(settings, "01a1f")


@pytest.mark.parametrize("thread", ["", "01a1f9ff-0000", "../sessions", "*", "last", "01A1F9FF", OURS + "0"])
def test_a_thread_that_is_not_there_is_not_found(settings: Settings, here: str, thread: str) -> None:
    add_session(settings, OURS, here)
    with pytest.raises(NotFoundError, match="no such thread") as caught:
        threads.choose_by_id(settings, thread)
    assert caught.value.kind is ErrorKind.THREAD_MISSING


def test_a_turn_means_its_thread_and_the_place_in_it(settings: Settings, turns: TurnsOnDisk, here: str) -> None:
    turn = turns.complete(name="fix", cwd=here, thread_id=OURS, codex_turn_id="b")
    assert threads.choose_by_turn(settings, "fix", None) == ThreadChoice(OURS, here, turn.turn_id, "b")


@pytest.mark.parametrize("kind", [ErrorKind.CODEX_CRASHED, ErrorKind.WORKER_DIED])
def test_a_turn_that_codex_never_saw_the_end_of_is_no_place_to_fork_after(
    settings: Settings, turns: TurnsOnDisk, kind: ErrorKind
) -> None:
    turn = turns.failed(kind, thread_id=OURS, codex_turn_id="b")
    assert threads.choose_by_turn(settings, turn.turn_id, None).fork_after is None
    running = turns.running(thread_id=OURS, codex_turn_id="c")
    assert threads.choose_by_turn(settings, running.turn_id, None).fork_after is None


def test_a_turn_without_a_thread_is_busy_while_it_runs_and_bad_input_after(
    settings: Settings, turns: TurnsOnDisk
) -> None:
    running = turns.running()
    with pytest.raises(BusyError, match="has no thread yet") as busy:
        threads.choose_by_turn(settings, running.turn_id, None)
    assert (
        busy.value.hint == f"First: `codex-server wait {running.turn_id} --timeout 100`, then the same command again."
    )
    ended = turns.failed(ErrorKind.CODEX_MISSING)
    with pytest.raises(BadInputError, match="left no thread to go on with"):
        threads.choose_by_turn(settings, ended.turn_id, None)


@pytest.mark.parametrize("thread_id", [None, "", "a\0b", "../../x", "\ud800", "01a1\n", 7, [OURS]])
def test_a_turn_that_left_no_thread_or_what_can_be_none_is_passed_over_for_an_older_one(
    settings: Settings, turns: TurnsOnDisk, here: str, thread_id: object
) -> None:
    older = turns.complete(cwd=here, thread_id=OURS)
    turn = turns.complete(cwd=here, thread_id=thread_id)
    with pytest.raises(BadInputError, match="left no thread to go on with") as caught:
        threads.choose_by_turn(settings, turn.turn_id, None)
    assert caught.value.kind is ErrorKind.THREAD_MISSING
    assert threads.choose_last(settings, here).resumed_from == older.turn_id


def test_the_holder_of_a_thread_is_our_turn_or_another_codex(settings: Settings, turns: TurnsOnDisk) -> None:
    assert thread_writer.holder_of_thread(settings, OURS) is None
    turns.complete(thread_id=OURS)
    claim = thread_locks.claim(settings.turns_path, OURS)
    assert claim is not None
    assert thread_writer.holder_of_thread(settings, OURS) == Holder("a turn that is just starting")
    turn_id = "20261120-165501-482-7f3a"
    claim.name_holder(turn_id)
    assert thread_writer.holder_of_thread(settings, OURS) == Holder(f"turn {turn_id}", turn_id)
    may_ask_turn = turns.running(request={"approval": "ask"})
    claim.name_holder(may_ask_turn.turn_id)
    assert thread_writer.holder_of_thread(settings, OURS) == Holder(
        f"turn {may_ask_turn.turn_id}", may_ask_turn.turn_id, may_ask=True
    )
    claim.release()
    assert thread_writer.holder_of_thread(settings, OURS) is None
    assert thread_writer.holder_of_thread(settings, CODEX_SESSION) is None
    (settings.codex_home / "thread-writer-locks").mkdir()
    fd = lock.create_locked(settings.codex_home / "thread-writer-locks" / f"{CODEX_SESSION}.lock")
    assert thread_writer.holder_of_thread(settings, CODEX_SESSION) == Holder(
        f"another codex process (pid {os.getpid()})", pid=os.getpid()
    )
    os.close(fd)
    assert thread_writer.holder_of_thread(settings, CODEX_SESSION) is None
