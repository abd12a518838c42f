"""Following a file as it grows: nothing lost, nothing doubled, and woken in time."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path
from types import SimpleNamespace

import pytest
import watchfiles._rust_notify as rust

from codex_server_cli.disk.turn import follow
from codex_server_cli.disk.turn.follow import FoldersWatch, GrowingFile, wakeups
from tests.kit.support import DEADLINE_S

LATE_S = DEADLINE_S
"""Well before the wake-up without an event, where `rare` delays that."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out.txt"


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def test_every_byte_is_read_once_however_it_was_cut(path: Path) -> None:
    text = "né 🦀 \u2028\n".encode()
    pieces = []
    with GrowingFile(path) as file:
        assert file.read_more() == b""
        for index in range(len(text)):
            append(path, text[index : index + 1])
            pieces.append(file.read_more())
            assert file.read_more() == b""
    assert pieces == [text[index : index + 1] for index in range(len(text))]


def test_a_file_that_is_replaced_is_read_to_its_end(path: Path, tmp_path: Path) -> None:
    append(path, b"one\ntwo\n")
    with GrowingFile(path) as file, GrowingFile(path, 1) as last:
        assert (file.read_more(), last.read_more()) == (b"one\ntwo\n", b"two\n")
        append(path, b"three\n")
        (tmp_path / "shorter").write_bytes(b"three\n")
        (tmp_path / "shorter").rename(path)
        assert (file.read_more(), last.read_more()) == (b"three\n", b"three\n")
        assert (file.read_more(), last.read_more()) == (b"", b"")


@pytest.mark.parametrize(
    ("data", "lines", "rest"),
    [
        (b"a\nb\nc\n", 0, b""),
        (b"a\nb\nc\n", 1, b"c\n"),
        (b"a\nb\nc\n", 2, b"b\nc\n"),
        (b"a\nb\nc\n", 3, b"a\nb\nc\n"),
        (b"a\nb\nc\n", 99, b"a\nb\nc\n"),
        (b"a\nb", 1, b"b"),
        (b"a\nb", 2, b"a\nb"),
        (b"\n\n\n", 1, b"\n"),
        (b"one line", 1, b"one line"),
        (b"", 5, b""),
    ],
)
def test_the_last_lines_begin_where_the_line_before_them_ends(path: Path, data: bytes, lines: int, rest: bytes) -> None:
    path.write_bytes(data)
    with GrowingFile(path, lines) as file:
        assert file.read_more() == rest


@pytest.mark.parametrize("data", [b"", b"no newline yet", b"a\n"])
def test_asking_for_no_lines_loses_nothing_of_what_comes_next(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    with GrowingFile(path, 0) as file:
        append(path, b"next")
        assert file.read_more() == b"next"


def test_a_file_that_is_not_there_yet_begins_at_its_beginning(path: Path) -> None:
    with GrowingFile(path, 3) as file:
        append(path, b"1\n2\n3\n4\n")
        assert file.read_more() == b"1\n2\n3\n4\n"


@pytest.fixture
def rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Space the wake-ups without an event so far apart that a busy machine mistakes none for one with an event."""
    monkeypatch.setattr(follow, "WAKE_INTERVAL_MS", 2000 * int(LATE_S))


@pytest.fixture
def events(tmp_path: Path) -> Iterator[Iterator[None]]:
    generator = wakeups(tmp_path)
    next(generator)
    yield generator
    generator.close()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("rare")
def test_a_change_wakes_its_follower_at_once(events: Iterator[None], path: Path) -> None:
    for _ in range(3):
        append(path, b"x")
        started = time.monotonic()
        next(events)
        assert time.monotonic() - started < LATE_S


def test_without_a_change_there_is_a_look_once_a_second(events: Iterator[None]) -> None:
    started, worked = time.monotonic(), time.process_time()
    next(events)
    assert 0.5 < time.monotonic() - started < LATE_S
    assert time.process_time() - worked < 0.5


@pytest.mark.usefixtures("rare")
def test_a_deadline_wakes_too(tmp_path: Path) -> None:
    started = time.monotonic()
    events = wakeups(tmp_path, deadline=started + 0.2)
    next(events)
    next(events)
    assert 0.1 < time.monotonic() - started < LATE_S
    events.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "refusal",
    [
        OSError(28, "No space left on device"),  # no more watches
        rust.WatchfilesRustInternalError("Error creating recommended watcher: Too many open files (os error 24)"),
    ],
)
def test_a_machine_without_watches_to_spare_is_looked_at_instead(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, refusal: Exception
) -> None:
    real = rust.RustNotify

    def without_watches(paths: list[str], debug: bool, polls: bool, *rest: object) -> object:
        if not polls:
            raise refusal
        return real(paths, debug, polls, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(rust, "RustNotify", without_watches)
    generator = wakeups(tmp_path)
    next(generator)
    append(path, b"x")
    started = time.monotonic()
    next(generator)
    assert time.monotonic() - started < LATE_S
    generator.close()  # type: ignore[attr-defined]


def test_the_watcher_is_one_of_the_versions_that_were_tried() -> None:
    """Its module is private: see pyproject.toml. A version that fails here is to be tried before the range grows."""
    requirement = next(line for line in requires("codex-server-cli") or [] if line.startswith("watchfiles"))
    assert sorted(requirement.removeprefix("watchfiles").split(",")) == ["<1.4", ">=1.0"]
    assert (1, 0) <= tuple(map(int, version("watchfiles").split(".")[:2])) < (1, 4)
    with rust.RustNotify([str(Path(__file__).parent)], False, False, 0, False, False) as watcher:
        assert watcher.watch(50, 8, 20, None) == "timeout"


@pytest.mark.parametrize("change", [{"watchfiles._rust_notify": None}, {"watchfiles._rust_notify": SimpleNamespace()}])
def test_another_version_without_that_module_is_done_without(
    tmp_path: Path, path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, object]
) -> None:
    for name, module in change.items():
        monkeypatch.setitem(sys.modules, name, module)
    generator = wakeups(tmp_path)
    next(generator)
    append(path, b"x")
    started = time.monotonic()
    next(generator)
    assert time.monotonic() - started < LATE_S
    generator.close()  # type: ignore[attr-defined]


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Iterator[FoldersWatch]:
    """A watch of nothing yet, that looks by itself after so long that no test waits for it."""
    monkeypatch.setattr(follow, "WAKE_INTERVAL_MS", 2000 * int(LATE_S))
    watch = FoldersWatch()
    yield watch
    watch.close()


def test_one_watch_is_over_many_directories_and_new_ones_are_looked_at_first(
    watch: FoldersWatch, tmp_path: Path
) -> None:
    folders = [tmp_path / name for name in "abc"]
    for folder in folders:
        folder.mkdir()
    watch.wait(frozenset(folders[:2]))  # which come at once: what happened before is not known
    for folder in folders[:2]:
        (folder / "file").write_text("x")
        began_s = time.monotonic()
        watch.wait(frozenset(folders[:2]))
        assert time.monotonic() - began_s < LATE_S
    watch.wait(frozenset(folders))
    (folders[2] / "file").write_text("x")
    began_s = time.monotonic()
    watch.wait(frozenset(folders))
    assert time.monotonic() - began_s < LATE_S


def test_a_watch_is_interrupted_by_another_thread_even_before_it_waits(watch: FoldersWatch, tmp_path: Path) -> None:
    for directories in (frozenset[Path](), frozenset({tmp_path})):
        if directories:
            watch.wait(directories)  # which comes at once: they are others than before
        watch.interrupt()
        began_s = time.monotonic()
        watch.wait(directories)
        assert time.monotonic() - began_s < LATE_S


def test_directories_of_which_one_is_gone_are_looked_at_instead(watch: FoldersWatch, tmp_path: Path) -> None:
    directories = frozenset({tmp_path, tmp_path / "gone"})
    began_s = time.monotonic()
    for _ in range(3):
        watch.wait(directories)
    assert time.monotonic() - began_s < LATE_S
