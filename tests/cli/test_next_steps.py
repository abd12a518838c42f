"""Each way to start a turn × each way in which it can end: the next command is parsed by the real command line, and
requests the same with every flag, and opens no guard that was closed.
"""

from __future__ import annotations

import json
import os
import shlex
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from codex_server_cli.actions.start import start
from codex_server_cli.actions.start.options import StartOptions, ThreadChoice
from codex_server_cli.cli import app
from codex_server_cli.cli.parameters import PROMPT, START_FLAGS, STDIN
from codex_server_cli.cli.start_options import options_of
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.result import failures
from codex_server_cli.core.result.commands import commands_in
from codex_server_cli.core.result.hints import End, hint_of
from codex_server_cli.core.result.next_step import next_commands
from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.disk.turn.layout import TurnDir, create
from codex_server_cli.errors import ErrorKind
from codex_server_cli.settings.places import Settings
from codex_server_cli.worker.launch import Launch
from tests.fakes import codex as fake
from tests.kit.support import make_repository

TURN_ID, EARLIER = "20261120-165501-482-7f3a", "20261119-165501-482-7f3a"
THREAD = "01a1f9ff-9cbc-76c1-b5ee-b92ff9d7aa40"
RESETS_AT = "2026-11-20T17:55:01.000Z"
SCHEMA = {"type": "object", "properties": {}, "required": [], "additionalProperties": False}
_BY_DESIGN = {
    "flags",
    "schema_source",
    "thread_id",
    "is_fork",
    "fork_after",
    "images",
    "is_after_reset",
    "deadline_s",
} | {"may_fork_if_busy"}
"""Members of a request that a next step may change; `test_what_must_differ_does` says how."""
_CHANGING = {"--thread", "--turn", "--fork", "--fork-if-busy", "--after-reset"}


def png() -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = chunk(b"IHDR", (1).to_bytes(4, "big") * 2 + bytes([8, 0, 0, 0, 0]))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


class UserProject:
    """A user in a project, with the files that their flags name; a started turn gets no further than its record."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.project = root, root / "my project"
        self.made: dict[str, Any] = {}
        self.pictures: dict[str, bytes] = {}
        make_repository(root)
        for folder in ("my project", "more room", "home/turns", "codex"):
            (root / folder).mkdir(parents=True)
        (self.project / "s.json").write_text(json.dumps(SCHEMA))
        (self.project / "a picture.png").write_bytes(png())
        write_custom_provider(root / "codex", "http://127.0.0.1:9/v1")
        (root / "codex" / "quick.config.toml").write_text('model_verbosity = "low"\n')
        self.configure()
        self.settings = Settings(root / "home", root / "codex", root, "/usr/bin:/bin", None)
        monkeypatch.chdir(self.project)

    def configure(self, **values: object) -> None:
        """Write `config.json` with a codex that is never run."""
        codex = fake.write(self.root / "bin" / "codex", "exits")
        (self.root / "home" / "config.json").write_text(json.dumps({"codex": str(codex), **values}))

    def start(self, words: list[str]) -> dict[str, Any]:
        """The `meta.json` of the turn that a command would start."""
        parsed, launch = parse(words), _RecordedLaunch()
        if parsed.verb == "review":
            from codex_server_cli.actions.start import review as reviews

            choice = reviews.ReviewChoice(parsed.own["base"], parsed.own["commit"], parsed.own["instructions"])
            reviews.review(self.settings, parsed.options, launch, choice)
        elif parsed.verb == "new":
            start.new(self.settings, parsed.options, launch)
        else:
            turn, fork = parsed.own["turn"], parsed.own["fork"]
            assert (turn is None) != (parsed.own["thread"] is None)
            cwd = self.made["cwd"] if turn == TURN_ID else str(self.project)
            chosen = ThreadChoice(THREAD, cwd, *((turn, "codex-turn") if turn is not None else ()))
            busy = parsed.own["fork_if_busy"]
            start.go_on(self.settings, parsed.options, launch, chosen, is_fork=fork, may_fork_if_busy=busy)
        self.pictures = launch.pictures
        return launch.meta

    def make(self, words: list[str]) -> tuple[TurnDir, dict[str, Any]]:
        """Start a turn, and create its directory as its worker does."""
        meta = self.start(words)
        turn, fd = create(self.settings.turns_path, TURN_ID, "hi", meta, self.pictures)
        os.close(fd)
        self.made = meta
        return turn, meta


class _RecordedLaunch(Launch):
    def __init__(self) -> None:
        super().__init__()
        self.meta: dict[str, Any] = {}
        self.pictures: dict[str, bytes] = {}

    def hand_over(self, turns_path: Path, prompt: str, meta: dict[str, Any], *more: Any) -> tuple[str, bool]:
        """Spawn nothing; keep the record and the pictures."""
        self.meta, self.pictures = json.loads(json.dumps(meta)), dict(more[-1])
        return TURN_ID, False


class Parsed(NamedTuple):
    """A command as the real command line parses it; `own` are the parameters that not every start has."""

    verb: str
    options: StartOptions
    own: dict[str, Any]


def parse(words: list[str]) -> Parsed:
    """Parse a command, and run nothing.

    Raises:
        UsageError: it is no valid command.
    """
    assert words[0] == "codex-server"
    words = ["hi" if word == "-" else word for word in words[1:]]  # the prompt is on stdin
    parsed = app.parse(words, words[0])
    assert parsed is not None
    verb, given = parsed
    if verb not in ("new", "continue", "review"):
        return Parsed(verb, StartOptions(""), given)
    names = {each.name for each in (PROMPT, STDIN, *START_FLAGS)}
    shared = {name: value for name, value in given.items() if name in names}
    own = {name: value for name, value in given.items() if name not in names}
    file = shared.get("file")
    prompt = shared.get("prompt") or (Path(file).read_text(encoding="utf-8") if file else "")
    return Parsed(verb, options_of(shared, prompt), own)


STARTS: dict[str, list[str]] = {
    "bare": ["new", "hi"],
    "write": ["new", "hi", "--write"],
    "workspace": ["new", "hi", "--sandbox", "workspace-write"],
    "write anywhere": ["new", "hi", "--write", "--skip-git-check", "--cwd", "../more room"],
    "free": ["new", "hi", "--sandbox", "danger-full-access", "--skip-git-check"],
    "read-only": ["new", "hi", "--sandbox", "read-only"],
    "more": ["new", "hi", "-w", "--add-dir", "../more room", "--add-dir", "..", "--network"],
    "ask": ["new", "hi", "--approval", "ask", "--approval-timeout", "90"],
    "auto": ["new", "hi", "--approval", "auto"],
    "questions": ["new", "hi", "--questions", "--approval-timeout", "2m"],
    "plan": ["new", "hi", "--plan"],
    "model": ["new", "hi", "--model", "gpt 5", "--effort", "high"],
    "config": ["new", "hi", "-c", 'a.b="x \\" y"', "-c", "tools={web = true, n = [1, 2.5]}", "-c", "c=plain text"],
    "profile": ["new", "hi", "--profile", "quick"],
    "schema": ["new", "hi", "--schema", "s.json"],
    "image": ["new", "hi", "--image", "a picture.png"],
    "ephemeral": ["new", "hi", "--ephemeral"],
    "name": ["new", "hi", "--name", "mine"],
    "deadline": ["new", "hi", "--deadline", "1.5m"],
    "held": ["new", "hi", "--after-reset"],
    "held for long": ["new", "hi", "--after-reset", "--deadline", "60"],
    "notify": ["new", "hi", "--notify", "cat 'a > b' '$HOME'"],
    "nested": ["new", "hi", "--allow-nested"],
    "all": [
        *("new", "hi", "-w", "--network", "--schema", "s.json", "-i", "a picture.png", "-p", "quick", "-c", "k=1"),
        *(
            "--questions",
            "--approval",
            "ask",
            "--deadline",
            "9",
            "--notify",
            "cat",
            "--name",
            "mine",
            "--add-dir",
            "..",
        ),
    ],
    "review": [
        "review",
        "--instructions",
        "look at `x` and 'y'",
        "--model",
        "m",
        "--deadline",
        "60",
        "--notify",
        "cat",
    ],
    "thread": ["continue", "--thread", THREAD, "hi", "--write", "--schema", "s.json"],
    "thread elsewhere": ["continue", "--thread", THREAD, "hi", "--cwd", ".."],
    "turn": ["continue", "--turn", EARLIER, "hi", "--network"],
    "fork": ["continue", "--turn", EARLIER, "--fork", "hi", "--ephemeral"],
    "fork of a thread": ["continue", "--thread", THREAD, "--fork", "hi"],
    "fork if busy": ["continue", "--thread", THREAD, "--fork-if-busy", "hi", "--write"],
}
MESSAGES = {
    ErrorKind.BAD_SCHEMA: ("Invalid schema", f"{failures.WRONG_ANSWER}does not match"),
    ErrorKind.BAD_REQUEST: ("m", "Incomplete response returned, reason: max_output_tokens"),
    ErrorKind.STALLED: ("m", f"{failures.ONLY_RETRIED}, for 10 minutes"),
}
ENDS = [
    End(kind, message, at, is_resumable=has_begun and not is_lost, has_begun=has_begun)
    for kind in ErrorKind
    for message in MESSAGES.get(kind, ("m",))
    for at in ((RESETS_AT, None) if kind is ErrorKind.USAGE_LIMIT else (None,))
    for has_begun, is_lost in ((False, False), (True, False), (True, True))
]


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> UserProject:
    return UserProject(tmp_path, monkeypatch)


@pytest.mark.parametrize("name", STARTS)
def test_what_comes_next_asks_for_what_was_asked_for(
    world: UserProject, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turn, meta = world.make(["codex-server", *STARTS[name]])
    request = TurnRequest.from_json(meta["request"], TURN_ID, str(turn.prompt))
    monkeypatch.chdir("/")  # from any directory
    asked = meta["request"]
    for command in sorted({command for end in ENDS for command in commands_in(hint_of(end, request))}):
        words = shlex.split(command)
        parsed = parse(words)
        if parsed.verb not in ("new", "continue", "review"):
            continue
        reported = world.start(words)["request"]
        assert {key for key in reported if reported[key] != asked[key]} <= _BY_DESIGN, command
        assert reported["flags"].keys() - _CHANGING == asked["flags"].keys() - _CHANGING, command
        assert parsed.options.may_skip_git_check == ("--skip-git-check" in STARTS[name])
        assert parsed.options.may_nest == ("--allow-nested" in STARTS[name])


@pytest.mark.parametrize("name", ["all", "held for long", "fork", "review"])
def test_what_must_differ_does(world: UserProject, name: str) -> None:
    turn, meta = world.make(["codex-server", *STARTS[name]])
    request = TurnRequest.from_json(meta["request"], TURN_ID, str(turn.prompt))
    asked_s = meta["request"]["deadline_s"]
    for end, command in [(each, command) for each in ENDS for command in commands_in(hint_of(each, request))]:
        parsed = parse(shlex.split(command))
        if parsed.verb not in ("new", "continue", "review"):
            continue
        options = parsed.options
        factor = 2 if end.kind is ErrorKind.DEADLINE else 1
        held_s = 3600 if end.resets_at is not None else 0
        assert options.deadline_s == (asked_s and asked_s * factor + held_s), (end, command)
        is_held = name == "held for long" or end.kind is ErrorKind.USAGE_LIMIT
        assert options.is_after_reset == is_held, (end, command)
        goes_on = parsed.own.get("turn") == TURN_ID
        assert options.images == (() if goes_on else tuple(request.images)), (end, command)
        if name == "fork":
            from_start = (EARLIER, True) if end.kind is not ErrorKind.CONTEXT_WINDOW else (None, None)
            is_fork = (parsed.own.get("turn"), parsed.own.get("fork"))
            assert is_fork == ((TURN_ID, False) if goes_on else from_start), (end, command)
        if options.schema is not None and not options.schema.startswith(str(world.project)):
            assert options.schema == str(turn.schema), (end, command)
            assert json.loads(Path(options.schema).read_text()) == SCHEMA


@pytest.mark.parametrize("name", STARTS)
def test_the_next_of_a_document_is_the_same(world: UserProject, name: str) -> None:
    turn, meta = world.make(["codex-server", *STARTS[name]])
    request = TurnRequest.from_json(meta["request"], TURN_ID, str(turn.prompt))
    for end in ENDS:
        if end.is_resumable == (end.has_begun and not request.is_ephemeral):
            error = {"kind": str(end.kind), "message": end.message, "hint": hint_of(end, request)}
            seen = meta | {"codex_turn_id": "c" if end.has_begun else None}
            view = TurnView(TURN_ID, str(turn.path), State.FAILED, meta=seen, error=error)
            assert [*next_commands(view).values()][:-1] == commands_in(hint_of(end, request))
    complete = TurnView(TURN_ID, str(turn.path), State.COMPLETE, meta=meta | {"codex_turn_id": "c"})
    if not request.is_ephemeral:
        reported = world.start(shlex.split(next_commands(complete)["continue"]))["request"]
        assert {key for key in reported if reported[key] != meta["request"][key]} - {"review"} <= _BY_DESIGN
        assert reported["flags"].keys() - _CHANGING == meta["request"]["flags"].keys() - _CHANGING - {"--name"}


def test_read_only_stays_read_only_where_the_configuration_would_write(world: UserProject) -> None:
    world.configure(sandbox="workspace-write")
    turn, meta = world.make(["codex-server", *STARTS["read-only"]])
    request = TurnRequest.from_json(meta["request"], TURN_ID, str(turn.prompt))
    for is_resumable in (True, False):
        (command,) = commands_in(hint_of(End(ErrorKind.NETWORK, is_resumable=is_resumable), request))
        assert world.start(shlex.split(command))["request"]["sandbox"] == "read-only"


def test_what_the_configuration_decides_is_no_flag_and_is_decided_again(world: UserProject) -> None:
    world.configure(notify="cat", model="m", sandbox="workspace-write")
    turn, meta = world.make(["codex-server", *STARTS["bare"]])
    request = TurnRequest.from_json(meta["request"], TURN_ID, str(turn.prompt))
    assert request.flags == {}
    (command,) = commands_in(hint_of(End(ErrorKind.NETWORK), request))
    reported = world.start(shlex.split(command))["request"]
    assert {key for key in reported if reported[key] != meta["request"][key]} == set()


def test_a_schema_out_of_a_pipe_is_the_copy(world: UserProject, tmp_path: Path) -> None:
    source = tmp_path / "s.json"
    source.write_text(json.dumps(SCHEMA))
    turn, meta = world.make(["codex-server", "new", "hi", "--schema", str(source)])
    assert meta["request"]["schema_source"] == str(source)
    source.unlink()
    request = TurnRequest.from_json(meta["request"], TURN_ID, str(turn.prompt))
    (command,) = commands_in(hint_of(End(ErrorKind.NETWORK, is_resumable=True), request))
    assert world.start(shlex.split(command))["request"]["schema"] == SCHEMA
