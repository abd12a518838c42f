"""A turn's text in blocks: all that `out.txt` has, and what stands behind the text of the events."""

from __future__ import annotations

import pytest

from codex_server_cli.core.protocol.rpc import Message
from codex_server_cli.core.record.replay import Replay
from codex_server_cli.render.chat_blocks import Block, BlockKind
from codex_server_cli.render.turns.told import ToldBlocks, answer_blocks
from tests.kit.dialogue import Json, delta, error_notification, item_notification, message_completed, message_started
from tests.render.test_chat_blocks import APPROVAL, COMMAND, HANDSHAKE

Talk = list[tuple[Json, str]]


def events_of(*messages: Json) -> list[Message]:
    talk: Talk = [*HANDSHAKE, *((message, "in") for message in messages)]
    return [{"seq": seq, "ts": 0, "dir": direction, **message} for seq, (message, direction) in enumerate(talk)]


def told(events: list[Message], skipped: int = 0, *, is_end_told: bool = False) -> tuple[ToldBlocks, list[Block]]:
    blocks = ToldBlocks("7f3a", skipped, is_end_told=is_end_told)
    return blocks, [*(block for event in events for block in blocks.feed(event)), *blocks.end()]


def out_of(events: list[Message]) -> str:
    replay = Replay()
    return "".join(piece.text for event in events for piece in replay.feed(event)[1])


ANSWERED = events_of(
    message_started("m"), delta("# One\n\nTwo\nThree", "m"), message_completed("# One\n\nTwo\nThree", "m")
)
RAN = events_of(item_notification("item/completed", "commandExecution", "call", **COMMAND))
FAILED = events_of(message_started("m"), delta("So far", "m"), error_notification("It broke.", will_retry=False))


def test_what_waits_and_what_failed_are_told_in_their_place() -> None:
    (asked,) = told(events_of(APPROVAL))[1]
    assert (asked.kind, asked.text) == (BlockKind.WARNING, "! waiting for approval 0: run touch f")
    assert [block.kind for block in told(FAILED)[1]] == [BlockKind.ANSWER, BlockKind.ERROR]
    assert [block.kind for block in told(FAILED, is_end_told=True)[1]] == [BlockKind.ANSWER]


@pytest.mark.parametrize(
    ("skipped", "texts"),
    [(0, ["# One", "Two\nThree"]), (7, ["Two\nThree"]), (11, ["Three"]), (16, []), (99, [])],
)
def test_only_the_last_lines_of_a_text_are_told_where_they_are_asked_for(skipped: int, texts: list[str]) -> None:
    assert [block.text for block in told(ANSWERED, skipped)[1]] == texts


def test_the_output_of_a_command_is_cut_between_its_lines() -> None:
    out = out_of(RAN)
    assert [block.kind for block in told(RAN, out.index("a\n"))[1]] == [BlockKind.OUTPUT]


@pytest.mark.parametrize(
    ("behind", "blocks"),
    [
        ("", []),
        ("\n± 1 file +1 −0\n", [Block(BlockKind.EDIT, "± 1 file +1 −0")]),
        (
            "\n[nothing was put back]\n\nmore *text*\n",
            [Block(BlockKind.NOTE, "[nothing was put back]"), Block(BlockKind.ANSWER, "more *text*")],
        ),
    ],
)
def test_what_stands_behind_the_text_of_the_events_is_told_after_it(behind: str, blocks: list[Block]) -> None:
    text = out_of(ANSWERED)
    assert told(ANSWERED)[0].rest(text + behind) == blocks
    assert told(ANSWERED, len(text) + len(behind))[0].rest(text + behind) == []


def test_another_text_than_that_of_the_events_is_not_told_twice() -> None:
    assert told(ANSWERED)[0].rest("As an older version wrote it.") == []
    assert ToldBlocks("7f3a").rest("Its events are gone.") == [Block(BlockKind.ANSWER, "Its events are gone.")]


def test_an_answer_in_json_is_code_and_any_other_is_markdown_in_its_blocks() -> None:
    assert [block.text for block in answer_blocks("# One\n\nTwo")] == ["# One", "Two"]
    assert [block.text for block in answer_blocks('{"a*b*": 1}')] == ['```json\n{"a*b*": 1}\n```']
    assert [block.text for block in answer_blocks("[so] it is")] == ["[so] it is"]
