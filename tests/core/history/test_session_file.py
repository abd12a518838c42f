"""The format of Codex's session files, against trimmed files that the real binaries wrote."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from codex_server_cli.core.history.entries import ThreadEntry, parse_entries, parse_entry
from codex_server_cli.core.history.session_file import (
    guess_prompt,
    parse_meta,
    parse_names,
    parse_session_head,
    thread_id_of,
)
from tests.kit.cases import for_each

FIXTURES = Path(__file__).parents[2] / "fixtures" / "rollouts"
VERSIONS = ("0.163.0", "0.169.0")
UUID = "01a1fa3f-867f-7cb0-b5df-477e95ac7f8c"


def read(name: str) -> bytes:
    return (FIXTURES / f"{name}.jsonl").read_bytes()


def line(line_type: str, payload: object, **envelope: object) -> bytes:
    record = {"timestamp": "2025-09-01T08:00:00.000Z", **envelope, "type": line_type, "payload": payload}
    return json.dumps(record, separators=(",", ":")).encode()


def user_item(*texts: str) -> dict[str, object]:
    content = [{"type": "input_text", "text": text} for text in texts]
    return {"type": "message", "role": "user", "content": content}


def test_a_thread_id_is_read_from_a_file_name_alone() -> None:
    assert thread_id_of(f"rollout-2026-11-20T18-37-09-{UUID}.jsonl") == UUID


@for_each(
    "name",
    [
        f"rollout-2026-11-20T18-37-09-{UUID}.jsonl.zst",
        f"rollout-2026-11-20T18-37-09-{UUID}.json",
        "rollout-2026-11-20T18-37-09-short.jsonl",
        f"copy of rollout-2026-11-20T18-37-09-{UUID}.jsonl",
        "notes.txt",
    ],
)
def test_any_other_file_name_has_no_thread_id(name: str) -> None:
    assert thread_id_of(name) is None


@for_each("version", VERSIONS)
@for_each("layout", ["paginated", "legacy", "changes"])
def test_the_first_line_names_cwd_source_and_version(layout: str, version: str) -> None:
    meta = parse_meta(read(f"{layout}-{version}"))

    assert meta is not None
    assert meta.cwd == "/home/dev/project"
    assert (meta.source, meta.originator, meta.cli_version) == ("vscode", "codex_server", version)
    assert meta.started_at is not None
    assert meta.started_at.startswith("2026-11-20T18:")
    assert not meta.is_subagent


@for_each("version", VERSIONS)
def test_a_reviewer_is_a_subagent(version: str) -> None:
    meta = parse_meta(read(f"subagent-{version}"))

    assert meta is not None
    assert meta.is_subagent
    assert meta.source == "subagent"


@for_each("version", VERSIONS)
def test_a_head_cut_anywhere_never_tells_anything_wrong(version: str) -> None:
    first_line = read(f"paginated-{version}").partition(b"\n")[0]
    whole = parse_meta(first_line + b"\n")
    assert whole is not None

    for length in range(len(first_line)):
        meta = parse_meta(first_line[:length])
        if meta is not None:
            assert meta.cwd == whole.cwd
            assert meta.source in (None, whole.source)


def test_a_first_line_with_its_keys_in_another_order_is_read_once_it_is_whole() -> None:
    record = {"payload": {"source": "cli", "id": UUID, "cwd": "/home/dev"}, "type": "session_meta"}
    meta = parse_meta(json.dumps(record, indent=None).encode() + b"\n")

    assert meta is not None
    assert (meta.cwd, meta.source) == ("/home/dev", "cli")


@for_each("head", [b"", b"\n", b"{", b"[]\n", b'{"type":"session_meta","payload":7}\n', b"\xff\x00"])
def test_what_is_no_session_has_no_meta(head: bytes) -> None:
    assert parse_meta(head) is None


@for_each("version", VERSIONS)
def test_injected_context_is_not_the_first_prompt(version: str) -> None:
    session_head = parse_session_head(read(f"paginated-{version}"))

    assert session_head.first_prompt == "First prompt: héllo\nsecond line"
    assert session_head.model == "scripted"


@for_each("version", VERSIONS)
def test_the_legacy_layout_has_the_same_session_head(version: str) -> None:
    session_head = parse_session_head(read(f"legacy-{version}"))

    assert (session_head.first_prompt, session_head.model) == ("PATCH it", "scripted")


def test_a_user_event_marked_as_injected_is_not_the_users() -> None:
    events = [
        {"type": "user_message", "message": "<environment_context>…", "kind": "environment_context"},
        {"type": "user_message", "message": "hello", "kind": "plain"},
    ]
    head = b"\n".join([b"{}", *(line("event_msg", event) for event in events), b""])

    assert parse_session_head(head).first_prompt == "hello"


def test_a_prompt_that_looks_injected_is_kept_when_an_event_says_it_is_the_users() -> None:
    event = {"type": "user_message", "message": "<environment_context> what is this?"}

    assert parse_session_head(b"{}\n" + line("event_msg", event)).first_prompt == event["message"]


def test_a_file_without_events_gets_its_first_prompt_from_the_messages() -> None:
    items = [
        user_item("# AGENTS.md instructions for /home/dev", "<environment_context>\n</environment_context>"),
        user_item("\n<user_instructions>be brief</user_instructions>"),
        user_item("<image name=[Image #1]>", "fix the bug"),
        user_item("and the next one"),
    ]
    head = b"\n".join([b"{}", *(line("response_item", item) for item in items)])

    assert parse_session_head(head).first_prompt is None
    assert guess_prompt(head) == "fix the bug"


@for_each("version", VERSIONS)
def test_a_paginated_thread_reads_as_its_messages_and_commands(version: str) -> None:
    entries = parse_entries(read(f"paginated-{version}").split(b"\n"))

    assert [(entry.type, entry.text) for entry in entries] == [
        ("userMessage", "First prompt: héllo\nsecond line"),
        ("agentMessage", "Answer to: the prompt"),
        ("userMessage", "RUN a command"),
        ("commandExecution", "echo hello; exit 3"),
        ("agentMessage", "Answer to: the prompt"),
    ]
    assert all(entry.at.startswith("2026-11-20T18:37:0") and entry.at.endswith("Z") for entry in entries)


@for_each("version", VERSIONS)
def test_a_changing_and_failing_thread_reads_as_what_people_saw(version: str) -> None:
    entries = parse_entries(read(f"changes-{version}").split(b"\n"))

    assert [entry.type for entry in entries] == [
        *("userMessage", "agentMessage", "webSearch", "fileChange", "agentMessage"),
        *("userMessage", "error"),
        "agentMessage",  # the third message is a picture without text
    ]
    assert entries[2].text == "foo bar"
    assert entries[3].text == "/home/dev/project/new.txt"
    assert "nope" in entries[6].text


@for_each("version", VERSIONS)
def test_a_legacy_thread_tells_a_command_by_its_call(version: str) -> None:
    entries = parse_entries(read(f"legacy-{version}").split(b"\n"))

    assert [entry.type for entry in entries] == [
        *("userMessage", "agentMessage", "commandExecution", "webSearch", "fileChange", "agentMessage"),
        *("userMessage", "error"),
        "agentMessage",
    ]
    assert entries[2].text.startswith("apply_patch <<'EOF'")


@for_each(
    ("payload", "text"),
    [
        ({"type": "function_call", "name": "shell", "arguments": '{"command":["bash","-lc","ls -l"]}'}, "ls -l"),
        ({"type": "function_call", "name": "shell", "arguments": '{"command":["cat","a b"]}'}, "cat 'a b'"),
        ({"type": "function_call", "name": "shell_command", "arguments": '{"command":"make"}'}, "make"),
        ({"type": "local_shell_call", "action": {"type": "exec", "command": ["pwd"]}}, "pwd"),
    ],
)
def test_the_commands_of_older_versions_are_understood(payload: dict[str, object], text: str) -> None:
    assert parse_entry(line("response_item", payload)) == ThreadEntry(
        "commandExecution", text, "2025-09-01T08:00:00.000Z"
    )


@for_each(
    ("item", "entry_type", "text"),
    [
        ({"type": "McpToolCall", "server": "docs", "tool": "search"}, "mcpToolCall", "docs.search"),
        ({"type": "Plan", "text": "1. do it"}, "plan", "1. do it"),
    ],
)
def test_other_items_keep_their_wire_names(item: dict[str, str], entry_type: str, text: str) -> None:
    entry = parse_entry(line("event_msg", {"type": "item_completed", "item": item}, ordinal=3))

    assert entry is not None
    assert (entry.type, entry.text) == (entry_type, text)


def test_the_call_of_a_paginated_command_is_not_told_twice() -> None:
    call = {"type": "function_call", "name": "exec_command", "arguments": '{"cmd":"ls"}'}

    assert parse_entry(line("response_item", call, ordinal=4)) is None


def test_an_unknown_item_adds_nothing() -> None:
    assert parse_entry(line("event_msg", {"type": "item_completed", "item": {"type": "Dream", "text": "x"}})) is None


WORDS = st.sampled_from(
    ["type", "payload", "item", "content", "text", "role", "message", "changes", "command", "error", "name", "cwd"]
)
JSON = st.recursive(
    st.sampled_from([None, True, 7, "", "text", "bash", "-lc"]),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(WORDS, children, max_size=4),
    max_leaves=12,
)
TYPES = st.sampled_from(["event_msg", "response_item", "session_meta", "turn_context"])
KINDS = st.sampled_from(
    ["item_completed", "user_message", "task_complete", "patch_apply_end", "mcp_tool_call_end", "function_call"]
)


def test_a_call_of_an_mcp_tool_is_told_by_its_server_and_tool_as_far_as_they_are_known() -> None:
    for call, expected in (
        ({"server": "docs", "tool": "find"}, "docs.find"),
        ({"server": "docs", "tool": None}, "docs"),
        ("docs", None),
    ):
        entry = parse_entry(line("event_msg", {"type": "mcp_tool_call_end", "invocation": call}))
        assert (entry and (entry.type, entry.text)) == (expected and ("mcpToolCall", expected))


@settings(deadline=None)
@given(line_type=TYPES, kind=KINDS, payload=st.dictionaries(WORDS, JSON, max_size=5))
def test_no_shape_of_a_line_is_an_error(line_type: str, kind: str, payload: dict[str, object]) -> None:
    for record in (line(line_type, {**payload, "type": kind}), line(line_type, payload)):
        parse_entry(record)
        parse_session_head(b"{}\n" + record)
        guess_prompt(b"{}\n" + record)
        parse_meta(record)
        parse_meta(record + b"\n")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_no_bytes_are_an_error(data: bytes) -> None:
    parse_entry(data)
    parse_meta(b'{"type":"session_meta","payload":{' + data)
    assert parse_names([data]) == {} or b"thread_name" in data


@for_each(
    "payload",
    [
        {"type": "function_call", "name": "update_plan", "arguments": "{}"},
        {"type": "function_call", "name": "shell", "arguments": "[]"},
        {"type": "function_call", "name": "shell", "arguments": '{"command":["ls",1]}'},
        {"type": "local_shell_call", "action": "ls"},
    ],
)
def test_a_call_that_is_no_command_is_skipped(payload: dict[str, object]) -> None:
    assert parse_entry(line("response_item", payload)) is None


@for_each("rest", ['"n":1', '"n":1.', '"n":{"a":', '"n"'])
def test_what_a_head_cuts_off_is_not_told_and_what_came_before_is(rest: str) -> None:
    meta = parse_meta(b'{"type":"session_meta","payload":{"cwd":"/project",' + rest.encode())
    assert meta is not None
    assert meta.cwd == "/project"


def test_a_call_whose_name_is_no_text_is_skipped() -> None:
    assert parse_entry(line("response_item", {"type": "function_call", "name": []})) is None


def test_absurd_nesting_is_skipped() -> None:
    assert parse_entry(b"[" * 100_000) is None
    assert parse_meta(b'{"type":"session_meta","payload":{"cwd":' + b"[" * 4000) is None


def test_the_last_name_of_a_thread_wins() -> None:
    lines = [
        b'{"id":"a","thread_name":"first"}',
        b'{"id":"b","thread_name":"other"}',
        b'{"id":"a","thread_name":"second"}',
        b'{"id":"c"',
    ]

    assert parse_names(lines) == {"a": "second", "b": "other"}
