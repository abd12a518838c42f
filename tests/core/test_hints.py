"""Every kind of error tells what to do next, with a command that needs no filling in."""

from __future__ import annotations

import re
import shlex

import pytest

from codex_server_cli.core.hints import KINDS_UNSEEN_TO_THE_END, hint_of
from codex_server_cli.core.request import Sandbox, TurnRequest
from codex_server_cli.errors import ErrorKind

TURN_ID = "20261120-165501-482-7f3a"
PATH = f"/home/dev/.codex-server/turns/{TURN_ID}/prompt.txt"
NEW = TurnRequest(TURN_ID, "/project", prompt_path=PATH)
CONTINUED = NEW._replace(thread_id="01a1f9ff")


def commands_in(hint: str) -> list[list[str]]:
    """The commands of a hint, in words."""
    return [shlex.split(command) for command in re.findall("`([^`]+)`", hint)]


@pytest.mark.parametrize("is_resumable", [True, False])
@pytest.mark.parametrize("request_", [NEW, CONTINUED, CONTINUED._replace(is_fork=True)])
@pytest.mark.parametrize("kind", ErrorKind)
def test_every_kind_has_a_command_with_nothing_left_open(
    kind: ErrorKind, request_: TurnRequest, is_resumable: bool
) -> None:
    hint = hint_of(kind, request_, is_resumable=is_resumable)
    assert commands_in(hint)
    assert all(command[0] in ("codex", "codex-server") for command in commands_in(hint))
    assert not re.search("[{}]|PROMPT|TURN", hint)
    assert hint.count("--fork") <= 1


def test_a_turn_that_can_be_resumed_is(request: pytest.FixtureRequest) -> None:
    command = ["codex-server", "continue", "--turn", TURN_ID, "go on"]
    assert commands_in(hint_of(ErrorKind.NETWORK, NEW, is_resumable=True)) == [command]


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        (NEW, ["new", "--cwd", "/project", "--file", PATH]),
        (NEW._replace(cwd="/my project"), ["new", "--cwd", "/my project", "--file", PATH]),
        (
            NEW._replace(sandbox=Sandbox.WORKSPACE_WRITE),
            ["new", "--cwd", "/project", "--write", "--file", PATH],
        ),
        (CONTINUED, ["continue", "--thread", "01a1f9ff", "--file", PATH]),
        (CONTINUED._replace(is_fork=True), ["continue", "--thread", "01a1f9ff", "--fork", "--file", PATH]),
    ],
)
def test_a_turn_that_left_nothing_to_go_on_with_is_asked_again_as_it_was(
    asked: TurnRequest, command: list[str]
) -> None:
    assert commands_in(hint_of(ErrorKind.NETWORK, asked, is_resumable=False)) == [["codex-server", *command]]


def test_a_busy_thread_can_be_forked_and_a_full_one_be_left() -> None:
    (fork,) = commands_in(hint_of(ErrorKind.THREAD_BUSY, CONTINUED, is_resumable=False))
    assert fork[1:] == ["continue", "--thread", "01a1f9ff", "--file", PATH, "--fork"]
    (anew,) = commands_in(hint_of(ErrorKind.CONTEXT_WINDOW, CONTINUED, is_resumable=True))
    assert anew[1:] == ["new", "--cwd", "/project", "--file", PATH]


def test_where_the_prompt_lies_is_no_part_of_what_is_stored() -> None:
    stored = NEW.to_json()
    assert "prompt_path" not in stored
    assert TurnRequest.from_json(stored, TURN_ID, PATH) == NEW
    assert "codex-server new --cwd /project PROMPT" in hint_of(
        ErrorKind.NETWORK, NEW._replace(prompt_path=None), is_resumable=False
    )


@pytest.mark.parametrize("kind", ErrorKind)
def test_where_codex_may_have_finished_it_unseen_its_record_is_asked_first(kind: ErrorKind) -> None:
    ask = ["codex-server", "recover", TURN_ID]
    assert (commands_in(hint_of(kind, NEW, is_resumable=True))[0] == ask) == (kind in KINDS_UNSEEN_TO_THE_END)
    assert ask not in commands_in(hint_of(kind, NEW, is_resumable=False))  # nothing there to ask for
