"""The user's command: fed and read however it behaves, with a time limit, and never failing a turn."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from codex_server_cli.core.model.bell import Bell
from codex_server_cli.worker import notifier
from codex_server_cli.worker.notifier import NotifyRun, begin, note, ring, run_command
from codex_server_cli.worker.notify import Notifier
from tests.kit.support import DEADLINE_S, wait_until

BIG = b"x" * 1_000_000
FEW_S = DEADLINE_S
RUN = NotifyRun("end", None, "2026-11-20T16:55:01.482Z")


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The part of `worker.log` that matters here."""
    path = tmp_path / "worker.log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    monkeypatch.setattr("codex_server_cli.worker.log.LOG_FD", fd)
    yield path
    os.close(fd)


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_command_reads_the_document_and_its_words_are_logged(log: Path, tmp_path: Path) -> None:
    code = "import os, sys; data = sys.stdin.read(); print(len(data), os.getcwd()); print('oh', file=sys.stderr)"
    run_command(python(code), BIG, tmp_path, RUN, FEW_S)
    assert sorted(log.read_text().splitlines()) == [f"{len(BIG)} {tmp_path}", "oh"]


@pytest.mark.parametrize("has_memory_files", [True, False])
def test_the_document_is_a_file_of_no_directory(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, has_memory_files: bool
) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    if not has_memory_files:
        monkeypatch.delattr(os, "memfd_create", raising=False)
    code = "import os, sys; print(sys.stdin.read(), os.fstat(0).st_nlink, os.listdir(sys.argv[1]))"
    run = run_command([*python(code), str(place)], b"{}", tmp_path, RUN, FEW_S)
    assert (run.exit_code, log.read_text()) == (0, "{} 0 []\n")


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="this system has no files in memory")
def test_a_full_disk_keeps_no_document_from_the_command(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    run = run_command(python("import sys; print(len(sys.stdin.read()))"), BIG, tmp_path, RUN, FEW_S)
    assert (run.exit_code, log.read_text()) == (0, f"{len(BIG)}\n")


def test_a_command_without_room_for_its_document_is_told(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    run = run_command(python("pass"), BIG, tmp_path, RUN, FEW_S)
    assert (run.exit_code, run.problem) == (None, "cannot be run: No such file or directory")
    assert log.read_text() == f"notify: {sys.executable} {run.problem}\n"


def test_a_command_need_not_read_and_need_not_be_quiet(log: Path, tmp_path: Path) -> None:
    run_command(python("print('y' * 300_000)"), BIG, tmp_path, RUN, FEW_S)
    assert log.read_text() == "y" * notifier._LOG_BYTES


def test_a_command_that_closes_its_ears_is_not_waited_for(log: Path, tmp_path: Path) -> None:
    code = "import os, sys; os.close(0); os.close(1); os.close(2); sys.stdin = sys.stdout = None; os._exit(0)"
    run_command(python(code), BIG, tmp_path, RUN, FEW_S)
    assert log.read_text() == ""


@pytest.mark.parametrize(
    ("code", "expected", "ended"),
    [
        ("raise SystemExit(3)", "exit code 3", (3, None, None)),
        ("import os; os.kill(os.getpid(), 9)", "signal 9", (None, 9, None)),
    ],
)
def test_a_bad_end_is_told(
    log: Path, tmp_path: Path, code: str, expected: str, ended: tuple[int | None, int | None, None]
) -> None:
    run = run_command(python(code), b"", tmp_path, RUN, FEW_S)
    assert (run.exit_code, run.signal, run.problem) == ended
    assert log.read_text() == f"notify: {sys.executable} ended with {expected}\n"


def test_a_command_that_has_gone_meanwhile_is_told(log: Path, tmp_path: Path) -> None:
    run = run_command([str(tmp_path / "gone")], b"", tmp_path, RUN)
    assert (run.exit_code, run.problem) == (None, "cannot be run: No such file or directory")
    assert log.read_text() == f"notify: {tmp_path / 'gone'} cannot be run: No such file or directory\n"


@pytest.mark.full
def test_a_command_that_does_not_end_is_killed_with_its_children(log: Path, tmp_path: Path) -> None:
    pid_path = tmp_path / "pid"
    run = run_command(["sh", "-c", f"sleep 300 & echo $! > {pid_path}; echo on; wait"], b"{}", tmp_path, RUN, 2.0)
    assert (run.exit_code, run.signal, run.problem) == (None, 9, "killed after 2 s")
    assert log.read_text() == "on\nnotify: sh was killed after 2 s\n"
    wait_until(lambda: not is_running(int(pid_path.read_text())), what="the end of the child")


@pytest.mark.full
def test_a_command_that_never_falls_silent_is_killed_and_its_words_have_an_end(log: Path, tmp_path: Path) -> None:
    run = run_command(["yes"], b"{}", tmp_path, RUN, 2.0)
    assert (run.signal, run.problem) == (9, "killed after 2 s")
    assert log.read_text() == "y\n" * (notifier._LOG_BYTES // 2) + "notify: yes was killed after 2 s\n"


def test_a_command_that_closes_its_output_and_goes_on_has_its_time_too(log: Path, tmp_path: Path) -> None:
    run = run_command(["sh", "-c", "exec >&- 2>&-; sleep 300"], b"{}", tmp_path, RUN, 0.5)
    assert (run.signal, run.problem) == (9, "killed after 0.5 s")
    run = run_command(["sh", "-c", "exec >&- 2>&-; sleep 0.2; exit 3"], b"{}", tmp_path, RUN, FEW_S)
    assert (run.exit_code, run.problem) == (3, None)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


def test_a_background_process_of_a_command_does_not_delay_the_end(log: Path, tmp_path: Path) -> None:
    pid_path = tmp_path / "pid"
    run_command(["sh", "-c", f"sleep 300 & echo $! > {pid_path}; echo done"], b"", tmp_path, RUN, FEW_S)
    assert log.read_text() == "done\n"
    pid = int(pid_path.read_text())
    assert is_running(pid)
    os.kill(pid, 9)


def test_output_from_the_background_does_not_delay_the_end(log: Path, tmp_path: Path) -> None:
    run = run_command(["sh", "-c", "yes & exit 0"], b"", tmp_path, RUN, FEW_S)
    assert (run.exit_code, run.problem) == (0, None)
    assert len(log.read_bytes()) <= notifier._LOG_BYTES


def test_no_shell_sees_the_command(log: Path, tmp_path: Path) -> None:
    run_command([*python("import sys; print(sys.argv[1:])"), "$HOME;", "`ls`"], b"", tmp_path, RUN, FEW_S)
    assert log.read_text() == "['$HOME;', '`ls`']\n"


def test_a_machine_without_room_for_a_notifier_costs_no_turn(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "posix_spawn", refuse)
    turn = tmp_path / "home" / "turns" / "turn"
    turn.mkdir(parents=True)
    Notifier(turn, "tell").attention("0")
    assert "notify: cannot be started" in log.read_text()
    kept = json.loads((turn / "notify.json").read_text())
    problem = "cannot be started: Resource temporarily unavailable"
    assert (kept["event"], kept["request"], kept["exit_code"], kept["problem"]) == ("attention", "0", None, problem)


def test_how_the_command_that_began_last_fares_is_kept(tmp_path: Path) -> None:
    early = RUN._replace(event="attention", request="0")
    note(tmp_path, early)
    late = begin(tmp_path, "end", None)
    note(tmp_path, early._replace(exit_code=0))
    assert json.loads((tmp_path / "notify.json").read_text()) == {"version": 1, **late._asdict()}
    note(tmp_path, late._replace(exit_code=7, ended_at=late.started_at))
    assert json.loads((tmp_path / "notify.json").read_text())["exit_code"] == 7


def test_a_turn_that_is_gone_keeps_nothing(log: Path, tmp_path: Path) -> None:
    note(tmp_path / "gone", RUN)
    assert "notify: how it went cannot be kept" in log.read_text()
    assert not (tmp_path / "gone").exists()


def test_a_turn_without_a_command_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "posix_spawn", None)
    silent = Notifier(tmp_path, None)
    silent.attention("0")
    silent.end()


def ring_once(path: str, device: int, owner: int, tmp_path: Path) -> NotifyRun:
    return ring(Bell(path, device, owner), begin(tmp_path, "end", None))


def test_a_bell_rings_the_terminal_that_it_was_meant_for_and_no_other(log: Path, tmp_path: Path) -> None:
    master, slave = os.openpty()
    path, found = os.ttyname(slave), os.fstat(slave)
    try:
        run = ring_once(path, found.st_rdev, found.st_uid, tmp_path)
        assert (run.problem, os.read(master, 10)) == (None, b"\a")
        for device, owner in ((found.st_rdev + 1, found.st_uid), (found.st_rdev, found.st_uid + 1)):
            assert ring_once(path, device, owner, tmp_path).problem == f"{path} is another terminal now"
        os.set_blocking(master, False)
        with pytest.raises(BlockingIOError):
            os.read(master, 10)
    finally:
        os.close(master)
        os.close(slave)
    run = ring_once(path, found.st_rdev, found.st_uid, tmp_path)
    assert (run.problem or "").startswith(f"{path} cannot be rung: ")
    assert run.ended_at is not None
    assert "cannot be rung" in log.read_text()


def test_a_file_where_the_terminal_was_is_left_alone(log: Path, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("kept")
    found = path.stat()
    assert ring_once(str(path), found.st_rdev, found.st_uid, tmp_path).problem == f"{path} is another terminal now"
    assert path.read_text() == "kept"
