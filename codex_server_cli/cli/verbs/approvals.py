"""The verbs that answer a running turn: `pending`, `approve`, `decline`, `reply`, `steer`."""

from __future__ import annotations

import re
import time
from typing import Any

from codex_server_cli.actions.control import approvals
from codex_server_cli.actions.read import read
from codex_server_cli.cli import output
from codex_server_cli.cli.no_home import note_absent_home, say_nothing
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.documents.fields import only, read_fields
from codex_server_cli.core.inputs import is_blank
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import objects_in, text_in
from codex_server_cli.core.result.commands import of_turn
from codex_server_cli.errors import UsageError
from codex_server_cli.render.notes import end_note
from codex_server_cli.render.pending import pending_text
from codex_server_cli.settings.places import Settings

_ID = re.compile(r"[\w.-]+")
_DONE = {"approve": "approved", "decline": "declined: it goes on without", "reply": "answered"}
Entry = dict[str, Any]


def pending(*, turn: str | None, json: bool, full: bool, fields: str | None, cwd: str | None) -> None:
    """Show pending requests in full, with the commands that decide them."""
    settings = Settings.load()
    names = read_fields(fields, turn_documents.pending_keys(), is_full=full)
    if turn is None:
        note_absent_home(settings)
    views = read.running(settings) if turn is None else [read.readable(read.find(settings, turn, cwd))]
    for view in views:
        if view.state is State.UNREADABLE:
            output.note(end_note(view))
    waiting = [(view, entry) for view in views for entry in approvals.pending_of(view)]
    now_ms = time.time_ns() // 1_000_000
    if json or full or names:
        documents = [turn_documents.pending(*each, now_ms, is_full=full or bool(names)) for each in waiting]
        output.show_json([only(names, each, {}) for each in documents] if names else documents)
    elif not waiting:
        say_nothing(settings, "Nothing waits for an answer.\n")
    else:
        _show_waiting(settings, waiting, now_ms)


def _show_waiting(settings: Settings, waiting: list[tuple[TurnView, Entry]], now_ms: int) -> None:
    if not output.is_terminal():
        output.show("\n".join(pending_text(view, entry, now_ms, None) for view, entry in waiting))
        return
    from codex_server_cli.actions.read.for_people import shortened

    display, short = output.display(), shortened(settings, [view.turn_id for view, _ in waiting])
    called = [(view._replace(turn_id=short[view.turn_id]), entry) for view, entry in waiting]
    texts = (pending_text(view, entry, now_ms, display.width, display.ink) for view, entry in called)
    output.show_styled("\n".join(texts))


def approve(*, turn: str, request: str | None, session: bool, json: bool, full: bool) -> None:
    """Allow a turn's request: a command, a patch, permissions, a tool."""
    directory = approvals.find_waiting(Settings.load(), turn)
    decided = approvals.approve(directory, request, is_for_session=session)
    _show_decided(read.status(directory), "approve", decided, is_json=output.wants_json(json, full), is_full=full)


def decline(*, turn: str, request: str | None, json: bool, full: bool, cwd: str | None) -> None:
    """Decline a turn's request; the turn continues without it."""
    directory = read.find(Settings.load(), turn, cwd)
    decided = approvals.decline(directory, request)
    _show_decided(read.status(directory), "decline", decided, is_json=output.wants_json(json, full), is_full=full)


def reply(*, turn: str, request: str | None, answer: list[str], json: bool, full: bool) -> None:
    """Answer a turn's questions: one --answer for each question, or several for a multiple choice."""
    if not answer or any(is_blank(each) for each in answer):
        raise UsageError("an answer is missing", hint="--answer Q=A; codex-server pending shows the questions.")
    directory = approvals.find_waiting(Settings.load(), turn)
    known = _questions(approvals.pending_of(read.status(directory)), request)
    decided = approvals.reply(directory, request, _with_stdin(_by_question(answer, known)))
    _show_decided(read.status(directory), "reply", decided, is_json=output.wants_json(json, full), is_full=full)


def steer(
    *, turn: str, text: str | None, stdin: str | None, file: str | None, json: bool, full: bool, cwd: str | None
) -> None:
    """Give a running turn more to consider; Codex aborts the current response for it."""
    from codex_server_cli.cli.prompts import read_prompt

    directory = read.find(Settings.load(), turn, cwd)
    message = read_prompt((text, stdin), file)
    approvals.steer(directory, message)
    view = read.status(directory)
    if output.wants_json(json, full):
        output.show_json(turn_documents.steered(view, message, is_full=full))
    else:
        _show_done(view, "steered: it considers your text from now on", message)


def _show_decided(view: TurnView, op: str, request: Entry, *, is_json: bool, is_full: bool) -> None:
    """Show what was decided: the request, and what to do next."""
    if is_json:
        output.show_json(turn_documents.decided(view, op, request, is_full=is_full))
    else:
        _show_done(view, _DONE[op], text_in(request.get("message")))


def _show_done(view: TurnView, what: str, about: str) -> None:
    """Show on a terminal what was done to a running turn, and how to follow it."""
    from codex_server_cli.actions.read.for_people import shortened
    from codex_server_cli.render.turns import card

    short_id = shortened(Settings.load(), [view.turn_id])[view.turn_id]
    command = of_turn("pending", short_id) if view.live.get("pending") else of_turn("tail", f"-f {short_id}")
    output.show_styled(card.done(short_id, what, output.display(), command, about))


def _questions(entries: list[Entry], request: str | None) -> list[str]:
    """The ids of the questions of the selected request; empty if it is ambiguous, which the worker then reports."""
    meant = [entry for entry in entries if request in (None, entry.get("id"))]
    if len(meant) != 1:
        return []
    return [text_in(question.get("id")) for question in objects_in(meant[0].get("questions"))]


def _by_question(given: list[str], known: list[str]) -> dict[str, list[str]]:
    """Group the answers by question id. An answer without an id belongs to the only question."""
    found: dict[str, list[str]] = {}
    longest_first = sorted(known, key=len, reverse=True)
    for answer in given:
        id_, has_id, text = answer.partition("=")
        for one in longest_first:  # an id may contain a `=`
            if answer.startswith(f"{one}="):
                id_, text = one, answer[len(one) + 1 :]
                break
        if not has_id or (id_ not in known and _ID.fullmatch(id_) is None):  # a sentence may contain a `=`
            if len(known) > 1:
                message = f"--answer {answer!r} does not say which question it answers"
                raise UsageError(message, hint=f"--answer Q=A, where Q is one of: {', '.join(known)}")
            id_, text = (known or [""])[0], answer
        found.setdefault(id_, []).append(text)
    return found


def _with_stdin(answers_by_id: dict[str, list[str]]) -> dict[str, list[str]]:
    """Replace `-` by the text on stdin: arguments are visible to other users, so a secret must not be one."""
    if sum(text == "-" for texts in answers_by_id.values() for text in texts) > 1:
        raise UsageError("only one answer can be read from stdin", hint="Give the others as --answer Q=A.")

    def read(text: str) -> str:
        if text != "-":
            return text
        from codex_server_cli.cli.prompts import read_prompt  # rarely needed

        return read_prompt(("-",)).rstrip("\r\n")

    return {id_: [read(text) for text in texts] for id_, texts in answers_by_id.items()}
