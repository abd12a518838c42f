"""Turn directories that were written to from outside: torn, edited, deleted, planted. In each case, readers report
the state of the turn clearly; none raises, hangs, or touches the target of a link. What they report of a record that
cannot be read: `tests/disk/turn/test_unreadable_records`."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.actions.control import control
from codex_server_cli.actions.read import follow, monitor, read
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.disk.gc.bounds import Bounds
from codex_server_cli.disk.gc.collect import collect
from codex_server_cli.disk.turn import inbox, repair
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import CodexServerError, ErrorKind, HomeError, NotFoundError
from codex_server_cli.render.notes import end_note, running_note
from codex_server_cli.render.tables import turns_table
from codex_server_cli.settings.places import Settings
from tests.kit.cases import examples
from tests.kit.turns_on_disk import CUT_TURN, TurnsOnDisk

MAKERS: dict[str, Callable[[TurnsOnDisk], TurnDir]] = {
    "running": lambda turns: turns.running(),
    "dead": lambda turns: turns.dead(),
    "complete": lambda turns: turns.complete(),
    "failed": lambda turns: turns.failed(ErrorKind.NETWORK, "half of it"),
    "cancelled": lambda turns: turns.failed(ErrorKind.CANCELLED),
}
FILES = ["meta.json", "live.json", "result.json", "error", "done", "events.jsonl", "out.txt", "prompt.txt"]
FILES += ["worker.log", "answer.txt", "inbox/1795193861520-0000.json", "inbox/1795193861520-0000.reply", "lock"]
KEYS = [
    "version",
    "turn_id",
    "name",
    "thread_id",
    "codex_turn_id",
    "started_at",
    "finished_at",
    "cwd",
    "pid",
    "request",
]
KEYS += [
    "pid_start_ticks",
    "boot_id",
    "phase",
    "since",
    "usage",
    "pending",
    "state",
    "answer",
    "limits",
    "error",
    "kind",
]
KEYS += ["message", "hint", "resets_at", "retryable", "op", "args", "ok", "schema", "last_activity", "method", "params"]
SECRET = "what must not be touched\n"


@pytest.fixture(scope="module", autouse=True)
def no_processes() -> Iterator[None]:
    """These turns have no processes; the worker of a running one is the test process itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(read.READER, "_clean_up", lambda _turn: 0)
        patch.setattr(control, "CANCEL_TIMEOUT_S", 0.0)
        yield


_leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.characters(codec=None, exclude_categories=()), max_size=12),
    st.sampled_from(["complete", "running", "cancelled", "2026-11-20T16:55:01.482Z", "9999-99-99T00:00:00.000Z"]),
    st.sampled_from(["../..", "/", "a\0b", "cancel", "turn/completed", 10**400, -1, 2**63, 1e300]),
)
_values = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=6,
)
_documents = st.dictionaries(st.sampled_from(KEYS), _values, max_size=6).map(json.dumps).map(str.encode)
_requests = st.dictionaries(st.sampled_from(TurnRequest._fields), _values, min_size=1, max_size=6)
_metas = st.builds(
    lambda request, more: {**more, "request": request}, _requests, st.dictionaries(st.sampled_from(KEYS), _values)
)
_texts = st.one_of(_documents, st.binary(max_size=60), st.just(b"[" * 5000), st.just(b""))
_changes = st.dictionaries(
    st.sampled_from(FILES),
    st.one_of(
        _texts.map(lambda data: ("holds", data)),
        st.floats(0, 1).map(lambda share: ("cut", share)),
        st.sampled_from([("deleted", None), ("folder", None), ("fifo", None), ("link", None), ("loop", None)]),
        st.lists(_documents, max_size=4).map(lambda lines: ("adds", b"\n".join(lines))),
    ),
    min_size=1,
    max_size=5,
)
_edited = _metas.map(lambda meta: {"meta.json": ("holds", json.dumps(meta).encode())})


def _change(path: Path, how: str, what: Any, secret: Path) -> None:
    """Damage a file in one of the ways a user could."""
    data = path.read_bytes() if path.is_file() else b""
    with suppress(FileNotFoundError):
        path.unlink()
    match how:
        case "holds":
            path.write_bytes(what)
        case "cut":
            path.write_bytes(data[: int(len(data) * what)])
        case "adds":
            path.write_bytes(data + what)
        case "folder":
            path.mkdir()
        case "fifo":
            os.mkfifo(path)
        case "link":
            path.symlink_to(secret)
        case "loop":
            path.symlink_to(path.name)


def _refuse(text: str) -> NoReturn:
    raise AssertionError(f"{text} is no JSON")


def _assert_state_is_clear(view: TurnView) -> None:
    for is_indented in (False, True):
        text = turn_documents.dump(turn_documents.status_with_answer(view), is_indented=is_indented)
        assert json.loads(text, parse_constant=_refuse)["turn_id"] == view.turn_id
    assert turns_table([(view, read.prompt_beginning(view))], 100).count("\n") == 2
    if view.state is State.RUNNING:
        assert "still running" in running_note(view, "")
    else:
        end_note(view).encode("utf-8", "replace")


def _read_all(home: Path, turn: TurnDir) -> None:
    """Call every reading command, and last the ones that end a turn and delete it."""
    settings_ = Settings(home, home, home, "", None)
    state = read.status(turn).state
    assert state is not State.MISSING
    for view in (read.status(turn), read.wait(turn, 0.0), *read.list_turns(settings_, 5, read.TurnFilter())):
        assert view.state is state
        _assert_state_is_clear(view)
    read.list_turns(settings_, 5, read.TurnFilter(cwd="/", thread_ids=frozenset("x")))
    for selector in (turn.turn_id[:8], "last", "Name"):
        with suppress(CodexServerError):
            read.find(settings_, selector, "/")
    for stream in (follow.text(turn, last_lines=2), follow.text(turn), follow.events(turn)):
        assert all(isinstance(piece, bytes) for piece in stream)
    with suppress(CodexServerError):
        read.answer(turn)
    with suppress(CodexServerError):
        control.cancel([turn])
    collect(home, Bounds(0.0, 0.0), read.READER, is_dry_run=False)


@examples(150)
@given(maker=st.sampled_from(sorted(MAKERS)), changes=_changes | _edited | st.builds(dict.__or__, _changes, _edited))
def test_whatever_stands_in_a_turn_readers_tell_clearly(maker: str, changes: dict[str, tuple[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as root, TurnsOnDisk(Path(root) / "home" / "turns") as turns:
        secret = Path(root) / "secret"
        secret.write_text(SECRET)
        turn = MAKERS[maker](turns)
        for name, (how, what) in changes.items():
            _change(turn.path / name, how, what, secret)
        _read_all(Path(root) / "home", turn)
        assert secret.read_text() == SECRET


@pytest.mark.parametrize("field", TurnRequest._fields)
def test_a_request_that_was_edited_to_anything_still_comes_to_its_end(tmp_path: Path, field: str) -> None:
    odd: list[Any] = [None, True, -1.5, "x; rm -rf ~", "\ud800\0", 10**30, 10**400]
    odd += [["a"], [1], [{}], {"a": 1}]
    with TurnsOnDisk(tmp_path / "turns") as turns:
        for value in odd:
            for events in (CUT_TURN, b""):
                turn = turns.dead(events, request={"cwd": "/", "thread_id": "a", field: value})
                view = read.status(turn)
                is_read = view.state is State.ABANDONED
                assert is_read or (view.error or {})["message"] == "the record cannot be read"
                _assert_state_is_clear(view)
                assert "'x; rm" in str(view.error) or "x; rm" not in str(view.error)


def test_a_turn_that_a_defect_keeps_from_its_end_costs_no_other_turn(
    settings: Settings, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, bad, running = turns.complete(), turns.dead(), turns.running()
    monkeypatch.setattr(repair, "replay", lambda _lines: 1 / 0)
    views = read.list_turns(settings, 5, read.TurnFilter())
    assert [(view.turn_id, view.state) for view in views] == [
        (running.turn_id, State.RUNNING),
        (bad.turn_id, State.FAILED),
        (ended.turn_id, State.COMPLETE),
    ]
    assert "a defect of codex-server: ZeroDivisionError" in end_note(views[1])
    _assert_state_is_clear(views[1])
    assert [view.turn_id for view in read.running(settings)] == [running.turn_id]
    warnings: list[str] = []
    watch = monitor.Watch(settings, warnings.append)
    watch.look_back(0)
    assert list(watch.running) == [running.turn_id]
    assert warnings == [f"the end of turn {bad.turn_id} cannot be written; it is reported once it can be"]
    collected = collect(settings.home, Bounds(-1.0, -1.0), read.READER, is_dry_run=False)
    assert collected.turn_ids == (ended.turn_id,)
    assert bad.path.is_dir()


@pytest.mark.parametrize("how", ["folder", "fifo", "link", "loop", "deleted"])
@pytest.mark.parametrize("name", [*FILES, "wake", "inbox"])
def test_nothing_in_a_files_place_is_followed_or_waited_for(tmp_path: Path, name: str, how: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    for maker in MAKERS.values():
        with TurnsOnDisk(tmp_path / "home" / "turns") as turns:
            turn = maker(turns)
            if name == "inbox":
                turn.inbox.rmdir()
            _change(turn.path / name, how, None, secret)
            _read_all(tmp_path / "home", turn)
            shutil.rmtree(turn.path, ignore_errors=True)
    assert secret.read_text() == SECRET


def test_a_request_is_not_left_in_what_an_inbox_leads_to(tmp_path: Path, turns: TurnsOnDisk) -> None:
    turn = turns.running()
    turn.inbox.rmdir()
    turn.inbox.symlink_to(tmp_path)
    (tmp_path / "1.json").write_text('{"version": 1, "op": "cancel", "args": {}}')
    with pytest.raises(HomeError, match="Not a directory"):
        control.cancel([turn])
    assert inbox.unanswered(turn) == []
    assert not list(tmp_path.glob("*.reply"))


@pytest.mark.parametrize("maker", MAKERS)
def test_a_link_in_a_turns_place_is_no_turn_and_what_it_leads_to_is_left_alone(
    tmp_path: Path, settings: Settings, turns: TurnsOnDisk, maker: str
) -> None:
    elsewhere = TurnsOnDisk(tmp_path / "elsewhere" / "turns")
    with elsewhere:
        target = MAKERS[maker](elsewhere)
    before = sorted(path.name for path in target.path.iterdir())
    turns.path.mkdir(parents=True)
    link = TurnDir(turns.path / target.turn_id)
    link.path.symlink_to(target.path)
    assert read.status(link).state is State.MISSING
    assert read.list_turns(settings, 5, read.TurnFilter()) == []
    for selector in (target.turn_id, target.turn_id[:8], "last"):
        with pytest.raises(NotFoundError):
            read.find(settings, selector, "/")
    collect(settings.home, Bounds(0.0, 0.0), read.READER, is_dry_run=False)
    assert sorted(path.name for path in target.path.iterdir()) == before
    assert link.path.is_symlink()


def test_a_home_whose_turns_lie_elsewhere_works_through_the_link(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "disk").mkdir(mode=0o755)
    settings.home.mkdir()
    settings.turns_path.symlink_to(tmp_path / "disk")
    with TurnsOnDisk(settings.turns_path) as turns:
        turn = turns.complete()
        assert [view.turn_id for view in read.list_turns(settings, 5, read.TurnFilter())] == [turn.turn_id]
        assert read.find(settings, turn.turn_id[:8]).turn_id == turn.turn_id
        assert (tmp_path / "disk").stat().st_mode & 0o777 == 0o755  # it may hold more than turns
        collect(settings.home, Bounds(0.0, 0.0), read.READER, is_dry_run=False)
    assert list((tmp_path / "disk").iterdir()) == []


def test_a_turns_directory_that_is_open_to_others_is_closed_when_a_turn_is_made_and_the_home_is_not(
    settings: Settings, turns: TurnsOnDisk
) -> None:
    settings.turns_path.mkdir(parents=True)
    settings.turns_path.chmod(0o755)
    settings.home.chmod(0o755)
    turns.running()
    assert settings.turns_path.stat().st_mode & 0o777 == 0o700
    assert settings.home.stat().st_mode & 0o777 == 0o755


_selectors = st.one_of(
    st.text(st.characters(codec=None, exclude_categories=()), max_size=40),
    st.text("./\\0123456789abcdef-\n\0", max_size=40),
    st.sampled_from(["20261120-165501-482-7f3a", "last", "../secret", "2026\n", "..", ".", "", "a" * 5000, "\ud800"]),
    st.builds(str.__add__, st.sampled_from(["20261120-1655", "../", "/"]), st.text(max_size=12)),
)


@given(selector=_selectors)
def test_no_selector_leads_out_of_the_turns_directory(tmp_path_factory: pytest.TempPathFactory, selector: str) -> None:
    home = tmp_path_factory.getbasetemp() / "selected"
    if not home.exists():
        with TurnsOnDisk(home / "turns") as turns:
            turns.complete(name="Name", cwd="/")
            turns.complete(name="x\0/../..", cwd="\0")
        (home / "secret").mkdir()
    settings_ = Settings(home, home, home, "", None)
    try:
        turn = read.find(settings_, selector, "/")
    except NotFoundError as error:
        assert error.message.encode("utf-8", "replace")  # noqa: PT017 — both ends are right
    else:
        assert turn.path.parent == settings_.turns_path
        assert turn.exists
