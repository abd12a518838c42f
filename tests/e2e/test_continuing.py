"""`continue`: which thread it takes, what it keeps of it, and what it refuses."""

from __future__ import annotations

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import hold, reply, say
from codex_server_cli.demo.request import Request
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.kit.home import SECOND_HALF, Home, Turn
from tests.kit.support import delete_tree


def echo(request: Request) -> ReplyLike:
    """Answer every prompt with the prompt."""
    return reply(say(f"re: {request.prompt}"))


def prompts_and_answers(model: ScriptedModel) -> list[str]:
    """Our prompts and the answers to them in the model's last request, oldest first."""
    texts = [
        "".join(part.get("text", "") for part in item["content"])
        for item in model.model_requests[-1].body["input"]
        if item.get("type") == "message" and item["role"] in ("user", "assistant")
    ]
    return [text for text in texts if not text.startswith("<")]  # Codex's own text about the environment


def ended(home: Home, *args: str) -> Turn:
    """Run a starting command to its complete end."""
    run = home.run(*args, "--wait")
    assert (run.code, run.json.get("state")) == (0, "complete"), run
    return home.turn(run.json["turn_id"])


def test_the_next_turn_of_a_thread_remembers_the_earlier_ones(home: Home) -> None:
    model = home.model(echo)
    first = ended(home, "new", "one")
    second = ended(home, "continue", "--turn", first.id, "two")
    assert prompts_and_answers(model) == ["one", "re: one", "two"]
    third = ended(home, "continue", "three")
    assert prompts_and_answers(model)[-3:] == ["two", "re: two", "three"]
    ended(home, "continue", "--thread", first.meta["thread_id"], "four")
    assert prompts_and_answers(model)[-3:] == ["three", "re: three", "four"]
    threads = {turn.meta["thread_id"] for turn in (first, second, third)}
    assert len(threads) == 1
    assert second.meta["resumed_from"] == first.id
    assert home.run("continue", "--last", "five", "--wait").json["thread_id"] in threads


def test_continue_in_a_directory_without_a_thread_takes_no_other_projects(home: Home) -> None:
    model = home.model(echo)
    ended(home, "new", "one")
    other = home.root / "other"
    other.mkdir()
    for arguments in (["continue", "--last", "two"], ["continue", "two"]):
        run = home.call(*arguments, cwd=other)
        assert (run.code, run.error["kind"]) == (65, "thread_missing")
        assert "codex-server new" in run.told
    assert len(model.model_requests) == 1
    assert len(home.turn_ids) == 1


def test_continue_finds_the_thread_of_another_codex_client_in_this_directory(one_home: Home) -> None:
    model = one_home.model(echo)
    first = ended(one_home, "new", "one")
    delete_tree(first.path)  # no turn of ours is left: only Codex's own session
    ended(one_home, "continue", "two")
    assert prompts_and_answers(model) == ["one", "re: one", "two"]


def test_continue_through_a_link_to_the_directory_is_the_same_project(one_home: Home) -> None:
    model = one_home.model(echo)
    ended(one_home, "new", "one")
    link = one_home.root / "link"
    link.symlink_to(one_home.project)
    assert one_home.run("continue", "two", "--wait", cwd=link).code == 0
    assert prompts_and_answers(model) == ["one", "re: one", "two"]


def test_continue_keeps_the_threads_directory_and_model(home: Home) -> None:
    model = home.model(echo)
    other = home.root / "other"
    other.mkdir()
    first = ended(home, "new", "one", "--cwd", str(other), "--model", "another-model")
    second = ended(home, "continue", "--turn", first.id, "two")
    assert model.model_requests[-1].body["model"] == "another-model"
    assert (second.meta["cwd"], second.meta["model"]) == (str(other), "another-model")
    third = ended(home, "continue", "--turn", first.id, "three", "--model", "a-third-model")
    assert model.model_requests[-1].body["model"] == "a-third-model"
    assert third.meta["model"] == "a-third-model"


def test_a_fork_begins_after_its_turn_and_leaves_the_thread_alone(home: Home) -> None:
    model = home.model(echo)
    first = ended(home, "new", "one")
    ended(home, "continue", "--turn", first.id, "two")
    fork = ended(home, "continue", "--turn", first.id, "--fork", "three")
    assert prompts_and_answers(model) == ["one", "re: one", "three"]
    assert fork.meta["thread_id"] != first.meta["thread_id"]
    assert fork.meta["forked_from"] == first.meta["thread_id"]
    ended(home, "continue", "--thread", first.meta["thread_id"], "four")
    assert prompts_and_answers(model) == ["one", "re: one", "two", "re: two", "four"]


def test_a_busy_thread_is_refused_with_its_holder_or_forked_when_told_to(home: Home) -> None:
    gate = Gate()

    def script(request: Request) -> ReplyLike:
        return reply(hold(gate), say("two")) if request.prompt == "two" else echo(request)

    model = home.model(script)
    first = ended(home, "new", "one")
    holder = home.start("continue", "--turn", first.id, "two")
    gate.wait_until_reached()
    for arguments in (["--thread", first.meta["thread_id"]], ["--turn", first.id], ["--turn", holder.id], []):
        busy = home.call("continue", *arguments, "three")
        assert (busy.code, busy.error["kind"]) == (75, "thread_busy")
        assert holder.id in busy.error["message"]
        assert "--fork" in busy.error["hint"]
    assert home.run("continue", "three").code == 75
    assert len(home.turn_ids) == 2
    fork = ended(home, "continue", "--thread", first.meta["thread_id"], "--fork-if-busy", "three")
    assert prompts_and_answers(model)[:2] == ["one", "re: one"]
    assert prompts_and_answers(model)[-1] == "three"
    assert fork.meta["thread_id"] != first.meta["thread_id"]
    gate.open()
    assert holder.wait()["state"] == "complete"


def test_a_running_turn_itself_can_be_forked(home: Home) -> None:
    held, gate = home.start_held("new", "one")
    model = home.model(echo)
    fork = ended(home, "continue", "--turn", held.id, "--fork-if-busy", "two")
    assert prompts_and_answers(model)[0] == "one"
    assert prompts_and_answers(model)[-1] == "two"
    assert fork.meta["thread_id"] != held.meta["thread_id"]
    gate.open()
    assert held.wait()["answer"].endswith(SECOND_HALF)


def test_fork_if_busy_goes_on_with_a_free_thread(one_home: Home) -> None:
    one_home.model(echo)
    first = ended(one_home, "new", "one")
    second = ended(one_home, "continue", "--turn", first.id, "--fork-if-busy", "two")
    assert second.meta["thread_id"] == first.meta["thread_id"]
    assert second.meta["forked_from"] is None


def test_an_ephemeral_turn_leaves_no_session_and_cannot_be_continued(home: Home) -> None:
    home.model(echo)
    turn = ended(home, "new", "one", "--ephemeral")
    assert list((home.codex_home / "sessions").rglob("*.jsonl")) == []
    run = home.run("continue", "--turn", turn.id, "two")
    assert (run.code, run.error["kind"]) == (65, "thread_missing")
    assert home.call("continue", "two").code == 65
    assert "continue" not in home.call("status", turn.id).json["next"]


def test_what_cannot_be_meant_together_is_refused(one_home: Home) -> None:
    one_home.model(echo)
    turn = ended(one_home, "new", "one")
    for arguments in (
        ["--last", "--turn", turn.id, "two"],
        ["--thread", turn.meta["thread_id"], "--turn", turn.id, "two"],
        ["--turn", turn.id, "--ephemeral", "two"],
        ["--turn", turn.id, "--follow", "--wait", "two"],
        ["--turn", turn.id],
    ):
        assert one_home.call("continue", *arguments).error["exit_code"] == 64, arguments
    assert one_home.call("continue", "--thread", "00000000", "two").code == 66
    assert one_home.call("continue", "--turn", "nobody", "two").code == 66
    assert one_home.run("continue", "--turn", turn.id, "--ephemeral", "two").code == 64
    assert one_home.turn_ids == [turn.id]
