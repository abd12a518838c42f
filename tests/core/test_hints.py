"""Every kind of error tells what to do next, with a command that needs no filling in."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from typing import Any

import pytest

from codex_server_cli.actions.checks import parse_overrides
from codex_server_cli.core.hints import CUT_SHORT, KINDS_UNSEEN_TO_THE_END, UNREACHED, hint_of
from codex_server_cli.core.request import Approval, Sandbox, TurnRequest
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
            ["new", "--cwd", "/project", "--write", "--skip-git-check", "--file", PATH],
        ),
        (CONTINUED, ["continue", "--thread", "01a1f9ff", "--file", PATH]),
        (CONTINUED._replace(is_fork=True), ["continue", "--thread", "01a1f9ff", "--fork", "--file", PATH]),
    ],
)
def test_a_turn_that_left_nothing_to_go_on_with_is_asked_again_as_it_was(
    asked: TurnRequest, command: list[str]
) -> None:
    assert commands_in(hint_of(ErrorKind.NETWORK, asked, is_resumable=False)) == [["codex-server", *command]]


def test_who_met_the_usage_limit_goes_on_by_itself_once_that_has_reset() -> None:
    resume = ["codex-server", "continue", "--turn", TURN_ID, "go on", "--after-reset"]
    assert commands_in(hint_of(ErrorKind.USAGE_LIMIT, NEW, is_resumable=True)) == [resume]
    again = ["codex-server", "new", "--cwd", "/project", "--after-reset", "--file", PATH]
    assert commands_in(hint_of(ErrorKind.USAGE_LIMIT, NEW, is_resumable=False)) == [again]
    held = NEW._replace(is_after_reset=True)
    assert commands_in(hint_of(ErrorKind.CANCELLED, held, is_resumable=False)) == [again]


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


# --- the options of the turn

FULL = NEW._replace(
    model="gpt 5",
    effort="high",
    sandbox=Sandbox.WORKSPACE_WRITE,
    writable_roots=("/more room", "/b"),
    has_network=True,
    images=("/a picture.png",),
    config={"model_verbosity": "low"},
    is_ephemeral=True,
    deadline_s=3.2,
)
POLICY = ["--write", "--skip-git-check", "--add-dir", "/more room", "--add-dir", "/b", "--network"]


def test_a_turn_is_asked_again_with_all_its_options() -> None:
    (command,) = commands_in(hint_of(ErrorKind.NETWORK, FULL, is_resumable=False))
    assert command == [
        *("codex-server", "new", "--cwd", "/project", *POLICY, "--model", "gpt 5", "--effort", "high"),
        *("--image", "/a picture.png", "--config", 'model_verbosity="low"', "--ephemeral", "--deadline", "4"),
        *("--file", PATH),
    ]


def test_a_turn_goes_on_with_the_policy_that_it_had_for_no_thread_keeps_it() -> None:
    (command,) = commands_in(hint_of(ErrorKind.NETWORK, FULL, is_resumable=True))
    assert command[:5] == ["codex-server", "continue", "--turn", TURN_ID, "go on"]
    assert command[5:] == [*POLICY, "--config", 'model_verbosity="low"']  # which Codex keeps with no thread, either
    free = NEW._replace(sandbox=Sandbox.DANGER_FULL_ACCESS)
    (command,) = commands_in(hint_of(ErrorKind.NETWORK, free, is_resumable=True))
    assert command[-3:] == ["--sandbox", "danger-full-access", "--skip-git-check"]


@pytest.mark.parametrize(
    ("asked", "flags"),
    [
        ({"approval": Approval.ASK}, ["--approval", "ask"]),
        ({"approval": Approval.AUTO}, ["--approval", "auto"]),
        ({"approval": Approval.ASK, "approval_timeout_s": 90.0}, ["--approval", "ask", "--approval-timeout", "90"]),
        ({"may_ask_questions": True, "is_plan": True}, ["--questions", "--plan"]),
        ({"profile": "quick", "profile_config": {"model": "m"}}, ["--profile", "quick"]),
        ({"notify": "tell me"}, ["--notify", "tell me"]),
    ],
    ids=str,
)
def test_whoever_is_asked_and_whatever_is_configured_stays_so(asked: dict[str, Any], flags: list[str]) -> None:
    request = NEW._replace(**asked)
    (resume,) = commands_in(hint_of(ErrorKind.NETWORK, request, is_resumable=True))
    (again,) = commands_in(hint_of(ErrorKind.NETWORK, request, is_resumable=False))
    assert resume == ["codex-server", "continue", "--turn", TURN_ID, "go on", *flags]
    assert again == ["codex-server", "new", "--cwd", "/project", *flags, "--file", PATH]


@pytest.mark.parametrize("is_resumable", [True, False])
@pytest.mark.parametrize(
    ("target", "flags"),
    [
        ({"type": "uncommittedChanges"}, ["--uncommitted"]),
        ({"type": "baseBranch", "branch": "main"}, ["--base", "main"]),
        ({"type": "commit", "sha": "abc", "title": "Title"}, ["--commit", "abc"]),
        ({"type": "custom", "instructions": "look here"}, ["--instructions", "look here"]),
    ],
    ids=str,
)
def test_a_review_is_asked_for_again_and_never_gone_on_with(
    target: dict[str, str], flags: list[str], is_resumable: bool
) -> None:
    request = NEW._replace(review=target, model="gpt")
    hint = hint_of(ErrorKind.CANCELLED, request, is_resumable=is_resumable, has_begun=True)
    assert commands_in(hint) == [["codex-server", "review", "--cwd", "/project", *flags, "--model", "gpt"]]
    assert "to ask again" in hint


@pytest.mark.parametrize("is_resumable", [True, False])
def test_a_schema_whose_place_is_not_known_is_named_in_words(is_resumable: bool) -> None:
    hint = hint_of(ErrorKind.NETWORK, NEW._replace(schema={"type": "object"}), is_resumable=is_resumable)
    assert hint.endswith("`, with your --schema")
    assert "--schema" not in hint_of(ErrorKind.NETWORK, NEW, is_resumable=is_resumable)


def test_overrides_of_the_configuration_are_read_back_as_they_were() -> None:
    given = {
        "text": 'a "b" \\ é 😀 \x7f\n',
        "number_as_text": "5",
        "flags": [True, False],
        "numbers": [1, -2.5, 1e16],
        "table": {"a b": {"c": "d"}, "e": []},
    }
    (command,) = commands_in(hint_of(ErrorKind.BAD_REQUEST, NEW._replace(config=given), is_resumable=False))
    pairs = [value for flag, value in pairwise(command) if flag == "--config"]
    assert parse_overrides(tuple(pairs)) == given


# --- words that fit what there is


def test_a_deadline_that_left_nothing_to_go_on_with_offers_no_going_on_and_not_the_same_deadline() -> None:
    hint = hint_of(ErrorKind.DEADLINE, FULL, is_resumable=False, has_begun=True)
    assert hint.startswith("To ask again, without a deadline or with a longer --deadline: `codex-server new ")
    assert "--deadline" not in commands_in(hint)[0]
    assert "to go on from here: `codex-server continue" in hint_of(ErrorKind.DEADLINE, FULL, is_resumable=True)


@pytest.mark.parametrize("kind", [ErrorKind.CANCELLED, ErrorKind.STALLED, ErrorKind.WORKER_DIED])
def test_only_what_had_come_is_said_to_be_kept(kind: ErrorKind) -> None:
    assert hint_of(kind, NEW, is_resumable=False).startswith("To ask again: `codex-server new")
    begun = hint_of(kind, NEW, is_resumable=False, has_begun=True)
    assert begun.startswith("What had come is kept; to ask again: `codex-server new")
    assert "What had come is kept; to go on: `codex-server continue" in hint_of(kind, NEW, is_resumable=True)


def test_better_words_of_the_record_stand_alone() -> None:
    go_on = f"`codex-server continue --turn {TURN_ID} 'go on'`"
    unreached = hint_of(ErrorKind.STALLED, NEW, is_resumable=True, words=UNREACHED)
    assert unreached == f"Check the network, then: {go_on}"
    cut = hint_of(ErrorKind.BAD_REQUEST, NEW, is_resumable=True, words=CUT_SHORT)
    assert cut == f"The model stopped at a limit of its own; what had come is kept; to go on: {go_on}"
