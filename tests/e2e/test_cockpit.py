"""The board as a cockpit, on a real terminal: turns are read, approved, answered and cancelled from it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import apply_patch, reply, say
from codex_server_cli.demo.replies import hold as hold_reply
from codex_server_cli.render.turns.cockpit.machine import FOLLOWING_HASTE_S
from tests.kit.escalations import QUESTION, escalated, replies_of
from tests.kit.home import COMMAND, Home
from tests.kit.played_turn import ASKING, PlayedTurn, finish, hold
from tests.kit.support import wait_until
from tests.kit.tmux import Terminal

SHELL = ["bash", "--norc", "--noprofile", "-i"]
PATCH = "*** Begin Patch\n*** Add File: new.txt\n+a new line\n*** End Patch"
WHY = {**QUESTION, "id": "q2", "header": "Why", "question": "And why?", "options": None}


def shows(pattern: str) -> Callable[[str], bool]:
    return lambda screen: re.search(pattern, screen, re.MULTILINE) is not None


def watch(home: Home, *options: str) -> Terminal:
    return Terminal(home.root, [COMMAND, "watch", *options], home.env, cwd=home.project)


@pytest.mark.measured
@pytest.mark.version_free
def test_real_turns_are_read_approved_and_cancelled_from_the_board(home: Home) -> None:
    gate = Gate()
    words = " ".join(f"word{number}" for number in range(60))
    home.model(
        [
            reply(apply_patch(PATCH)),
            say("Patched."),
            reply(escalated(home, "approved")),
            say(f"{words}\n\n", hold_reply(gate), "The rest."),
            say("Done."),
        ]
    )
    assert home.start("new", "Patch it", "--write", "--skip-git-check").wait()["state"] == "complete"
    asker = home.start("new", "Leave a mark", "--approval", "ask", "--write", "--skip-git-check")
    with watch(home) as terminal:
        terminal.wait_for(shows(r"^❯! waits for approval .* Leave a mark"))
        writer = home.start("new", "Write much")
        terminal.wait_for(shows(r"^ ● answering .* Write much"))
        # Its request is opened, and left; then opened and approved.
        terminal.press("a")
        screen = terminal.wait_for("y approve it")
        assert f"echo hello > {home.root}/approved" in screen.replace("\n│ ", "")
        assert screen.startswith("! waits for approval · ")
        terminal.press("q")
        terminal.wait_for("nothing was decided")
        terminal.press("a")
        terminal.wait_for("y approve it")
        press_until(terminal, "y", f"{asker.id[-4:]}: approved")
        wait_until((home.root / "approved").exists, what="the mark")
        terminal.wait_for(shows(r"✓ complete .* Leave a mark"))
        # The text of another grows before the eyes, at any size.
        terminal.press("g", "Enter")
        screen = terminal.wait_for(lambda screen: "q back" in screen and "word59" in screen)
        assert screen.startswith("● answering · ")
        assert "│ Write much" in screen
        terminal.resize(40, 12)
        terminal.wait_for(lambda screen: "word59" in screen and max(map(len, screen.split("\n"))) <= 40)
        gate.open()
        terminal.wait_for(shows(r"(?s)\A✓ complete.*The rest\."))
        terminal.press("g")
        terminal.wait_for("↓")
        terminal.resize(80, 24)
        terminal.press("Escape")
        # The diff of the oldest one; then only one is left by the filter.
        terminal.wait_for("nothing runs")
        terminal.press("G")
        terminal.wait_for(shows("^❯✓ complete .* Patch it"))
        terminal.press("d")
        assert "\x1b[32m+a new line" in terminal_styles(terminal, "+a new line")
        terminal.press("q")
        terminal.type("/leave")
        terminal.wait_for(lambda screen: "Leave a mark" in screen and "Patch it" not in screen)
        terminal.press("Enter", "Escape")
        terminal.wait_for("Patch it")
        terminal.press("?")
        terminal.wait_for("draw the screen anew")
        terminal.press("q", "s")
        terminal.wait_for("by age")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0
    assert writer.is_ended


@pytest.mark.measured
def test_a_turn_is_cancelled_once_that_is_confirmed(one_home: Home) -> None:
    first, second = hold(one_home, name="first"), hold(one_home, name="second")
    with watch(one_home) as terminal:
        terminal.wait_for(shows("^❯● answering .* second"))
        terminal.press("j", "c")
        terminal.wait_for(f"cancel {first.id[-4:]}? y/n")
        terminal.press("n")
        terminal.wait_for("not cancelled")
        terminal.press("c", "y")  # in one go: the question was not on the screen
        terminal.wait_for("too soon: read it first")
        assert not first.is_ended
        press_until(terminal, "y", f"{first.id[-4:]}: cancelled")
        assert (first.is_ended, second.is_ended) == (True, False)
        terminal.wait_for(shows("^❯– cancelled .* first"))  # the selection stays on its turn
        terminal.press("c")
        terminal.wait_for("has ended: cancelled")
        terminal.type("xq")
        assert terminal.wait_for_exit() == 0


@pytest.mark.measured
def test_questions_are_answered_by_number_and_in_words(one_home: Home) -> None:
    turn = PlayedTurn(one_home, name="asker", **ASKING)
    turn.ask(QUESTION, WHY)
    with watch(one_home) as terminal:
        terminal.wait_for("waits for an answer")
        terminal.press("a")
        terminal.wait_for("it asks a question: r answers it")
        terminal.press("r")
        terminal.wait_for("│   2  Blue — cold")
        terminal.press("2", "Enter")
        press_until(terminal, "Enter", "│ Why: And why?")
        terminal.paste("because\nit is")
        terminal.wait_for("because it is")
        terminal.press("Enter")
        press_until(terminal, "Enter", f"{turn.id[-4:]}: answered")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0
    assert replies_of(turn) == [{"answers": {"q1": {"answers": ["Blue"]}, "q2": {"answers": ["because it is"]}}}]


@pytest.mark.measured
def test_a_long_request_is_read_to_its_end_first_and_one_that_is_gone_is_not_decided(one_home: Home) -> None:
    turn = PlayedTurn(one_home, **ASKING)
    turn.ask_approval("; ".join(f"echo {number} of many commands" for number in range(90)))
    with watch(one_home) as terminal:
        terminal.wait_for("waits for approval")
        terminal.press("x")
        terminal.wait_for("y decline it")
        press_until(terminal, "y", "read it to its end first")
        terminal.paste("y")
        terminal.wait_for("a paste is no command")
        assert one_home.run("approve", turn.id, "0").code == 0
        terminal.wait_for("approved, from elsewhere")
        terminal.press("x")
        terminal.wait_for("it asks nothing")
        turn.ask_approval("; ".join(f"echo {number} of many commands" for number in range(90)))
        terminal.wait_for("waits for approval")
        terminal.press("x")
        terminal.wait_for("y decline it")
        terminal.press("G")
        terminal.wait_for("89 of many")
        press_until(terminal, "y", f"{turn.id[-4:]}: declined")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


@pytest.mark.measured
def test_all_that_a_turn_asks_comes_up_one_after_the_other_and_each_has_a_key_of_its_own(one_home: Home) -> None:
    turn = PlayedTurn(one_home, name="asker", **ASKING)
    turn.ask_approval("echo first")
    turn.ask(QUESTION)
    with watch(one_home) as terminal:
        terminal.resize(40, 20)
        terminal.wait_for(shows(f"^   codex-server pending {turn.id[-4:]} · 1 of 2"))
        terminal.press("a")
        screen = terminal.wait_for("$ echo first")
        assert "1 of 2 ·" in screen
        assert "y approve it  s for this turn  Esc later" in screen
        turn.ask_approval("echo third")
        terminal.wait_for("1 of 3 ·")
        press_until(terminal, "y", "Which colour?")
        terminal.press("y")  # was meant for the first
        screen = terminal.wait_for("too soon: read it first, then type")
        assert "2 of 3 ·" in screen
        assert replies_of(turn) == [{"decision": "accept"}]
        press_until(terminal, "2", "> 2▏")
        press_until(terminal, "Enter", "$ echo third")
        terminal.wait_for("3 of 3 ·")
        assert one_home.run("decline", turn.id, "2").code == 0
        terminal.wait_for("declined, from elsewhere")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0
    given = [{"decision": "accept"}, {"answers": {"q1": {"answers": ["Blue"]}}}, {"decision": "decline"}]
    assert replies_of(turn) == given


@pytest.mark.measured
@pytest.mark.full
def test_a_turn_that_is_deleted_while_it_is_read_leads_back_to_the_board(one_home: Home) -> None:
    turn = hold(one_home, name="doomed")
    finish(turn)
    with watch(one_home) as terminal:
        terminal.wait_for("✓ complete")
        terminal.press("Enter")
        terminal.wait_for("q back")
        shutil.rmtree(turn.path)
        screen = terminal.wait_for(f"turn {turn.id[-4:]} was deleted")
        assert "No turns." in screen
        terminal.press("Enter")
        terminal.wait_for("there is no turn")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0


@pytest.mark.measured
def test_a_text_that_is_shown_survives_being_stopped_and_a_foreign_write(one_home: Home) -> None:
    turn = hold(one_home)
    with Terminal(one_home.root, SHELL, one_home.env | {"PS1": "$ "}, cwd=one_home.project) as terminal:
        terminal.enter(f"{COMMAND} watch")
        terminal.wait_for("answering")
        terminal.press("Enter")
        terminal.wait_for("q back")
        terminal.press("C-z")
        terminal.wait_for("Stopped")
        assert (terminal.is_alternate, terminal.has_cursor) == (False, True)
        terminal.enter("fg")
        terminal.wait_for(shows(r"(?s)\A● answering.*The first half,"))
        turn.say("and \x1b[2J the second")
        terminal.wait_for("and ␛[2J the second")
        terminal.press("C-l")
        terminal.wait_for("and ␛[2J the second")
        terminal.press("q")
        terminal.wait_for("1 running")
        terminal.press("q")
        terminal.wait_for(lambda screen: screen.rstrip().endswith("$"))
        terminal.enter("echo ended $?")
        terminal.wait_for("ended 0")


def press_until(terminal: Terminal, key: str, text: str) -> None:
    """Press a key until a text is shown: one that comes too soon after a request is not taken for its answer.

    Nor are those that follow it as fast, so it is pressed at the pace of someone who reads.
    """
    pressed_s = float("-inf")

    def is_shown() -> bool:
        nonlocal pressed_s
        screen = terminal.screen()
        may_press = "too soon" in screen or "Esc later" in screen
        if may_press and text not in screen and time.monotonic() - pressed_s > 1.5 * FOLLOWING_HASTE_S:
            terminal.press(key)
            pressed_s = time.monotonic()
        return text in screen

    wait_until(is_shown, what=repr(text))


def terminal_styles(terminal: Terminal, text: str) -> str:
    """The screen with its colours, once a text is on it."""
    terminal.wait_for(text)
    return terminal.screen(has_styles=True)
