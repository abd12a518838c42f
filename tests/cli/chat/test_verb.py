"""What `chat` refuses before it starts: each with a clear line, and nothing created."""

from __future__ import annotations

from tests.kit.shell import Shell, assert_refused


def test_without_a_terminal_there_is_no_chat_but_new(shell: Shell) -> None:
    for flags in ([], ["hello"], ["--last"], ["--model", "gpt-5.5", "--write"]):
        run = shell.call("chat", *flags)
        assert_refused(run, 64, "chat needs a terminal", as_json=False, case=flags)
        assert "codex-server new" in run.stderr, flags
        assert not shell.home.exists(), flags
    assert_refused(shell.run("chat"), 64, "chat needs a terminal", as_json=False)


def test_flags_that_cannot_be_meant_are_refused(shell: Shell) -> None:
    for flags, expected in (
        (["--last", "--thread", "x"], "--last, --thread and --turn exclude each other"),
        (["--thread", "x", "--turn", "y"], "--last, --thread and --turn exclude each other"),
        (["--write", "--sandbox", "read-only"], "--write and --sandbox read-only exclude each other"),
        (["--model", ""], "--model is empty"),
        (["--approval-timeout", "soon"], "--approval-timeout"),
        (["--approval", "maybe"], "Invalid value for '--approval'"),
        (["--schema", "x"], "No such option: --schema"),
        (["two", "prompts"], "Got unexpected extra argument"),
    ):
        assert_refused(shell.call("chat", *flags), 64, expected, as_json=False, case=flags)
        assert not shell.home.exists(), flags


def test_other_verbs_carry_nothing_of_a_chat(shell: Shell) -> None:
    shell.install("exits")
    for command in ("status", "chat"):  # a refused chat imports none of its modules, either
        imported = shell.run(command, env={"PYTHONPROFILEIMPORTTIME": "1"}).stderr
        assert "codex_server_cli.cli" in imported
        assert not {"prompt_toolkit", "rich", "asyncio"} & {
            line.rpartition("|")[2].strip() for line in imported.split("\n")
        }
