"""Where output goes, and what happens when its reader is gone: pipes, full disks, terminals, Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.errors import ErrorKind
from tests.kit import console
from tests.kit.home import COMMAND
from tests.kit.shell import Shell, assert_refused
from tests.kit.support import DEADLINE_S, wait_until
from tests.kit.turns_on_disk import TurnsOnDisk

NASTY = "\x1b]52;c;cm0=\x07\x1b[2J\x9b31m\u202etxt\rhidden"


def run_into(shell: Shell, stdout: int, *arguments: str) -> tuple[int, str]:
    """Run a command whose stdout is a descriptor of the test's; its exit code and stderr."""
    run = subprocess.run(
        [COMMAND, *arguments], cwd=shell.project, env=shell.env, stdout=stdout, stderr=subprocess.PIPE, check=False
    )
    return run.returncode, run.stderr.decode()


@pytest.mark.parametrize(
    "command", ["list-turns", "list-turns --json", "status last", "tail last", "tail last -f", "wait last"]
)
@pytest.mark.measured
def test_a_reader_that_goes_away_is_no_failure_worth_a_word(shell: Shell, turns: TurnsOnDisk, command: str) -> None:
    turn = turns.complete(cwd=str(shell.project))
    turn.out.write_text("x" * 200_000 + "\n")
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    try:
        assert run_into(shell, write_fd, *command.split()) == (0, "")
    finally:
        os.close(write_fd)


@pytest.mark.measured
def test_an_error_is_told_even_if_its_json_is_not_read(shell: Shell) -> None:
    read_fd, write_fd = os.pipe()
    os.close(read_fd)
    code, stderr = run_into(shell, write_fd, "new", "")
    os.close(write_fd)
    assert code == 65
    assert stderr.startswith("codex-server: the prompt is empty\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this machine")
@pytest.mark.measured
def test_a_full_disk_behind_stdout_is_one_line_and_no_traceback(shell: Shell, turns: TurnsOnDisk) -> None:
    turns.complete()
    with open("/dev/full", "wb") as full:  # noqa: PTH123 — a device
        for command in (["list-turns"], ["status"], ["--version"]):
            code, stderr = run_into(shell, full.fileno(), *command)
            assert code == 73
            assert stderr.startswith("codex-server: cannot write to stdout: No space left on device\n")
            assert "Traceback" not in stderr
        code, stderr = run_into(shell, full.fileno(), "wait", "--help")
        assert (code, stderr.splitlines()[0]) == (73, "codex-server: cannot use stdout: No space left on device")
        code, stderr = run_into(shell, full.fileno(), "new", "")
        assert (code, stderr.splitlines()[0]) == (65, "codex-server: the prompt is empty")


def test_a_directory_that_is_gone_is_told_as_that(shell: Shell) -> None:
    gone = shell.root / "gone"
    gone.mkdir()
    there = os.open(gone, os.O_RDONLY)
    gone.rmdir()
    shell.env["CODEX_SERVER_HOME"] = "home"  # meaningful only at a terminal
    for words in ("list --cwd .", "list-turns --cwd .", "tail --all"):
        run = shell.call(*words.split(), cwd=there)
        assert_refused(run, 65, "the current directory is gone", as_json=False, case=words)
    os.close(there)
    gone.mkdir()
    run = shell.run("tail", "--all", under=["sh", "-c", f'cd {gone} && rmdir {gone} && exec "$0" "$@"'])
    assert_refused(run, 65, "the current directory is gone", as_json=False)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_trouble_for_a_turn(shell: Shell, closed: str) -> None:
    run = shell.run("new", "hi", under=["sh", "-c", f'exec "$0" "$@" {closed}'])
    assert (run.code, run.stderr) == (0, "")
    (turn_id,) = shell.left
    assert (run.stdout == "") == (">&-" in closed.split())
    assert shell.call("wait", turn_id).code == 1
    prompt = shell.home / "turns" / turn_id / "prompt.txt"
    assert prompt.read_text() == "hi"


@pytest.mark.measured
def test_what_only_reads_fails_where_its_output_is_lost_in_a_closed_stdout(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.complete(cwd=str(shell.project))
    turn.out.write_text("x\n")
    closed = ["sh", "-c", 'exec "$0" "$@" >&-']
    for words in ("answer last", "show last", "list-turns --json", "pending", "version"):
        run = shell.run(*words.split(), under=closed)
        assert (run.code, run.stderr) == (73, "codex-server: cannot write to stdout: it is closed\n"), words
    # Their exit code tells, or something was done.
    for words in ("tail last --follow", "wait last", "status last", "cancel last", "answer --help", "gc"):
        assert shell.run(*words.split(), under=closed).code == 0, words
    assert_refused(shell.run("answer", "nobody", under=closed), 66, "no turn is named nobody", as_json=False)


# --- terminals


def test_a_terminal_gets_indented_json_where_it_is_asked_for_and_a_pipe_one_line(
    shell: Shell, turns: TurnsOnDisk
) -> None:
    turn_id = turns.complete().turn_id
    piped = shell.call("status", turn_id).stdout
    assert piped.count("\n") == 1
    shown = console.type_in(f"{COMMAND} status {turn_id} --json", shell.env, shell.project)
    assert shown.startswith('{\n  "version": 2,\n')
    assert {**json.loads(shown), "elapsed_s": 0} == {**json.loads(piped), "elapsed_s": 0}


def test_a_terminal_obeys_nothing_that_a_model_has_said(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.failed(ErrorKind.NETWORK, answer=NASTY, model=NASTY)
    turn.out.write_text(f"{NASTY}\n")
    turn.events.write_text(json.dumps({"seq": 0, "method": "x", "params": NASTY}, ensure_ascii=False) + "\n")
    error = json.loads(turn.result.read_bytes())
    error["error"]["message"] = NASTY
    turn.result.write_text(json.dumps(error))
    commands = ("status", "tail", "tail --follow", "answer", "wait", "tail --events")
    everything = {command: shell.show(*command.split(), turn.turn_id) for command in commands}
    everything["a real wait"] = console.type_in(f"{COMMAND} wait {turn.turn_id}", shell.env, shell.project)
    for command, shown in everything.items():
        assert "txt" in shown, command
        is_control = {char for char in shown if char not in "\n\t" and (char < " " or "\x7f" <= char <= "\x9f")}
        assert not is_control, command
        assert "\u202e" not in shown, command


def test_a_pipe_gets_what_the_model_said_byte_for_byte(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.complete(f"{NASTY}\n")
    turn.out.write_bytes(f"{NASTY}\n".encode())
    for command in ("tail", "answer", "wait --print out"):
        run = (shell.run if command == "tail" else shell.call)(*command.split(), turn.turn_id)
        assert run.stdout.encode() == f"{NASTY}\n".encode(), command


def test_a_table_is_safe_even_in_a_pipe(shell: Shell, turns: TurnsOnDisk) -> None:
    turns.complete(prompt=f"do\n{NASTY}")
    rows = shell.call("list-turns").stdout.splitlines()
    assert len(rows) == 2
    assert "do ␛]52;c;cm0=␇␛[2J" in rows[1]


def test_words_survive_a_locale_that_knows_no_umlauts(shell: Shell, turns: TurnsOnDisk) -> None:
    env = {"LC_ALL": "C"}
    turn_id = turns.complete("naïve 🦀").turn_id
    assert shell.run("answer", turn_id, env=env).stdout == "naïve 🦀\n"
    assert shell.run("answer", turn_id, env={**env, "PYTHONIOENCODING": "ascii"}).stdout == "naïve 🦀\n"
    assert shell.run("wait", turn_id, "--print", "json", env=env).json["answer"] == "naïve 🦀"
    started = shell.run("new", "wie heißt du?", env=env).json
    assert shell.run("wait", started["turn_id"], "--print", "none", env=env).code == 1
    assert Path(started["turn_dir"], "prompt.txt").read_text(encoding="utf-8") == "wie heißt du?"


# --- Ctrl-C


@pytest.mark.parametrize("command", ["wait", "wait --timeout 60", "tail --follow", "tail --follow --events"])
@pytest.mark.measured
def test_ctrl_c_ends_the_command_and_never_the_turn(shell: Shell, turns: TurnsOnDisk, command: str) -> None:
    turn_id = turns.running().turn_id
    process = shell.spawn(*command.split(), turn_id)
    _wait_until_it_waits(process.pid)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, stdout) == (130, "")
    assert f"codex-server tail {turn_id} --follow" in stderr
    assert "Traceback" not in stderr
    assert shell.call("status", turn_id).json["state"] == "running"
    turns.drop_lock(turn_id)


@pytest.mark.measured
def test_ctrl_c_in_a_wait_for_several_names_the_same_wait(shell: Shell, turns: TurnsOnDisk) -> None:
    ids = [turns.running().turn_id, turns.running().turn_id]
    process = shell.spawn("wait", *ids, "--any", "--timeout", "5m")
    _wait_until_it_waits(process.pid)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, f"codex-server wait {' '.join(ids)} --any --timeout 5m" in stderr) == (130, True), (
        stderr
    )
    for turn_id in ids:
        turns.drop_lock(turn_id)


@pytest.mark.parametrize("option", ["--wait", "--follow"])
@pytest.mark.measured
def test_ctrl_c_in_new_leaves_the_turn_running_and_names_it(shell: Shell, option: str) -> None:
    shell.install("silent")
    process = shell.spawn("new", "hi", option)
    assert process.stderr is not None
    turn_id = process.stderr.readline().split()[1]
    _wait_until_it_waits(process.pid)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130
    assert turn_id in stderr
    assert shell.call("status", turn_id).json["state"] == "running"


def _wait_until_it_waits(pid: int) -> None:
    """Until a process sleeps where a command waits for its turn: in a lock, or in a watch's thread."""

    def is_waiting() -> bool:
        return any("lock" in _wchan(path) for path in Path(f"/proc/{pid}/task").iterdir()) or _has_watch(pid)

    wait_until(is_waiting, what="a command that waits")


def _wchan(task: Path) -> str:
    try:
        return (task / "wchan").read_text()
    except OSError:  # a thread that has just ended
        return ""


def _has_watch(pid: int) -> bool:
    links = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(path.readlink()))
        except OSError:
            continue
    return any("inotify" in link for link in links)


# --- text as it comes


def test_a_character_that_is_cut_in_two_is_shown_whole(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.running()
    whole = "naïve 🦀\n".encode()
    turn.out.write_bytes(whole[:3])  # in the middle of the ï
    process = shell.spawn("tail", turn.turn_id, "--follow")
    assert process.stdout is not None
    assert process.stdout.read(2) == "na"
    for cut in (3, 8, 10):
        with turn.out.open("ab") as file:
            file.write(whole[cut : {3: 8, 8: 10, 10: None}[cut]])
    turns.end(turn)
    turns.drop_lock(turn.turn_id)
    assert process.communicate(timeout=DEADLINE_S) == ("ïve 🦀\n", "")
    assert process.returncode == 0
