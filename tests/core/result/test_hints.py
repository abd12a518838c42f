"""Every kind of error has a next step, with commands that need no filling in and open no guard."""

from __future__ import annotations

import re
import shlex
from typing import Any

from codex_server_cli.core.model.request import Flags, TurnRequest
from codex_server_cli.core.result import commands, failures
from codex_server_cli.core.result.commands import commands_in
from codex_server_cli.core.result.hints import KINDS_UNSEEN_TO_THE_END, End, hint_of
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each

TURN_ID = "20261120-165501-482-7f3a"
FOLDER = f"/home/dev/.codex-server/turns/{TURN_ID}"
PATH = f"{FOLDER}/prompt.txt"
NEW = TurnRequest(TURN_ID, "/project", prompt_path=PATH)
CONTINUED = NEW._replace(thread_id="01a1f9ff", flags={"--thread": ["01a1f9ff"]})
FORKED = NEW._replace(thread_id="01a1f9ff", is_fork=True, flags={"--turn": ["20261119-1"], "--fork": []})
OLD = CONTINUED._replace(flags=None, is_fork=True)  # of a version that did not keep them
SHAPES = [NEW, CONTINUED, FORKED, OLD, CONTINUED._replace(flags={**(CONTINUED.flags or {}), "--fork-if-busy": []})]


def words_of(kind: ErrorKind, request: TurnRequest, *, is_resumable: bool = False, **facts: Any) -> list[list[str]]:
    """The commands of an end as words, without the program's name."""
    end = End(kind, is_resumable=is_resumable, has_begun=is_resumable, **facts)
    reported = [shlex.split(command) for command in commands_in(hint_of(end, request))]
    assert all(words[0] == "codex-server" for words in reported)
    return [words[1:] for words in reported]


@for_each("is_resumable", [True, False])
@for_each("request_", SHAPES)
@for_each("kind", ErrorKind)
def test_every_kind_has_commands_with_nothing_left_open_and_the_hint_names_them_all(
    kind: ErrorKind, request_: TurnRequest, is_resumable: bool
) -> None:
    end = End(kind, is_resumable=is_resumable)
    hint = hint_of(end, request_)
    reported = commands_in(hint)
    assert reported
    assert reported == re.findall("`([^`]+)`", hint)
    assert not re.search("[{}]|PROMPT|TURN", hint)
    assert hint[0].isupper()
    assert all(command.count("--fork") <= 1 for command in reported)


def test_a_turn_that_can_be_resumed_is() -> None:
    assert words_of(ErrorKind.NETWORK, NEW, is_resumable=True) == [["continue", "--turn", TURN_ID, "go on"]]


@for_each(
    ("asked", "command"),
    [
        (NEW, ["new", "--cwd", "/project", "--file", PATH]),
        (NEW._replace(cwd="/my project"), ["new", "--cwd", "/my project", "--file", PATH]),
        (NEW._replace(prompt_path=None), ["new", "--cwd", "/project", "-"]),
        (NEW._replace(flags={"--write": []}), ["new", "--cwd", "/project", "--write", "--file", PATH]),
        (CONTINUED, ["continue", "--thread", "01a1f9ff", "--cwd", "/project", "--file", PATH]),
        (FORKED, ["continue", "--turn", "20261119-1", "--fork", "--cwd", "/project", "--file", PATH]),
        (OLD, ["continue", "--thread", "01a1f9ff", "--fork", "--cwd", "/project", "--file", PATH]),
        (
            SHAPES[-1],
            ["continue", "--thread", "01a1f9ff", "--fork-if-busy", "--cwd", "/project", "--file", PATH],
        ),
    ],
)
def test_a_turn_that_left_nothing_to_go_on_with_is_asked_again_as_it_was(
    asked: TurnRequest, command: list[str]
) -> None:
    assert words_of(ErrorKind.NETWORK, asked) == [command]


def test_a_busy_thread_can_be_forked_and_a_full_one_be_left() -> None:
    fork = ["continue", "--thread", "01a1f9ff", "--fork", "--cwd", "/project", "--file", PATH]
    assert words_of(ErrorKind.THREAD_BUSY, CONTINUED) == [fork]
    assert words_of(ErrorKind.THREAD_BUSY, SHAPES[-1]) == [fork]
    assert words_of(ErrorKind.THREAD_BUSY, NEW) == [["new", "--cwd", "/project", "--file", PATH]]
    full = CONTINUED._replace(flags={"--thread": ["01a1f9ff"], "--fork-if-busy": [], "--write": []})
    (anew,) = words_of(ErrorKind.CONTEXT_WINDOW, full, is_resumable=True)
    assert anew == ["new", "--cwd", "/project", "--write", "--file", PATH]


@for_each("kind", ErrorKind)
def test_where_codex_may_have_finished_it_unseen_its_record_is_asked_first(kind: ErrorKind) -> None:
    ask = ["recover", TURN_ID]
    assert (words_of(kind, NEW, is_resumable=True)[0] == ask) == (kind in KINDS_UNSEEN_TO_THE_END)
    assert ask not in words_of(kind, NEW)  # there is nothing to request


# --- the flags of the turn

FULL_FLAGS: Flags = {
    "--write": [],
    "--add-dir": ["/more room", "/b"],
    "--network": [],
    "--model": ["gpt 5"],
    "--config": ['model_verbosity="low"'],
    "--ephemeral": [],
    "--name": ["mine"],
    "--deadline": ["60"],
}
FULL = NEW._replace(flags=FULL_FLAGS, images=("/a picture.png",))
FULL_WORDS = [
    *("--write", "--add-dir", "/more room", "--add-dir", "/b", "--network", "--model", "gpt 5"),
    *("--config", 'model_verbosity="low"', "--ephemeral", "--name", "mine", "--deadline", "60"),
]


def test_a_turn_is_asked_again_with_all_its_flags_and_pictures() -> None:
    (command,) = words_of(ErrorKind.NETWORK, FULL)
    assert command == ["new", "--cwd", "/project", "--image", "/a picture.png", *FULL_WORDS, "--file", PATH]


def test_a_turn_goes_on_with_all_its_flags_for_no_thread_keeps_them() -> None:
    (command,) = words_of(ErrorKind.NETWORK, FULL, is_resumable=True)
    assert command == ["continue", "--turn", TURN_ID, "go on", *FULL_WORDS]


@for_each("is_resumable", [True, False])
@for_each(
    ("target", "flags"),
    [
        ({"type": "uncommittedChanges"}, ["--uncommitted"]),
        ({"type": "baseBranch", "branch": "main"}, ["--base", "main"]),
        ({"type": "commit", "sha": "abc", "title": "Title"}, ["--commit", "abc"]),
        ({"type": "custom", "instructions": "look `here`"}, ["--instructions", "look `here`"]),
    ],
    ids=str,
)
def test_a_review_is_asked_for_again_and_never_gone_on_with(
    target: dict[str, str], flags: list[str], is_resumable: bool
) -> None:
    request = NEW._replace(review=target, flags={"--model": ["gpt"]})
    command = ["review", "--cwd", "/project", *flags, "--model", "gpt"]
    assert words_of(ErrorKind.CANCELLED, request, is_resumable=is_resumable) == [command]
    assert "to ask again" in hint_of(End(ErrorKind.CANCELLED, is_resumable=is_resumable, has_begun=True), request)


@for_each("is_resumable", [True, False])
def test_a_schema_is_the_copy_that_the_turn_keeps(is_resumable: bool) -> None:
    request = NEW._replace(flags={"--schema": []}, schema_source="/tmp/s.json")
    (command,) = words_of(ErrorKind.NETWORK, request, is_resumable=is_resumable)
    assert command[command.index("--schema") + 1] == f"{FOLDER}/schema.json"
    (command,) = words_of(ErrorKind.NETWORK, NEW, is_resumable=is_resumable)
    assert "--schema" not in command


def test_a_schema_that_is_refused_is_mended_where_the_user_has_it() -> None:
    request = NEW._replace(flags={"--schema": []}, schema_source="/my/s.json")
    (command,) = words_of(ErrorKind.BAD_SCHEMA, request, message="Invalid schema for response_format")
    assert command == ["new", "--cwd", "/project", "--schema", "/my/s.json", "--file", PATH]
    (command,) = words_of(ErrorKind.BAD_SCHEMA, request._replace(schema_source=None))
    assert f"{FOLDER}/schema.json" in command


def test_an_answer_that_does_not_fit_is_asked_for_once_more() -> None:
    request = NEW._replace(flags={"--schema": [], "--network": []}, schema_source="/my/s.json")
    message = f"{failures.WRONG_ANSWER}does not match the schema: …"
    (command,) = words_of(ErrorKind.BAD_SCHEMA, request, is_resumable=True, message=message)
    verb, _, turn, prompt, *flags = command
    assert (verb, turn, flags) == ("continue", TURN_ID, ["--schema", f"{FOLDER}/schema.json", "--network"])
    assert "fits the schema" in prompt
    (command,) = words_of(ErrorKind.BAD_SCHEMA, request, message=message)
    assert command[0] == "new"


# --- what would fail the same way again


def test_who_met_the_usage_limit_goes_on_by_itself_once_that_has_reset() -> None:
    at = "2026-11-20T17:55:01.000Z"  # an hour after the turn began
    resume = ["continue", "--turn", TURN_ID, "go on", "--after-reset"]
    assert words_of(ErrorKind.USAGE_LIMIT, NEW, is_resumable=True, resets_at=at) == [resume]
    again = ["new", "--cwd", "/project", "--after-reset", "--file", PATH]
    assert words_of(ErrorKind.USAGE_LIMIT, NEW, resets_at=at) == [again]
    held = NEW._replace(flags={"--after-reset": []})
    assert words_of(ErrorKind.CANCELLED, held) == [again]
    (short,) = words_of(ErrorKind.USAGE_LIMIT, NEW._replace(flags={"--deadline": ["60"]}), resets_at=at)
    assert short[3:-2] == ["--deadline", "3660", "--after-reset"]  # the wait counts, too


def test_a_limit_without_a_known_reset_promises_no_waiting() -> None:
    request = NEW._replace(flags={"--deadline": ["60"]})
    go_on = ["continue", "--turn", TURN_ID, "go on", "--deadline", "60", "--after-reset"]
    assert words_of(ErrorKind.USAGE_LIMIT, request, is_resumable=True) == [go_on]
    hint = hint_of(End(ErrorKind.USAGE_LIMIT), NEW)
    assert hint.startswith("No time is known at which this limit resets")
    assert "starts at once where there is none" in hint


@for_each("is_resumable", [True, False])
def test_a_deadline_that_passed_is_given_twice(is_resumable: bool) -> None:
    (command,) = words_of(ErrorKind.DEADLINE, FULL, is_resumable=is_resumable)
    assert command[command.index("--deadline") + 1] == "120"
    assert hint_of(End(ErrorKind.DEADLINE), FULL).endswith("`, with twice the time")
    edited = FULL._replace(flags={"--deadline": ["soon"]})
    (command,) = words_of(ErrorKind.DEADLINE, edited, is_resumable=is_resumable)
    assert command[command.index("--deadline") + 1] == "soon"


@for_each(
    ("value", "text"), [(60.0, "60"), (0.5, "0.5"), (100.0, "100"), (1234567.25, "1234567.25"), (1e12, "315360000")]
)
def test_a_duration_is_told_as_a_flag_takes_it(value: float, text: str) -> None:
    assert commands.seconds(value) == text


# --- text that fits the facts


@for_each("kind", [ErrorKind.CANCELLED, ErrorKind.STALLED, ErrorKind.WORKER_DIED])
def test_only_what_had_come_is_said_to_be_kept(kind: ErrorKind) -> None:
    assert hint_of(End(kind), NEW).startswith("To ask again: `codex-server new")
    begun = hint_of(End(kind, has_begun=True), NEW)
    assert begun.startswith("What was received is kept; to ask again: `codex-server new")
    assert "hat was received is kept; to go on: `codex-server continue" in hint_of(End(kind, is_resumable=True), NEW)


def test_better_words_of_the_record_stand_alone() -> None:
    go_on = f"`codex-server continue --turn {TURN_ID} 'go on'`"
    unreached = End(ErrorKind.STALLED, f"{failures.ONLY_RETRIED}, for 10 minutes", is_resumable=True)
    assert hint_of(unreached, NEW) == f"Check the network, then: {go_on}"
    cut = End(ErrorKind.BAD_REQUEST, "Incomplete response returned, reason: max_output_tokens", is_resumable=True)
    assert hint_of(cut, NEW) == f"The model stopped at a limit of its own; what was received is kept; to go on: {go_on}"


@for_each("word", ["a`b", "it's `so`", "plain", "two words", '"', "'"])
def test_the_commands_of_a_hint_are_found_whatever_their_words_hold(word: str) -> None:
    folder = NEW._replace(cwd=f"/{word}")
    (command,) = commands_in(hint_of(End(ErrorKind.NETWORK), folder))
    assert shlex.split(command) == ["codex-server", "new", "--cwd", f"/{word}", "--file", PATH]


def test_words_of_ones_own_have_their_commands_filled_in() -> None:
    end = End(ErrorKind.AUTH, words="A fork takes another: {fork}; or ask it again: {again}")
    hint = hint_of(end, CONTINUED)
    fork, again = commands_in(hint)
    assert hint == f"A fork takes another: `{fork}`; or ask it again: `{again}`"
    assert ("--fork" in fork, "--fork" in again) == (True, False)


def test_a_command_alone_stays_one() -> None:
    assert hint_of(End(ErrorKind.NETWORK, words="codex-server server logs"), NEW) == "codex-server server logs"
    assert hint_of(End(ErrorKind.NETWORK, words="look again"), NEW) == "Look again"


def test_a_busy_thread_is_waited_for_within_the_time_of_a_shell_and_its_holder_is_told() -> None:
    may_ask = commands.thread_busy("01a1f9ff", f"turn {TURN_ID}", TURN_ID, may_ask=True)
    assert f"`codex-server wait {TURN_ID} --timeout 100 --until attention`" in may_ask.hint
    assert may_ask.to_json()["error"]["holder"] == TURN_ID
    quiet = commands.thread_busy("01a1f9ff", f"turn {TURN_ID}", TURN_ID)
    assert f"`codex-server wait {TURN_ID} --timeout 100`" in quiet.hint
    foreign = commands.thread_busy("01a1f9ff", "another codex process (pid 7)", pid=7)
    assert foreign.to_json()["error"].keys() == {"kind", "message", "hint", "exit_code", "holder_pid"}
    assert "`" not in foreign.hint


def test_a_thread_in_which_something_waits_can_be_forked_or_let_run_in_codex() -> None:
    occupied = commands.thread_occupied("01a1f9ff", "a message waits in it")
    assert "thread 01a1f9ff is not free: a message waits in it" in str(occupied)
    assert "--fork" in occupied.hint
    assert "`codex resume 01a1f9ff`" in occupied.hint
    assert occupied.occupied == "01a1f9ff"
