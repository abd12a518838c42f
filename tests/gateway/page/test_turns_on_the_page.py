"""The page does with turns what the command line does: real turns of a real codex, driven in a browser."""

from __future__ import annotations

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import apply_patch, bad_request, hold, reason, reply, run_command, say
from tests.kit.browser import expect
from tests.kit.escalations import QUESTION, question
from tests.kit.page_face import PageFace
from tests.kit.page_house import PageHouse
from tests.kit.support import wait_until

pytestmark = pytest.mark.judge

_PATCH = """\
*** Begin Patch
*** Update File: app.py
@@
 def hello(name):
-    print("hello " + name)
+    print(f"hello, {name}")
+    return name
*** End Patch"""


def test_a_turn_that_is_started_there_streams_as_markdown_and_its_row_follows(house: PageHouse, face: PageFace) -> None:
    gate = Gate()
    answer = say("# Found\n\nIt is **here", hold(gate), "** and `there`.\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    prompt = house.model.on("Find it", reply(reason("**Looking**"), answer))
    turn_id = face.start(prompt)
    message = face.items("agentMessage")
    expect(message).to_contain_text("It is **here")  # an emphasis that is not closed yet is text
    expect(message).to_have_attribute("data-done", "false")
    expect(face.row(turn_id)).to_have_attribute("data-state", "running")
    expect(face.at("#turn-title")).to_have_text(prompt)
    expect(face.at("#say-send")).to_have_text("Steer")
    gate.open()
    face.wait_for_state("complete")
    expect(message).to_have_count(1)
    expect(message).to_have_attribute("data-done", "true")
    expect(message.get_by_role("heading", name="Found")).to_be_visible()
    expect(message.locator("strong")).to_have_text("here")
    expect(message.locator("td")).to_have_text(["1", "2"])
    expect(face.items("reasoning")).to_contain_text("Looking")
    expect(face.row(turn_id)).to_have_attribute("data-state", "complete")
    expect(face.row(turn_id)).to_contain_text("tokens")
    expect(face.at("#status")).to_contain_text("complete")
    assert house.home.turn(turn_id).meta["request"]["sandbox"] == "read-only"


def test_what_a_turn_asks_is_shown_in_full_and_approved_or_declined(house: PageHouse, face: PageFace) -> None:
    for verb, is_run in (("approve", True), ("decline", False)):
        mark = house.home.root / f"mark of {verb}"
        command = f"echo done {'x' * 300} > '{mark}'; echo written"
        ask = run_command(command, escalated=True, justification="to leave a mark")
        face.start(house.model.on(f"Please {verb}", reply(ask), say("It is over.")), may_ask=True)
        expect(face.request).to_contain_text(command)
        expect(face.request).to_contain_text("to leave a mark")
        expect(face.row(face.turn_id)).to_have_attribute("data-phase", "waiting_approval")
        assert not mark.exists()
        face.decide(face.request.locator(f"button.{verb}"))
        face.wait_for_state("complete")
        expect(face.request).to_have_count(0)
        expect(face.items("agentMessage").last).to_contain_text("It is over.")
        assert mark.exists() is is_run
        if is_run:
            expect(face.items("commandExecution")).to_contain_text("exit 0")


def test_a_change_is_shown_as_a_diff_line_by_line(house: PageHouse, face: PageFace) -> None:
    prompt = house.model.on("Greet politely", reply(apply_patch(_PATCH)), say("Changed."))
    face.start(prompt, sandbox="workspace-write")
    face.wait_for_state("complete")
    change = face.items("fileChange")
    expect(change.locator("summary")).to_contain_text("app.py +2 −1")
    expect(change.locator(".line.remove")).to_have_text(['-    print("hello " + name)'])
    expect(change.locator(".line.add")).to_have_text(['+    print(f"hello, {name}")', "+    return name"])
    kinds = [change.locator(f".line.{kind}").first for kind in ("add", "remove", "same")]
    assert len({kind.evaluate("node => getComputedStyle(node).backgroundColor") for kind in kinds}) == 3
    face.at("#diff > summary").click()
    expect(face.at("#diff-body .line.add")).to_have_text(['+    print(f"hello, {name}")', "+    return name"])


def test_a_question_is_answered_by_a_choice_or_in_own_words(house: PageHouse, face: PageFace) -> None:
    for number, (answer, choose) in enumerate((("Blue", True), ("none of them", False))):
        turn_id = face.start(house.model.on(f"Ask me {number}", reply(question()), say("Thank you.")))
        expect(face.request).to_contain_text(QUESTION["question"])
        face.decide(face.request.get_by_role("button", name="Answer"))
        expect(face.request.get_by_role("alert")).to_contain_text("needs an answer")
        if choose:
            face.request.get_by_role("radio", name=answer).check()
        else:
            face.request.get_by_role("textbox", name="another answer").fill(answer)
        face.decide(face.request.get_by_role("button", name="Answer"))
        face.wait_for_state("complete")
        assert answer in str([event for event in house.home.turn(turn_id).events if event["dir"] == "out"])


def test_a_running_turn_is_steered_then_cancelled_after_a_question_and_its_thread_goes_on(
    house: PageHouse, face: PageFace
) -> None:
    gate = Gate()
    first = face.start(house.model.on("Work for long", say("Begun, ", hold(gate), "never ended")))
    expect(face.items("agentMessage")).to_contain_text("Begun")
    face.say(house.model.on("Mind the **gap**", say("Minded, ", hold(gate), "never ended")))  # Codex asks anew at once
    expect(face.items("steer")).to_contain_text("Mind the **gap**")
    expect(face.at("#say-text")).to_have_value("")
    turn = house.home.turn(first)
    assert turn.sent("turn/steer")["input"][0]["text"] == "Mind the **gap**"

    face.page.get_by_role("button", name="Cancel").click()
    face.at("#confirm-no").click()
    expect(face.at("#turn-state")).not_to_contain_text("cancelled")
    face.page.get_by_role("button", name="Cancel").click()
    face.at("#confirm-yes").click()
    face.wait_for_state("cancelled")
    expect(face.items("agentMessage").first).to_contain_text("Begun")
    gate.open()

    face.say(house.model.on("Now be brief", say("Yes.")))
    second = face.wait_for_other_turn(first)
    face.wait_for_state("complete")
    expect(face.items("agentMessage").locator(".markdown")).to_have_text("Yes.")
    assert house.home.turn(second).meta["thread_id"] == turn.meta["thread_id"]
    face.page.go_back()
    face.wait_for_turn(first)
    face.wait_for_state("cancelled")


def test_why_a_turn_has_failed_is_told_once_in_words_and_with_what_helps(house: PageHouse, face: PageFace) -> None:
    face.start(house.model.on("Fail", bad_request("the model is not in your plan")))
    face.wait_for_state("failed")
    expect(face.at("#turn-error")).to_contain_text("the model is not in your plan. ")
    expect(face.at("#turn-error")).to_contain_text("codex-server new")
    expect(face.items("error")).to_have_count(0)
    assert face.at("#turn").inner_text().count("not in your plan") == 1


def test_the_list_is_filtered_and_a_turn_of_a_shell_comes_in_by_itself(house: PageHouse, face: PageFace) -> None:
    turn = house.home.start("new", house.model.on("From a shell", say("Hello.")), "--name", "shell-made")
    expect(face.row(turn.id)).to_contain_text("shell-made")
    other = house.home.start("new", "something else")
    expect(face.row(other.id)).to_be_visible()
    face.page.get_by_role("searchbox", name="Filter turns").fill("SHELL-M")
    expect(face.row(other.id)).to_have_count(0)
    face.open(turn.id)
    expect(face.items("agentMessage")).to_contain_text("Hello.")
    wait_until(lambda: other.is_ended, what="its end")
