"""The facts in the status line of a chat. `render.status_line` renders them."""

from __future__ import annotations

from codex_server_cli.cli.chat.state import ChatState
from codex_server_cli.render.status_line import Status


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


def _phase(chat: ChatState) -> str:
    if chat.chat_turn is None:
        return "starting" if chat.starting else "ready"
    if chat.interrupting:
        return "interrupting"
    if chat.dialog is not None and chat.dialog.entry is not None:
        return "asking" if chat.screen.is_being_read else "waiting for you"
    record = chat.chat_blocks.record
    phase = record.phase if record.turn_id is not None or chat.view is None else chat.view.phase
    return str(phase).replace("_", " ")
