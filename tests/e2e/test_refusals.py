"""What Codex tried and was refused, as the real codex reports it: in `out.txt`, in `status` and in the result."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import apply_patch, call, hold, run_command, say, update_plan
from tests.kit.cases import in_full
from tests.kit.home import Home, Turn
from tests.kit.support import Json, wait_until

NEW_FILE = "*** Begin Patch\n*** Add File: new.txt\n+hello\n*** End Patch"
STALE = "*** Begin Patch\n*** Update File: f.txt\n@@\n-nothing like this\n+x\n*** End Patch"
WRITE = ("--write", "--skip-git-check")
AT_ONCE_AND_LATER = ("echo x > new.txt", "sleep 1; echo x > new.txt")
CODE_MODE = "const r = await tools.apply_patch(`{}`); text(r)".format


def run(home: Home, attempt: Any, *flags: str, verb: str = "new") -> Turn:
    """A turn in which Codex tries something, and then answers."""
    (home.project / "f.txt").write_text("one\ntwo\n")
    home.model([attempt, say("done")])
    turn = home.start(verb, *flags, "go")
    assert turn.wait()["state"] == "complete"
    return turn


def refused(turn: Turn) -> list[Json]:
    """The refusals of the turn's result; `status` has the same."""
    refused_item: list[Json] = turn.result["refused"]
    assert turn.status()["refused"] == refused_item
    return refused_item


def test_a_patch_that_does_not_fit_is_told(home: Home) -> None:
    turn = run(home, apply_patch(STALE), *WRITE)
    (refused_item,) = refused(turn)
    assert (refused_item["what"], refused_item["paths"]) == ("patch", ["f.txt"])
    assert refused_item["reason"].startswith("apply_patch verification failed: Failed to find expected lines in ")
    assert turn.out.endswith(f"✗ patch refused: f.txt: {refused_item['reason']}\n\ndone\n")


def test_a_patch_in_a_read_only_sandbox_is_told(home: Home) -> None:
    turn = run(home, apply_patch(NEW_FILE))
    (refused_item,) = refused(turn)
    assert (refused_item["what"], refused_item["paths"]) == ("patch", ["new.txt"])
    assert "read-only sandbox" in refused_item["reason"]
    assert turn.out.count("new.txt") == 1


@pytest.mark.full
def test_it_is_told_of_a_thread_that_goes_on(home: Home) -> None:
    run(home, apply_patch(STALE), *WRITE)
    for flags in ((), ("--fork",)):
        turn = run(home, apply_patch(NEW_FILE), "--last", *flags, verb="continue")
        (refused_item,) = refused(turn)
        assert (refused_item["what"], refused_item["paths"]) == ("patch", ["new.txt"])
        assert turn.out.count("✗ patch refused: new.txt: patch rejected") == 1
        assert [event["payload"]["type"] for event in turn.events if event["dir"] == "session"] == [
            "function_call",
            "function_call_output",
        ]


@pytest.mark.full
def test_it_is_told_of_an_ephemeral_thread(home: Home) -> None:
    (refused_item,) = refused(run(home, apply_patch(NEW_FILE), "--ephemeral"))
    assert refused_item["what"] == "patch"


@pytest.mark.parametrize("command", AT_ONCE_AND_LATER, ids=["at once", "later"])
def test_a_command_that_the_sandbox_denies_is_told_once(home: Home, command: str) -> None:
    """Codex sends no item for a command that is denied at once."""
    turn = run(home, run_command(command))
    (refused_item,) = refused(turn)
    assert (refused_item["what"], refused_item["command"]) == ("command", command)
    assert refused_item["reason"].endswith(": new.txt: Read-only file system")
    assert turn.out.count(command) == 1
    refusal = f"✗ command refused: {command}: {refused_item['reason']}\n"
    assert (refusal in turn.out) != ("s · denied by the sandbox\n" in turn.out)


@pytest.mark.full
def test_a_command_of_a_script_that_the_sandbox_denies_is_told_once(home: Home) -> None:
    for command in AT_ONCE_AND_LATER:
        script = f'const r = await tools.exec_command({{cmd: "{command}"}}); text(r.output)'
        (refused_item,) = refused(run(home, call("exec", script), "--model", "gpt-5.6-sol"))
        assert (refused_item["what"], refused_item["command"]) == ("command", command)
        assert refused_item["reason"].endswith(": new.txt: Read-only file system")


def test_a_command_that_no_user_may_allow_is_told(home: Home) -> None:
    turn = run(home, run_command("touch /new", escalated=True, justification="need it"))
    (refused_item,) = refused(turn)
    assert (refused_item["what"], refused_item["command"]) == ("command", "touch /new")
    assert refused_item["reason"].startswith("approval policy is Never")
    assert f"✗ command refused: touch /new: {refused_item['reason']}\n" in turn.out


def test_calls_that_no_tool_takes_are_told(home: Home) -> None:
    """One that no tool has, one with wrong arguments, one of a picture that is not there."""
    attempts = (
        call("frobnicate", {"a": 1}),
        call("update_plan", {"plan": 3}),
        call("view_image", {"path": "none.png"}),
    )
    home.model([*attempts, say("done")])
    turn = home.start("new", "go")
    assert turn.wait()["state"] == "complete"
    told = refused(turn)
    assert [(item["what"], item["tool"]) for item in told] == [
        ("tool", "frobnicate"),
        ("tool", "update_plan"),
        ("tool", "view_image"),
    ]
    reasons = ("unsupported call", "failed to parse function arguments", "unable to locate image")
    assert all(reason in item["reason"] for item, reason in zip(told, reasons, strict=True)), told


@pytest.mark.full
def test_a_patch_that_a_script_of_the_model_tries_is_told(home: Home) -> None:
    """In code mode, which the catalogue has for most models, tools are called from JavaScript."""
    turn = run(home, call("exec", CODE_MODE(STALE)), "--model", "gpt-5.6-sol", *WRITE)
    (refused_item,) = refused(turn)
    assert (refused_item["what"], refused_item["paths"]) == ("patch", ["f.txt"])
    assert turn.out.count("✗ patch refused: ") == 1


@pytest.mark.parametrize(
    ("attempts", "options"),
    [
        ([apply_patch(NEW_FILE), run_command("exit 3"), update_plan(("look", "pending"))], ()),
        in_full([call("exec", CODE_MODE(NEW_FILE))], ("--model", "gpt-5.6-sol")),
    ],
    ids=["patch, failing command, plan", "script"],
)
def test_what_is_done_is_not_told_as_refused(home: Home, attempts: list[ReplyLike], options: tuple[str, ...]) -> None:
    home.model([*attempts, say("done")])
    turn = home.start("new", *options, *WRITE, "go")
    assert turn.wait()["state"] == "complete"
    assert (home.project / "new.txt").read_text() == "hello\n"
    assert refused(turn) == []
    assert "refused" not in turn.out
    assert "rawResponse" not in (turn.path / "events.jsonl").read_text()


@pytest.mark.full
def test_it_is_told_while_the_turn_runs_and_after_its_worker_has_died(one_home: Home) -> None:
    gate = Gate()
    one_home.model([apply_patch(NEW_FILE), say("so ", hold(gate), "far")])
    turn = one_home.start("new", "go")
    wait_until(lambda: turn.out.endswith("so "), what="the first words")
    (refused_item,) = wait_until(lambda: turn.status()["refused"], what="the refusal")
    assert turn.status()["state"] == "running"
    worker = turn.worker()
    worker.kill()
    wait_until(lambda: turn.status()["state"] == "abandoned", what="the repair")
    gate.open()
    assert refused(turn) == [refused_item]
    assert turn.out.count("✗ patch refused: ") == 1
    assert turn.out.endswith("so \n")
