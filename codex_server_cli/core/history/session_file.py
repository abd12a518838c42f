"""The head of a Codex session file: client, directory, model, first prompt. Must never open a file.

Codex keeps a thread in `$CODEX_HOME/sessions/YYYY/MM/DD/rollout-<local time>-<thread id>.jsonl`. Its first line,
`session_meta`, names the thread, its cwd and its source before the long base instructions; the model and the
first prompt follow further down (`entries` describes the lines). The format is Codex's own and may change
without notice: unknown content is skipped, never an error.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import NamedTuple

from codex_server_cli.core.history.entries import Json, as_text, content_texts, event_entry, parse_line, payload_of

_FILE_NAME = re.compile(
    r"rollout-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\.jsonl"
)
_DECODER = json.JSONDecoder()

_HEAD_MARKS = (b'"user_message"', b'"UserMessage"', b'"turn_context"', b'"thread_settings_applied"')
"""Only lines with one of these are parsed; skipping the rest saves most of the time."""

_INJECTED_PREFIXES = (
    "<environment_context>",
    "<user_instructions>",
    "# AGENTS.md instructions",
    "<INSTRUCTIONS>",
    "<user_action>",
    "<user_shell_command>",
    "<turn_aborted>",
    "<skill>",
    "<subagent_notification>",
    "<image name=",
    "</image>",
)


class RolloutMeta(NamedTuple):
    """The first line of a session file: where, by which client and with which model provider the thread was started."""

    cwd: str
    started_at: str | None
    source: str | None
    originator: str | None
    cli_version: str | None
    is_subagent: bool
    provider: str | None = None


class SessionHead(NamedTuple):
    """What the head of a session file has beyond its first line."""

    first_prompt: str | None
    model: str | None


def thread_id_of(file_name: str) -> str | None:
    """The thread id in a session file's name, or None for any other file."""
    match = _FILE_NAME.fullmatch(file_name)
    return match[1] if match else None


def parse_meta(head: bytes) -> RolloutMeta | None:
    """The first line of a session file, of which `head` may hold only the beginning.

    That line is 22 KB (it carries the base instructions), but its first kilobyte names id, cwd and source.
    Returns None where `head` is not such a line, or too short for the cwd.
    """
    line, newline, _ = head.partition(b"\n")
    payload = payload_of(parse_line(line), "session_meta") if newline else _cut_payload(line)
    cwd = as_text(payload.get("cwd"))
    if cwd is None:
        return None
    source = payload.get("source")
    is_subagent = isinstance(source, dict) and "subagent" in source
    return RolloutMeta(
        cwd=cwd,
        started_at=as_text(payload.get("timestamp")),
        source=next(iter(source), None) if isinstance(source, dict) else as_text(source),
        originator=as_text(payload.get("originator")),
        cli_version=as_text(payload.get("cli_version")),
        is_subagent=is_subagent or payload.get("thread_source") == "subagent",
        provider=as_text(payload.get("model_provider")),
    )


def parse_session_head(head: bytes) -> SessionHead:
    """The first prompt and the model, if `head` (the first bytes of a file) has their complete lines."""
    prompt = model = None
    for line in head.split(b"\n")[1:]:
        if not any(mark in line for mark in _HEAD_MARKS):
            continue
        record = parse_line(line)
        model = model or _model_of(record)
        entry = event_entry(record)
        if prompt is None and entry is not None and entry.type == "userMessage":
            prompt = entry.text
        if prompt is not None and model is not None:
            break
    return SessionHead(prompt, model)


def guess_prompt(head: bytes) -> str | None:
    """The first user message that does not look injected, for old files without an event for it."""
    for line in head.split(b"\n")[1:]:
        payload = payload_of(parse_line(line), "response_item") if b'"user"' in line else {}
        if payload.get("type") == "message" and payload.get("role") == "user":
            texts = [text for text in content_texts(payload) if not text.lstrip().startswith(_INJECTED_PREFIXES)]
            if prompt := "\n".join(texts):
                return prompt
    return None


def parse_names(lines: Iterable[bytes]) -> dict[str, str]:
    """Thread names by id, from lines of `session_index.jsonl`: the last line about a thread wins."""
    names: dict[str, str] = {}
    for line in lines:
        record = parse_line(line)
        thread_id, name = as_text(record.get("id")), as_text(record.get("thread_name"))
        if thread_id and name:
            names[thread_id] = name
    return names


def _model_of(record: Json) -> str | None:
    payload = payload_of(record, "turn_context") or payload_of(record, "event_msg").get("thread_settings")
    return as_text(payload.get("model")) if isinstance(payload, dict) else None


def _cut_payload(line: bytes) -> Json:
    """The leading members of a `session_meta` line's payload, which Codex writes last; `line` may be truncated."""
    envelope, _, rest = line.decode("utf-8", "replace").partition('"payload":')
    return _read_members(rest.lstrip()) if '"session_meta"' in envelope else {}


def _read_members(text: str) -> Json:
    """The leading members of the compact JSON object that `text` begins with, up to where `text` is truncated."""
    members: Json = {}
    position = 0
    try:
        while text[position] in "{,":
            key, position = _DECODER.raw_decode(text, position + 1)
            value, position = _DECODER.raw_decode(text, position + 1)
            if text[position] in ",}":  # a number is complete only once something follows it
                members[key] = value
    except (ValueError, IndexError, RecursionError, TypeError):
        return members
    return members
