"""A turn that may not be read (another user's, started with sudo in the user's home) is neither running nor dead.

Root runs these without the capability to bypass permissions, so that they hold for it as for any user.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind
from tests.kit.capabilities import IS_ROOT, without_powers
from tests.kit.command_run import Run
from tests.kit.shell import Shell, assert_refused
from tests.kit.turns_on_disk import ANSWER, TurnsOnDisk

OTHER_UID = 65534
WITHOUT_POWERS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search,-kill") if IS_ROOT else ()


@pytest.fixture(autouse=True)
def restored_modes(shell: Shell) -> Iterator[None]:
    """Modes of closed paths are restored at the end."""
    if IS_ROOT and shutil.which("setpriv") is None:
        pytest.skip("no setpriv on this machine, and root passes every door")
    yield
    for path in (shell.home, shell.home / "turns"):
        if path.exists():
            path.chmod(0o700)
    for path in shell.home.glob("turns/*"):
        path.chmod(0o700)
        (path / "inbox").chmod(0o700)


def close(path: Path) -> None:
    """Make a file or directory another user's, with mode for its owner alone."""
    if IS_ROOT:
        for each in (path, *path.rglob("*")):
            os.chown(each, OTHER_UID, OTHER_UID)
    else:
        path.chmod(0)


def close_files(turn: TurnDir) -> None:
    """The same for the entries of the directory: its names can be listed."""
    for each in turn.path.iterdir():
        close(each)


def run(shell: Shell, *arguments: str) -> Run:
    with without_powers():
        return shell.call(*arguments)


def left_in(turn: TurnDir) -> dict[str, tuple[int, int]]:
    """Names, sizes and times: what a side effect of reading would change."""
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in (turn.path, *turn.path.rglob("*"))}


@pytest.fixture
def closed(turns: TurnsOnDisk) -> TurnDir:
    """A turn of another user that no other user may read."""
    turn = turns.dead(cwd="/", thread_id="01a22666-cae9-7ae0-9778-0798dc9741ae")
    close(turn.path)
    return turn


@pytest.fixture
def files_closed(turns: TurnsOnDisk) -> TurnDir:
    """A turn of another user whose file names can be listed; there is no end among them."""
    turn = turns.dead(cwd="/", thread_id="01a22666-cae9-7ae0-9778-0798dc9741ae")
    close_files(turn)
    return turn


@pytest.mark.parametrize("how", ["directory", "files"])
def test_its_state_is_unreadable_whatever_it_is(shell: Shell, turns: TurnsOnDisk, how: str) -> None:
    for end in ("running", "complete", "failed", "dead"):
        turn = turns.failed(ErrorKind.NETWORK) if end == "failed" else getattr(turns, end)()
        close(turn.path) if how == "directory" else close_files(turn)
        before = left_in(turn)
        seen = run(shell, "status", turn.turn_id, "--full")
        document = json.loads(seen.stdout)
        told = (document["state"], document["turn_id"], document["next"])
        assert (seen.code, *told) == (73, "unreadable", turn.turn_id, {}), end
        assert (document["error"]["kind"], document["phase"], document["finished_at"]) == ("disk", None, None), end
        assert f"turn {turn.turn_id} cannot be read: {turn.path}" in seen.stderr, end
        assert left_in(turn) == before, end


COMMANDS = [
    (["tail", "TURN"], False),
    (["tail", "TURN", "--follow"], False),
    (["tail", "TURN", "--events"], False),
    (["wait", "TURN", "--print", "out"], False),
    (["wait", "TURN", "--timeout", "5", "--until", "attention"], False),
    (["answer", "TURN"], False),
    (["pending", "TURN"], False),
    (["approve", "TURN"], True),
    (["decline", "TURN"], True),
    (["reply", "TURN", "--answer", "a=b"], True),
    (["steer", "TURN", "look left"], True),
    (["recover", "TURN"], True),
    (["continue", "--turn", "TURN", "go on"], True),
    (["continue", "--turn", "TURN", "--fork", "go on"], True),
]


def test_every_verb_says_so_and_does_nothing(shell: Shell, closed: TurnDir) -> None:
    before, count = left_in(closed), len(shell.left)
    for command, as_json in COMMANDS:
        words = [closed.turn_id if word == "TURN" else word for word in command]
        result = run(shell, *words)
        expected = f"turn {closed.turn_id} cannot be read: {closed.path}"
        assert_refused(result, 73, expected, as_json=as_json, case=command)
        assert "ask as that user" in result.told or "the right to read it" in result.told, command
        assert left_in(closed) == before, command
        assert len(shell.left) == count, command
    for real in (["wait", closed.turn_id], ["continue", "--turn", closed.turn_id, "go on"]):
        result = shell.run(*real, under=WITHOUT_POWERS)
        assert_refused(result, 73, f"turn {closed.turn_id} cannot be read: ", as_json=real[0] == "continue")
    assert (left_in(closed), len(shell.left)) == (before, count)


def test_a_cancel_leaves_it_alone_and_ends_the_others(shell: Shell, turns: TurnsOnDisk, closed: TurnDir) -> None:
    dead = turns.dead()
    before = left_in(closed)
    one = run(shell, "cancel", closed.turn_id)
    assert (one.code, json.loads(one.stdout)["state"]) == (73, "unreadable")
    both = run(shell, "cancel", closed.turn_id, dead.turn_id)
    assert (both.code, [turn["state"] for turn in both.json["turns"]]) == (73, ["unreadable", "abandoned"])
    assert left_in(closed) == before


def test_a_turn_whose_inbox_is_closed_keeps_no_other_from_being_cancelled(shell: Shell, turns: TurnsOnDisk) -> None:
    own = shell.start_silent()
    foreign = turns.running()
    close(foreign.inbox)
    result = run(shell, "cancel", foreign.turn_id, own)
    assert_refused(result, 73, f"cannot write {foreign.inbox}: ", as_json=True)
    assert run(shell, "status", own).json["state"] == "cancelled"


def test_waiting_for_several_goes_on_with_the_others(shell: Shell, turns: TurnsOnDisk, closed: TurnDir) -> None:
    complete, running = turns.complete(), turns.running()
    result = run(shell, "wait", closed.turn_id, complete.turn_id)
    assert (result.code, [each["state"] for each in result.json_lines]) == (73, ["unreadable", "complete"])
    first = run(shell, "wait", "--any", closed.turn_id, complete.turn_id)
    assert first.code == 0
    for until in ([], ["--until", "attention"]):
        still = run(shell, "wait", "--any", closed.turn_id, running.turn_id, "--timeout", "0.5", *until)
        assert still.code == 124, still
        assert [each["state"] for each in still.json_lines] == ["unreadable"]
        assert still.duration_s > 0.5


def test_tail_shows_the_others(shell: Shell, turns: TurnsOnDisk, files_closed: TurnDir) -> None:
    complete = turns.complete()
    complete.out.write_text("all of it\n")
    result = run(shell, "tail", files_closed.turn_id, complete.turn_id)
    assert result.code == 73
    assert "all of it" in result.stdout
    assert f"turn {files_closed.turn_id} cannot be read" in result.stderr


def test_lists_mark_it_and_go_on(shell: Shell, turns: TurnsOnDisk, closed: TurnDir) -> None:
    complete = turns.complete(name="mine")
    listed = run(shell, "list-turns")
    assert listed.code == 0
    assert [line.split()[:2] for line in listed.stdout.splitlines()[1:]] == [
        [complete.turn_id, "complete"],
        [closed.turn_id, "unreadable"],
    ]
    for command in (["list-turns", "--json", "--state", "unreadable"], ["list-turns", "--json"]):
        assert closed.turn_id in run(shell, *command).stdout
    assert [turn["state"] for turn in run(shell, "status").json["turns"]] == ["unreadable"]
    assert run(shell, "status", "mine").json["state"] == "complete"
    assert run(shell, "answer", "mine").stdout == f"{ANSWER}\n"
    assert run(shell, "pending").code == 0
    result = run(shell, "tail", "--all", "--after", "0")
    assert (result.code, "abandoned" in result.stdout) == (0, False)
    assert f"turn {closed.turn_id} cannot be read" in result.stderr


def test_gc_keeps_it_and_deletes_the_others(shell: Shell, turns: TurnsOnDisk, files_closed: TurnDir) -> None:
    complete = turns.complete(finished_at="2026-01-01T00:00:00.000Z")
    before = left_in(files_closed)
    result = run(shell, "gc", "--older-than", "1s")
    assert (result.code, result.stdout) == (0, f"{complete.turn_id}\n")
    assert f"left alone, because they cannot be read (another user's): {files_closed.turn_id}" in result.stderr
    assert left_in(files_closed) == before


@pytest.mark.parametrize("name", ["meta.json", "result.json", "out.txt", "events.jsonl", "lock"])
def test_one_file_that_may_not_be_read_makes_up_nothing(shell: Shell, turns: TurnsOnDisk, name: str) -> None:
    complete, dead = turns.complete(), turns.dead()
    (dead.path / "result.json").touch(0o600)
    for turn in (complete, dead):
        close(turn.path / name)
    if name in ("meta.json", "result.json"):
        assert_refused(run(shell, "answer", complete.turn_id), 73, f"{complete.path / name}: ", as_json=False)
    else:
        assert run(shell, "answer", complete.turn_id).stdout == f"{ANSWER}\n"
    is_needed = name != "out.txt"  # the end of a dead turn is known without it
    assert json.loads(run(shell, "status", dead.turn_id).stdout)["state"] == (
        "unreadable" if is_needed else "abandoned"
    )
    if name in ("out.txt", "events.jsonl"):
        options = ["--events"] if name == "events.jsonl" else []
        result = run(shell, "tail", complete.turn_id, *options)
        assert_refused(result, 73, f"{complete.path / name}: ", as_json=False)


def test_an_error_marker_that_may_not_be_read_is_no_failure(shell: Shell, turns: TurnsOnDisk) -> None:
    cancelled = turns.failed(ErrorKind.CANCELLED)
    close(cancelled.error)
    assert json.loads(run(shell, "status", cancelled.turn_id).stdout)["state"] == "unreadable"


@pytest.mark.parametrize("what", ["", "turns"])
def test_a_home_that_may_not_be_read_is_73_for_all(shell: Shell, turns: TurnsOnDisk, what: str) -> None:
    turn = turns.complete()
    close(shell.home / what)
    for command in (["list-turns"], ["status"], ["answer", turn.turn_id], ["wait", "last"], ["gc"], ["pending"]):
        result = run(shell, *command)
        assert (result.code, "Permission denied" in result.stderr) == (73, True), (command, result)
    completion = {"_CODEX_SERVER_COMPLETE": "complete_bash", "COMP_WORDS": "codex-server wait 2", "COMP_CWORD": "2"}
    result = shell.run(under=WITHOUT_POWERS, env=completion)
    assert result.stderr == ""


def test_a_thread_whose_lock_is_another_users_is_not_taken_for_free(shell: Shell, turns: TurnsOnDisk) -> None:
    thread_id = "01a22666-cae9-7ae0-9778-0798dc9741ae"
    turn = turns.complete(thread_id=thread_id, codex_turn_id="1", cwd=str(shell.project))
    (shell.home / "threads").mkdir(mode=0o700)
    lock = shell.home / "threads" / f"{thread_id}.lock"
    lock.touch(0o600)
    close(lock)
    result = run(shell, "continue", "--turn", turn.turn_id, "go on")
    assert_refused(result, 73, f"it is not known who writes thread {thread_id}: {lock}: ", as_json=True)


@pytest.mark.parametrize("what", ["sessions", "sessions/2026/11", "file"])
def test_sessions_that_may_not_be_read_are_not_taken_for_none(shell: Shell, what: str) -> None:
    thread_id = "01a22666-cae9-7ae0-9778-0798dc9741ae"
    day = shell.codex_home / "sessions" / "2026" / "11" / "29"
    day.mkdir(parents=True)
    file = day / f"rollout-2026-11-29T08-23-20-{thread_id}.jsonl"
    file.write_text("{}\n")
    file.chmod(0o600)
    closed = file if what == "file" else shell.codex_home / what
    closed.chmod(0o600 if what == "file" else 0o700)
    close(closed)
    for command in (["show", thread_id], ["show", thread_id[:8]], ["list"], ["continue", "--thread", thread_id, "hi"]):
        result = run(shell, *command)
        assert_refused(result, 73, f"cannot read {closed}", as_json=command[0] == "continue")
    assert_refused(run(shell, "continue", "hi"), 73, f"cannot read {closed}", as_json=True)
    if what == "file":
        assert run(shell, "show", "ffff").code == 66
    closed.chmod(0o700)


def test_a_name_that_only_an_unreadable_turn_may_have_is_not_taken_for_unknown(
    shell: Shell, turns: TurnsOnDisk, closed: TurnDir
) -> None:
    named = turns.complete(name="mine", cwd="/")
    assert run(shell, "answer", "mine").stdout == f"{ANSWER}\n"
    for command, as_json in ((["answer", "review"], False), (["status", "review"], True), (["wait", "last"], False)):
        result = run(shell, *command)
        assert_refused(
            result, 73, f", of those that may be read; turn {closed.turn_id} cannot be read: ", as_json=as_json
        )
    shutil.rmtree(closed.path)
    assert run(shell, "answer", "review").code == 66
    assert named.path.exists()


@pytest.mark.skipif(not IS_ROOT, reason="only root can give files away")
def test_root_makes_nothing_in_a_users_turn(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.dead()
    close(turn.path)
    before = left_in(turn)
    assert shell.run("status", turn.turn_id).json["state"] == "abandoned"  # it may read, and derives what it sees
    assert left_in(turn) == before
