"""A turn's events as a chat shows them: each block once, in order, and what still grows."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.core.record.replay import replay
from codex_server_cli.render.approvals import AskedRow
from codex_server_cli.render.chat_blocks import (
    MAX_LIVE_CHARS,
    Block,
    BlockKind,
    ChatBlocks,
    asked_block,
    diff_block,
    edit_block,
    end_block,
    end_blocks,
)
from tests.kit.captures import captured_turns
from tests.kit.cases import for_each
from tests.kit.dialogue import (
    ASK_THREAD,
    ASK_TURN,
    RETRY,
    STARTED,
    THREAD_REPLY,
    TURN_REPLY,
    Json,
    delta,
    error_notification,
    item_notification,
    message_completed,
    message_started,
    notification,
    said,
    usage_notification,
)

HANDSHAKE = [(ASK_THREAD, "out"), (THREAD_REPLY, "in"), (ASK_TURN, "out"), (TURN_REPLY, "in"), (STARTED, "in")]
CAPTURES = sorted(path.stem for path in (Path(__file__).parents[1] / "fixtures" / "captures").glob("*.jsonl"))
COMMAND: dict[str, Any] = {"command": "ls", "status": "completed", "exitCode": 0, "aggregatedOutput": "a\n"}
APPROVAL: Json = {
    "method": "item/commandExecution/requestApproval",
    "id": 0,
    "params": {"command": "touch f", "itemId": "call"},
}


class RecordedChat:
    """The blocks of a chat whose turn has started, and those that were shown."""

    def __init__(self) -> None:
        self.chat_blocks = ChatBlocks()
        self.blocks: list[Block] = []
        for message, direction in HANDSHAKE:
            self._feed(message, direction)

    def came(self, *messages: Json) -> RecordedChat:
        for message in messages:
            self._feed(message, "in")
        return self

    def went(self, message: Json) -> RecordedChat:
        self._feed(message, "out")
        return self

    def _feed(self, message: Json, direction: str) -> None:
        self.blocks += self.chat_blocks.feed({"seq": 0, "ts": 0, "dir": direction, **message})

    @property
    def live(self) -> str:
        return self.chat_blocks.live_text

    def of(self, kind: BlockKind) -> list[str]:
        return [block.text for block in self.blocks if block.kind is kind]


def user_message(text: str, id_: str) -> Json:
    return item_notification("item/completed", "userMessage", id_, content=[{"type": "text", "text": text}])


# --- the answer


def test_a_paragraph_is_finished_when_the_next_begins_and_the_rest_with_the_message() -> None:
    chat = RecordedChat().came(message_started(), delta("First par"), delta("agraph.\n\nSecond"))
    assert chat.of(BlockKind.ANSWER) == ["First paragraph."]
    assert chat.live == "Second"
    chat.came(delta(" one"), message_completed("First paragraph.\n\nSecond one"))
    assert chat.of(BlockKind.ANSWER) == ["First paragraph.", "Second one"]
    assert chat.live == ""


def test_what_was_open_when_the_turn_ended_is_shown() -> None:
    chat = RecordedChat().came(message_started(), delta("cut of"))
    assert chat.chat_blocks.end() == [Block(BlockKind.ANSWER, "cut of")]
    assert chat.live == ""


def test_a_retry_shows_nothing_twice() -> None:
    chat = RecordedChat().came(message_started(), delta("One.\n\nTwo"), RETRY, *said("One.\n\nTwo three"))
    assert chat.of(BlockKind.ANSWER) == ["One.", "Two", " three"]
    assert chat.of(BlockKind.NOTE) == ["↻ Reconnecting... 1/2"]


def test_a_retry_that_says_something_else_begins_the_answer_anew() -> None:
    chat = RecordedChat().came(message_started(), delta("One way"), RETRY, *said("Another way\n\nof it"))
    assert chat.of(BlockKind.ANSWER) == ["One way", "Another way", "of it"]
    assert "[the answer restarted]" in chat.of(BlockKind.NOTE)


def test_something_else_in_the_middle_of_an_answer_stands_where_it_came() -> None:
    warning = notification("warning", message="slow down")
    chat = RecordedChat().came(
        message_started(), delta("Before"), warning, delta(" after"), message_completed("Before after")
    )
    assert [block.kind for block in chat.blocks] == [BlockKind.ANSWER, BlockKind.WARNING, BlockKind.ANSWER]
    assert [block.text.strip() for block in chat.blocks] == ["Before", "! slow down", "after"]


# --- what else happens


def test_a_command_is_shown_when_it_begins_and_its_output_when_it_ends() -> None:
    chat = RecordedChat().came(item_notification("item/started", "commandExecution", "call", command="ls"))
    assert chat.blocks == [Block(BlockKind.COMMAND, "$ ls")]
    chat.came(notification("item/commandExecution/outputDelta", itemId="call", delta="a\nb"))
    assert chat.live == "a\nb"
    chat.came(item_notification("item/completed", "commandExecution", "call", **COMMAND))
    assert chat.blocks[1:] == [Block(BlockKind.OUTPUT, "a\n→ exit 0")]
    assert chat.live == ""


def test_a_command_that_ends_after_something_else_is_named_again() -> None:
    begun = item_notification("item/started", "commandExecution", "call", command="ls")
    ended = item_notification("item/completed", "commandExecution", "call", **COMMAND)
    chat = RecordedChat().came(begun, notification("warning", message="hm"), ended)
    assert chat.blocks[-2:] == [Block(BlockKind.COMMAND, "$ ls"), Block(BlockKind.OUTPUT, "a\n→ exit 0")]


def test_the_output_of_a_command_that_says_much_is_bounded_while_it_runs() -> None:
    chat = RecordedChat()
    for _ in range(3):
        chat.came(notification("item/commandExecution/outputDelta", itemId="call", delta="x" * MAX_LIVE_CHARS))
    assert len(chat.live) == MAX_LIVE_CHARS


def test_a_thought_grows_and_is_then_shown_as_a_summary() -> None:
    chat = RecordedChat()
    for part in ("First", "Then"):
        chat.came(notification("item/reasoning/summaryPartAdded", itemId="r", summaryIndex=0))
        chat.came(notification("item/reasoning/summaryTextDelta", itemId="r", delta=part))
    assert chat.live == "First\nThen"
    chat.came(item_notification("item/completed", "reasoning", "r", summary=["First", "Then"]))
    assert (chat.blocks, chat.live) == ([Block(BlockKind.THOUGHT, "· First\n· Then")], "")


@for_each(
    ("message", "block"),
    [
        (
            notification("turn/plan/updated", plan=[{"step": "look", "status": "completed"}]),
            Block(BlockKind.PLAN, "☑ look"),
        ),
        (
            item_notification(
                "item/completed",
                "fileChange",
                status="completed",
                changes=[{"path": "/a", "kind": {"type": "add"}, "diff": "x\n"}],
            ),
            Block(BlockKind.EDIT, "± /a new, 1 line\n+x", (range(1, 2),)),
        ),
        (item_notification("item/completed", "plan", text="# Plan"), Block(BlockKind.ANSWER, "# Plan")),
        (item_notification("item/completed", "webSearch", query="cats"), Block(BlockKind.NOTE, "⌕ cats")),
        (
            notification("model/rerouted", fromModel="a", toModel="b"),
            Block(BlockKind.WARNING, "! the model was changed from a to b"),
        ),
    ],
)
def test_every_kind_of_event_is_a_block_of_its_kind(message: Json, block: Block) -> None:
    assert RecordedChat().came(message).blocks == [block]


def test_what_shows_nothing_leaves_the_answer_whole() -> None:
    chat = RecordedChat().came(
        message_started(), delta("One "), usage_notification(), notification("unknown/thing"), delta("two")
    )
    assert (chat.blocks, chat.live) == ([], "One two")


def test_an_error_that_ends_the_turn_is_left_to_its_end() -> None:
    assert RecordedChat().came(error_notification("broken", will_retry=False)).blocks == []


def test_the_prompt_is_known_and_what_is_said_into_the_turn_is_shown() -> None:
    chat = RecordedChat().came(
        user_message("the prompt", "u1"), message_started(), delta("Well"), user_message("use\ntabs", "u2")
    )
    assert chat.blocks == [Block(BlockKind.ANSWER, "Well"), Block(BlockKind.SAID, "use\ntabs")]
    chat.came(*said("Tabs it is", "msg-2"))
    assert chat.blocks[2:] == [Block(BlockKind.ANSWER, "Tabs it is")], "and the answer did not restart"


# --- requests


@for_each(
    ("reply", "expected"),
    [
        ({"result": {"decision": "accept"}}, "approval 0: approved"),
        ({"result": {"decision": "acceptForSession"}}, "approval 0: approved for the rest of the turn"),
        ({"result": {"decision": "decline"}}, "approval 0: declined"),
        ({"error": {"code": -32601, "message": "no"}}, "approval 0: refused"),
    ],
)
def test_a_decision_is_told_wherever_it_was_taken(reply: Json, expected: str) -> None:
    chat = RecordedChat().came(APPROVAL)
    assert chat.blocks == []
    assert chat.went({"id": 0, **reply}).of(BlockKind.NOTE) == [expected]
    assert chat.went({"id": 0, **reply}).of(BlockKind.NOTE) == [expected], "once"


def test_a_request_that_codex_takes_back_says_so() -> None:
    chat = RecordedChat().came(APPROVAL, notification("serverRequest/resolved", requestId=0))
    assert chat.of(BlockKind.NOTE) == ["approval 0: taken back by Codex"]
    assert chat.went({"id": 0, "result": {"decision": "accept"}}).of(BlockKind.NOTE) == chat.of(BlockKind.NOTE)


def test_an_answer_is_told_with_its_words_and_an_automatic_decision_as_such() -> None:
    question: Json = {
        "method": "item/tool/requestUserInput",
        "id": 7,
        "params": {"questions": [{"id": "q", "question": "Colour?"}]},
    }
    chat = RecordedChat().came(question, APPROVAL)
    chat.went({"id": 7, "result": {"answers": {"q": {"answers": ["[Blue]"]}}}})
    chat.went({"why": "timeout", "id": 0, "result": {"decision": "decline"}})
    assert chat.of(BlockKind.NOTE) == ["reply 7: answered: [Blue]", "approval 0: declined: no answer in time"]


def test_what_codex_does_otherwise_than_asked_is_told() -> None:
    chat_blocks = ChatBlocks()
    asked = {**ASK_THREAD, "params": {"model": "wanted"}}
    events = [(asked, "out"), (THREAD_REPLY, "in"), (ASK_TURN, "out"), (TURN_REPLY, "in"), (STARTED, "in")]
    blocks = [block for message, dir_ in events for block in chat_blocks.feed({"dir": dir_, **message})]
    assert blocks == [Block(BlockKind.WARNING, "Codex runs this turn with model gpt, not wanted as asked")]


def test_a_request_that_no_user_could_answer_is_not_shown() -> None:
    chat = RecordedChat().came({"method": "attestation/generate", "id": 3, "params": {}})
    assert chat.went({"id": 3, "error": {"code": -32601}}).blocks == []


# --- other app-servers, other ends


def test_of_an_app_server_that_was_given_up_only_what_it_showed_stays() -> None:
    chat = RecordedChat().came(*said("half"), APPROVAL)
    chat.went({"id": 1, "method": "initialize", "params": {}}).went({"id": 0, "result": {"decision": "accept"}})
    assert chat.of(BlockKind.NOTE) == []
    assert chat.chat_blocks.record.turn_id is None


def test_what_came_before_the_reply_that_names_the_turn_is_shown_at_its_end() -> None:
    chat_blocks = ChatBlocks()
    for message, direction in [HANDSHAKE[2], (STARTED, "in"), *((message, "in") for message in said("early"))]:
        assert chat_blocks.feed({"dir": direction, **message}) == []
    assert chat_blocks.end() == [Block(BlockKind.ANSWER, "early")]


@for_each("name", ["basic_turn", "exec_ok_and_fail", "reasoning_commentary_final", "approval_patch_accept"])
def test_a_recorded_turn_comes_out_in_order_without_blanks_around_its_blocks(name: str) -> None:
    chat_blocks = ChatBlocks()
    (turn, *_) = captured_turns(name)
    blocks = [block for event in read_events(turn.events()) for block in chat_blocks.feed(event)] + chat_blocks.end()
    assert blocks
    assert all(block.text == block.text.strip("\n") != "" for block in blocks)
    assert all(first.kind is BlockKind.COMMAND for first, second in pairwise(blocks) if second.kind is BlockKind.OUTPUT)


def _plain(text: str) -> str:
    """The text alone: without marks, blanks and brackets."""
    return re.sub(r"^> |[\s\[\]]", "", text, flags=re.MULTILINE)


@for_each("name", CAPTURES)
def test_a_chat_tells_whatever_out_txt_holds(name: str) -> None:
    told_elsewhere = re.compile(r"^(\[waiting for .*\]|✗ .*)$", re.MULTILINE)
    for turn in captured_turns(name):
        chat_blocks = ChatBlocks()
        blocks = [block for event in read_events(turn.events()) for block in chat_blocks.feed(event)]
        reported = "".join(_plain(_without_patches(block)) for block in [*blocks, *chat_blocks.end()])
        told = replay(turn.events())[1].replace("± /home/dev/project/", "± ")
        assert reported == _plain(told_elsewhere.sub("", told))


# --- the end


def ended(state: State, error: dict[str, Any] | None = None, usage: dict[str, int] | None = None) -> TurnView:
    return TurnView("20261120-165501-482-7f3a", "/t", state, elapsed_s=2.5, result={"usage": usage}, error=error)


def test_the_end_of_a_turn_is_one_block() -> None:
    usage = {"total_tokens": 1234}
    whole = end_block(ended(State.COMPLETE, usage=usage))
    assert whole == Block(BlockKind.NOTE, "✓ 2.5 s · 1.2k tokens · 20261120-165501-482-7f3a")
    stopped = end_block(ended(State.CANCELLED, {"kind": "cancelled"}))
    assert stopped == Block(BlockKind.NOTE, "■ interrupted · 2.5 s · 20261120-165501-482-7f3a")
    error = {"kind": "usage_limit", "message": "used up", "hint": "wait", "resets_at": "2026-11-20T18:00:00.000Z"}
    assert end_block(ended(State.FAILED, error)) == Block(
        BlockKind.ERROR,
        "✗ usage_limit: used up\nwait\nThe limit resets at 2026-11-20T18:00:00.000Z.\n2.5 s · 20261120-165501-482-7f3a",
    )
    bare = end_block(ended(State.ABANDONED, {"kind": "worker_died", "message": "it died", "hint": ""}))
    assert bare.text == "✗ worker_died: it died\n2.5 s · 20261120-165501-482-7f3a"


def test_a_turn_whose_directory_was_deleted_says_so() -> None:
    gone = end_block(TurnView("20261120-165501-482-7f3a", "/t", State.MISSING))
    assert gone == Block(BlockKind.ERROR, "✗ missing: the turn's directory is gone\n20261120-165501-482-7f3a")


def test_what_became_of_messages_that_were_queued_meanwhile_is_told_above_the_end() -> None:
    def words(put_back: object) -> list[str]:
        view = TurnView("20261120-165501-482-7f3a", "/t", State.COMPLETE, meta={"put_back": put_back})
        (*reported, end) = end_blocks(view)
        assert end == end_block(view)
        return [block.text for block in reported]

    assert words(None) == words("?") == []
    assert words(1) == ["! 1 message for this thread, queued meanwhile, stands in Codex's queue again"]
    assert words(2) == ["! 2 messages for this thread, queued meanwhile, stand in Codex's queue again"]
    (left,) = words(0)
    assert left.endswith("could not be put back: `codex-server recover 20261120-165501-482-7f3a` tries again")


def _without_patches(block: Block) -> str:
    patches = {number for rows in block.diffs for number in rows}
    return "\n".join(line for number, line in enumerate(block.text.split("\n")) if number not in patches)


# --- edits and requests


def file_change(status: str, *diffs: str) -> Json:
    changes = [{"path": f"/p/{number}", "kind": {"type": "update"}, "diff": diff} for number, diff in enumerate(diffs)]
    return {"type": "fileChange", "status": status, "changes": changes}


def test_below_each_edited_file_is_the_beginning_of_its_patch() -> None:
    long = "@@ -1,20 +1,20 @@\n" + "+x\n" * 20
    block = edit_block(file_change("completed", "@@ -1 +1 @@\n-a\n+b\n", "", long), "/p", "/diff")
    lines = block.text.split("\n")
    assert lines[:4] == ["± 0 +1 −1", "@@ -1 +1 @@", "-a", "+b"]
    assert lines[4:7] == ["± 1 +0 −0", "± 2 +20 −0", "@@ -1,20 +1,20 @@"]
    assert lines[-1] == "… 9 more lines: /diff"
    assert block.diffs == (range(1, 4), range(6, 18))
    (last,) = edit_block(file_change("completed", "+x\n" * 13), "/p", "/diff").text.split("\n")[-1:]
    assert last == "… 1 more line: /diff"


def test_a_patch_that_was_not_applied_is_told_without_its_lines() -> None:
    assert edit_block(file_change("declined", "@@ -1 +1 @@\n-a\n+b\n"), "/p", "/diff") == Block(
        BlockKind.EDIT, "± 0 +1 −1 (declined)"
    )


def test_a_whole_diff_is_one_block() -> None:
    assert diff_block("--- a\n+++ b\n") == Block(BlockKind.EDIT, "--- a\n+++ b", (range(2),))


def test_a_request_holds_its_patches_to_their_ends_and_tells_which_parts_they_are() -> None:
    entry = {"kind": "patch", "answer_with": "approve", "reason": "why", **file_change("", "+x\n" * 50)}
    block = asked_block(entry)
    assert block is not None
    assert [part.text.count("\n") + 1 for part in block.parts if part.is_patch] == [50]
    assert block.text.endswith("+x\nreason: why")


def test_a_request_with_questions_is_what_its_server_says() -> None:
    asked = asked_block({"answer_with": "reply", "server": "shop", "message": "Size?"})
    assert asked == Block(BlockKind.ASKED, "shop asks: Size?", parts=(AskedRow("shop asks: Size?"),))
    assert asked_block({"answer_with": "reply"}) is None
