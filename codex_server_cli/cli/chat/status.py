"""The facts in the status line of a chat, which `render.status_line` renders, and those of `/status`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from codex_server_cli.cli.chat.state import ChatState
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.status_line import Status, short_count
from codex_server_cli.render.turns.cockpit.listing import tokens_of
from codex_server_cli.render.turns.states import state_words


def status_of(chat: ChatState) -> Status:
    """The current facts."""
    record, options, meta = chat.chat_blocks.record, chat.options, chat.meta
    running = chat.chat_turn is not None
    if running:  # the settings that the turn was started with, here or elsewhere
        options = options._replace(model=None, effort=None, sandbox=meta.get("sandbox"))
    usage = record.usage if running else None
    return Status(
        phase=_phase(chat),
        elapsed_s=chat.view.elapsed_s if running and chat.view is not None else None,
        model=options.model or meta.get("model") or record.settings.get("model") or "",
        effort=options.effort or meta.get("effort") or "",
        sandbox=str(options.sandbox or ""),
        tokens=chat.tokens + (usage["total_tokens"] if usage else 0),
        limits=chat.limits,
    )


def status_facts(chat: ChatState, last: TurnView | None) -> dict[str, str]:
    """The facts of `/status`, in order.

    Args:
        last: the newest turn of the conversation; None if it has none here.
    """
    choice, status = chat.target.choice, status_of(chat)
    thread_id, cwd = (choice.thread_id, choice.cwd) if choice is not None else (None, None)
    meta: Mapping[str, Any] = {}
    turn = "none yet" if choice is None else "none of codex-server"
    tokens = f"{short_count(status.tokens)} in this chat"
    if last is not None:
        meta, turn, thread_id = last.meta, f"{last.turn_id} {state_words(last)}", last.thread_id or thread_id
        used = tokens_of(last) if chat.chat_turn is None else None
        tokens += f" · {short_count(used)} in the last turn" if used is not None else ""
    return {
        "thread": thread_id or "none yet",
        "turn": turn,
        "directory": meta.get("cwd") or cwd or "this one",
        "model": status.model or meta.get("model") or "what Codex chooses",
        "effort": status.effort or meta.get("effort") or "what Codex chooses",
        "sandbox": status.sandbox or "read-only",
        "approval": str(chat.options.approval),
        "tokens": tokens,
    }


def _phase(chat: ChatState) -> str:
    if chat.chat_turn is None:
        return "starting" if chat.turn_start else "ready"
    if chat.interrupting:
        return "interrupting"
    if chat.dialog is not None and chat.dialog.entry is not None:
        return "asking" if chat.screen.is_being_read else "waiting for you"
    record = chat.chat_blocks.record
    phase = record.phase if record.turn_id is not None or chat.view is None else chat.view.phase
    return str(phase).replace("_", " ")
