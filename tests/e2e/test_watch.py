"""The board of turns, on a real terminal and without one."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from codex_server_cli.core.model.request import Approval
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold as hold_reply
from codex_server_cli.demo.replies import reply, run_command, say
from tests.kit.home import COMMAND, FIRST_HALF, SECOND_HALF, Home
from tests.kit.played_turn import PlayedTurn, finish, hold
from tests.kit.support import DEADLINE_S, wait_until
from tests.kit.tmux import Terminal

SHELL = ["bash", "--norc", "--noprofile", "-i"]


def shows(pattern: str) -> Callable[[str], bool]:
    return lambda screen: re.search(pattern, screen, re.MULTILINE) is not None


def watch(home: Home, *options: str) -> Terminal:
    return Terminal(home.root, [COMMAND, "watch", *options], home.env, cwd=home.project)


def ask(home: Home) -> PlayedTurn:
    """A turn that waits for a person."""
    turn = PlayedTurn(home, "ask", name="asker", approval=Approval.ASK)
    turn.ask_approval("touch asked")
    return turn


def test_turns_appear_change_and_end_on_the_board(home: Home) -> None:
    gate = Gate()
    home.model([say(FIRST_HALF, hold_reply(gate), SECOND_HALF)])
    with watch(home) as terminal:
        terminal.wait_for("nothing runs")
        assert terminal.is_alternate
        first = home.start("new", "hi", "--name", "greeting")
        screen = terminal.wait_for(shows(r"^❯● answering +\d+ s  greeting .*\n   The first half,$"))
        assert screen.startswith("1 running")
        second = hold(home)
        screen = terminal.wait_for(shows(rf"^❯● answering +\d+ s .* {second.id[-4:]}$"))
        assert screen.index(second.id[-4:]) < screen.index("greeting")
        assert "2 running" in screen
        gate.open()
        finish(second)
        screen = terminal.wait_for(shows(r"(?s)✓ complete.*✓ complete"))
        assert screen.startswith("nothing runs")
        assert (first.is_ended, second.is_ended) == (True, True)
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_what_waits_for_a_person_stands_out_with_the_command_that_shows_it(home: Home) -> None:
    home.model([reply(run_command("touch asked", escalated=True)), say("Done.")])
    turn = home.start("new", "ask", "--name", "asker", "--approval", "ask", "--write", "--skip-git-check")
    with watch(home) as terminal:
        screen = terminal.wait_for(shows(rf"^   codex-server pending {turn.id[-4:]} · "))
        assert screen.startswith("1 waits for you · nothing runs")
        lines = screen.split("\n")
        assert re.match(r"❯! waits for approval +\d+ s  asker ", lines[2])
        assert re.match(r"   run .*touch asked", lines[3])
        assert re.search(r"\x1b\[33m(\x1b\[[\d;]*m)*! waits for approval", terminal.screen(has_styles=True))
        command, _, left = lines[4].partition(" · ")
        assert re.fullmatch(r"\d+m \d\ds left", left)
        pending = home.run(*command.split()[1:])
        assert "touch asked" in pending.stdout
        assert home.run("approve", turn.id, "0").code == 0
        terminal.wait_for("✓ complete")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_it_follows_the_size_of_the_window(one_home: Home) -> None:
    turn, waiting = hold(one_home), ask(one_home)
    command = f"codex-server pending {waiting.id[-4:]}"
    with watch(one_home) as terminal:
        terminal.wait_for(lambda screen: command in screen and turn.id[-4:] in screen)
        terminal.resize(60, 20)
        terminal.wait_for(shows(r"^1 waits for you · 1 running {15,}\? help  q quits$"))
        assert max(map(len, terminal.wait_for(command).split("\n"))) <= 60
        terminal.resize(130, 30)
        terminal.wait_for(shows(rf"^ ● answering +\d+ s .* {turn.id[-4:]}  The first half,$"))
        terminal.resize(30, 5)
        terminal.wait_for(
            shows(r"\A1 waits for you · 1 running\n❯! waits for approval.*\n.*\n   codex-server .*\n↓ 1 more")
        )
        terminal.resize(80, 24)
        terminal.wait_for(turn.id[-4:])
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


@pytest.mark.measured
def test_a_terminal_is_left_as_it_was_whatever_ends_the_board(one_home: Home) -> None:
    """By q, by Ctrl-C, by SIGTERM; and it comes back after Ctrl-Z."""
    with Terminal(one_home.root, SHELL, one_home.env | {"PS1": "$ "}, cwd=one_home.project) as terminal:
        terminal.enter("stty -a > before")
        for keys, code in (("q", 0), ("C-c", 130)):
            terminal.enter(f"{COMMAND} watch; echo code $?")
            terminal.wait_for("nothing runs")
            assert not terminal.has_cursor
            terminal.press(keys)
            terminal.wait_for(f"code {code}")
        terminal.enter(f"{COMMAND} watch; echo ended $?")
        terminal.wait_for("nothing runs")
        terminal.press("C-z")
        terminal.wait_for("Stopped")
        assert (terminal.is_alternate, terminal.has_cursor) == (False, True)
        terminal.enter("fg")
        terminal.wait_for("nothing runs")
        (process,) = one_home.processes(COMMAND, "watch")
        process.terminate()
        terminal.wait_for("Terminated")
        terminal.enter("stty -a > after; echo compared")
        terminal.wait_for(shows("^compared"))
        assert (terminal.is_alternate, terminal.has_cursor) == (False, True)
        assert "nothing runs" not in terminal.history()
    assert (one_home.project / "after").read_text() == (one_home.project / "before").read_text()


def test_a_killed_worker_is_told_on_the_board(one_home: Home) -> None:
    turn = hold(one_home)
    with watch(one_home) as terminal:
        terminal.wait_for("● answering")
        turn.die()
        terminal.wait_for(shows(r"✗ abandoned .*\n   worker_died: "))
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_only_what_is_asked_for_is_shown(one_home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    here, there = hold(one_home), hold(one_home, cwd=str(elsewhere))
    with watch(one_home, "--cwd", str(elsewhere)) as terminal:
        assert here.id[-4:] not in terminal.wait_for(there.id[-4:])
        finish(there)
        terminal.wait_for("✓ complete")
        later = hold(one_home)
        newer = hold(one_home, cwd=str(elsewhere))
        assert later.id[-4:] not in terminal.wait_for(newer.id[-4:])
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


def test_a_state_that_is_left_leaves_the_board_and_a_limit_holds(one_home: Home) -> None:
    turns = [hold(one_home) for _ in range(3)]
    with watch(one_home, "--state", "running", "--limit", "2") as terminal:
        screen = terminal.wait_for("↓ 1 more")
        assert [turn.id[-4:] in screen for turn in turns] == [False, True, True]
        for turn in turns:
            finish(turn)
        terminal.wait_for("No turns.")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


@pytest.mark.measured
def test_a_q_among_other_keys_leaves_and_the_q_of_a_function_key_does_not(one_home: Home) -> None:
    with watch(one_home) as terminal:
        terminal.wait_for("No turns.")
        terminal.type("\x1bOQ")
        hold(one_home, name="after-f2")
        terminal.wait_for("after-f2")
        terminal.type("xqq")
        assert terminal.wait_for_exit() == 0


def test_other_signals_that_end_it_leave_the_terminal_as_it_was(one_home: Home) -> None:
    with Terminal(one_home.root, SHELL, one_home.env, cwd=one_home.project) as shell:
        for number in (signal.SIGHUP, signal.SIGQUIT):
            shell.enter(f"{COMMAND} watch; echo code $?")
            shell.wait_for("No turns.")
            (process,) = psutil.Process(shell.pid).children()
            process.send_signal(number)
            shell.wait_for(f"code {128 + number}")
            assert (shell.is_alternate, shell.has_cursor) == (False, True)


@pytest.mark.measured
def test_a_pipe_gets_a_line_for_each_phase(one_home: Home) -> None:
    turn = PlayedTurn(one_home, name="greeting", has_begun=False)
    process = one_home.spawn("watch", "--cwd", str(one_home.project))
    assert process.stdout is not None
    first = process.stdout.readline()
    assert first.split()[1:] == [turn.id, "(greeting)", "phase", "starting"]
    turn.begin()
    turn.end()
    lines = iter(process.stdout.readline, "")
    end = next(line for line in lines if " end " in line)
    assert end.split()[1:] == [turn.id, "(greeting)", "end", "complete"]
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=DEADLINE_S) == ("", "")
    assert process.returncode == 130


@pytest.mark.measured
def test_a_pipe_gets_only_what_is_asked_for(one_home: Home, tmp_path: Path) -> None:
    process = one_home.spawn("watch", "--state", "complete", "--cwd", str(one_home.project))
    wait_until(lambda: (one_home.path / "journal").is_dir(), what="the journal")
    for cwd in (tmp_path, one_home.project):
        turn = PlayedTurn(one_home, cwd=str(cwd))
        turn.end()
    assert process.stdout is not None
    assert process.stdout.readline().split()[1:] == [turn.id, "end", "complete"]
    process.send_signal(signal.SIGINT)
    rest, reported = process.communicate(timeout=DEADLINE_S)
    assert (rest, reported.startswith("Nothing runs; ")) == ("", True)  # to explain the silence


def test_bad_input_is_told_and_nothing_is_drawn(one_home: Home) -> None:
    for options in (["--state", "running?"], ["--limit", "0"], ["extra"]):
        run = one_home.run("watch", *options)
        assert (run.code, run.stdout) == (64, "")
        assert run.stderr.startswith("codex-server: ")
