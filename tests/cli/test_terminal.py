"""What a terminal gets, whether a model, a command, a file name or an edited file is the source. And pipes, raw."""

from __future__ import annotations

import json
import shlex
from string import Template

import pytest

from codex_server_cli.disk.files import read_json, write_json
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind
from tests.kit.console import type_in
from tests.kit.home import COMMAND
from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk
from tests.render.test_escape import is_dangerous

EVIL = (
    "START\x1b[2J\x1b[1;31m\x1b]52;c;cm0gLXJmIH4=\x07\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\\x1bP1$r\x1b\\"
    "\b\b\b\rhidden\x9b31m\x90\x9d\x7f\u202etxt.exe\u202c\u2066\u2069\u200b\u2060\ufeff\U000e0041\u2028END"
)
THREAD = "01a1fa62-b67e-7a01-a798-fd4067f1c682"
IN_A_PATH = EVIL.replace("/", "")


def edit_meta(turn: TurnDir, **values: object) -> TurnDir:
    write_json(turn.meta, {**(read_json(turn.meta) or {}), **values})
    return turn


def write_everywhere(turn: TurnDir) -> TurnDir:
    """Put it into every file of a turn that a command shows."""
    for path in (turn.out, turn.prompt, turn.log):
        path.write_text(f"{EVIL}\n", encoding="utf-8")
    turn.events.write_text(f'{{"seq":0,"ts":1,"dir":"in","invalid":"{EVIL}"}}\n', encoding="utf-8")
    write_json(turn.live, {"phase": EVIL, "last_activity": EVIL, "pending": [EVIL], "usage": {"total_tokens": EVIL}})
    return edit_meta(turn, name=EVIL, cwd=f"/{EVIL}", model=EVIL, thread_id=EVIL, codex_turn_id=EVIL, finished_at=EVIL)


@pytest.fixture
def turn_variables(shell: Shell, turns: TurnsOnDisk) -> dict[str, str]:
    """Turns in every state, and a thread, that hold it in every field: the environment that names them."""
    failed = turns.failed(ErrorKind.NETWORK, EVIL)
    write_json(failed.error, {"kind": EVIL, "message": EVIL, "hint": EVIL, "resets_at": EVIL, "stderr_tail": EVIL})
    write_json(failed.result, {"state": "failed", "error": read_json(failed.error), "answer": EVIL})
    by_state = {"COMPLETE": turns.complete(EVIL), "FAILED": failed, "RUNNING": turns.running(), "DEAD": turns.dead()}
    sessions = shell.codex_home / "sessions" / "2026" / "11" / "20"
    sessions.mkdir(parents=True)
    head = {"id": THREAD, "timestamp": "2026-11-20T16:57:41.000Z", "cwd": f"/{EVIL}", "model": EVIL, "name": EVIL}
    message = {"type": "user_message", "message": EVIL}
    lines = [{"timestamp": EVIL, "type": "session_meta", "payload": head}]
    lines += [{"timestamp": EVIL, "type": "event_msg", "payload": message}]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    (sessions / f"rollout-2026-11-20T16-57-41-{THREAD}.jsonl").write_text(text, encoding="utf-8")
    return {"EVIL": EVIL} | {state: write_everywhere(turn).turn_id for state, turn in by_state.items()}


SHOWN = (
    "tail $COMPLETE",
    "tail $FAILED -n 1",
    "tail $COMPLETE $DEAD",
    "tail $COMPLETE --events",
    "tail $COMPLETE --follow",
    "wait $COMPLETE",
    "wait $FAILED --print json",
    "wait $RUNNING --timeout 0.1",
    "wait $DEAD",
    "answer $COMPLETE",
    "answer $FAILED",
    "answer $RUNNING",
    "status",
    "status $FAILED",
    "status $RUNNING $DEAD $COMPLETE",
    "list-turns",
    "list-turns --json",
    "usage --since 3650d",
    "usage --since 3650d --by cwd",
    "usage --since 3650d --by model --json",
    "cancel $FAILED",
    "list",
    "list --json",
    "show 01a1fa62",
    "show $FAILED",
    "show $COMPLETE -n 50",
    "list-turns --long",
    "show 01a1fa62 --json",
    "continue --turn $RUNNING hi",
)


def test_whatever_a_turn_or_a_thread_holds_a_terminal_obeys_none_of_it(
    shell: Shell, turn_variables: dict[str, str]
) -> None:
    for words in SHOWN:
        assert_harmless(words, shell.show(*Template(words).substitute(turn_variables).split()))
    real = f"{shlex.quote(COMMAND)} tail $COMPLETE"
    assert_harmless(real, type_in(real, shell.env | turn_variables, shell.project))


def assert_harmless(words: str, shown: str) -> None:
    assert shown.strip(), f"nothing was shown at all: {words}"
    assert [char for char in shown if is_dangerous(char)] == [], words
    assert "a defect of codex-server" not in shown, words


MISTAKES = (
    '"$EVIL"',
    '"--$EVIL"',
    'status "$EVIL"',
    'wait "$EVIL"',
    'show "$EVIL"',
    'new hi --cwd "/$EVIL"',
    'new hi --name "$EVIL"',
    'new hi --schema "/$EVIL"',
    'new hi --image "/$EVIL"',
    'new --file "/$EVIL"',
    'new hi --sandbox "$EVIL"',
    'new hi --deadline "$EVIL"',
    'wait last --timeout "$EVIL"',
    'continue hi --thread "$EVIL"',
    'list-turns --cwd "/$EVIL"',
)


def test_what_stands_on_a_command_line_is_not_obeyed_when_it_is_told_to_be_wrong(shell: Shell) -> None:
    for words in MISTAKES:
        assert_harmless(words, shell.show(*(word.replace("$EVIL", EVIL) for word in shlex.split(words))))
    for words in ('new hi --cwd "/$EVIL"', 'new hi --config "$EVIL"'):  # the latter starts a turn: Codex is to judge it
        shown = type_in(f"{shlex.quote(COMMAND)} {words}", shell.env | {"EVIL": EVIL}, shell.project)
        assert_harmless(words, shown)


def test_the_names_of_files_are_not_obeyed(shell: Shell) -> None:
    home, project = shell.root / IN_A_PATH[:120], shell.root / f"project{IN_A_PATH[:100]}"
    project.mkdir()
    home.mkdir(mode=0o755)
    (home / "config.json").write_text(json.dumps({EVIL: EVIL}))
    shell.env["CODEX_SERVER_HOME"] = str(home)
    real = f"{shlex.quote(COMMAND)} new hi"
    for words in ("list-turns", "doctor", "setup", "gc"):
        assert_harmless(words, shell.show(words, cwd=project))
    assert_harmless(real, type_in(real, shell.env, project))


def test_a_pipe_gets_every_byte_as_it_is(shell: Shell, turn_variables: dict[str, str]) -> None:
    answer = shell.run("answer", turn_variables["COMPLETE"])
    assert (answer.code, answer.stdout) == (0, f"{EVIL}\n")
    tail = shell.call("tail", turn_variables["COMPLETE"])
    assert tail.stdout == f"{EVIL}\n"
    assert shell.call("status", turn_variables["COMPLETE"], "--full").json["cwd"] == f"/{EVIL}"
    assert (shell.home / "turns" / turn_variables["COMPLETE"] / "answer.txt").read_bytes() == EVIL.encode()
