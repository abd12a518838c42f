"""What was tried and not done: found from the call and its output, once, in one line."""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.core.protocol.rpc import encode
from codex_server_cli.core.record.raw_items import RawItems
from codex_server_cli.core.record.refusals import MAX_REFUSALS, MAX_TEXT_CHARS, Refusals, denial_of, refusal_of
from codex_server_cli.core.record.replay import replay
from tests.kit.cases import for_each
from tests.kit.dialogue import COMPLETED, TURN, Dialogue, Json, item_notification, notification, said

STALE = "*** Begin Patch\n*** Update File: a b.py\n@@\n-x\n+y\n*** Add File: c.py\n+z\n*** End Patch"
NO_FIT = "apply_patch verification failed: Failed to find expected lines in /p/a b.py:\nx"
NEVER = "approval policy is Never; reject command — you cannot ask"
READ_ONLY = "bash: line 1: f: Read-only file system"


def called(name: str, arguments: Any, id_: str = "c1") -> Json:
    return {"type": "function_call", "name": name, "arguments": json.dumps(arguments), "call_id": id_}


def typed(name: str, text: str, id_: str = "c1") -> Json:
    return {"type": "custom_tool_call", "name": name, "input": text, "call_id": id_}


def call_output(output: Any, id_: str = "c1", type_: str = "function_call_output") -> Json:
    return {"type": type_, "call_id": id_, "output": output}


def refusal_json(call: Json, output: Any) -> Json | None:
    refusal = refusal_of(call, call_output(output))
    return refusal.to_json() if refusal is not None else None


# --- the result of a call and its output


@for_each(
    "call",
    [
        typed("apply_patch", STALE),
        called("apply_patch", {"input": STALE}),
        called("exec_command", {"cmd": f"apply_patch <<'EOF'\n{STALE}\nEOF\n"}),
        called("shell", {"command": ["apply_patch", STALE]}),
        typed("exec", f"await tools.apply_patch(`{STALE}`)"),
        typed("exec", f"await tools.apply_patch({json.dumps(STALE)})"),
    ],
    ids=["tool", "function", "shell line", "argument list", "script", "script with a quoted patch"],
)
def test_a_patch_is_told_with_its_paths(call: Json) -> None:
    reason = "apply_patch verification failed: Failed to find expected lines in /p/a b.py: x"
    assert refusal_json(call, NO_FIT) == {"what": "patch", "paths": ["a b.py", "c.py"], "reason": reason}


def test_a_patch_without_a_beginning_has_no_paths() -> None:
    call = typed("apply_patch", "huh")
    assert refusal_json(call, "patch rejected: x") == {"what": "patch", "paths": [], "reason": "patch rejected: x"}


@for_each(
    ("call", "command"),
    [
        (called("exec_command", {"cmd": "touch f"}), "touch f"),
        (called("shell", {"command": ["bash", "-lc", "touch f"]}), "touch f"),
        (called("shell_command", {"command": "touch f"}), "touch f"),
        ({"type": "local_shell_call", "call_id": "c1", "action": {"command": ["touch", "f"]}}, "touch f"),
        (typed("exec", "await tools.exec_command({cmd: 'touch f', x: 1})"), "touch f"),
        (called("exec_command", {"nope": 1}), None),
        (called("exec_command", [1]), None),
    ],
)
def test_a_command_is_told_with_its_line(call: Json, command: str | None) -> None:
    assert refusal_json(call, NEVER) == {"what": "command", "command": command, "reason": NEVER}


def test_arguments_that_are_no_json_are_told_as_they_stand() -> None:
    call = {"type": "function_call", "name": "exec_command", "arguments": "{torn", "call_id": "c1"}
    assert refusal_json(call, "failed to parse function arguments: x") == {
        "what": "command",
        "command": "{torn",
        "reason": "failed to parse function arguments: x",
    }


def test_of_a_command_that_the_sandbox_denies_the_line_that_says_so_is_told() -> None:
    output = f"Chunk ID: 1\nWall time: 0.1\nProcess exited with code 1\nOutput:\nfirst\n{READ_ONLY}\nlast\n"
    assert refusal_json(called("exec_command", {"cmd": "x"}), output) == {
        "what": "command",
        "command": "x",
        "reason": READ_ONLY,
    }
    other = output.replace(READ_ONLY, "permission denied")
    assert (refusal_json(called("exec_command", {"cmd": "x"}), other) or {})["reason"] == "first permission denied last"
    script = typed("exec", 'text((await tools.exec_command({cmd:"touch f"})).output)')
    parts = [{"type": "input_text", "text": "Script completed\n"}, {"type": "input_text", "text": f"{READ_ONLY}\n"}]
    assert refusal_json(script, parts) == {"what": "command", "command": "touch f", "reason": READ_ONLY}


@for_each(
    ("name", "output"),
    [
        ("frobnicate", "unsupported call: frobnicate"),
        ("update_plan", "failed to parse function arguments: x"),
        ("view_image", "unable to locate image at `x`"),
        ("write_stdin", "write_stdin failed: Unknown process id 9"),
    ],
)
def test_a_call_that_no_tool_takes_is_told_with_its_name(name: str, output: str) -> None:
    assert refusal_json(called(name, {}), output) == {"what": "tool", "tool": name, "reason": output}


def test_a_script_that_fails_in_a_tool_without_a_command_is_told_by_its_own_name() -> None:
    call = typed("exec", "await tools.apply_patch(text_of_it)")
    assert refusal_json(call, f"Script failed\nScript error:\n{NO_FIT}") == {
        "what": "tool",
        "tool": "exec",
        "reason": "apply_patch verification failed: Failed to find expected lines in /p/a b.py: x",
    }


@for_each(
    ("call", "output"),
    [
        (called("update_plan", {}), "Plan updated"),
        (called("list_things", {}), '["unsupported call: x"]'),
        (called("exec_command", {"cmd": "x"}), "aborted by user after 1.2s"),
        (called("exec_command", {"cmd": "x"}), 'exec_command failed: CreateProcess { message: "rejected by user" }'),
        (typed("apply_patch", STALE), "patch rejected by user"),
        (typed("exec", "1"), "Script completed\nOutput:\n2"),
        (typed("exec", "x"), "Script failed\nScript error:\nReferenceError: x is not defined"),
        (called("exec_command", {"cmd": "x"}), ""),
    ],
)
def test_what_is_done_or_declined_by_a_person_is_no_refusal(call: Json, output: str) -> None:
    assert refusal_json(call, output) is None


def test_a_line_is_bounded_and_stays_one_line() -> None:
    refusal = refusal_of(
        called("exec_command", {"cmd": "x\ny" * 500}), call_output("approval policy is " + "a\nb" * 500)
    )
    assert refusal is not None
    assert "\n" not in refusal.line
    assert len(refusal.line) < 2 * MAX_TEXT_CHARS + 40
    assert refusal.line.startswith("✗ command refused: x yx")


# --- items


def test_an_item_that_was_not_done_counts_as_well() -> None:
    refusals = Refusals()
    change = {"path": "/p/a", "kind": {"type": "add"}, "diff": ""}
    for status in ("declined", "failed", "completed"):
        refusals.add_item({"type": "fileChange", "status": status, "changes": [change]}, {})
    refusals.add_item({"type": "commandExecution", "status": "declined", "command": "bash -lc 'touch f'"}, {})
    refusals.add_item({"type": "commandExecution", "status": "completed", "command": "ls"}, {})
    assert refusals.to_json() == [
        {"what": "patch", "paths": ["/p/a"], "reason": "declined"},
        {"what": "patch", "paths": ["/p/a"], "reason": "failed"},
        {"what": "command", "command": "touch f", "reason": "declined"},
    ]


@for_each(
    ("settings", "output", "reason"),
    [
        ({}, f"a\n{READ_ONLY}\nb", READ_ONLY),
        (
            {"sandbox": {"type": "readOnly", "networkAccess": False}},
            "chown: Operation not permitted",
            "chown: Operation",
        ),
        ({"sandboxPolicy": {"type": "dangerFullAccess"}}, READ_ONLY, None),
        ({"sandbox": {"type": "readOnly", "networkAccess": False}}, "curl: (6) Could not resolve host: x", "curl: (6)"),
        ({"sandbox": {"type": "readOnly", "networkAccess": True}}, "curl: (6) Could not resolve host: x", None),
        ({}, "no such file", None),
        ({"sandbox": "odd"}, "", None),
    ],
)
def test_a_command_says_itself_that_its_sandbox_was_in_the_way(settings: Json, output: str, reason: str | None) -> None:
    found = denial_of({"status": "failed", "aggregatedOutput": output}, settings)
    assert found is None if reason is None else str(found).startswith(reason)
    assert denial_of({"status": "completed", "aggregatedOutput": output}, settings) is None


def test_what_a_script_prints_of_a_command_that_has_an_item_is_not_told_twice() -> None:
    refusals = Refusals()
    item = {"type": "commandExecution", "status": "failed", "command": "touch f", "aggregatedOutput": READ_ONLY}
    refusals.add_item(item, {})
    refusals.add_raw(typed("exec", "x"))
    assert refusals.add_raw(call_output(READ_ONLY, type_="custom_tool_call_output")) is None
    assert len(refusals.found) == 1


def test_only_the_first_are_kept_and_each_is_shown() -> None:
    refusals = Refusals()
    for _ in range(MAX_REFUSALS + 1):
        refusals.add_raw(called("exec_command", {"cmd": "x"}))
        assert refusals.add_raw(call_output(NEVER)) is not None
    assert len(refusals.found) == MAX_REFUSALS


@for_each("raw", [None, "odd", {}, {"type": 5}, {"type": "message"}, call_output("x", "unheard of")])
def test_what_is_no_call_and_no_output_of_one_is_no_refusal(raw: Any) -> None:
    assert Refusals().add_raw(raw) is None
    assert RawItems().choose((b"", {}), raw) == []


# --- which raw items are recorded


def raw_notification(item: Any, turn: str = TURN) -> Json:
    return notification("rawResponseItem/completed", turnId=turn, item=item)


def test_of_raw_items_only_a_refused_call_and_its_output_are_recorded() -> None:
    talk = Dialogue().started()
    before = len(talk.events)
    talk.receive(
        raw_notification({"type": "message", "role": "user"}), raw_notification(called("exec_command", {"cmd": "ls"}))
    )
    talk.receive(notification("rawResponse/completed", responseId="r"))
    assert len(talk.events) == before
    talk.receive(raw_notification(call_output(NEVER)))
    assert talk.events[before:].count(b'"dir":"in","method":"rawResponseItem/completed"') == 2
    assert talk.text == f"✗ command refused: ls: {NEVER}\n"
    talk.receive(*said("Done."), COMPLETED)
    assert talk.outcome.refused == [{"what": "command", "command": "ls", "reason": NEVER}]
    record, text = replay(talk.events)
    assert (record.refusals.to_json(), text) == (talk.outcome.refused, talk.text)


def test_a_call_that_has_an_item_is_told_by_that() -> None:
    talk = Dialogue().started().receive(raw_notification(called("exec_command", {"cmd": "ls"})))
    talk.receive(item_notification("item/started", "commandExecution", "c1", command="ls"))
    talk.receive(
        item_notification("item/completed", "commandExecution", "c1", command="ls", status="completed", exitCode=0)
    )
    talk.receive(raw_notification(call_output("Output:\nunsupported call")))
    assert b"rawResponse" not in talk.events
    assert talk.text == "$ ls\n→ exit 0\n"


def test_raw_items_of_another_turn_count_for_nothing() -> None:
    talk = Dialogue().started()
    talk.receive(
        raw_notification(called("exec_command", {"cmd": "ls"}), "t2"), raw_notification(call_output(NEVER), "t2")
    )
    assert (talk.text, b"rawResponse" in talk.events) == ("", False)


def test_the_session_file_tells_of_a_thread_that_goes_on() -> None:
    talk = Dialogue(thread_id="t")
    talk.started(method="thread/resume")
    item = item_notification("item/completed", "commandExecution", "c2", command="ls", status="completed", exitCode=0)
    talk.receive(item, COMPLETED)
    before = len(talk.events)
    entries = [
        called("exec_command", {"cmd": "x"}),
        call_output(NEVER),
        called("exec_command", {}, "c2"),
        call_output("", "c2"),
    ]
    lines = [encode({"timestamp": "t", "type": "response_item", "payload": entry}) for entry in entries]
    step = talk.session.hear_session([b"torn", encode({"type": "event_msg"}), *lines], talk.now_ms)
    assert step.text == f"\n✗ command refused: x: {NEVER}\n"
    assert step.events.count(b'"dir":"session","timestamp":"t","type":"response_item"') == 2
    record, text = replay(talk.events[:before] + step.events)
    assert [refusal.to_json() for refusal in record.refusals.found] == talk.session.record.refusals.to_json()
    assert text == talk.text + step.text


def test_a_command_that_its_sandbox_denied_says_so_where_it_ends() -> None:
    talk = (
        Dialogue()
        .started()
        .receive(
            item_notification(
                "item/completed",
                "commandExecution",
                command="x",
                status="failed",
                exitCode=1,
                aggregatedOutput=READ_ONLY,
            )
        )
    )
    assert talk.text == f"$ x\n{READ_ONLY}\n→ exit 1 · denied by the sandbox\n"
