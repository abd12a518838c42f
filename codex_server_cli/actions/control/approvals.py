"""Answering a running turn from another shell: pending requests, decisions about them, and text to steer it with.

Used by every front end. Owns the exchange with the worker, which interprets a decision (`core.session.approvals`,
`core.session.steering`). Must never print.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from codex_server_cli.actions.read import read
from codex_server_cli.core.inputs import check_prompt, is_blank
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.event_log import read_events
from codex_server_cli.core.record.decisions import ending_in
from codex_server_cli.core.result.next_step import go_on_command
from codex_server_cli.disk.files import read_json, tail_text
from codex_server_cli.disk.turn import inbox
from codex_server_cli.disk.turn.contents import requests_in
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import (
    AmbiguousError,
    BadInputError,
    BusyError,
    CodexServerError,
    ErrorKind,
    HomeError,
    InternalError,
    NotFoundError,
    UsageError,
)
from codex_server_cli.settings.places import Settings

REPLY_TIMEOUT_S = 30.0
"""How long a worker may take to answer: usually milliseconds, longer on a busy machine or if Codex has to be asked."""

_TAIL_BYTES = 256 * 1024  # of the events: few are written between the end of a request and this read
_POLL_S = 0.01
_PROBE_S = 0.5
_ERROR_OF_EXIT = {int(each.exit_code): each for each in (BadInputError, NotFoundError, BusyError, HomeError)}


def pending_of(view: TurnView) -> list[dict[str, Any]]:
    """The requests of a turn that wait for a person, oldest first, as in `pending.json`; `[]` if it does not run.

    Keys: `id, kind, message, answer_with, asked_at, expires_at, can_last, thread_id, item_id, reason, command, cwd,
    network, permissions, changes, grant_root, server, tool, arguments, url, questions`; null where not applicable.
    """
    return requests_in(TurnDir(Path(view.path))) if view.state is State.RUNNING else []


def ending_of(view: TurnView, entry: dict[str, Any]) -> str | None:
    """How a request that has just left `pending_of` ended; see `decisions.ending_in`."""
    log = tail_text(TurnDir(Path(view.path)).events, _TAIL_BYTES).encode()
    return ending_in(read_events(log), str(entry["id"]))


def find_waiting(settings: Settings, selector: str) -> TurnDir:
    """The turn that has the request to decide: by (part of) its id, or a name that no other running turn has.

    Raises:
        UsageError: `last`, which may by now mean a turn that was started since the user looked.
        NotFoundError: no such turn, or another running turn has the same name.
    """
    if selector == "last":
        message = "`last` may be another turn by now: name the one whose request you have seen"
        raise UsageError(message, hint="codex-server pending shows what waits, with the commands that answer it.")
    directory = read.find(settings, selector)
    if not directory.turn_id.startswith(selector):
        namesakes = [view.turn_id for view in read.running(settings) if view.meta.get("name") == selector]
        if set(namesakes) - {directory.turn_id}:
            hint = "Give the id of the one meant; codex-server pending shows what waits."
            raise AmbiguousError(
                f"{selector} is not the name of one turn alone; so called run: {', '.join(namesakes)}", hint=hint
            )
    return directory


def approve(directory: TurnDir, request_id: str | None, *, is_for_session: bool = False) -> dict[str, Any]:
    """Approve a request of a turn.

    Args:
        request_id: of one of `pending_of`; None for the only one.
        is_for_session: for the rest of the turn, too: Codex does not ask for the same again in its session, which
            lasts as long as the turn's app-server.

    Returns:
        The request that was decided.

    Raises:
        NotFoundError: the turn has ended, has no such request, or the request is no longer pending.
        BadInputError: several are pending, or this decision does not fit the request. Nothing was changed.
        BusyError: the turn has not begun, or its worker does not answer.
        HomeError: the request cannot be written, or the turn is another user's.
    """
    return _decide(directory, "approve", request_id, {"is_for_session": is_for_session})


def decline(directory: TurnDir, request_id: str | None) -> dict[str, Any]:
    """Decline a request of a turn; the turn continues. Arguments, result and errors as of `approve`."""
    return _decide(directory, "decline", request_id, {})


def reply(directory: TurnDir, request_id: str | None, answers: dict[str, list[str]]) -> dict[str, Any]:
    """Answer the questions of a turn. Result and errors as of `approve`.

    Args:
        request_id: as of `approve`.
        answers: texts by question id; several for a multiple choice.
    """
    return _decide(directory, "reply", request_id, {"answers": answers})


def steer(directory: TurnDir, text: str) -> None:
    """Send text to a running turn: Codex interrupts the current response for it.

    Raises:
        BadInputError: the turn has ended or takes no text, or there is no text. The text is not kept for later.
        BusyError, HomeError: as of `approve`.
        NotFoundError: the turn was deleted.
    """
    if is_blank(text):
        raise BadInputError("there is no text to steer with", hint="As an argument, as --file FILE, or piped in.")
    check_prompt(text)
    view = _read_view(directory)
    if view.state is State.RUNNING:
        result = _send_request(directory, "steer", {"text": text})
        if result is not None:
            return
        view = _read_view(directory)
    raise BadInputError(f"turn {view.turn_id} cannot be steered: it has ended ({view.state})", hint=_next_turn(view))


def _next_turn(view: TurnView) -> str:
    if view.is_resumable:
        return f"The next turn on its thread, with the text on stdin: `{go_on_command(view)}`"
    return "It left no thread to continue. Another turn, with the text on stdin: `codex-server new -`"


def _decide(directory: TurnDir, op: str, request_id: str | None, args: dict[str, Any]) -> dict[str, Any]:
    view = _read_view(directory)
    if view.state is State.RUNNING:
        result = _send_request(directory, op, {"request": request_id, **args})
        if result is not None:
            decided = result.get("request")
            return decided if isinstance(decided, dict) else {}
        view = _read_view(directory)
    hint = f"codex-server status {view.turn_id} tells how it ended."
    raise NotFoundError(f"turn {view.turn_id} has ended ({view.state}): nothing waits in it any more", hint=hint)


def _read_view(directory: TurnDir) -> TurnView:
    view = read.readable(directory)
    if view.state is State.MISSING:
        raise NotFoundError(f"no such turn: {directory.turn_id}", hint="codex-server list-turns shows the turns.")
    return view


def _send_request(directory: TurnDir, op: str, args: dict[str, Any]) -> dict[str, Any] | None:
    """Post a request and wait for its reply.

    Returns:
        The result; None where the turn ended before its worker took the request.
    """
    try:
        path = inbox.post(directory, op, args)
    except OSError as error:
        if not directory.exists:
            return None  # deleted meanwhile
        hint = "Nothing was sent. Free some space, or look at the owner of the directory, and try again."
        raise HomeError(f"cannot write {directory.inbox}: {error.strerror}", hint=hint) from error
    deadline = time.monotonic() + REPLY_TIMEOUT_S
    probe_at = time.monotonic() + _PROBE_S
    while not path.exists():
        now = time.monotonic()
        if now >= deadline:
            hint = f"It may still do so: look with codex-server status {directory.turn_id}."
            raise BusyError(
                f"the worker of turn {directory.turn_id} does not answer", hint=hint, kind=ErrorKind.STALLED
            )
        if now >= probe_at:
            probe_at = now + _PROBE_S
            if read.readable(directory).state is not State.RUNNING and not path.exists():
                return None
        time.sleep(_POLL_S)
    answer = read_json(path) or {}
    if answer.get("ok") is not True:
        raise _error_of(answer.get("error"))
    result = answer.get("result")
    return result if isinstance(result, dict) else {}


def _error_of(data: Any) -> CodexServerError:
    """The error that the worker reported, as it would have been raised there."""
    if not isinstance(data, dict):
        return InternalError("the worker's reply cannot be read")
    class_ = _ERROR_OF_EXIT.get(data.get("exit_code") or 0, InternalError)
    kind = data.get("kind")
    known = ErrorKind(kind) if kind in list(ErrorKind) else None
    return class_(str(data.get("message")), hint=str(data.get("hint") or ""), kind=known)
