"""`show`: one turn, or one thread of Codex."""

from __future__ import annotations

import json
from pathlib import Path

from codex_server_cli.errors import ErrorKind
from tests.kit.shell import Shell, assert_refused
from tests.kit.turns_on_disk import ANSWER, WHOLE_TURN, TurnsOnDisk


def test_a_turn_is_shown_by_its_id_a_prefix_its_name_or_last(shell: Shell, turns: TurnsOnDisk, tmp_path: Path) -> None:
    turn = turns.complete(name="fix", cwd=str(tmp_path))
    turn.events.write_bytes(WHOLE_TURN)
    for selector in (turn.turn_id, turn.turn_id[:-2], "fix", "last"):
        run = shell.call("show", selector, "--cwd", str(tmp_path))
        assert run.code == 0, run
        assert f"turn       {turn.turn_id}\n" in run.stdout, selector
        assert "state      complete\n" in run.stdout
        assert run.stdout.endswith(f"{ANSWER}\n")
        assert "── userMessage · " in run.stdout


def test_of_a_turn_as_many_of_its_last_entries_are_shown_as_asked_for(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.complete(name="fix")
    turn.events.write_bytes(WHOLE_TURN)
    last = json.loads(shell.call("show", "fix", "-n", "1", "--json").stdout)
    assert [entry["type"] for entry in last["entries"]] == ["agentMessage"]
    assert (last["version"], last["turn_id"], last["state"], last["prompt"]) == (2, turn.turn_id, "complete", "hi")
    assert "cwd" not in last
    assert "── " not in shell.call("show", "fix", "-n", "0").stdout
    full = json.loads(shell.call("show", "fix", "--full").stdout)
    assert (full["name"], full["error"], len(full["entries"])) == ("fix", None, 2)


def test_a_failed_turn_is_shown_with_its_error(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.failed(ErrorKind.NETWORK, "half")
    shown = shell.call("show", turn.turn_id).stdout
    assert "error    network: it was network\n" in shown


def test_a_turn_is_meant_before_a_thread_and_what_is_neither_is_66(shell: Shell, turns: TurnsOnDisk) -> None:
    turns.complete()
    turns.complete()
    assert_refused(shell.call("show", "2026"), 66, "2 turns begin with 2026", as_json=False)
    for selector in ("nothing", "ffff", "../x"):
        assert_refused(shell.call("show", selector), 66, f"no such turn or thread: {selector}", as_json=False)
    assert_refused(shell.call("show", "20200101-000000-000-aaaa"), 66, "no such turn: 2020", as_json=False)
    assert_refused(shell.call("show", "last"), 66, "no turn was started in ", as_json=False)
