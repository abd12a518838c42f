"""Reading a turn from other shells while it runs and after: `tail`, `wait`, `answer`, `status`, `list-turns`."""

from __future__ import annotations

import json
import os
import signal

from codex_server_cli.demo.replies import say
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home
from tests.kit.played_turn import PlayedTurn, finish, hold
from tests.kit.support import DEADLINE_S, wait_until

WHOLE = f"{FIRST_HALF}{SECOND_HALF}"


def test_a_running_turn_is_told_by_status_and_its_text_by_tail_as_it_comes(home: Home) -> None:
    turn, gate = home.start_held()
    assert SECOND_HALF not in turn.out
    tail = home.spawn("tail", turn.id, "--follow")
    assert tail.stdout is not None
    shown = os.read(tail.stdout.fileno(), 1 << 16)
    while not shown.endswith(FIRST_HALF.encode()):
        shown += os.read(tail.stdout.fileno(), 1 << 16)
    assert tail.poll() is None
    # `live.json` is rewritten at most four times a second.
    status = wait_until(lambda: (now := turn.status())["phase"] == "answering" and now, what="phase answering")
    assert (status["version"], status["turn_id"], status["state"]) == (2, turn.id, "running")
    assert status["thread_id"] == turn.meta["thread_id"]
    assert (status["model"], status["sandbox"], status["approval"]) == ("scripted", "read-only", "never")
    assert (status["error"], status["pending"], status["finished_at"]) == (None, [], None)
    assert status["elapsed_s"] > 0
    gate.open()
    rest, errors = tail.communicate(timeout=DEADLINE_S)
    assert (tail.returncode, errors) == (0, "")
    assert shown.decode() + rest == turn.out
    assert turn.out.endswith(f"{WHOLE}\n")
    ended = turn.wait()
    assert ended["phase"] is None
    assert ended["started_at"] < ended["finished_at"]
    assert ended["usage"] == turn.result["usage"]


def test_tail_follow_ends_with_the_code_of_a_failed_turn(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    turn.fail()
    assert one_home.run("tail", turn.id, "--follow").code == 1


def test_tail_events_resumes_after_a_cursor_and_can_leave_deltas_out(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    turn.end("a", "b", "c")
    events = [json.loads(line) for line in one_home.run("tail", turn.id, "--events").stdout.splitlines()]
    assert events == turn.events
    assert [event["seq"] for event in events] == list(range(events[0]["seq"], events[0]["seq"] + len(events)))
    middle = events[len(events) // 2]["seq"]
    rest = one_home.run("tail", turn.id, "--events", "--after", str(middle), "--no-deltas").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in rest] == [
        event["seq"] for event in events if event["seq"] > middle and not str(event.get("method")).endswith("/delta")
    ]


def test_ctrl_c_on_a_follower_leaves_the_turn_running(one_home: Home) -> None:
    turn = hold(one_home)
    tail = one_home.spawn("tail", turn.id, "--follow")
    assert tail.stdout is not None
    os.read(tail.stdout.fileno(), 1 << 16)
    tail.send_signal(signal.SIGINT)
    _, errors = tail.communicate(timeout=DEADLINE_S)
    assert tail.returncode == 130
    assert f"codex-server tail {turn.id} --follow" in errors
    assert turn.status()["state"] == "running"
    finish(turn)
    assert turn.wait()["answer"] == WHOLE


def test_a_wait_that_runs_out_of_time_says_so_and_leaves_the_turn_alone(one_home: Home) -> None:
    turn = hold(one_home)
    run = one_home.run("wait", turn.id, "--timeout", "1")
    assert run.code == 124
    assert 1 <= run.duration_s < DEADLINE_S
    assert (run.json["state"], run.json["phase"]) == ("running", "answering")
    assert run.stderr.splitlines()[-1].startswith(f"codex-server wait {turn.id}")
    finish(turn)
    run = one_home.run("wait", turn.id, "--timeout", "100", "--print", "answer")
    assert (run.code, run.stdout, run.stderr) == (0, f"{WHOLE}\n", "")


def test_wait_prints_what_it_is_told_to(one_home: Home) -> None:
    turn = PlayedTurn(one_home)
    turn.say_aside("Let me see.")
    turn.end(WHOLE)
    for printed, expected in (("answer", f"{WHOLE}\n"), ("none", ""), ("out", turn.out)):
        run = one_home.run("wait", turn.id, "--print", printed)
        assert (run.code, run.stdout) == (0, expected)
    run = one_home.run("wait", turn.id, "--print", "json")
    assert (run.code, run.json["answer"]) == (0, WHOLE)


def test_answer_prints_the_answer_alone_and_nothing_while_the_turn_runs(one_home: Home) -> None:
    turn = hold(one_home)
    early = one_home.run("answer", turn.id)
    assert (early.code, early.stdout) == (75, "")
    assert "still running" in early.stderr
    finish(turn)
    late = one_home.run("answer", turn.id)
    assert (late.code, late.stdout, late.stderr) == (0, f"{WHOLE}\n", "")


def test_status_without_ids_lists_those_that_run_and_with_several_those_named(one_home: Home) -> None:
    first, second = PlayedTurn(one_home), hold(one_home)
    first.end()
    running = one_home.run("status").json
    assert (running["version"], [turn["turn_id"] for turn in running["turns"]]) == (2, [second.id])
    both = one_home.run("status", first.id, second.id).json
    assert [turn["state"] for turn in both["turns"]] == ["complete", "running"]
    finish(second)
    assert one_home.run("status").json["turns"] == []


def test_a_turn_that_is_not_there_is_missing_for_status_and_an_error_for_the_others(one_home: Home) -> None:
    unknown = "20261120-165501-482-7f3a"
    run = one_home.run("status", unknown)
    assert (run.code, run.json) == (66, {"version": 2, "turn_id": unknown, "state": "missing"})
    for verb in ("tail", "wait", "answer"):
        missing = one_home.run(verb, unknown)
        assert (missing.code, missing.stdout) == (66, "")
        assert unknown in missing.stderr
    assert one_home.run("cancel", unknown).error["kind"] == "bad_input"
    assert one_home.run("status", "../../etc").code == 66


def test_a_turn_answers_to_its_id_a_prefix_its_name_and_last(one_home: Home) -> None:
    turn = PlayedTurn(one_home, name="greeting")
    turn.end()
    for selector in (turn.id, turn.id[:20], "greeting", "last"):
        assert one_home.run("status", selector).json["turn_id"] == turn.id
    other = one_home.root / "other"
    other.mkdir()
    assert one_home.run("status", "last", cwd=other).code == 66
    assert one_home.run("status", "last", "--cwd", str(one_home.project), cwd=other).json["turn_id"] == turn.id
    assert turn.status()["name"] == "greeting"


def test_list_turns_filters_by_state_directory_and_thread(one_home: Home) -> None:
    other = one_home.root / "other"
    other.mkdir()
    done = PlayedTurn(one_home, "first prompt")
    done.end()
    failed = PlayedTurn(one_home, "second prompt", cwd=str(other))
    failed.fail()

    def listed(*options: str) -> list[str]:
        run = one_home.run("list-turns", "--json", *options)
        assert run.code == 0
        return [turn["turn_id"] for turn in json.loads(run.stdout)]

    assert listed() == [failed.id, done.id]
    assert listed("--limit", "1") == [failed.id]
    assert listed("--state", "complete") == [done.id]
    assert listed("--state", "running") == []
    assert listed("--cwd", str(other)) == [failed.id]
    assert listed("--thread", str(done.meta["thread_id"])) == [done.id]
    table = one_home.run("list-turns").stdout.splitlines()
    assert table[0].split() == ["TURN", "STATE", "TIME", "TOKENS", "PROMPT"]
    assert [row.split()[:2] for row in table[1:]] == [[failed.id, "failed"], [done.id, "complete"]]
    assert table[1].endswith("second prompt")


def test_codexs_own_threads_are_listed_and_shown_and_reading_needs_neither_a_login_nor_codex(home: Home) -> None:
    home.model([say("the answer")])
    turn = home.start("new", "the question", "--name", "kept")
    turn.wait()
    (thread,) = json.loads(home.run("list", "--json").stdout)
    assert (thread["thread_id"], thread["cwd"]) == (turn.meta["thread_id"], str(home.project))
    assert thread["first_prompt"] == "the question"
    shown = home.run("show", thread["thread_id"][:13])
    assert shown.code == 0
    assert "the question" in shown.stdout
    assert "the answer" in shown.stdout
    # Reading needs neither a login nor Codex.
    home.configure(codex=str(home.root / "gone"))
    (home.codex_home / "config.toml").unlink()
    home.env["PATH"] = str(home.root)
    for verb in ("status", "answer", "tail", "wait", "cancel"):
        run = home.run(verb, turn.id)
        assert run.code == 0, run
    for command in (["list-turns"], ["list"], ["show", turn.meta["thread_id"]], ["status"], ["gc", "--dry-run"]):
        assert home.run(*command).code == 0


def test_several_turns_are_shown_one_after_the_other_each_under_its_id(one_home: Home) -> None:
    turns = [PlayedTurn(one_home), PlayedTurn(one_home)]
    for turn in turns:
        turn.end()
    shown = one_home.run("tail", *(turn.id for turn in turns))
    assert shown.code == 0
    assert [line for line in shown.stdout.splitlines() if line.startswith("==>")] == [f"==> {t.id} <==" for t in turns]
    refused = one_home.run("tail", "--follow", *(turn.id for turn in turns))
    assert (refused.code, refused.stdout) == (64, "")
