"""Text at a terminal: laid out for a person, raw on demand, and the same JSON as in a pipe where that is asked for."""

from __future__ import annotations

import json

from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk

MARKDOWN = "# Found\n\nIt is the **last** line.\n"


def answered(turns: TurnsOnDisk, answer: str) -> str:
    turn = turns.complete(answer)
    turn.out.write_text(answer)
    return turn.turn_id


def test_a_person_gets_markdown_rendered_and_the_text_itself_with_raw(shell: Shell, turns: TurnsOnDisk) -> None:
    turn_id = answered(turns, MARKDOWN)
    for words in (("answer",), ("tail",), ("wait",), ("tail", "--follow"), ("wait", "--print", "answer")):
        shown = shell.show(*words, turn_id)
        assert "It is the last line." in shown, words
        assert "**last**" in shell.show(*words, turn_id, "--raw"), words
        assert "**last**" in shell.call(*words, turn_id).stdout, words
    assert "characters left out" in shell.show("answer", turn_id, "--max-chars", "9")


def test_several_are_told_by_their_text_and_by_json_on_demand(shell: Shell, turns: TurnsOnDisk) -> None:
    ids = [answered(turns, MARKDOWN), answered(turns, "Two.")]
    shown = shell.show("wait", *ids)
    assert "==> " in shown
    assert "It is the last line." in shown
    assert '"state"' not in shown
    for words in (("wait", *ids, "--json"), ("wait", *ids, "--full"), ("wait", ids[0], "--json")):
        assert '"state": "complete"' in shell.show(*words), words
    assert json.loads(shell.call("wait", ids[0], "--json").stdout)["answer"] == MARKDOWN
    assert shell.call("wait", ids[0], "--json", "--print", "none").code == 64


def test_a_turn_that_goes_on_is_told_in_words(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.running()
    shown = shell.show("wait", turn.turn_id, "--timeout", "0.1")
    assert "codex-server wait" in shown
    assert '"state"' not in shown
