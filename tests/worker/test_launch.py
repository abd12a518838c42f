"""Starting a worker and handing it a turn; a worker that fails before that leaves nothing and reports why."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from codex_server_cli.core.model.turn import is_turn_id
from codex_server_cli.disk import lock
from codex_server_cli.disk.files import read_json
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import BusyError, HomeError, InternalError
from codex_server_cli.worker import launch as launch_module
from codex_server_cli.worker.launch import Launch, TurnExistsError
from tests.fakes import codex as fake
from tests.kit.story import is_alive
from tests.kit.support import DEADLINE_S, wait_until

MAX_RUNNING = 8
WORKER = "from codex_server_cli.worker.main import main; main()"
LAUNCH_AND_PAUSE = """
import signal
from codex_server_cli.worker.launch import Launch
launch = Launch()
launch.spawn()
print(launch._pid, flush=True)
signal.pause()
"""


@pytest.fixture
def launched() -> Iterator[Callable[[], Launch]]:
    """Start workers; all are dead and reaped after the test."""
    launches: list[Launch] = []

    def start() -> Launch:
        launches.append(Launch())
        launches[-1].spawn()
        return launches[-1]

    yield start
    for launch in launches:
        try:
            os.kill(launch._pid, signal.SIGKILL)
            os.waitpid(launch._pid, 0)
        except (ProcessLookupError, ChildProcessError):
            continue


@pytest.fixture
def turns_path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "turns"


@pytest.fixture
def meta(tmp_path: Path) -> dict[str, Any]:
    """The launch of a turn whose codex never answers."""
    binary = fake.write(tmp_path / "codex", "silent")
    return {"version": 1, "codex": str(binary), "request": {"cwd": str(tmp_path)}, "thread_id": None}


def end(turn: TurnDir) -> None:
    """Cancel a turn and wait for its end."""
    inbox.post(turn, "cancel")
    assert lock.wait_until_free(turn.lock, DEADLINE_S)
    assert turn.error.exists()


def test_a_turn_that_is_handed_over_lives_in_its_directory(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any]
) -> None:
    launch = launched()
    turn_id, _ = launch.hand_over(turns_path, "what?\r\n é", meta, MAX_RUNNING)
    assert is_turn_id(turn_id)
    turn = TurnDir(turns_path / turn_id)
    assert turn.prompt.read_bytes() == "what?\r\n é".encode()
    assert lock.is_held(turn.lock)
    assert (read_json(turn.meta) or {})["turn_id"] == turn_id
    end(turn)


def test_a_worker_that_was_not_spawned_before_its_turn_is_spawned_with_it_and_can_be_reaped(
    turns_path: Path, meta: dict[str, Any]
) -> None:
    children = set(psutil.Process().children())
    launch = Launch()
    assert set(psutil.Process().children()) == children  # dropped now, it has left nothing
    assert launch.is_reaped()
    turn_id, _ = launch.hand_over(turns_path, "hi", meta, MAX_RUNNING)
    (worker,) = set(psutil.Process().children()) - children
    assert not launch.is_reaped()
    end(TurnDir(turns_path / turn_id))
    for _ in range(2):  # the second finds it gone
        launch.reap()
        assert not psutil.pid_exists(worker.pid)
    assert launch.is_reaped()


def test_pictures_are_handed_over_byte_by_byte(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any]
) -> None:
    pictures = (("images/1.png", os.urandom(3_000_000)), ("images/2.png", b""), ("images/3.png", b"\n{}\n"))
    turn_id, _ = launched().hand_over(turns_path, "hi", meta, MAX_RUNNING, pictures=pictures)
    turn = TurnDir(turns_path / turn_id)
    assert {name: (turn.path / name).read_bytes() for name, _ in pictures} == dict(pictures)
    end(turn)


@pytest.mark.parametrize("sent", [0, 20, 1_000_000])
def test_a_launcher_that_dies_while_it_hands_pictures_over_leaves_nothing(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any], sent: int
) -> None:
    launch = launched()
    turn = {"turns_path": str(turns_path), "prompt": "hi", "max_running": MAX_RUNNING, "meta": meta, "fork_meta": None}
    turn["pictures"] = [("images/1.png", 1_000_000), ("images/2.png", 1)]
    with open(launch._to_worker, "wb") as pipe:  # noqa: PTH123 — a descriptor, not a path
        pipe.write(json.dumps(turn).encode() + b"\n" + bytes(sent))
    assert os.waitpid(launch._pid, 0)[1] == 0
    assert not turns_path.exists()


def test_a_worker_has_a_session_a_directory_and_descriptors_of_its_own(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any]
) -> None:
    read_fd, write_fd = os.pipe()
    os.set_inheritable(write_fd, True)
    launch = launched()
    turn_id, _ = launch.hand_over(turns_path, "hi", meta, MAX_RUNNING)
    os.close(write_fd)
    assert os.read(read_fd, 1) == b""  # a pipe that the user's shell left open would never end
    os.close(read_fd)
    worker = psutil.Process(launch._pid)
    assert os.getsid(worker.pid) == worker.pid
    assert worker.cwd() == "/"
    assert worker.environ()["CODEX_SERVER_TURN_ID"] == "worker"  # it must not end with the turn that started it
    end(TurnDir(turns_path / turn_id))


def test_turns_come_in_the_order_of_their_ids(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any]
) -> None:
    launches = [launched() for _ in range(3)]
    ids = [launch.hand_over(turns_path, "hi", meta, MAX_RUNNING)[0] for launch in reversed(launches)]
    assert ids == sorted(set(ids))
    for turn_id in ids:
        end(TurnDir(turns_path / turn_id))


def test_of_two_turns_on_one_thread_the_second_is_refused_or_forks(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any]
) -> None:
    on_thread, fork = meta | {"thread_id": "019a-1"}, meta | {"forked_from": "019a-1"}
    turn_id, has_forked = launched().hand_over(turns_path, "one", dict(on_thread), MAX_RUNNING, dict(fork))
    assert not has_forked
    with pytest.raises(BusyError, match=f"thread 019a-1 is being written by turn {turn_id}") as caught:
        launched().hand_over(turns_path, "two", dict(on_thread), MAX_RUNNING)
    assert f"codex-server wait {turn_id}" in caught.value.hint
    assert "--fork" in caught.value.hint
    fork_id, has_forked = launched().hand_over(turns_path, "three", dict(on_thread), MAX_RUNNING, dict(fork))
    assert has_forked
    assert (read_json(turns_path / fork_id / "meta.json") or {})["forked_from"] == "019a-1"
    for each in (turn_id, fork_id):
        end(TurnDir(turns_path / each))
    assert list((turns_path.parent / "threads").iterdir()) == []


def test_of_two_turns_with_one_key_there_is_the_first_even_where_it_holds_the_thread(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any]
) -> None:
    with_key = meta | {"thread_id": "019a-1", "once": {"key": "k", "for_s": 60.0, "asked": None}}
    turn_id, _ = launched().hand_over(turns_path, "one", dict(with_key), MAX_RUNNING)
    again = launched()
    with pytest.raises(TurnExistsError, match=turn_id):
        again.hand_over(turns_path, "two", dict(with_key), MAX_RUNNING, dict(with_key))
    assert not psutil.pid_exists(again._pid)
    assert not lock.is_held(turns_path.parent / "once.lock")  # though the turn runs
    end(TurnDir(turns_path / turn_id))
    assert [path.name for path in turns_path.iterdir()] == [turn_id]


def test_a_turn_without_a_key_has_nothing_to_do_with_their_lock_and_one_that_cannot_have_it_is_not_made(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any]
) -> None:
    (turns_path.parent / "once.lock").mkdir(parents=True)
    turn_id, _ = launched().hand_over(turns_path, "hi", dict(meta), MAX_RUNNING)
    end(TurnDir(turns_path / turn_id))
    with pytest.raises(HomeError, match=r"once\.lock: Is a directory"):
        launched().hand_over(turns_path, "hi", meta | {"once": {"key": "k", "for_s": 60.0}}, MAX_RUNNING)
    assert [path.name for path in turns_path.iterdir()] == [turn_id]


def test_a_worker_that_is_not_needed_is_dropped_at_once(launched: Callable[[], Launch], turns_path: Path) -> None:
    launch = launched()
    launch.drop()
    assert not psutil.pid_exists(launch._pid)
    Launch().drop()  # never spawned
    assert not turns_path.exists()


def test_a_home_that_cannot_be_written_is_told_by_the_worker(launched: Callable[[], Launch], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeError, match=f"cannot write {tmp_path}/file: File exists") as caught:
        launched().hand_over(tmp_path / "file" / "turns", "hi", {}, MAX_RUNNING)
    assert "CODEX_SERVER_HOME" in caught.value.hint


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit('first word\\nout of cheese')", "out of cheese"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("pass", "it printed nothing"),
        ("import os, sys; sys.stderr.write('no room\\n\\nCurrent thread 0x1:\\n  <no frame>'); os._exit(1)", "no room"),
        ("print('[]')", r"\[\]"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "signal 9 ended it"),
    ],
)
def test_a_worker_that_dies_on_its_way_is_reported_and_nothing_was_made(
    launched: Callable[[], Launch], turns_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, expected: str
) -> None:
    monkeypatch.setattr(launch_module, "_CODE", code)
    with pytest.raises(InternalError, match=f"the worker could not start: .*{expected}") as caught:
        launched().hand_over(turns_path, "hi" * 100_000, {}, MAX_RUNNING)
    assert "doctor" in caught.value.hint
    assert not turns_path.exists()


def test_a_worker_that_never_answers_is_killed(
    launched: Callable[[], Launch], turns_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch_module, "_CODE", "import signal, sys; sys.stdin.read(); signal.pause()")
    monkeypatch.setattr(launch_module, "_READY_TIMEOUT_S", 0.3)
    launch = launched()
    with pytest.raises(InternalError, match="could not start: it was not ready within"):
        launch.hand_over(turns_path, "hi", {}, MAX_RUNNING)
    assert not psutil.pid_exists(launch._pid)


@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "signal.pause()"], ids=["killed", "late"])
@pytest.mark.full
def test_a_worker_that_is_lost_between_its_turn_and_its_last_word_of_it_has_made_a_turn(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any], monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    code = f"lambda answer: {end} if answer['is_published'] else say(answer)"
    launch = launch_with_answer(code, launched, monkeypatch)
    turn_id, has_forked = launch.hand_over(turns_path, "hi", meta, MAX_RUNNING)
    assert not has_forked
    assert [path.name for path in turns_path.iterdir()] == [turn_id]
    assert psutil.pid_exists(launch._pid)  # a late one is not ended for that


def test_a_worker_that_is_killed_before_its_turn_is_published_has_made_none(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = launch_with_answer("lambda answer: (say(answer), os.kill(os.getpid(), 9))", launched, monkeypatch)
    with pytest.raises(InternalError, match="signal 9 ended it"):
        launch.hand_over(turns_path, "hi", meta, MAX_RUNNING)
    assert not [path for path in turns_path.iterdir() if is_turn_id(path.name)]


def launch_with_answer(code: str, launched: Callable[[], Launch], monkeypatch: pytest.MonkeyPatch) -> Launch:
    """A worker, ready for its turn, that answers with this function of the answer; `say` is its own."""
    imports = "import os, signal; from codex_server_cli.worker import main as worker"
    script = f"say = worker._answer; worker._answer = {code}; worker.main()"
    monkeypatch.setattr(launch_module, "_CODE", f"{imports}; {script}")
    monkeypatch.setattr(launch_module, "_READY_TIMEOUT_S", 3.0)
    launch = launched()
    wait_until(lambda: psutil.Process(launch._pid).cwd() == "/", what="a worker that has got ready")
    return launch


def test_a_machine_that_has_no_process_to_spare_is_told_only_when_it_matters(
    turns_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(os, "posix_spawn", refuse)
    launch = Launch()
    launch.spawn()  # errors in the command line come first
    with pytest.raises(BusyError, match="could not start: Resource temporarily unavailable") as caught:
        launch.hand_over(turns_path, "hi", {}, MAX_RUNNING)
    assert "raise the limit" in caught.value.hint
    assert not turns_path.exists()


def test_words_of_the_interpreter_before_the_answer_do_no_harm(
    launched: Callable[[], Launch], turns_path: Path, meta: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    # As PYTHONVERBOSE, PYTHONPROFILEIMPORTTIME or a DeprecationWarning bring them.
    monkeypatch.setattr(launch_module, "_CODE", f"import sys; print('a warning {{}}', file=sys.stderr); {WORKER}")
    turn_id, _ = launched().hand_over(turns_path, "hi", meta, MAX_RUNNING)
    end(TurnDir(turns_path / turn_id))


def test_a_worker_whose_launcher_is_killed_before_it_has_a_turn_goes_too() -> None:
    launcher = subprocess.Popen([sys.executable, "-c", LAUNCH_AND_PAUSE], stdout=subprocess.PIPE)
    assert launcher.stdout is not None
    worker_pid = int(launcher.stdout.readline())
    worker = psutil.Process(worker_pid)
    launcher.kill()
    launcher.communicate()
    wait_until(lambda: not is_alive(worker), what="the worker's end")
