"""The values that a shell completes with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_server_cli.cli.completion.line import context_at, fitting
from codex_server_cli.cli.completion.values import complete_turn, looked_up
from codex_server_cli.core.account.account import Model
from codex_server_cli.errors import ErrorKind
from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def turns_of_user(shell: Shell, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> TurnsOnDisk:
    """The turns of the user who presses TAB in this process."""
    monkeypatch.setenv("CODEX_SERVER_HOME", str(shell.home))
    monkeypatch.setenv("CODEX_HOME", str(shell.codex_home))
    return turns


def offered(line: str) -> dict[str, str]:
    """What is offered at the end of a line, each with what it stands for."""
    *before, typed = line.split(" ")
    here = context_at(before, typed)
    return dict(fitting(here, looked_up(here)))


def test_a_turn_is_offered_by_name_or_short_id_and_completed_by_any_id(turns_of_user: TurnsOnDisk) -> None:
    older = turns_of_user.complete(prompt="First.", name="mend")
    named = turns_of_user.complete(prompt="Fix the tests.\nAll of them.", name="mend")
    other = turns_of_user.running(prompt="x" * 100)
    everything = offered("tail ")
    short, name, old, last = everything
    assert (other.turn_id.endswith(short), name, older.turn_id.endswith(old), last) == (True, "mend", True, "last")
    assert everything["mend"] == "complete: Fix the tests. All of them."
    assert everything[short] == "running: " + "x" * 59 + "…"
    assert [*offered("wait me")] == ["mend"]
    assert [*offered(f"wait {named.turn_id[:16]}")] == [named.turn_id]
    assert offered("wait nothing-like-it") == {}
    assert complete_turn("me") == [("mend", "complete: Fix the tests. All of them.")]


def test_many_turns_are_no_flood(turns_of_user: TurnsOnDisk) -> None:
    for number in range(25):
        turns_of_user.failed(ErrorKind.INTERNAL, name=f"n{number}")
    assert len(offered("tail ")) == 21
    assert [*offered("tail n0")] == ["n0"]


def test_a_verb_is_offered_the_turns_that_it_can_act_on(turns_of_user: TurnsOnDisk) -> None:
    turns_of_user.complete(name="over", worktree={"repository": "/w", "prefix": "", "base": "c", "started_in": "/"})
    turns_of_user.running(name="busy")
    asking = turns_of_user.running(name="asking")
    request = {"id": "r1", "kind": "command", "message": "Run\nit?"}
    asking.pending.write_text(json.dumps({"version": 1, "pending": [request, {**request, "id": "r2", "message": ""}]}))
    assert [*offered("cancel ")] == [*offered("steer ")] == ["asking", "busy"]
    for verb in ("approve", "decline", "reply", "pending"):
        assert [*offered(f"{verb} ")] == ["asking"], verb
    assert offered("approve asking ") == {"r1": "Run it?", "r2": "command"}
    assert offered("approve no-such ") == {}
    assert [*offered("recover ")] == ["over", "last"]
    assert [*offered("apply ")] == ["over"]


def test_models_and_their_efforts_come_from_the_cache(turns_of_user: TurnsOnDisk, shell: Shell) -> None:
    assert offered("new --model ") == offered("new --effort ") == {}
    models = [
        Model("gpt-5.5", "GPT-5.5", "The best\none.", True, False, ("low", "high"), "low", ("text",)),
        Model("mini", "Mini", "", False, False, ("low", "medium"), "low", ("text",)),
        Model("secret", "Secret", "", False, True, ("max",), "max", ("text",)),
    ]
    path = shell.home / "models.json"
    shell.home.mkdir()
    path.write_text(json.dumps({"version": 1, "codex": {}, "models": [model._asdict() for model in models]}))
    assert offered("new --model ") == {"gpt-5.5": "The best one.", "mini": "Mini"}
    assert offered("new --model=m") == {"--model=mini": "Mini"}
    assert [*offered("new --model mini --effort ")] == ["low", "medium"]
    assert [*offered("new --effort ")] == ["low", "high", "medium", "max"]
    path.write_text('{"version": 9, "models": [{"id": 1}]}')
    assert offered("new --model ") == {}


def test_profiles_and_servers_are_offered(turns_of_user: TurnsOnDisk, shell: Shell) -> None:
    (shell.codex_home / "fast.config.toml").touch()
    assert [*offered("new --profile ")] == ["fast"]
    assert [*offered("new --server ")] == ["spawn", "shared", "unix://", "ws://", "wss://", "ssh://"]
    assert [*offered("remote pair --server ")] == ["shared"]
    assert [*offered("new --notify b")] == ["bell"]


def test_threads_are_offered_with_their_first_prompt(turns_of_user: TurnsOnDisk, shell: Shell) -> None:
    thread_id = "019ab6a8-35c3-7bb0-a0aa-3d1f5b6a2b11"
    folder = shell.codex_home / "sessions" / "2026" / "11" / "20"
    folder.mkdir(parents=True)
    meta = {"id": thread_id, "cwd": "/", "timestamp": "2026-11-20T16:55:01.482Z", "originator": "x", "source": "cli"}
    said = {"type": "user_message", "message": "Explain\nthis"}
    lines = [{"type": "session_meta", "payload": meta}, {"type": "event_msg", "payload": said}]
    text = "".join(json.dumps({"timestamp": "2026-11-20T16:55:01.482Z", **line}) + "\n" for line in lines)
    (folder / f"rollout-2026-11-20T16-55-01-{thread_id}.jsonl").write_text(text)
    assert offered("continue --thread ") == {thread_id: "Explain this"}


def test_a_home_that_cannot_be_read_offers_nothing(turns_of_user: TurnsOnDisk, shell: Shell) -> None:
    turns_of_user.path.mkdir(parents=True, exist_ok=True)
    turns_of_user.path.rmdir()
    Path(turns_of_user.path).write_text("no folder")
    assert offered("tail ") == {}
