"""What the shell completes a turn with."""

from __future__ import annotations

import pytest

from codex_server_cli.cli.completion import complete_turn
from tests.kit.shell import Shell
from tests.kit.turns_on_disk import TurnsOnDisk


@pytest.fixture
def turns_of_user(shell: Shell, turns: TurnsOnDisk, monkeypatch: pytest.MonkeyPatch) -> TurnsOnDisk:
    """The turns of the user who presses TAB in this process."""
    monkeypatch.setenv("CODEX_SERVER_HOME", str(shell.home))
    return turns


def test_a_turn_is_completed_by_id_by_name_and_by_last(turns_of_user: TurnsOnDisk) -> None:
    named = turns_of_user.complete(prompt="Fix the tests.\nAll of them.", name="mend")
    other = turns_of_user.running(prompt="x" * 100)
    everything = complete_turn("")
    assert [word for word, _ in everything] == [other.turn_id, named.turn_id, "mend", "last"]
    assert dict(everything)["mend"] == "Fix the tests. All of them."
    assert len(dict(everything)[other.turn_id]) == 60
    assert [word for word, _ in complete_turn("me")] == ["mend"]
    assert [word for word, _ in complete_turn(named.turn_id[:16])] == [named.turn_id]
    assert complete_turn("nothing like it") == []
