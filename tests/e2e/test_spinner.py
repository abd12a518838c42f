"""The line after a turn's text while nothing comes; it is removed in every case."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pytest

from codex_server_cli.cli.terminal.spinner import SILENCE_S
from codex_server_cli.core.model.request import Approval
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold as hold_reply
from codex_server_cli.demo.replies import say
from tests.kit.home import COMMAND, FIRST_HALF, SECOND_HALF, Home
from tests.kit.played_turn import PlayedTurn, finish, hold
from tests.kit.support import DEADLINE_S, wait_until
from tests.kit.tmux import Terminal

ANSWER = f"{FIRST_HALF}{SECOND_HALF}"
SPINNER = re.compile(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]")
SHELL = ["bash", "--norc", "--noprofile", "-i"]


def shows(pattern: str) -> Callable[[str], bool]:
    return lambda screen: re.search(pattern, screen) is not None


def follow_last(home: Home, *before: str, options: tuple[str, ...] = ()) -> Terminal:
    return Terminal(home.root, [*before, COMMAND, "tail", "last", "--follow", *options], home.env, cwd=home.project)


def let_silence_last() -> None:
    """Longer than it lasts before the spinner is drawn: that nothing is drawn takes time to be seen."""
    begun_s = time.monotonic()
    wait_until(lambda: time.monotonic() - begun_s > 2 * SILENCE_S, what="a silence")


def test_new_shows_what_the_turn_does_until_it_speaks_and_leaves_no_trace(home: Home) -> None:
    gate = Gate()
    home.model([say(hold_reply(gate), ANSWER)])
    with Terminal(home.root, [COMMAND, "new", "hi", "-f"], home.env, cwd=home.project) as terminal:
        terminal.wait_for(shows(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] (thinking|answering) · [1-9]\d* s"))
        gate.open()
        assert terminal.wait_for_exit() == 0
        (turn_id,) = home.turn_ids
        lines = terminal.history().split("\n")
        assert lines[0] == f"● {turn_id[-4:]} started · Ctrl-C is safe: the turn goes on"
        assert lines[-3:-1] == [ANSWER, ""]
        assert re.fullmatch(rf"✓ .*tokens · {turn_id}", lines[-1])
        assert not SPINNER.search("\n".join(lines))


@pytest.mark.measured
def test_it_stands_behind_a_line_that_has_not_ended_and_makes_room_for_its_rest(one_home: Home) -> None:
    turn = hold(one_home)
    with follow_last(one_home, options=("--raw",)) as terminal:
        terminal.wait_for(shows(rf"{FIRST_HALF} *[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] answering · \d+ s"))
        finish(turn)
        assert terminal.wait_for_exit() == 0
        assert terminal.history() == turn.out.rstrip("\n")


def test_a_window_that_changes_its_size_leaves_nothing_of_it(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    turn.say_aside("Let me see.")  # tmux scrolls a first line away that it has to wrap
    turn.say(FIRST_HALF)
    with follow_last(one_home, options=("--raw",)) as terminal:
        for columns in (120, 45, 30, 80, 40):
            terminal.resize(columns, 24)
            terminal.wait_for(shows(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]") if columns > 40 else FIRST_HALF.strip())
        finish(turn)
        assert terminal.wait_for_exit() == 0
        assert terminal.history() == turn.out.rstrip("\n")


@pytest.mark.measured
def test_it_says_who_is_waited_for_and_what_to_type(one_home: Home) -> None:
    turn = PlayedTurn(one_home, approval=Approval.ASK)
    turn.ask_approval("touch asked")
    with follow_last(one_home, "NO_COLOR=1") as terminal:
        terminal.wait_for(shows(rf"waiting_approval · \d+ s · codex-server pending {turn.id[-4:]}"))
        assert not re.search(r"\x1b\[[\d;]*[34]\dm", terminal.screen(has_styles=True).replace("\x1b[39m\x1b[49m", ""))
        assert one_home.run("approve", turn.id, "0").code == 0
        turn.end("Done.")
        assert terminal.wait_for_exit() == 0
        assert not SPINNER.search(terminal.history())
        assert "Done.\n\n✓ " in terminal.history()


@pytest.mark.measured
def test_a_queued_turn_says_so(one_home: Home) -> None:
    one_home.configure(max_running=1)
    one_home.model([])
    PlayedTurn(one_home, max_running=1)
    with Terminal(one_home.root, [COMMAND, "new", "next", "-f"], one_home.env, cwd=one_home.project) as terminal:
        terminal.wait_for(shows(r"queued · \d+ s"))
        queued = one_home.turn_ids[-1]
        one_home.run("cancel", queued)
        assert terminal.wait_for_exit() == 4
        assert "queued ·" not in terminal.history()


@pytest.mark.measured
@pytest.mark.full
def test_ctrl_c_leaves_what_was_said_and_how_to_come_back(one_home: Home) -> None:
    turn = hold(one_home)
    with follow_last(one_home) as terminal:
        terminal.wait_for(shows(SPINNER.pattern))
        terminal.press("C-c")
        assert terminal.wait_for_exit() == 130
        hint = f"The turn goes on: codex-server tail {turn.id} --follow"
        assert terminal.history().split() == f"{turn.out} {hint}".split()  # without the terminal's ^C
    assert turn.status()["state"] == "running"


@pytest.mark.measured
def test_ctrl_z_leaves_nothing_of_it_and_it_comes_back_afterwards(one_home: Home) -> None:
    turn = hold(one_home)
    with Terminal(one_home.root, SHELL, one_home.env | {"PS1": "$ "}, cwd=one_home.project) as terminal:
        terminal.enter(f"{COMMAND} tail last --follow")
        terminal.wait_for(shows(SPINNER.pattern))
        terminal.press("C-z")
        screen = terminal.wait_for("Stopped")
        assert not SPINNER.search(screen)
        assert "^Z" not in screen
        terminal.enter("stty -a | tr ' ;' '\\n' | grep echoctl")
        terminal.wait_for(shows("(?m)^echoctl$"))  # the shell's again
        terminal.enter("clear; fg")
        terminal.wait_for(shows(SPINNER.pattern))
        terminal.press("C-c")
        screen = terminal.wait_for("The turn goes on:")
        assert (screen.count("The first half,"), "^C" in screen) == (1, False)
        terminal.enter("clear; stty -a | tr ' ;' '\\n' | grep echoctl")
        terminal.wait_for(shows("(?m)^echoctl$"))
        terminal.enter(f"{COMMAND} tail last --follow; echo code $?")
        terminal.wait_for(shows(SPINNER.pattern))
        finish(turn)
        assert not SPINNER.search(terminal.wait_for("code 0"))


def test_a_job_in_the_background_shows_the_text_alone(one_home: Home) -> None:
    turn = hold(one_home)
    with Terminal(one_home.root, SHELL, one_home.env | {"PS1": "$ "}, cwd=one_home.project) as terminal:
        terminal.enter(f"{COMMAND} tail last --follow &")
        terminal.wait_for("[1]")
        let_silence_last()
        assert not SPINNER.search(terminal.screen())
        finish(turn)
        terminal.wait_for(ANSWER)


def test_a_terminal_that_cannot_wipe_gets_the_text_alone(one_home: Home) -> None:
    turn = hold(one_home)
    with follow_last(one_home, "TERM=dumb") as terminal:
        let_silence_last()
        assert not SPINNER.search(terminal.screen())
        finish(turn)
        assert terminal.wait_for_exit() == 0
        assert terminal.history().startswith(f"{ANSWER}\n\n✓ ")


def test_text_that_grows_stands_above_it_and_is_whole_after_any_resize(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    turn.say_aside("# A **first** look")
    turn.say("One word after the other, " * 12)
    with follow_last(one_home) as terminal:
        terminal.wait_for(shows(r"A first look\n\n(One word .*\n)+.*other,\n[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] answering"))
        for columns in (120, 40, 30, 80):
            terminal.resize(columns, 24)
            terminal.wait_for(shows(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]"))
        turn.end("**and the last.**")
        assert terminal.wait_for_exit() == 0
        words = " ".join(terminal.history().split("✓")[0].split())
        assert words.startswith("A first look ")  # tmux scrolls rows away that it has to wrap: those stay above
        assert words.endswith(f"{'One word after the other, ' * 12}and the last.")
        assert not SPINNER.search(words)


def test_a_pipe_gets_no_byte_of_it_and_carries_no_weight_of_it(one_home: Home) -> None:
    turn = hold(one_home)
    one_home.env["PYTHONPROFILEIMPORTTIME"] = "1"
    tail = one_home.spawn("tail", turn.id, "--follow")
    assert tail.stdout is not None
    assert tail.stdout.read(len(turn.out)).endswith(FIRST_HALF)
    let_silence_last()
    finish(turn)
    stdout, stderr = tail.communicate(timeout=DEADLINE_S)
    assert (tail.returncode, stdout) == (0, f"{SECOND_HALF}\n")
    assert "codex_server_cli.cli.show_turn" in stderr
    assert not {"rich", "codex_server_cli.cli.terminal.spinner", "codex_server_cli.render.spinner"} & set(
        stderr.split()
    )
