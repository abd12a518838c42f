"""Every wrong option and every missing turn is refused with a message and the right code before anything is created.

The messages are read in the test's own process; one command of each kind is a real one, with its worker.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.kit.shell import JSON_VERBS, Shell, assert_refused
from tests.kit.turns_on_disk import TurnsOnDisk

TURN_ID = "20261120-165501-482-7f3a"


OF_NEW: list[tuple[list[str], int, str]] = [
    (["--cwd", "missing"], 65, "no such directory: {project}/missing"),
    (["--cwd", "a-file"], 65, "{project}/a-file is not a directory"),
    (["--cwd", ""], 65, "no such directory: ''"),
    (["--deadline", "0"], 64, "--deadline must be more than 0"),
    (["--deadline", "-1"], 64, "--deadline takes a duration, not '-1'"),
    (["--deadline", "nan"], 64, "--deadline takes a duration, not 'nan'"),
    (["--deadline", "inf"], 64, "--deadline takes a duration, not 'inf'"),
    (["--deadline", "soon"], 64, "--deadline takes a duration, not 'soon'"),
    (["--config", "model"], 64, "--config takes key=value, not 'model'"),
    (["--config", "=x"], 64, "--config takes key=value, not '=x'"),
    (["--config", "sandbox_mode=danger-full-access"], 64, "--config must not set sandbox_mode"),
    (["--config", " model_provider =x"], 64, "--config must not set model_provider"),
    (["--config", "model_providers.x.env_key=K"], 64, "--config must not set model_providers.x.env_key"),
    (["--add-dir", "."], 64, "--add-dir needs --write"),
    (["--write", "--add-dir", "missing"], 65, "no such directory: {project}/missing"),
    (["--write", "--sandbox", "read-only"], 64, "--write and --sandbox read-only exclude each other"),
    (["--write", "--cwd", "/"], 65, "/ is in no git work tree"),
    (["--worktree"], 64, "--worktree needs --write"),
    (["--worktree-name", "n", "--sandbox", "read-only"], 64, "--worktree needs --write"),
    (["--worktree", "--write"], 65, "its repository has no commit yet"),
    (["--worktree", "--write", "--cwd", "/"], 65, "there can be no worktree of /"),
    (["--sandbox", "none"], 64, "Invalid value for '--sandbox'"),
    (["--approval", "always"], 64, "'always' is not one of 'never', 'ask', 'auto'"),
    (["--name", "last"], 65, "not a turn name: 'last'"),
    (["--name", TURN_ID], 65, f"not a turn name: '{TURN_ID}'"),
    (["--name", "x" * 65], 65, "not a turn name: 'xxx"),
    (["--name", "two words"], 65, "not a turn name: 'two words'"),
    (["--name", ""], 65, "not a turn name: ''"),
    (["--once", ""], 64, "--once is empty"),
    (["--once", "\u200b"], 65, r"not a key for --once: '\u200b'"),
    (["--once", "two\nlines"], 65, r"not a key for --once: 'two\nlines'"),
    (["--once", "a\x1bb"], 65, r"not a key for --once: 'a\x1bb'"),
    (["--once", "x" * 201], 65, f"not a key for --once: '{'x' * 40}' …"),
    (["--once-for", "2h"], 64, "--once-for needs --once"),
    (["--once", "k", "--once-for", "0"], 64, "--once-for must be more than 0 seconds"),
    (["--once", "k", "--once-for", "7"], 64, "--once-for takes a number with its unit, not '7'"),
    (["--once", "k", "--once-for", "soon"], 64, "--once-for takes a duration, not 'soon'"),
    (["--follow", "--wait"], 64, "--follow and --wait exclude each other"),
    (["--image", "missing.png"], 65, "cannot read the image {project}/missing.png: No such file"),
    (["--image", "a-file"], 65, "{project}/a-file is no PNG, JPEG, GIF or WebP image"),
    (["--schema", "missing.json"], 65, "cannot read the schema missing.json: No such file"),
    (["--schema", "a-file"], 65, "a-file"),
    (["--server", ""], 64, "--server is empty"),
    (["--server", "http://a"], 64, "--server: http://a speaks HTTP"),
    (["--server", "unix:a"], 64, "--server: 'unix:a' is no address of an app-server"),
    (["--server", "unix:///no/such.sock"], 69, "nothing listens at /no/such.sock"),
    (["--server", "ssh://-oProxyCommand=x", "--cwd", "/"], 64, "begins with '-'"),
    (["--server", "ssh://host"], 64, "a server on another host needs --cwd"),
    (["--server", "ssh://host", "--cwd", "here"], 64, "--cwd here is relative"),
    (["--server", "ssh://host", "--cwd", "/", "--write", "--add-dir", "x"], 64, "--add-dir x is relative"),
    (
        ["--server", "ssh://host", "--cwd", "/", "--write", "--worktree"],
        64,
        "--worktree needs a server on this machine",
    ),
    (["--server-token-file", "a", "--server-token-env", "B"], 64, "--server-token-env exclude each other"),
    (["--server-token-env", "B"], 64, "--server-token-env needs a server at ws:// or wss://, not spawn"),
    (["--server", "shared", "--insecure"], 64, "--insecure needs a server at ws:// or wss://, not shared"),
    (["--frobnicate"], 64, "No such option: --frobnicate"),
    (["--model"], 64, "requires an argument"),
]
OF_CONTINUE: list[tuple[list[str], int, str]] = [
    (["--last", "--thread", "01a1"], 64, "--last, --thread and --turn exclude each other"),
    (["--thread", "01a1", "--turn", "last"], 64, "exclude each other"),
    (["--ephemeral"], 64, "--ephemeral needs --fork"),
    (["--thread", "../x"], 66, "no such thread: ../x"),
    (["--thread", "01a1f9ff"], 66, "no such thread: 01a1f9ff"),
    (["--turn", "nobody"], 66, "no turn is named nobody"),
    (["--turn", "../x"], 66, "not a turn id"),
    ([], 65, "no earlier thread in {project}"),
    (["--cwd", "missing"], 65, "no such directory: {project}/missing"),
]
COMMAND_LINES: list[tuple[list[str], str]] = [
    (["frobnicate"], "No such command 'frobnicate'"),
    (["--frobnicate"], "No such option: --frobnicate"),
    (["list-turns", "--limit", "0"], "--limit': 0 is less than 1"),
    (["list-turns", "--limit", "ten"], "'ten' is no whole number"),
    (["list-turns", "--state", "sleeping"], "'sleeping' is not one of"),
    (["list", "--limit", "0"], "0 is less than 1"),
    (["gc", "--older-than", "a week"], "--older-than takes a duration, not 'a week'"),
    (["gc", "--older-than", "7"], "--older-than takes a number with its unit, not '7'"),
    (["gc", "--older-than", "-1d"], "--older-than takes a duration, not '-1d'"),
    (["wait"], "Missing argument 'TURN...'"),
    (["wait", "last", "--timeout", "-1"], "--timeout takes a duration, not '-1'"),
    (["wait", "last", "--timeout", "nan"], "--timeout takes a duration, not 'nan'"),
    (["wait", "last", "--print", "all"], "'all' is not one of"),
    (["tail", "last", "--after", "3"], "--after and --no-deltas need --events"),
    (["tail", "last", "-n", "-1"], "-1 is less than 0"),
    (["recover", "a", "b"], "unexpected extra argument"),
    (["cancel"], "Missing argument 'TURN...'"),
    (["version", "--json"], "No such option: --json"),
]
OF_A_TURN = ("status", "wait", "tail", "answer", "cancel")


def test_a_wrong_option_of_new_is_refused(shell: Shell) -> None:
    (shell.project / "a-file").write_text("neither JSON nor an image")
    for options, code, expected in OF_NEW:
        run = shell.call("new", "hi", *options)
        assert_refused(run, code, expected.format(project=shell.project), as_json=True, case=options)
        assert shell.left == [], options


def test_an_option_that_is_not_utf_8_is_refused_because_codex_could_never_be_told(shell: Shell) -> None:
    bad = b"model=caf\xe9"
    Path(shell.project, bad.decode(errors="surrogateescape")).mkdir()
    for option in ("--cwd", "--model", "--config", "--effort", "--add-dir", "--once"):
        run = shell.call("new", "hi", "--write", option, bad)
        expected = "not valid UTF-8" if option != "--once" else "not a key for --once"
        assert_refused(run, 65, expected, as_json=True, case=option)
        assert shell.left == []
    assert_refused(shell.run("new", "hi", "--model", bad), 65, "not valid UTF-8", as_json=True)


def test_a_wrong_option_of_continue_is_refused(shell: Shell) -> None:
    shell.home.mkdir()
    for options, code, expected in OF_CONTINUE:
        run = shell.call("continue", "hi", *options)
        assert_refused(run, code, expected.format(project=shell.project), as_json=True, case=options)
        assert run.error["hint"] or code == 64, options
        assert shell.left == [], options


def test_a_wrong_command_line_is_64_because_2_means_login(shell: Shell) -> None:
    for command, expected in COMMAND_LINES:
        run = shell.call(*command)
        assert_refused(run, 64, expected, as_json=command[0] in JSON_VERBS, case=command)
        assert not shell.home.exists(), command


def test_a_refused_command_leaves_neither_a_turn_nor_its_worker(shell: Shell) -> None:
    """The real command spawns the worker of a starting verb before it reads its arguments; the fixture looks for it."""
    shell.home.mkdir()
    for command, code, expected in (
        (["new", "hi", "--cwd", "missing"], 65, f"no such directory: {shell.project}/missing"),
        (["new", "hi", "--deadline", "0"], 64, "--deadline must be more than 0"),
        (["continue", "hi", "--ephemeral"], 64, "--ephemeral needs --fork"),
        (["continue", "hi", "--turn", "nobody"], 66, "no turn is named nobody"),
        (["continue", "hi"], 65, f"no earlier thread in {shell.project}"),
        (["frobnicate"], 64, "No such command 'frobnicate'"),
        (["wait"], 64, "Missing argument 'TURN...'"),
        (["cancel", TURN_ID], 66, f"no such turn: {TURN_ID}"),
    ):
        assert_refused(shell.run(*command), code, expected, as_json=command[0] in JSON_VERBS, case=command)
        assert shell.left == [], command
    assert [*shell.home.iterdir()] == []


def test_a_turn_that_is_not_there_is_66(shell: Shell) -> None:
    shell.home.mkdir()
    for verb, turn in ((verb, turn) for verb in OF_A_TURN for turn in (TURN_ID, "../../etc", "last")):
        case, run = (verb, turn), shell.call(verb, turn)
        if verb == "status":
            assert (run.code, run.json) == (66, {"version": 2, "turn_id": turn, "state": "missing"}), case
            assert run.stderr.startswith("codex-server: no"), case
        else:
            words = {TURN_ID: f"no such turn: {TURN_ID}", "last": "no turn was started in"}.get(turn, "not a turn id")
            assert_refused(run, 66, words, as_json=verb in JSON_VERBS, case=case)
        assert [*shell.home.iterdir()] == [], case


def test_a_prefix_that_two_turns_share_is_66(shell: Shell, turns: TurnsOnDisk) -> None:
    one, two = turns.complete().turn_id, turns.complete().turn_id
    for verb in OF_A_TURN:
        run = shell.call(verb, "2026")
        assert_refused(run, 66, f"2 turns begin with 2026: {two}, {one}", as_json=verb in JSON_VERBS, case=verb)
        assert run.told.strip().endswith("Give more of the id."), verb


def test_a_typo_among_several_turns_cancels_none(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.running()
    assert_refused(shell.call("cancel", turn.turn_id, "nobody"), 66, "no turn is named nobody", as_json=True)
    assert list(turn.inbox.iterdir()) == []


def test_one_missing_turn_among_several_is_told_and_66(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.complete()
    run = shell.call("status", turn.turn_id, "nobody")
    assert run.code == 66
    assert [each["state"] for each in run.json["turns"]] == ["complete", "missing"]


def test_a_current_directory_that_is_gone_is_told(shell: Shell) -> None:
    shell.home.mkdir()
    gone = shell.root / "gone"
    gone.mkdir()
    there = os.open(gone, os.O_RDONLY)
    real = shell.run("new", "hi", cwd=gone, under=["sh", "-c", 'rmdir "$PWD"; exec "$0" "$@"'])
    commands = ("new hi", "continue hi", "status last", "cancel last", "wait last")
    runs = {"a real new": real} | {command: shell.call(*command.split(), cwd=there) for command in commands}
    os.close(there)
    for command, run in runs.items():
        assert run.code in (65, 66), (command, run)
        assert "the current directory is gone" in run.stderr, (command, run)
        assert "defect" not in run.stderr, (command, run)
    assert shell.left == []
