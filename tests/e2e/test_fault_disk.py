"""The disk fills up, becomes read-only, or loses files while a turn runs: true reports, and no received data lost."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, say
from tests.fakes import faulty
from tests.kit.faults import FIRST_HALF, MANY, WHOLE, assert_ended, change_workers, pin_fake_codex, start_silent
from tests.kit.home import Home, Turn
from tests.kit.support import delete_tree, wait_until

SMALL = "1m"
BALLAST_BYTES = (1 << 20) - 310_000
"""Leaves room for the reserve, for a turn's small files, and for about half of the output."""
LIMIT_BYTES = 120_000
"""More than `result.json` has, which holds the output twice, and less than `events.jsonl` would have."""
NO_ROOM = """
import errno
from codex_server_cli.disk.turn import compaction

def _no_room(*given, _kept=compaction._kept):
    yield next(_kept(*given))[:1000]
    raise OSError(errno.ENOSPC, "No space left on device")

compaction._kept = _no_room
"""
Mount = Callable[..., None]


@pytest.fixture
def mount(one_home: Home) -> Iterator[Mount]:
    """Mount something on a directory; skipped where mounting is not permitted."""
    mounted: list[Path] = []

    def mount(on: Path, *options: str) -> None:
        run = subprocess.run(["mount", *options, on], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            pytest.skip(f"this machine lets us mount nothing: {run.stderr.strip()}")
        mounted.append(on)

    if shutil.which("mount") is None:
        pytest.skip("no mount on this machine")
    yield mount
    for on in reversed(mounted):
        wait_until(lambda: not one_home.processes(), what="the end of all processes")
        subprocess.run(["umount", on], check=True)


def fill(directory: Path) -> Path:
    """Use up all the space that is left."""
    ballast = directory / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 12, 1):
            write_until_full(file.write, b"x" * size)
    return ballast


def write_until_full(write: Callable[[bytes], int | None], data: bytes) -> None:
    try:
        while write(data):
            pass
    except OSError:
        return


def is_deleted(directory: Path) -> bool:
    shutil.rmtree(directory, ignore_errors=True)  # what is made meanwhile stays
    return not directory.exists()


def has_no_worker(home: Home) -> bool:
    return not home.processes("worker.main")


def assert_disk(home: Home, turn: Turn) -> None:
    """Assert that the turn failed because of the disk, and that received data is kept as far as there was room."""
    wait_until(lambda: has_no_worker(home), what="the worker's end")
    assert home.left_running() == []
    log = (turn.path / "worker.log").read_text()
    assert (turn.path / "error").exists(), log  # although there is no space: some was reserved
    run = home.run("wait", turn.id, "--print", "json", "--full")
    error = run.json["error"]
    assert (run.code, run.json["state"], error["kind"], error["retryable"]) == (1, "failed", "disk", True), run
    assert "Free some space" in error["hint"]
    assert run.json["usage"]["total_tokens"] == faulty.TOKENS
    assert run.json["answer"].startswith(f"{FIRST_HALF}word word")
    assert run.json["answer"].startswith(turn.out.removesuffix("\n"))  # its last line is ended where there is room
    assert turn.events[-1]["method"] == "item/agentMessage/delta"
    assert home.call("answer", turn.id).stdout == f"{run.json['answer']}\n"
    assert [path.name for path in turn.path.iterdir() if path.name.startswith(".")] == []


def test_a_disk_that_fills_up_while_an_answer_streams_fails_the_turn_which_keeps_what_had_come(
    one_home: Home, mount: Mount
) -> None:
    mount(one_home.path, "-t", "tmpfs", "-o", f"size={SMALL},mode=700", "none")
    (one_home.path / "ballast").write_bytes(bytes(BALLAST_BYTES))
    pin_fake_codex(one_home, "long text")
    turn = one_home.start("new", "hi")
    assert_disk(one_home, turn)


def test_a_file_that_may_not_grow_fails_the_turn_which_keeps_what_had_come(one_home: Home) -> None:
    # The same as a full disk, for machines where nothing can be mounted.
    change_workers(one_home, f"import resource\nresource.setrlimit(resource.RLIMIT_FSIZE, ({LIMIT_BYTES}, -1))")
    pin_fake_codex(one_home, "long text")
    turn = one_home.start("new", "hi")
    assert_disk(one_home, turn)


@pytest.mark.measured
@pytest.mark.full
def test_an_end_for_which_there_is_no_space_at_all_is_told_all_the_same_and_published_later(
    one_home: Home, mount: Mount
) -> None:
    mount(one_home.path, "-t", "tmpfs", "-o", f"size={SMALL},mode=700", "none")
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold(gate), "and a rest that no page with room left holds. " * 1000)])
    turn = one_home.start("new", "hi")
    wait_until(lambda: FIRST_HALF in turn.out, what="the first half")
    (turn.path / ".reserve").unlink()  # as for a turn whose answer is longer than what was set aside
    ballast = fill(one_home.path)
    gate.open()
    wait_until(lambda: has_no_worker(one_home), what="the worker's end")
    reported = turn.wait()
    assert not turn.is_ended
    # As far as the worker came: with its own error about the disk, or without one.
    assert (reported["state"], reported["error"]["kind"]) in [("failed", "disk"), ("abandoned", "worker_died")]
    assert reported["answer"].startswith(FIRST_HALF)
    again = turn.wait()
    assert (again["state"], again["answer"]) == (reported["state"], reported["answer"])
    ballast.unlink()
    ended = turn.wait()
    assert (turn.path / "error").exists()
    assert (ended["state"], ended["answer"]) == (reported["state"], reported["answer"])
    assert (turn.path / "answer.txt").read_text() == reported["answer"]
    assert one_home.left_running() == []


@pytest.mark.measured
def test_a_disk_without_room_for_the_shorter_events_keeps_the_long_ones(one_home: Home) -> None:
    change_workers(one_home, NO_ROOM)
    one_home.model([say(*["word "] * MANY)])
    turn = one_home.start("new", "hi")
    assert_ended(one_home, turn, "complete", None, "word " * MANY, tokens=faulty.TOKENS)
    assert "events.jsonl is left as it is" in (turn.path / "worker.log").read_text()


def test_a_turn_whose_directory_becomes_read_only_goes_on_and_its_end_is_published_later(
    one_home: Home, mount: Mount
) -> None:
    gate, second = Gate(), Gate()
    one_home.model([say(FIRST_HALF, hold(gate), "and ", hold(second), "the second.")])
    turn = one_home.start("new", "hi")
    wait_until(lambda: FIRST_HALF in turn.out, what="the first half")
    mount(turn.path, "--bind", "-o", "ro", str(turn.path))  # what is open stays writable, nothing new can be made
    gate.open()
    wait_until(lambda: turn.out.endswith("and "), what="the next word")
    assert one_home.run("wait", turn.id, "--timeout", "0.5").code == 124  # live.json is due, and cannot be written
    second.open()
    wait_until(lambda: has_no_worker(one_home), what="the worker's end")
    for _ in range(2):
        status = turn.status()
        assert (status["state"], status["error"]) == ("complete", None)
        assert one_home.call("answer", turn.id).stdout == f"{WHOLE}\n"
        assert not turn.is_ended
    subprocess.run(["mount", "-o", "remount,rw,bind", turn.path], check=True)
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)


@pytest.mark.full
def test_a_deleted_turn_directory_ends_the_turn(one_home: Home) -> None:
    turn = start_silent(one_home)
    delete_tree(turn.path)
    wait_until(lambda: not one_home.processes(), what="the end of worker and codex")
    run = one_home.run("status", turn.id)
    assert (run.code, run.json["turns"] if "turns" in run.json else run.json["state"]) == (66, "missing")


@pytest.mark.measured
@pytest.mark.full
def test_a_home_that_is_deleted_ends_its_turns(one_home: Home) -> None:
    turn = start_silent(one_home)
    wait_until(lambda: is_deleted(one_home.path), what="a home that no process writes to at this moment")
    wait_until(lambda: not one_home.processes(), what="the end of worker and codex")
    assert not one_home.path.exists()  # it was not created again
    assert one_home.run("status", turn.id).code == 66


def test_a_broken_config_leaves_running_turns_alone(one_home: Home) -> None:
    turn, gate = one_home.start_held()
    config = one_home.path / "config.json"
    config.write_text('{"codex": ')
    refused = one_home.run("new", "more")
    assert (refused.code, refused.error["kind"]) == (65, "bad_input")
    assert str(config) in refused.error["message"]
    gate.open()
    assert_ended(one_home, turn, "complete", None, WHOLE, tokens=faulty.TOKENS)
    one_home.configure()
    one_home.model([say("again")])
    assert one_home.start("new", "hi").wait()["answer"] == "again"
