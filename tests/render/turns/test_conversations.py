"""The list of conversations: what is told of each, and what of it a narrow terminal has room for."""

from __future__ import annotations

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.turns.conversations import ConversationRow, conversation_rows

NOW_MS = 1_795_193_701_482
RUNNING = TurnView("20261120-165501-482-7f3a", "/", State.RUNNING, Phase.ANSWERING)
ROWS = [
    ConversationRow("run the tests please", "tests", NOW_MS - 12_000, "/home/me/app", RUNNING),
    ConversationRow("slow", None, NOW_MS - 180_000, "/home/me/app", RUNNING._replace(phase=Phase.WAITING_INPUT)),
    ConversationRow("slow", "second try", None, "/srv", RUNNING._replace(phase=Phase.QUEUED)),
    ConversationRow("Mend the\nparser", None, NOW_MS - 86_400_000, "/home/me/app"),
]


def rows(width: int, *given: ConversationRow) -> list[str]:
    return conversation_rows(given or ROWS, NOW_MS, "/home/me", width)


def test_names_states_ages_and_places_stand_beside_what_was_asked() -> None:
    assert rows(74) == [
        "tests · run the tests please  ● runs    12s  ~/app",
        "slow                          ! waits   3m   ~/app",
        "second try · slow             · queued       /srv",
        "Mend the parser                         1d   ~/app",
    ]


def test_a_narrow_terminal_still_has_the_states_and_the_ages() -> None:
    assert rows(34) == [
        "tests · run the tests ple…  ●  12s",
        "slow                        !  3m",
        "second try · slow           ·",
        "Mend the parser                1d",
    ]


def test_where_nothing_runs_there_is_no_column_for_it() -> None:
    assert rows(74, ROWS[3]) == ["Mend the parser  1d  ~/app"]
