"""What the verbs about turns tell a person, and that an error is told once; pipes and `--json` keep their JSON."""

from __future__ import annotations

import json
import re

import pytest

from codex_server_cli.demo.replies import say
from tests.kit.console import type_in
from tests.kit.home import COMMAND, Home
from tests.kit.played_turn import ASKING, PlayedTurn
from tests.kit.tmux import Terminal

COMMAND_TO_ASK_FOR = "curl https://example.com/a-file-with-a-long-name.tar.gz --output downloads/archive.tar.gz"


def shown(home: Home, words: str) -> list[str]:
    """The lines that a terminal without colours shows of a command."""
    return type_in(f"{COMMAND} {words}", home.env, home.project).splitlines()


@pytest.mark.measured
def test_a_turn_is_told_in_words_from_its_request_to_its_end(one_home: Home) -> None:
    turn = PlayedTurn(one_home, "Fetch it.", **ASKING)
    short = turn.id[-4:]
    turn.ask_approval(COMMAND_TO_ASK_FOR)
    card = shown(one_home, "status last")
    assert re.fullmatch(rf"! {short} · waits for approval · \d+ s", card[0])
    assert card[1] == "  Fetch it."
    assert f"│ $ {COMMAND_TO_ASK_FOR}" in "\n".join(card)
    assert card[-1].endswith(f"codex-server decline {short} 0")
    approve = next(line for line in card if line.startswith("approve ")).partition("codex-server ")[2]
    done, about = shown(one_home, approve)
    assert done == f"✓ {short} approved · codex-server tail -f {short}"
    assert about.startswith("  │ run curl ")

    turn.ask_approval("rm x")
    assert shown(one_home, f"decline {short}")[0].startswith(f"✓ {short} declined: it goes on without")
    turn.ask({"id": "q", "header": "Q", "question": "Which?", "options": None})
    assert shown(one_home, f"reply {short} --answer secret") == [
        f"✓ {short} answered · codex-server tail -f {short}",
        "  │ Which?",
    ]
    assert shown(one_home, f"steer {short} 'to the left'")[1] == "  │ to the left"
    assert json.loads("\n".join(shown(one_home, "status --json")))["turns"][0]["turn_id"] == turn.id
    assert shown(one_home, f"cancel {short}") == [f"✓ {short} cancelled · codex-server tail {short}"]
    assert shown(one_home, f"cancel {short}") == [f"✓ {short} cancelled · codex-server tail {short}"]
    assert shown(one_home, "cancel --all") == ["Nothing runs: there is nothing to cancel."]
    assert shown(one_home, "status") == ["Nothing runs. What has ended: codex-server list-turns"]
    assert shown(one_home, f"recover {short}")[0] == f"– {short} cancelled"


@pytest.mark.measured
def test_several_turns_are_a_line_each_and_one_that_is_missing_is_told_beside_them(one_home: Home) -> None:
    first, second = PlayedTurn(one_home, "One.", name="first"), PlayedTurn(one_home, "Two.", **ASKING)
    first.end()
    lines = shown(one_home, f"status first nobody {second.id}")
    assert lines[:2] == ["codex-server: no turn is named nobody", "codex-server list-turns shows the turns there are."]
    assert re.fullmatch(rf"✓ {first.id[-4:]} +complete +(now|\d+s)  first +\S+ +\d*", lines[3])
    assert re.fullmatch(rf"● {second.id[-4:]} +thinking +(now|\d+s)  Two\. +\S+ *", lines[4])
    second.ask_approval("rm x")
    assert shown(one_home, "status")[1:] == [shown(one_home, "status")[1], "→ codex-server pending"]
    assert shown(one_home, f"cancel first {second.id[-4:]}")[0] == f"✓ {first.id[-4:]} had ended: complete"


def test_an_error_is_told_once_and_as_json_where_that_is_asked_for(one_home: Home) -> None:
    told = ["codex-server: no turn is named nobody", "codex-server list-turns shows the turns there are."]
    for words in ("status nobody", "cancel nobody", "approve nobody", "steer nobody hi", "recover nobody"):
        assert shown(one_home, words) == told, words
    *document, line = shown(one_home, "cancel nobody --json")
    assert json.loads("\n".join(document))["error"]["hint"] == told[1]
    assert line == told[0]


@pytest.mark.measured
def test_a_start_at_a_real_terminal_is_coloured_and_fits_it_and_its_command_works(one_home: Home) -> None:
    blocker = PlayedTurn(one_home, max_running=1)
    one_home.model([say("Done.")])
    one_home.configure(max_running=1)
    command = [COMMAND, "new", "Explain it.", "--name", "explained"]
    with Terminal(one_home.root, command, one_home.env, cwd=one_home.project, columns=40) as terminal:
        assert terminal.wait_for_exit() == 0
        short = one_home.turn_ids[-1][-4:]
        assert terminal.history().splitlines() == [
            f"· {short} started · queued",
            "  begins when another turn has ended",
            "  codex-server tail -f explained",
            "  Ctrl-C is safe",
        ]
        assert f"\x1b[2m· {short} started" in terminal.screen(has_styles=True)
    command = [COMMAND, "status", "a-name-that-no-turn-has-got-so-far"]
    with Terminal(one_home.root, command, one_home.env, cwd=one_home.project, columns=40) as terminal:
        assert terminal.wait_for_exit() == 66
        assert terminal.history().splitlines() == [
            "codex-server: no turn is named",
            "a-name-that-no-turn-has-got-so-far",
            "codex-server list-turns shows the turns",
            "there are.",
        ]
        assert terminal.screen(has_styles=True).startswith("\x1b[31mcodex-server:\x1b[39m no turn")
    assert one_home.run("cancel", "explained").code == 0
    blocker.end()


def test_a_pipe_gets_json_whatever_stderr_is(one_home: Home) -> None:
    PlayedTurn(one_home).end()
    assert shown(one_home, "status last | cat")[0].startswith('{"version":2,')
    first, second = shown(one_home, "status nobody | cat")
    assert {first[:13], second[:13]} == {'{"version":2,', "codex-server:"}


@pytest.mark.measured
@pytest.mark.full
def test_a_start_that_shows_its_turn_lays_its_text_out_unless_it_is_asked_for_as_it_is(one_home: Home) -> None:
    one_home.model([say("It is **done**.")])
    for flags in ("-f", "--wait"):
        assert "It is done." in shown(one_home, f"new hi {flags}"), flags
        assert "It is **done**." in shown(one_home, f"new hi {flags} --raw"), flags
