"""`tail --all`: one stream of all turns that survives every kill, of itself and of those that it watches."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import threading
from itertools import pairwise

import pytest

from codex_server_cli.actions.read import monitor as monitor_action
from codex_server_cli.demo.replies import say
from codex_server_cli.disk.journal import journal
from tests.kit.faults import change_python
from tests.kit.home import COMMAND, FIRST_HALF, SECOND_HALF, Home
from tests.kit.monitor import FOLLOW, Monitor, phases_of
from tests.kit.played_turn import PlayedTurn, finish, hold
from tests.kit.support import Json, delete_tree, wait_until


def all_lines(home: Home, *options: str) -> list[Json]:
    run = home.run("tail", "--all", "--full", *options)
    assert (run.code, run.stderr) == (0, "")
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.version_free
def test_a_turn_is_told_from_its_start_to_its_end(home: Home) -> None:
    monitor = Monitor(home)
    turn, gate = home.start_held("new", "hi", "--name", "greeting")
    while monitor.read_until(turn.id, "phase")["phase"] != "answering":
        pass
    gate.open()
    end = monitor.read_until(turn.id)
    assert monitor.end(signal.SIGINT) == (130, "")
    phases = phases_of(monitor.lines, turn.id)
    assert (phases[0], phases[-1]) == ("starting", "complete")
    assert all(before != after for before, after in pairwise(phases))
    assert [line["event"] for line in monitor.lines] == ["phase"] * (len(phases) - 1) + ["end"]
    assert (end["version"], end["name"], end["kind"]) == (2, "greeting", None)
    assert end["next"] == f"codex-server answer {turn.id}"
    assert {line["next"] for line in monitor.lines[:-1]} == {None}
    assert home.run(*end["next"].split()[1:]).stdout == f"{FIRST_HALF}{SECOND_HALF}\n"
    assert all_lines(home, "--after", "0") == monitor.lines
    assert all_lines(home, "--after", str(monitor.lines[1]["cursor"])) == monitor.lines[2:]
    assert all_lines(home) == monitor.lines


def test_a_monitor_that_comes_late_begins_with_the_turns_that_run(one_home: Home) -> None:
    failed, held = PlayedTurn(one_home), hold(one_home)
    failed.fail()
    monitor = Monitor(one_home)
    monitor.read_until(held.id, "phase")
    finish(held)
    monitor.read_until(held.id)
    monitor.end(signal.SIGKILL)
    assert {line["turn_id"] for line in monitor.lines} == {held.id}
    whole = all_lines(one_home, "--after", "0")
    assert [line for line in whole if line["turn_id"] == held.id] == monitor.lines
    (end,) = [line for line in whole if (line["turn_id"], line["event"]) == (failed.id, "end")]
    assert (end["state"], end["kind"], end["next"]) == ("failed", "usage_limit", f"codex-server status {failed.id}")


def test_a_killed_worker_is_told_within_two_looks_without_any_other_reader(one_home: Home) -> None:
    # No scan of all directories helps out: the machine's speed does not matter.
    change_python(one_home, "from codex_server_cli.actions.read import monitor\nmonitor.SCAN_INTERVAL_S = 3600.0\n")
    held, _ = one_home.start_held()
    monitor = Monitor(one_home)
    monitor.read_until(held.id, "phase")
    held.kill_worker()
    end = monitor.read_until(held.id)
    assert monitor_action.PROBE_INTERVAL_S <= 1
    assert (end["state"], end["kind"]) == ("abandoned", "worker_died")
    assert (held.path / "error").exists()
    wait_until(lambda: not one_home.processes("app-server"), what="the end of the codex of the killed worker")
    monitor.end(signal.SIGKILL)


def test_a_turn_whose_directory_is_deleted_gets_one_end(one_home: Home) -> None:
    held, _ = one_home.start_held()
    monitor = Monitor(one_home)
    monitor.read_until(held.id, "phase")
    delete_tree(held.path)
    end = monitor.read_until(held.id)
    assert (end["state"], end["kind"]) == ("cancelled", "cancelled")
    wait_until(lambda: not one_home.processes("codex_server_cli"), what="the end of the worker")
    monitor.end(signal.SIGKILL)
    assert phases_of(all_lines(one_home, "--after", "0"), held.id).count("cancelled") == 1


def go_on_to_the_end(turn: PlayedTurn) -> None:
    """More than a few lines of the journal, beside those that other turns write."""
    turn.say_aside("Let me see.")
    turn.run("true")
    turn.end()


@pytest.mark.full
def test_no_line_is_missed_or_doubled_whichever_process_is_killed(one_home: Home) -> None:
    """The monitor is killed at any line, and workers in between: its outputs in sum are the journal, line for line."""
    chance, lines, turns = random.Random(7), list[Json](), list[PlayedTurn]()
    for round_ in range(8):
        quick, held = PlayedTurn(one_home), hold(one_home)
        turns += [quick, held]
        monitor = Monitor(one_home, "--after", str(lines[-1]["cursor"] if lines else 0))
        ending = threading.Thread(target=go_on_to_the_end, args=(quick,))
        ending.start()
        monitor.read(chance.randrange(1, 8))
        if round_ % 2:
            held.die()
        if chance.random() < 0.5:
            monitor.end(signal.SIGKILL)
            lines += monitor.lines
            if not round_ % 2:
                held.die()  # while no monitor runs
        else:
            awaited = held.id if round_ % 2 else quick.id
            if "complete" not in phases_of(monitor.lines, awaited):
                monitor.read_until(awaited)
            monitor.end(signal.SIGKILL)
            lines += monitor.lines
        ending.join()
    last = Monitor(one_home, "--after", str(lines[-1]["cursor"]))
    for turn in turns:
        if not turn.is_over:
            finish(turn)
    is_missing = {turn.id for turn in turns} - {line["turn_id"] for line in lines if line["event"] == "end"}
    while is_missing:
        last.read(1)
        if last.lines[-1]["event"] == "end":
            is_missing.discard(last.lines[-1]["turn_id"])
    last.end(signal.SIGKILL)
    lines += last.lines
    assert lines == all_lines(one_home, "--after", "0")
    cursors = [line["cursor"] for line in lines]
    assert cursors == sorted(set(cursors))
    ends = [(line["turn_id"]) for line in lines if line["event"] == "end"]
    assert sorted(ends) == sorted(turn.id for turn in turns)
    assert {line["state"] for line in lines if line["event"] == "end"} == {"complete", "abandoned"}


@pytest.mark.measured
def test_a_monitor_ends_when_its_reader_is_gone_even_if_nothing_happens(one_home: Home) -> None:
    monitor = Monitor(one_home)
    wait_until(lambda: (one_home.path / "journal").is_dir(), what="the journal")
    assert monitor.process.stdout is not None
    monitor.process.stdout.close()
    assert monitor.close() == (0, "")


def test_a_queued_turn_is_told_and_so_is_its_cancel(one_home: Home) -> None:
    one_home.configure(max_running=1)
    one_home.model([])
    PlayedTurn(one_home, max_running=1)
    queued = one_home.start("new", "later")
    monitor = Monitor(one_home)
    assert monitor.read_until(queued.id, "phase")["phase"] == "queued"
    assert one_home.run("cancel", queued.id).code == 0
    assert monitor.read_until(queued.id)["state"] == "cancelled"
    monitor.end(signal.SIGKILL)
    assert phases_of(all_lines(one_home, "--after", "0"), queued.id) == ["queued", "cancelled"]


def test_people_get_short_lines(one_home: Home) -> None:
    turn = PlayedTurn(one_home, name="fix")
    turn.fail()
    run = one_home.run("tail", "--all", "--after", "0")
    assert run.code == 0
    first, *_, last = run.stdout.splitlines()
    assert first.split() == [first.split()[0], turn.id, "(fix)", "phase", "starting"]
    assert last.split()[1:] == [turn.id, "(fix)", "end", "failed", "(usage_limit)"]


def test_a_cursor_out_of_reach_is_said_and_gone_on_from(one_home: Home) -> None:
    PlayedTurn(one_home).end()
    run = one_home.run("tail", "--all", "--full", "--after", "999999")
    assert run.code == 0
    assert "cursor 999999" in run.stderr
    assert [json.loads(line) for line in run.stdout.splitlines()] == all_lines(one_home, "--after", "0")


def test_a_journal_that_cannot_be_written_harms_no_turn(one_home: Home) -> None:
    (one_home.path / "journal").symlink_to(one_home.root)
    one_home.model([say("Done.")])
    assert one_home.start("new", "hi").wait()["answer"] == "Done."
    assert not list(one_home.root.glob("*.jsonl"))
    run = one_home.run(*FOLLOW)
    assert (run.code, run.stdout) == (73, "")
    assert "journal" in run.stderr


def test_a_worker_that_is_killed_between_its_marker_and_the_journal_is_made_up_for(one_home: Home) -> None:
    one_home.model([say("Done.")])
    (one_home.path / "journal").mkdir(mode=0o700)
    jam = one_home.path / "journal" / "lock"
    held, gate = one_home.start_held()
    # A folder in the lock's place keeps the worker from journalling its end, as its death would.
    wait_until(jam.exists, what="the first line")
    jam.unlink()
    jam.mkdir()
    gate.open()
    held.wait()
    jam.rmdir()
    assert phases_of(all_lines(one_home, "--after", "0"), held.id)[-1] == "complete"
    assert journal.append_once(one_home.path, journal.end_entry(held.id, "complete", None, None)) is False


def test_the_stream_is_one_object_a_line_for_programs_in_between(one_home: Home) -> None:
    PlayedTurn(one_home).end()
    shown = subprocess.run(
        ["sh", "-c", '"$1" tail --all --json --after 0 | head -n 1', "sh", COMMAND],
        env=one_home.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert list(json.loads(shown.stdout)) == ["version", "cursor", "at", "turn_id", "event", "phase", "state"]
