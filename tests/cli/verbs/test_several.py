"""Several turns in one command: patterns of names, headings, and what is told of each."""

from __future__ import annotations

import json
from threading import Timer
from unittest.mock import ANY

from codex_server_cli.disk.files import write_json
from codex_server_cli.errors import ErrorKind
from tests.kit.shell import Shell, assert_refused
from tests.kit.support import delete_tree
from tests.kit.turns_on_disk import ANSWER, TurnsOnDisk

LONG = "word " * 200
REQUEST = {"id": "0", "kind": "command", "message": "run ls", "command": "ls"}


def test_a_pattern_selects_the_newest_turn_of_each_name(shell: Shell, turns: TurnsOnDisk) -> None:
    turns.complete("old", name="rev-a")
    first, second = turns.complete("one", name="rev-a"), turns.complete("two", name="rev-b")
    turns.complete("other", name="fix")
    turns.complete("nameless")
    for pattern in ("rev-*", "rev-?", "rev-[ab]"):
        run = shell.call("status", pattern)
        assert [turn["turn_id"] for turn in run.json["turns"]] == [first.turn_id, second.turn_id], pattern
    assert [turn["name"] for turn in shell.call("status", "rev-b*").json["turns"]] == ["rev-b"]
    assert shell.call("answer", "rev-*", "fix").stdout == (
        "==> rev-a <==\none\n==> rev-b <==\ntwo\n==> fix <==\nother\n"
    )


def test_a_pattern_that_nothing_matches_is_66(shell: Shell, turns: TurnsOnDisk) -> None:
    turns.complete(name="fix")
    for verb in ("status", "wait", "answer", "tail", "cancel"):
        run = shell.call(verb, "rev-*")
        assert_refused(run, 66, "no turn's name matches 'rev-*'", as_json=verb in ("status", "cancel"), case=verb)


def test_one_turn_is_followed_and_a_pattern_of_several_is_refused(shell: Shell, turns: TurnsOnDisk) -> None:
    turns.complete(name="a1")
    turns.complete(name="a2")
    assert_refused(shell.call("tail", "a*", "--follow"), 64, "'a*' matches 2", as_json=False)
    assert shell.call("tail", "a1*", "--follow").code == 0


def test_a_turn_that_is_named_twice_is_told_once(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.complete(name="a")
    turn.out.write_text("text\n")
    assert len(shell.call("status", "a", turn.turn_id).json["turns"]) == 1
    assert len(shell.call("status", "a", "zzz", "zzz").json["turns"]) == 2
    assert shell.call("tail", "a", turn.turn_id).stdout == "==> a <==\ntext\n"


def test_answers_of_several_have_headings_and_end_with_the_first_that_is_not_complete(
    shell: Shell, turns: TurnsOnDisk
) -> None:
    named, nameless = turns.complete("one", name="a"), turns.complete("two")
    failed = turns.failed(ErrorKind.NETWORK, "half")
    run = shell.call("answer", named.turn_id, nameless.turn_id, named.turn_id)
    assert (run.code, run.stdout) == (0, f"==> a <==\none\n==> {nameless.turn_id} <==\ntwo\n")
    run = shell.call("answer", "a", failed.turn_id)
    assert (run.code, run.stdout) == (1, f"==> a <==\none\n==> {failed.turn_id} <==\nhalf\n")
    running = turns.running()
    assert_refused(shell.call("answer", "a", running.turn_id), 75, "is still running", as_json=False)
    for printed in ("answer", "out"):
        waited = shell.call("wait", "a", nameless.turn_id, "--print", printed)
        assert waited.stdout.startswith("==> a <==\n"), printed
        assert f"==> {nameless.turn_id} <==\n" in waited.stdout, printed
    assert shell.call("wait", "a", nameless.turn_id, "--print", "answer").stdout == run_of(shell, "a", nameless.turn_id)


def run_of(shell: Shell, *selectors: str) -> str:
    return shell.call("answer", *selectors).stdout


def test_an_answer_is_cut_where_asked_and_says_where_the_rest_is(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.complete(LONG)
    run = shell.call("answer", turn.turn_id, "--max-chars", "12")
    assert run.stdout == f"word word\n[991 of 1,000 characters left out; the whole answer: {turn.answer}]\n"
    assert shell.call("answer", turn.turn_id, "--max-chars", "1000").stdout == f"{LONG}\n"
    ended = turns.complete("two words\n")
    assert shell.call("answer", ended.turn_id, "--max-chars", "9").stdout == "two words\n"
    assert_refused(shell.call("answer", turn.turn_id, "--max-chars", "0"), 64, "--max-chars", as_json=False)


def test_a_long_answer_of_several_is_told_by_its_size_and_stands_where_it_says(
    shell: Shell, turns: TurnsOnDisk
) -> None:
    long, short = turns.complete(LONG, name="long"), turns.complete(name="short")
    first, second = shell.call("wait", "long", "short").json_lines
    assert (first["answer_chars"], first["answer_path"]) == (len(LONG), str(long.answer))
    assert long.answer.read_text() == LONG
    assert second == {"turn_id": short.turn_id, "name": "short", "state": "complete", "answer": ANSWER}
    assert shell.call("wait", "long", "short", "--full").json_lines[0]["answer"] == LONG


def test_all_that_runs_is_cancelled_or_all_of_one_directory(shell: Shell) -> None:
    here, other = shell.start_silent(), shell.root / "other"
    other.mkdir()
    there = shell.run("new", "hi", cwd=other).json["turn_id"]
    run = shell.call("cancel", "--all", "--cwd", str(other))
    assert (run.code, run.json["turns"]) == (0, [{"turn_id": there, "state": "cancelled", "elapsed_s": ANY}])
    assert shell.call("status", here).json["state"] == "running"
    assert [turn["turn_id"] for turn in shell.call("cancel", "--all", "--full").json["turns"]] == [here]
    assert shell.call("status", here).json["state"] == "cancelled"


def test_nothing_to_cancel_is_no_failure(shell: Shell, turns: TurnsOnDisk) -> None:
    turns.complete()
    run = shell.call("cancel", "--all")
    assert (run.code, run.json) == (0, {"version": 2, "turns": []})
    assert_refused(shell.call("cancel"), 64, "TURN", as_json=True)
    assert_refused(shell.call("cancel", "--all", "last"), 64, "--all", as_json=True)
    assert_refused(shell.call("cancel", "--all", "--cwd", "/nowhere"), 65, "no directory /nowhere", as_json=True)


def test_turns_are_found_by_text_name_and_age(shell: Shell, turns: TurnsOnDisk) -> None:
    first = turns.complete(name="rev-a", prompt="Explain the Parser.")
    second = turns.complete(name="fix", prompt="Mend it.")

    def found(*options: str) -> list[str]:
        run = shell.call("list-turns", "--fields", "turn_id", *options)
        assert run.code == 0, run
        return [turn["turn_id"] for turn in json.loads(run.stdout)]

    assert found() == [second.turn_id, first.turn_id]
    assert found("--search", "PARSER") == [first.turn_id]
    assert found("--search", "fix") == [second.turn_id]
    assert found("--name", "rev-*") == [first.turn_id]
    assert found("--name", "rev") == []
    assert found("--name", "*", "--search", "mend", "--state", "complete") == [second.turn_id]
    assert found("--since", "3650d") == [second.turn_id, first.turn_id]
    assert found("--since", "1s") == []
    assert_refused(shell.call("list-turns", "--since", "7"), 64, "--since", as_json=False)


def test_fields_are_printed_as_asked_for_and_a_wrong_one_names_the_others(shell: Shell, turns: TurnsOnDisk) -> None:
    turn = turns.complete(name="a")
    run = shell.call("status", "a", "--fields", "state, turn_id,model")
    assert run.stdout == f'{{"state":"complete","turn_id":"{turn.turn_id}","model":null}}\n'
    assert shell.call("status", "a", "--fields", "next").json == {
        "next": {"answer": f"codex-server answer {turn.turn_id}"}  # as without it
    }
    assert json.loads(shell.call("list-turns", "--fields", "prompt,name").stdout) == [{"prompt": "hi", "name": "a"}]
    assert shell.call("status", "--fields", "state").json == {"version": 2, "turns": []}
    for verb in ("status", "list-turns", "list", "pending", "limits", "models"):
        run = shell.call(verb, "--fields", "state,nope" if verb != "list" else "nope")
        assert_refused(run, 64, "--fields: there is no ", as_json=verb == "status", case=verb)
        assert "nope" in run.stderr, verb
        assert "version" in run.told, verb
        assert_refused(shell.call(verb, "--fields", ","), 64, "--fields is empty", as_json=verb == "status", case=verb)
        both = shell.call(verb, "--fields", "version", "--full")
        assert_refused(both, 64, "--fields and --full exclude each other", as_json=verb == "status", case=verb)


def test_a_list_in_full_has_every_key(shell: Shell, turns: TurnsOnDisk) -> None:
    turns.complete(name="a")
    (lean,), (full,) = (json.loads(shell.call("list-turns", flag).stdout) for flag in ("--json", "--full"))
    assert lean.keys() == {"turn_id", "name", "state", "elapsed_s", "prompt"}
    assert {*lean, "version", "cwd", "error", "meta_path", "next"} <= full.keys()


def test_a_failure_is_told_though_another_turn_asks(shell: Shell, turns: TurnsOnDisk) -> None:
    failed, asks = turns.failed(ErrorKind.NETWORK), turns.running()
    write_json(asks.pending, {"version": 1, "turn_id": asks.turn_id, "pending": [REQUEST]})
    for printed in ("json", "answer", "none"):
        run = shell.call("wait", failed.turn_id, asks.turn_id, "--until", "attention", "--print", printed)
        assert run.code == 5, run
        assert f"turn {failed.turn_id} failed (network)" in run.stderr, printed
        assert f"Then: codex-server wait {failed.turn_id} {asks.turn_id} " in run.stderr, printed


def test_a_turn_that_vanishes_ends_no_wait_for_the_others(shell: Shell, turns: TurnsOnDisk) -> None:
    gone, fine = turns.running(), turns.complete("fine")

    def vanish() -> None:
        delete_tree(gone.path)
        turns.drop_lock(gone.turn_id)

    timer = Timer(0.2, vanish)
    timer.start()
    run = shell.call("wait", gone.turn_id, fine.turn_id, "--print", "out")
    timer.join()
    assert (run.code, f"==> {gone.turn_id} <==\n" in run.stdout) == (66, True), run
