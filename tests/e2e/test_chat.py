"""A user in a chat at a terminal: types, sees the stream, steers, interrupts, approves, answers, resizes, leaves."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Callable, Iterator
from itertools import count as count_up

import psutil
import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import (
    apply_patch,
    call,
    cut_after,
    hold,
    reason,
    reply,
    run_command,
    say,
    usage_limit,
)
from codex_server_cli.demo.request import Request
from tests.e2e.test_queued_messages import is_taken, queue_message
from tests.kit.escalations import QUESTION, escalated, question, replies_of, wait_for_request
from tests.kit.faults import change_python
from tests.kit.home import COMMAND, FIRST_HALF, SECOND_HALF, Home
from tests.kit.played_turn import ASKING, PlayedTurn
from tests.kit.support import make_repository, wait_until
from tests.kit.tmux import Terminal

ANSWER = """\
## Findings

It has *two* problems:

1. It is `long`.
2. It is old.

```python
def f(x):
    return x
```

That is all."""
SHOWN = """\
Findings

It has two problems:

 1 It is long.
 2 It is old.

def f(x):
    return x

That is all."""
READY = "ready ·"
WAITING = "waiting for you"
Chat = Callable[..., Terminal]


@pytest.fixture
def chat(request: pytest.FixtureRequest) -> Iterator[Chat]:
    """Open a chat of a home in a terminal; it is closed with the test."""
    numbers = count_up()

    def open_chat(home: Home, *flags: str, columns: int = 80) -> Terminal:
        root = home.root / f"terminal-{next(numbers)}"
        root.mkdir()
        terminal = Terminal(root, [COMMAND, "chat", *flags], home.env, cwd=home.project, columns=columns)
        return opened.enter_context(terminal)

    with contextlib.ExitStack() as opened:
        yield open_chat


def idle_after(text: str) -> Callable[[str], bool]:
    """Whether a screen shows this text and the end of its turn, so that Esc has nothing left to interrupt."""
    return lambda screen: text in screen and READY in screen


def begun(home: Home) -> PlayedTurn:
    """A turn for `chat --turn` that has begun to answer."""
    turn = PlayedTurn(home, **ASKING)
    turn.say("So ")
    return turn


def leave(terminal: Terminal) -> None:
    """Ctrl-D; once more where the key arrived between two prompts, when it has no effect."""
    for timeout_s in (5, 10, 60):
        terminal.press("C-d")
        with contextlib.suppress(AssertionError):
            assert terminal.wait_for_exit(timeout_s) == 0
            return
    raise AssertionError(terminal.screen())


def leave_after_clearing(terminal: Terminal) -> None:
    """Leave, whatever the editor holds."""
    terminal.press("C-u")
    leave(terminal)


def count(terminal: Terminal, text: str) -> int:
    return terminal.history().count(text)


# --- messages and their answers


def test_a_conversation_streams_is_steered_and_is_ordinary_turns(home: Home, chat: Chat) -> None:
    gate = Gate()

    def model(request: Request) -> ReplyLike:
        if "steered" in request.prompt:
            return say("I was steered.")
        if "wait" in request.prompt:
            return say(FIRST_HALF, hold(gate), SECOND_HALF)
        if request.is_follow_up:
            return say(ANSWER, chunks=50)
        return reply(reason("**Looking** around."), run_command("echo out; false"))

    home.model(model)
    terminal = chat(home, "--model", "gpt-5.5")
    terminal.wait_for(READY)
    terminal.enter("what is here?")
    terminal.wait_for("✓")
    shown = terminal.history()
    assert "› what is here?" in shown
    assert "· Looking around." in shown
    assert "$ echo out; false\nout\n→ exit 1 ·" in shown
    assert SHOWN in shown
    terminal.enter("wait")
    terminal.wait_for(FIRST_HALF.strip())
    terminal.wait_for("answering")
    terminal.enter("be steered")
    terminal.wait_for("I was steered.")
    terminal.wait_for(READY)
    assert f"{FIRST_HALF.strip()}\n\n› be steered\n\nI was steered." in terminal.history()
    first, second = (home.turn(turn_id) for turn_id in home.turn_ids)
    assert home.run("answer", first.id).stdout == f"{ANSWER}\n"
    assert second.meta["thread_id"] == first.meta["thread_id"]
    assert second.meta["approval"] == "ask"
    assert second.sent("turn/steer")["input"][0]["text"] == "be steered"
    leave(terminal)
    assert f"codex-server chat --thread {first.meta['thread_id']}" in terminal.history()


@pytest.mark.measured
def test_a_turn_is_interrupted_and_the_conversation_goes_on(one_home: Home, chat: Chat) -> None:
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold(gate), SECOND_HALF), say("Here I am again.")])
    terminal = chat(one_home, "wait for me")
    terminal.wait_for(FIRST_HALF.strip())
    terminal.type("a draft")
    terminal.press("C-c")
    terminal.wait_for("■ interrupted")
    terminal.wait_for("› a draft\nready")
    terminal.press("C-c")
    terminal.wait_for("›\nready")
    terminal.enter("again")
    terminal.wait_for("Here I am again.")
    terminal.wait_for("✓")
    terminal.press("C-c")
    terminal.wait_for("/quit or Ctrl-D leaves")
    terminal.press("C-c")
    assert terminal.wait_for_exit() == 0
    cancelled, complete = (one_home.turn(turn_id) for turn_id in one_home.turn_ids)
    assert (cancelled.result["state"], complete.result["state"]) == ("cancelled", "complete")
    assert cancelled.result["answer"] == FIRST_HALF


@pytest.mark.measured
@pytest.mark.full
def test_a_message_that_cannot_be_steered_in_is_the_next_one(one_home: Home, chat: Chat) -> None:
    one_home.configure(max_running=1)
    other = PlayedTurn(one_home, max_running=1)
    one_home.model(lambda request: say(f"You said {request.prompt}."))
    terminal = chat(one_home, "first")
    terminal.wait_for("queued")
    terminal.enter("second")
    terminal.wait_for("this is the next message: second")
    other.end()
    terminal.wait_for("You said second.")
    terminal.wait_for(READY)
    assert count(terminal, "You said first.") == 1
    leave(terminal)


@pytest.mark.measured
def test_esc_interrupts_and_a_command_behind_it_stays_one(one_home: Home, chat: Chat) -> None:
    turn = begun(one_home)
    terminal = chat(one_home, "--turn", turn.id)
    terminal.wait_for("So")
    terminal.press("Escape", *"/quit", "Enter")  # as fast as Alt-/ would be
    assert terminal.wait_for_exit() == 0
    shown = terminal.history()
    assert "uit" not in shown.replace("codex-server", "").replace("/quit", "")
    assert one_home.turn_ids == [turn.id]
    assert "goes on" in shown or "interrupted" in shown
    wait_until(lambda: turn.is_ended, what="the end of the interrupted turn")
    assert turn.status()["state"] == "cancelled"


@pytest.mark.parametrize("first", [("Escape",), ("Escape", "Escape")], ids=["once", "twice"])
@pytest.mark.measured
@pytest.mark.full
def test_esc_in_an_idle_prompt_does_nothing_and_eats_nothing(
    one_home: Home, chat: Chat, first: tuple[str, ...]
) -> None:
    """Each message comes back as it was sent: a turn that may write is refused where there is no repository."""
    one_home.model([])
    terminal = chat(one_home, "--write")
    terminal.wait_for(READY)
    terminal.press(*first, *"/effort", "Enter")
    terminal.wait_for("effort: what Codex chooses")
    number = 0

    def is_given_back(message: str) -> None:
        nonlocal number
        number += 1
        wait_until(lambda: count(terminal, "✗") == number, what=f"refusal {number}")
        terminal.wait_for(f"› {message}\nready")
        terminal.press("C-c")
        terminal.wait_for("›\nready")

    for word in ("please", "yes", "back", "data", "fine"):  # beginning with chords of the editor
        terminal.press(*first, *word, "Enter")
        is_given_back(word)
    terminal.press(*first, *"/nothing", "Enter")
    terminal.wait_for("there is no command /nothing")
    terminal.type("two")
    terminal.press("M-Enter")
    terminal.enter("lines")
    is_given_back("two\n  lines")
    terminal.type("a word")
    terminal.press("M-b")
    terminal.enter("long ")
    is_given_back("a long word")
    assert one_home.turn_ids == []
    leave(terminal)


@pytest.mark.measured
@pytest.mark.full
def test_esc_alone_interrupts_what_is_asked_too_and_leaves_what_was_typed(one_home: Home, chat: Chat) -> None:
    turn = begun(one_home)
    turn.ask_approval("touch it")
    terminal = chat(one_home, "--turn", turn.id)
    terminal.wait_for(WAITING)
    terminal.press("Escape")
    terminal.wait_for("■ interrupted")
    terminal.wait_for(READY)
    terminal.press("Escape")
    terminal.enter("/help")
    terminal.wait_for("this list, and the keys")
    leave(terminal)


@pytest.mark.full
@pytest.mark.measured
def test_esc_closes_the_menu_before_it_interrupts(one_home: Home, chat: Chat) -> None:
    terminal = chat(one_home, "--turn", begun(one_home).id)
    terminal.wait_for("So")
    terminal.type("/")
    terminal.wait_for("what their commands may touch")
    terminal.press("Escape")
    terminal.wait_for(lambda screen: "what their commands may touch" not in screen)
    assert "interrupt" not in terminal.screen()
    terminal.press("Escape")
    terminal.wait_for("■ interrupted")
    leave_after_clearing(terminal)


@pytest.mark.full
@pytest.mark.measured
def test_what_waits_to_be_sent_comes_back_where_the_turn_is_interrupted(one_home: Home, chat: Chat) -> None:
    one_home.configure(max_running=1)
    PlayedTurn(one_home, max_running=1)
    one_home.model([])
    terminal = chat(one_home, "first")
    terminal.wait_for("queued")
    terminal.enter("second")
    terminal.wait_for("this is the next message: second")
    terminal.press("C-c")
    terminal.wait_for("› second\nready")
    terminal.press("C-u")
    leave(terminal)


def test_lines_are_written_pasted_and_remembered(one_home: Home, chat: Chat) -> None:
    model = one_home.model(lambda request: say("Taken."))
    terminal = chat(one_home)
    terminal.wait_for(READY)
    terminal.type("one")
    terminal.press("M-Enter")
    terminal.type("two")
    terminal.wait_for("› one\n  two\n")
    terminal.press("Enter")
    terminal.wait_for("✓")
    terminal.paste("three\nfour")
    terminal.wait_for("› three\n  four\n")
    terminal.press("Enter")
    wait_until(lambda: count(terminal, "✓") == 2, what="the second answer")
    assert [request.prompt for request in model.model_requests] == ["one\ntwo", "three\nfour"]
    leave(terminal)
    again = chat(one_home)
    again.wait_for(READY)
    again.press("Up")
    again.wait_for("› three\n  four\n")
    again.press("C-c")
    again.wait_for("›\nready")
    again.press("C-r")
    again.type("two")
    again.wait_for("› one\n  two\nhistory, back: two\n")
    again.type(" past")
    again.wait_for("›\nhistory, back, no match: two past\n")
    again.press("Escape")
    again.wait_for("›\nready")
    leave(again)


def test_an_end_without_an_answer_is_told_with_its_hint_and_ends_nothing_else(one_home: Home, chat: Chat) -> None:
    one_home.model([usage_limit(resets_at=4_000_000_000), cut_after("Broken of"), say("Better.")])
    terminal = chat(one_home, "much", columns=100)
    terminal.wait_for("✗ usage_limit:")
    terminal.wait_for("The limit resets at 2096-10-02T07:07:00.000Z.")
    terminal.enter("more")
    terminal.wait_for("Broken of")
    terminal.wait_for(lambda screen: screen.count("✗") == 2)
    terminal.enter("once more")
    terminal.wait_for("Better.")
    leave(terminal)


def test_a_turn_that_is_refused_gives_its_message_back(one_home: Home, chat: Chat) -> None:
    one_home.model([say("Hello.")])
    terminal = chat(one_home, "--write")
    terminal.wait_for("ready · workspace-write")
    terminal.enter("write it")
    terminal.wait_for("✗")
    terminal.wait_for("--skip-git-check")
    terminal.wait_for("› write it\nready")
    assert one_home.turn_ids == []
    terminal.press("C-u")
    leave(terminal)


@pytest.mark.full
@pytest.mark.measured
def test_a_message_that_was_queued_elsewhere_is_told_of_and_what_helps_then(one_home: Home, chat: Chat) -> None:
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold(gate), SECOND_HALF), say("more")])
    terminal = chat(one_home, "hi")
    terminal.wait_for(FIRST_HALF.strip())
    turn = one_home.turn(one_home.turn_ids[0])
    queue_message(one_home, turn.meta["thread_id"])
    wait_until(lambda: is_taken(turn), what="the message out of Codex's reach")
    gate.open()
    terminal.wait_for("! 1 message for this thread, queued meanwhile, stands in Codex's queue again")
    terminal.wait_for(READY)
    terminal.enter("and now?")
    terminal.wait_for("/new begins another conversation; `codex resume")
    terminal.wait_for("lets Codex do what waits")
    assert "/resume" not in terminal.history()
    leave_after_clearing(terminal)


# --- requests


@pytest.mark.measured
def test_approvals_are_asked_inline(one_home: Home, chat: Chat) -> None:
    def model(request: Request) -> ReplyLike:
        if request.is_follow_up:
            return say("Done.")
        return escalated(one_home, request.prompt) if "mark" in request.prompt else say(f"Heard: {request.prompt}")

    one_home.model(model)
    terminal = chat(one_home, columns=200)
    terminal.wait_for(READY)
    terminal.enter("mark-1")
    screen = terminal.wait_for(WAITING)
    assert f"echo hello > {one_home.root}/mark-1" in screen
    assert "│ reason: to leave a mark\n" in screen
    assert "y once · a for this turn · n decline" in screen
    terminal.enter("perhaps")
    terminal.wait_for("that decides nothing")
    assert not (one_home.root / "mark-1").exists()
    terminal.enter("y")
    terminal.wait_for("approval 0: approved\n")
    terminal.wait_for(READY)
    assert (one_home.root / "mark-1").read_text() == "hello\n"
    terminal.enter("mark-2")
    terminal.wait_for(WAITING)
    terminal.enter("n leave it")
    terminal.wait_for("approval 0: declined")
    terminal.wait_for("Heard: leave it")
    terminal.wait_for(READY)
    assert not (one_home.root / "mark-2").exists()
    leave(terminal)
    assert "perhaps" not in (one_home.path / "chat_history").read_text()


@pytest.mark.full
def test_an_approval_that_is_given_elsewhere_is_withdrawn_and_the_draft_comes_back(one_home: Home, chat: Chat) -> None:
    turn = begun(one_home)
    terminal = chat(one_home, "--turn", turn.id)
    terminal.wait_for("So")
    terminal.type("a draft")
    terminal.wait_for("› a draft")
    turn.ask_approval("touch it")
    terminal.wait_for("?\nwaiting for you")
    assert one_home.run("approve", turn.id).code == 0
    terminal.wait_for("it waits no more: answered elsewhere")
    turn.end("far.")
    terminal.wait_for("› a draft\nready")
    assert "approval 0: approved" in terminal.history()
    terminal.press("C-u")
    leave(terminal)


@pytest.mark.measured
def test_questions_are_answered_by_number_and_in_words(one_home: Home, chat: Chat) -> None:
    why = {**QUESTION, "id": "q2", "header": "Why", "question": "Why that?"}
    model = one_home.model([question(QUESTION, why), question(), say("Well then.")])
    terminal = chat(one_home, "ask me")
    screen = terminal.wait_for(WAITING)
    assert "│ Colour: Which colour?\n│   1  Red — warm\n│   2  Blue — cold\n" in screen
    terminal.enter("2")
    terminal.wait_for(lambda screen: "Why: Why that?" in screen and WAITING in screen)
    terminal.enter("because of the sea")
    terminal.wait_for(lambda screen: screen.count("Colour: Which colour?") == 2 and WAITING in screen)
    ((answers, *_),) = [model.model_requests[1].tool_outputs.values()]
    assert json.loads(answers) == {"answers": {"q1": {"answers": ["Blue"]}, "q2": {"answers": ["because of the sea"]}}}
    terminal.press("Enter")
    terminal.wait_for("an answer is needed; /decline gives none")
    terminal.enter("/decline")
    terminal.wait_for("Well then.")
    leave(terminal)


@pytest.mark.parametrize("text", ["y", "y\ny\n"])
def test_what_was_typed_before_a_request_was_drawn_is_no_consent(one_home: Home, text: str) -> None:
    turn = begun(one_home)
    below = ["sh", "-c", '"$0" chat --turn last; exit $?', COMMAND]  # tmux would continue a command of its own at once
    with Terminal(one_home.root, below, one_home.env, cwd=one_home.project) as terminal:
        terminal.wait_for("answering")
        (process,) = psutil.Process(terminal.pid).children()
        process.suspend()
        turn.ask_approval("touch it")
        terminal.type(text.replace("\n", "\r"))
        wait_until(lambda: terminal.unread() == len(text), what="the keys in the terminal")
        process.resume()
        terminal.wait_for(WAITING)
        assert replies_of(turn) == []
        terminal.press("C-c")
        terminal.wait_for("■ interrupted")
        assert {"decision": "accept"} not in replies_of(turn)
        assert "answered elsewhere" not in terminal.history()
        leave_after_clearing(terminal)


@pytest.mark.full
@pytest.mark.measured
def test_half_of_a_secret_is_swallowed_where_its_question_is_withdrawn(one_home: Home, chat: Chat) -> None:
    turn = begun(one_home)
    turn.ask({**QUESTION, "isSecret": True})
    terminal = chat(one_home, "--turn", turn.id)
    terminal.wait_for(WAITING)
    terminal.type("hunter")
    terminal.wait_for("? ******")
    assert one_home.run("decline", turn.id).code == 0
    terminal.wait_for("it waits no more: answered elsewhere")
    turn.end("far.")
    terminal.wait_for("far.\n")
    terminal.enter("two")
    terminal.wait_for("›\nready")
    terminal.press("Up")
    leave_after_clearing(terminal)
    assert "hunter" not in terminal.history()
    assert not (one_home.path / "chat_history").exists()
    assert one_home.turn_ids == [turn.id]


# --- commands


@pytest.mark.measured
def test_commands_choose_what_the_next_message_is_asked_with(one_home: Home, chat: Chat) -> None:
    one_home.model(lambda request: say(f"You said {request.prompt}."))
    make_repository(one_home.project)
    terminal = chat(one_home)
    terminal.wait_for(READY)
    terminal.type("/sand")
    terminal.wait_for("what their commands may touch")
    terminal.press("Tab")
    terminal.type(" w")
    terminal.wait_for("workspace-write")
    terminal.press("Tab")
    terminal.wait_for("› /sandbox workspace-write\n")
    terminal.press("Enter")
    terminal.wait_for("ready · workspace-write")
    for line, words in (
        ("/model gpt-5.5", "model gpt-5.5, from the next message on"),
        ("/effort high", "effort high, from the next message on"),
        ("/model nosuch", "nosuch is not in Codex's list of models; a provider of your own may have it"),
        ("/model gpt-5.5", "model gpt-5.5, from the next message on"),
        ("/model", "model: gpt-5.5; /model default leaves it to Codex"),
        ("/sandbox nonsense", "no such sandbox: nonsense"),
        ("/sandbox", "sandbox: workspace-write"),
        ("/modl", "there is no command /modl; did you mean /model?"),
        ("/zzz", "there is no command /zzz; /help lists them"),
        ("/decline", "nothing is asked"),
        ("/status", "approval   ask"),
        ("/limits", "only a ChatGPT login has limits"),
        ("/resume 2020", "✗ no such turn or thread: 2020"),
        ("/help", "earlier messages"),
    ):
        terminal.enter(line)
        terminal.wait_for(words)
    assert terminal.history().count("is not in Codex's list") == 1
    terminal.enter("hello")
    terminal.wait_for("You said hello.")
    terminal.wait_for("ready · gpt-5.5 high · workspace-write")
    (turn,) = (one_home.turn(turn_id) for turn_id in one_home.turn_ids)
    sent = turn.sent("turn/start")
    assert (sent["model"], sent["effort"], sent["sandboxPolicy"]["type"]) == ("gpt-5.5", "high", "workspaceWrite")
    terminal.enter("/quit")
    assert terminal.wait_for_exit() == 0


@pytest.mark.full
@pytest.mark.measured
def test_a_model_and_an_effort_that_codex_does_not_have_are_refused_when_they_are_chosen(
    home: Home, chat: Chat
) -> None:
    home.chatgpt([say("Hello.")])
    terminal = chat(home)
    terminal.wait_for(READY)
    for line, words in (
        ("/model gpt-99-nope", "Codex lists no model 'gpt-99-nope'"),
        ("/effort bogus", "has no effort 'bogus'"),
        ("/model", "arrows or number, Enter takes"),  # the list itself: the menu of commands has its title, too
    ):
        terminal.enter(line)
        terminal.wait_for(words)
    terminal.press("Escape")
    terminal.wait_for("›\nready")
    terminal.enter("/model")
    listed = terminal.wait_for("arrows or number, Enter takes")
    number = next(line for line in listed.split("\n") if " gpt-5.5 " in line).split()[0]
    terminal.type(number)
    terminal.wait_for(f"❯ {number:>2} gpt-5.5")
    terminal.press("Enter")
    terminal.wait_for("model gpt-5.5, from the next message on")
    terminal.wait_for("the reasoning effort of the next messages")
    terminal.press("Home", "Enter")
    terminal.wait_for("effort low, from the next message on")
    for line, words in (("/effort bogus", "gpt-5.5 has no effort 'bogus'"), ("hello", "Hello.")):
        terminal.enter(line)
        terminal.wait_for(words)
    terminal.wait_for("ready · gpt-5.5 low")
    leave(terminal)
    (turn,) = (home.turn(turn_id) for turn_id in home.turn_ids)
    turn.wait()
    assert (turn.sent("turn/start")["model"], turn.sent("turn/start")["effort"]) == ("gpt-5.5", "low")
    refused = chat(home, "--model", "gpt-99-nope")
    assert refused.wait_for_exit() == 65
    assert "Codex lists no model 'gpt-99-nope'" in refused.history()


@pytest.mark.full
@pytest.mark.measured
def test_a_conversation_is_begun_anew_and_an_earlier_one_resumed(one_home: Home, chat: Chat) -> None:
    one_home.model(lambda request: say(f"You said {request.prompt}."))
    terminal = chat(one_home, "one")
    terminal.wait_for("✓")
    terminal.enter("/new")
    terminal.wait_for(lambda screen: screen.count("a new conversation in") == 2)
    terminal.enter("two")
    terminal.wait_for("You said two.")
    terminal.wait_for(lambda screen: screen.count("✓") == 2)
    first, second = (one_home.turn(turn_id) for turn_id in one_home.turn_ids)
    assert first.meta["thread_id"] != second.meta["thread_id"]
    terminal.enter(f"/resume {first.id}")
    terminal.wait_for(f"thread {first.meta['thread_id']}")
    wait_until(lambda: count(terminal, "You said one.") == 2, what="what was said last")
    terminal.enter("/status")
    screen = terminal.wait_for("0 in this chat · 120 in the last turn")
    assert f"turn       {first.id} complete" in screen
    assert "sandbox    read-only" in screen
    terminal.enter("three")
    terminal.wait_for("You said three.")
    wait_until(lambda: count(terminal, "✓") == 3, what="the third end")
    assert one_home.turn(one_home.turn_ids[2]).meta["thread_id"] == first.meta["thread_id"]
    leave(terminal)
    again = chat(one_home, "--last")
    again.wait_for("You said three.")
    leave(again)


@pytest.mark.measured
@pytest.mark.full
def test_a_turn_that_is_left_goes_on_and_can_be_come_back_to(one_home: Home, chat: Chat) -> None:
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    terminal = chat(one_home, "hi")
    terminal.wait_for(FIRST_HALF.strip())
    for line in ("/new", "/resume"):
        terminal.enter(line)
    wait_until(lambda: count(terminal, "a turn is running: wait for its end") == 2, what="both refusals")
    leave(terminal)
    (turn_id,) = one_home.turn_ids
    assert f"turn {turn_id} goes on:\ncodex-server tail {turn_id} --follow\n" in terminal.history()
    assert one_home.turn(turn_id).status()["state"] == "running"
    again = chat(one_home, "--turn", turn_id)
    again.wait_for(f"turn {turn_id} is running")
    again.wait_for(FIRST_HALF.strip())
    gate.open()
    again.wait_for(f"{FIRST_HALF}{SECOND_HALF}")
    again.wait_for("✓")
    leave(again)


@pytest.mark.full
@pytest.mark.measured
def test_a_chat_that_is_left_while_a_turn_is_being_started_names_that_turn(one_home: Home, chat: Chat) -> None:
    change_python(
        one_home, "from codex_server_cli.cli.chat.tasks import TurnStart\nTurnStart.outcome.__defaults__ = (60.0,)"
    )
    gate = Gate()
    one_home.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
    terminal = chat(one_home)
    terminal.wait_for(READY)
    terminal.type("hi")
    terminal.wait_for("› hi")
    terminal.press("Enter", "C-d")
    assert terminal.wait_for_exit() == 0
    (turn_id,) = one_home.turn_ids
    assert f"turn {turn_id} goes on" in terminal.history()
    gate.open()
    one_home.turn(turn_id).wait()


@pytest.mark.full
@pytest.mark.measured
def test_a_conversation_is_edited_shown_compacted_forked_and_resumed_from_a_list(home: Home, chat: Chat) -> None:
    patch = "*** Begin Patch\n*** Update File: app.py\n@@\n-old\n+new\n*** End Patch"

    def model(request: Request) -> ReplyLike:
        if request.prompt == "run it":
            return reply(escalated(home))
        is_edit = request.prompt == "edit it" and not request.is_follow_up
        return reply(apply_patch(patch)) if is_edit else say(f"You said {request.prompt.splitlines()[0]}.")

    scripted = home.model(model)
    make_repository(home.project)
    (home.project / "app.py").write_text("old\n")
    terminal = chat(home, "--write")
    terminal.wait_for(READY)
    for line, words in (
        ("/fork", "there is no conversation yet"),
        ("/diff", "no turn of this conversation has changed a file"),
        ("!ls", "a line that begins with ! is not sent"),
    ):
        terminal.enter(line)
        terminal.wait_for(words)
    terminal.wait_for("› !ls")  # what is not sent stays in the editor
    terminal.press("C-u")
    assert home.turn_ids == []
    terminal.enter("edit it")
    terminal.wait_for(idle_after("You said edit it."))
    assert "± app.py +1 −1\n@@ -1 +1 @@\n-old\n+new\n" in terminal.history()
    terminal.enter("/diff")
    terminal.wait_for("+++ b/app.py")
    terminal.enter("/compact")
    terminal.wait_for("· context compacted")
    terminal.wait_for(lambda screen: screen.count("✓") == 2 and READY in screen)
    edit, compaction = (home.turn(turn_id) for turn_id in home.turn_ids)
    thread_id = edit.meta["thread_id"]
    assert (compaction.meta["thread_id"], compaction.result["state"]) == (thread_id, "complete")
    assert compaction.result["usage"]["total_tokens"] == 120
    assert compaction.sent("thread/compact/start") == {"threadId": thread_id}
    terminal.enter("/fork")
    terminal.wait_for("the next message goes on from a copy")
    terminal.enter("aside")
    terminal.wait_for(idle_after("You said aside."))
    fork = home.turn(home.turn_ids[2])
    assert (fork.meta["forked_from"], fork.meta["thread_id"] != thread_id) == (thread_id, True)
    terminal.type("look at ")
    terminal.paste("".join(f"{number}\n" for number in range(5000)))
    terminal.type("@ap")
    terminal.wait_for("› look at [pasted 5000 lines]@ap")  # no word of its own: nothing is completed
    terminal.press("BSpace", "BSpace", "BSpace", "BSpace")
    terminal.wait_for("› look at\n")
    terminal.type("@ap")
    terminal.wait_for("\n app.py")
    terminal.press("Tab", "Enter")
    terminal.type(" ")
    terminal.paste("".join(f"{number}\n" for number in range(5000)))
    terminal.wait_for("› look at app.py [pasted 5000 lines]\n")
    terminal.press("Enter")
    terminal.wait_for(idle_after("You said look at app.py 0."))
    assert "› look at app.py [pasted 5000 lines]\n" in terminal.history()
    assert scripted.model_requests[-1].prompt.endswith("\n4998\n4999\n")
    terminal.press("C-r")
    terminal.type("asi")
    terminal.wait_for("history, back: asi")
    terminal.wait_for("› aside")
    terminal.press("Escape")
    terminal.wait_for("›\nready")
    terminal.enter("/resume")
    terminal.wait_for("arrows or number, Enter takes")
    terminal.press("Down", "Escape")
    terminal.wait_for("›\nready")
    terminal.enter("/resume")
    terminal.wait_for("arrows or number, Enter takes")
    terminal.press("1", "Enter")  # the fork, which goes on here, is not listed
    terminal.wait_for(f"thread {thread_id} in")
    terminal.enter("/new")
    other = home.start("new", "run it", "--approval", "ask", "--name", "asks")
    wait_for_request(home, other)
    for columns, mark in ((80, r"! waits  +\w+  "), (40, r"!  \w+")):
        terminal.resize(columns, 24)
        terminal.enter("/resume")
        screen = terminal.wait_for("Enter takes")
        assert re.search(rf"^❯  1 asks · run it  {mark}", screen, re.MULTILINE), screen
        assert re.search(r"^   3 edit it  +\w+", screen, re.MULTILINE), screen
        terminal.press("Escape")
        terminal.wait_for("›\nready")
    home.call("cancel", other.id)
    leave(terminal)


@pytest.mark.measured
def test_without_a_login_it_is_said_before_the_first_message(one_home: Home, chat: Chat) -> None:
    terminal = chat(one_home)
    terminal.wait_for("✗ Codex is not logged in")
    terminal.wait_for("codex-server login")
    terminal.type("a draft")
    terminal.wait_for("› a draft")
    leave_after_clearing(terminal)


# --- the terminal


def test_a_signal_that_ends_a_chat_leaves_the_terminal_as_it_was(one_home: Home) -> None:
    with Terminal(one_home.root, ["bash", "--norc", "--noprofile", "-i"], one_home.env, cwd=one_home.project) as shell:
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            shell.enter(f"clear; {COMMAND} chat; echo code $?; stty -a | tr ' ;' '\\n\\n' | grep icanon")
            shell.wait_for(READY)
            (process,) = psutil.Process(shell.pid).children()
            process.send_signal(number)
            shell.wait_for(f"code {128 + number}")
            shell.wait_for("\nicanon")


def test_ctrl_z_stops_a_chat_and_the_terminal_is_the_shells_until_it_goes_on(one_home: Home) -> None:
    with Terminal(one_home.root, ["bash", "--norc", "--noprofile", "-i"], one_home.env, cwd=one_home.project) as shell:
        shell.enter(f"{COMMAND} chat")
        shell.wait_for(READY)
        shell.type("a draft")
        shell.wait_for("› a draft\nready")
        shell.press("C-z")
        shell.wait_for("Stopped")
        shell.enter("stty -a | tr ' ;' '\\n\\n' | grep icanon")
        shell.wait_for("\nicanon")
        shell.enter("fg")
        shell.wait_for("› a draft\nready")
        shell.press("C-u")
        shell.press("C-d")
        shell.wait_for(lambda screen: "ready" not in screen)


@pytest.mark.measured
def test_a_terminal_that_changes_its_size_shows_everything_once(one_home: Home, chat: Chat) -> None:
    words = [f"word{number}" for number in range(20)]
    gate = Gate()
    one_home.model([say(" ".join(words), hold(gate), "\n\nThe end.")])
    terminal = chat(one_home, "hi")

    def shows_each_word_once(screen: str) -> bool:
        """Only after a redraw: a terminal wraps in the middle of words."""
        return [screen.split().count(word) for word in words] == [1] * len(words)

    terminal.wait_for(shows_each_word_once)
    for columns in (43, 31, 100, 37):
        terminal.resize(columns, 30)
        screen = terminal.wait_for(shows_each_word_once)
        assert max(map(len, screen.split("\n"))) <= columns
    gate.open()
    terminal.wait_for("The end.")
    terminal.wait_for("ready")
    assert shows_each_word_once(terminal.history())
    leave(terminal)


def test_a_plan_and_a_long_output_are_shown_in_a_narrow_terminal(one_home: Home, chat: Chat) -> None:
    plan = call("update_plan", {"plan": [{"step": "look", "status": "completed"}, {"step": "do", "status": "pending"}]})
    one_home.model([reply(plan, run_command("seq 1 50")), say("Done.")])
    terminal = chat(one_home, "hi", columns=30)
    terminal.wait_for("Done.")
    terminal.wait_for("ready")
    shown = terminal.history()
    assert "☑ look\n☐ do\n" in shown
    assert "$ seq 1 50\n1\n2\n" in shown
    assert "… 31 more lines …" in shown
    assert max(map(len, terminal.screen().split("\n"))) <= 30
    leave(terminal)


@pytest.mark.measured
@pytest.mark.full
def test_a_chat_that_cannot_begin_says_why_and_makes_nothing(one_home: Home) -> None:
    for words, code, message in (
        (["TERM=dumb", COMMAND, "chat"], 64, "chat needs a terminal whose cursor can be moved, and TERM is dumb"),
        ([COMMAND, "chat", "--last"], 65, "no earlier thread in"),
        ([COMMAND, "chat", "--turn", "nonsense"], 66, "no turn is named nonsense"),
        ([COMMAND, "chat", "--cwd", "/nowhere"], 65, "no such directory: /nowhere"),
    ):
        with Terminal(one_home.root, words, one_home.env, cwd=one_home.project, columns=200) as terminal:
            assert terminal.wait_for_exit() == code
            assert f"codex-server: {message}" in terminal.history()
    assert one_home.turn_ids == []
