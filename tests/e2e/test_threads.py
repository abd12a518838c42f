"""Codex's threads as its user knows them: by name, in the archive, with a file that is damaged."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.demo.replies import say
from tests.kit.cases import in_full
from tests.kit.faults import change_python
from tests.kit.home import COMMAND, Home
from tests.kit.support import Json, StdioAppServer


def threads(home: Home, count: int) -> list[str]:
    """Run so many turns, each on its own thread; return the threads."""
    home.model([say("Yes.")] * (count + 2))
    return [str(home.run("new", f"hi {number}", "--wait").json["thread_id"]) for number in range(count)]


def name(home: Home, names: dict[str, str]) -> None:
    """Give threads a name, as `/rename` in Codex does."""
    with StdioAppServer(home.codex, home.codex_home) as server:
        for thread, given in names.items():
            server.request("thread/name/set", {"threadId": thread, "name": given})


def codex(home: Home, *words: str) -> None:
    """Run a command of Codex's own."""
    subprocess.run([home.codex, *words], env=home.env, cwd=home.project, capture_output=True, check=True)


def session_file(home: Home) -> Path:
    (path,) = home.codex_home.glob("sessions/*/*/*/*.jsonl")
    return path


def refused(home: Home, *words: str, code: int) -> Json:
    run = home.call(*words)
    assert run.code == code, run
    return run.error


@pytest.mark.full
def test_a_thread_goes_by_the_name_that_it_was_given_in_codex(home: Home) -> None:
    first, second = threads(home, 2)
    name(home, {first: "My feature", second: "face"})  # which could be the beginning of an id, too
    for thread, given in ((first, "My feature"), (second, "face")):
        assert f"thread        {thread}" in home.call("show", given).stdout
        assert home.run("continue", "--thread", given, "more", "--wait").json["thread_id"] == thread
    listed = home.call("list").stdout
    rows = json.loads(home.call("list-turns", "--thread", "My feature", "--json").stdout)
    turns = {row["turn_id"] for row in rows}
    assert turns == {id_ for id_ in home.turn_ids if home.turn(id_).meta["thread_id"] == first}
    assert len(turns) == 2
    assert "NAME: FIRST PROMPT" in listed
    assert "My feature: hi 0" in listed
    assert refused(home, "continue", "--thread", "My", "more", code=66)["message"] == "no such thread: My"
    unknown = home.call("list-turns", "--thread", "My")
    assert (unknown.code, "no such thread: My" in unknown.stderr) == (66, True)


def test_a_name_of_several_threads_is_ambiguous_and_lists_them(home: Home) -> None:
    both = threads(home, 2)
    name(home, dict.fromkeys(both, "twice"))
    error = refused(home, "continue", "--thread", "twice", "more", code=66)
    assert error["message"] == "several threads are called twice"
    assert all(f"\n{thread}  " in error["hint"] for thread in both)


def test_an_archived_thread_is_told_with_the_command_that_brings_it_back(home: Home) -> None:
    (thread,) = threads(home, 1)
    name(home, {thread: "old one"})
    codex(home, "archive", thread)
    (turn_id,) = home.turn_ids
    selectors = [["--thread", thread], ["--thread", thread[:13]], ["--thread", "old one"], ["--turn", turn_id]]
    for selector in (*selectors, ["--last"], [], ["--turn", turn_id, "--fork"]):
        error = refused(home, "continue", *selector, "more", code=66)
        assert (error["kind"], error["message"]) == ("thread_missing", f"thread {thread} is archived"), selector
    for which in (thread, thread[:13], "old one"):
        assert turn_id in home.call("list-turns", "--thread", which).stdout
    seen = home.call("show", thread)
    assert (seen.code, seen.stdout) == (66, "")
    assert seen.stderr.splitlines() == [f"codex-server: thread {thread} is archived", error["hint"]]
    assert home.turn_ids == [turn_id]
    subprocess.run(["sh", "-c", error["hint"]], env=home.env, capture_output=True, check=True)
    assert home.run("continue", "more", "--wait").json["thread_id"] == thread


@pytest.mark.full
def test_a_thread_that_is_archived_while_its_turn_is_queued_says_so(home: Home) -> None:
    (thread,) = threads(home, 1)
    (turn_id,) = home.turn_ids
    home.wrap_codex(f'case $1 in app-server) {home.codex} archive {thread} >&2 ;; esac\nexec {home.codex} "$@"')
    ended = home.run("continue", "--turn", turn_id, "more", "--wait", "--full").json
    assert ended["error"]["kind"] == "thread_missing"
    assert f"`codex unarchive {thread}`, then: `codex-server continue --thread {thread} " in ended["error"]["hint"]


@pytest.mark.full
def test_a_damaged_session_file_is_named(home: Home) -> None:
    (thread,) = threads(home, 1)
    (turn_id,) = home.turn_ids
    path = session_file(home)
    for head in (b"garbage\n", b"", b"\xff\xfe\x00"):
        path.write_bytes(head)
        error = refused(home, "continue", "--thread", thread, "more", code=65)
        assert error["message"] == f"the session file of thread {thread} is damaged: {path}", head
        error = home.run("continue", "--turn", turn_id, "more", "--wait", "--full").json["error"]
        assert (error["kind"], error["retryable"]) == ("bad_input", False), head
        assert str(path) in error["message"]
        assert "In a new thread: `codex-server new " in error["hint"]
        assert "model" not in error["hint"]


@pytest.mark.full
def test_a_damaged_database_is_named_and_the_way_out_works(home: Home) -> None:
    (thread,) = threads(home, 1)
    database = home.codex_home / "thread_history_1.sqlite"
    for path in home.codex_home.glob(f"{database.name}-*"):
        path.unlink()
    database.write_bytes(b"garbage " * 4096)
    error = home.run("continue", "--thread", thread, "more", "--wait", "--full").json["error"]
    assert (error["kind"], error["retryable"]) == ("disk", False)
    assert str(database) in error["message"]
    assert "moved away with its -wal and -shm" in error["hint"]
    assert "\x1b" not in (home.path / "turns" / home.turn_ids[-1] / "worker.log").read_text()
    for path in home.codex_home.glob(f"{database.name}*"):
        path.rename(home.root / path.name)
    command = error["hint"].split("`")[1].replace("codex-server", str(COMMAND), 1)
    shown = subprocess.run(
        ["sh", "-c", f"{command} --wait"], env=home.env, cwd=home.project, capture_output=True, text=True, check=False
    )
    assert shown.returncode == 0, shown


def test_doctor_names_what_codex_cannot_open_and_no_line_of_a_backtrace(one_home: Home) -> None:
    for path in one_home.codex_home.glob("state_*"):
        path.unlink()
    (one_home.codex_home / "state_5.sqlite").mkdir()
    # Where Codex names no cause, it could as well be a collision with another one: doctor tries again for a while.
    change_python(one_home, "from codex_server_cli.core.session import backoff\nbackoff.RETRY_LIMIT_MS = 300.0\n")
    run = one_home.run("doctor")
    assert run.code == 69
    assert "codex app-server does not answer: failed to initialize sqlite state runtime under" in run.stdout.replace(
        "Error: ", ""
    )
    assert "<unknown>" not in run.stdout
    assert "Codex cannot use its databases" in run.stdout


@pytest.mark.parametrize("files", [8, *map(in_full, (6, 7, 11, 14))])
def test_too_few_open_files_are_told_as_that(one_home: Home, files: int) -> None:
    one_home.model([say("Yes.")])
    limited = ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]
    command = [COMMAND, "new", "hi", "--wait"]
    run = subprocess.run(
        [*limited, *command], env=one_home.env, cwd=one_home.project, capture_output=True, text=True, check=False
    )
    assert "Too many open files" in run.stderr, run
    assert "ulimit -n" in run.stdout
    assert "nstall" not in run.stderr
    assert "Traceback" not in run.stderr
    for turn_id in one_home.turn_ids:
        assert one_home.turn(turn_id).meta["cwd"] == str(one_home.project)
