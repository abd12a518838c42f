"""The next step after the end of a turn. Owns that decision; must never decide the kind of an error.

A hint is text with commands between backticks; the same commands, in the same order, are the `next` of the turn's
documents. Each works verbatim (`commands`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import parse_time_ms
from codex_server_cli.core.model.turn_id import time_ms
from codex_server_cli.core.result import advice, commands, failures
from codex_server_cli.errors import ErrorKind

KINDS_UNSEEN_TO_THE_END = frozenset(
    {ErrorKind.WORKER_DIED, ErrorKind.CODEX_CRASHED, ErrorKind.STALLED, ErrorKind.PROTOCOL}
)
"""Ends that Codex may not know of: its own record may hold more than we received."""

_HINTS = {
    ErrorKind.AUTH: "Log in with {login}, then: {go_on}",
    ErrorKind.USAGE_LIMIT: "This waits until the limit has reset, and goes on then: {go_on}",
    ErrorKind.RATE_LIMIT: "Wait a moment, then: {go_on}",
    ErrorKind.CONTEXT_WINDOW: "Start a new thread, handing over only what it needs; with the same prompt: {anew}",
    ErrorKind.NETWORK: "Check the network, then: {go_on}",
    ErrorKind.OVERLOADED: "Wait a moment, then: {go_on} (another model may be free: --model)",
    ErrorKind.BAD_REQUEST: "Fix what the message names (a model or an option may not fit), then: {again}",
    ErrorKind.BAD_SCHEMA: "Fix the schema, then: {mended}",
    ErrorKind.BAD_INPUT: "Fix what the message names, then ask again: {again}",
    ErrorKind.SANDBOX: "Codex's effective policy was not the one asked for; what it is: {doctor}",
    ErrorKind.THREAD_BUSY: "Another process is writing this thread: wait for its end, or fork it: {fork}",
    ErrorKind.THREAD_MISSING: "List the threads that exist: {list}",
    ErrorKind.CODEX_MISSING: "Install or update codex, then: {setup} and {again}",
    ErrorKind.CODEX_CRASHED: "The last output of codex is in stderr_tail; {to_go_on}",
    ErrorKind.PROTOCOL: "Codex and codex-server may not fit together: {doctor}; {to_go_on}",
    ErrorKind.DISK: "Free some space ({gc} deletes old turns), then: {go_on}",
    ErrorKind.STALLED: "{kept}{to_go_on}",
    ErrorKind.DEADLINE: "{kept}{to_go_on}, with twice the time",
    ErrorKind.CANCELLED: "{kept}{to_go_on}",
    ErrorKind.WORKER_DIED: "{kept}{to_go_on}",
    ErrorKind.INTERNAL: "A defect of codex-server: worker.log in the turn's directory tells more; {to_go_on}",
}
_CUT_SHORT = "The model stopped at a limit of its own; what was received is kept; {to_go_on}"
_WRONG_ANSWER = "The answer does not fit the schema, and is kept; to have it given anew: {correct}"
_NO_RESET = (
    "No time is known at which this limit resets. "
    "This asks Codex for one and waits for it, and starts at once where there is none: {go_on}"
)
_KEPT = "what was received is kept; "
_ASK_CODEX = "To see whether Codex had finished it: {recover}. "
_CORRECTION = "Give your answer again, as one JSON document that fits the schema, and nothing else."


class End(NamedTuple):
    """The end of a turn that did not complete.

    Attributes:
        message: of its error.
        resets_at: when a usage limit resets, if known; RFC 3339.
        is_resumable: whether it left a thread that `continue` can resume.
        has_begun: whether Codex accepted it, so that there may be output; true for a resumable one.
        codex_error: Codex's own `codexErrorInfo`, if there was one.
        words: a better template than the kind's, with command names in braces.
    """

    kind: ErrorKind
    message: str = ""
    resets_at: str | None = None
    is_resumable: bool = False
    has_begun: bool = False
    codex_error: Any = None
    words: str = ""


def hint_of(end: End, request: TurnRequest) -> str:
    """The next step, as text with its exact commands."""
    step = _NextStep(end, request)
    filled = {name: f"`{step.command(name)}`" for name in step.names}
    return step.template.format(**filled)


class _NextStep:
    """The next step after one end: its template, and the commands that the template names."""

    def __init__(self, end: End, request: TurnRequest) -> None:
        self._end, self._request = end, request
        is_asked_anew = request.review is not None or request.is_compaction  # there is nothing to continue
        self._goes_on = end.is_resumable and not is_asked_anew
        template = _template_of(end)
        words = f"to {'go on' if self._goes_on else 'ask again'}: {{go_on}}"
        kept = _KEPT if end.is_resumable or end.has_begun else ""
        template = template.replace("{kept}", kept).replace("{to_go_on}", words)
        asks = end.is_resumable and end.kind in KINDS_UNSEEN_TO_THE_END and not _is_unreached(end)
        if not template.startswith(commands.PROGRAM):  # a hint of our own errors may be only a command
            template = template[0].upper() + template[1:]
        self.template = (_ASK_CODEX if asks else "") + template
        self.names = re.findall(r"{(\w+)}", self.template)

    def command(self, name: str) -> str:
        """The command for a name in the template."""
        request = self._request
        commands_of: dict[str, Callable[[], str]] = {
            "go_on": lambda: self._go_on("go on"),
            "correct": lambda: self._go_on(_CORRECTION),
            "again": lambda: commands.again(request, **self._changed()),
            "usual": lambda: commands.again(request, model=None),
            "narrower": lambda: commands.again(request, sandbox=["workspace-write"]),
            "plain": self._read_only,
            "closed": self._without_proxy,
            "mended": self._with_own_schema,
            "anew": lambda: commands.anew(request),
            "fork": self._fork,
            "recover": lambda: commands.of_turn("recover", request.turn_id),
        }
        return commands_of[name]() if name in commands_of else f"{commands.PROGRAM} {name}"

    def _go_on(self, prompt: str) -> str:
        if self._goes_on:
            request = self._request
            folder = commands.folder_of(request)
            return commands.resume(request.turn_id, prompt, request.flags or {}, folder, **self._changed())
        return commands.again(self._request, **self._changed())

    def _with_own_schema(self) -> str:
        """With the user's schema file, which they can fix; the turn's copy does not change."""
        source = self._request.schema_source
        return commands.again(self._request, **({"schema": [source]} if source is not None else {}))

    def _read_only(self) -> str:
        """Read-only and without network, regardless of `config.json`."""
        wider = {"write": None, "network": None, "add_dir": None, "worktree": None}
        return commands.again(self._request, sandbox=["read-only"], **wider)

    def _without_proxy(self) -> str:
        """Without Codex's network proxy, which a permission profile needs to open the network."""
        config = [*(self._request.flags or {}).get("--config", []), "features.network_proxy=false"]
        return commands.again(self._request, config=config)

    def _fork(self) -> str:
        if self._request.thread_id is None:
            return commands.again(self._request)
        return commands.again(self._request, fork=[], fork_if_busy=None)

    def _changed(self) -> dict[str, list[str] | None]:
        """The flags to change, because the turn would otherwise end in the same way."""
        deadline_s = commands.deadline_of(self._request)
        if self._end.kind is ErrorKind.DEADLINE and deadline_s is not None:
            return {"deadline": [commands.seconds(2 * deadline_s)]}
        if self._end.kind is not ErrorKind.USAGE_LIMIT:
            return {}
        held_s = self._held_s()
        longer = {"deadline": [commands.seconds(deadline_s + held_s)]} if deadline_s is not None else {}
        return {"after_reset": [], **longer}

    def _held_s(self) -> float:
        """The longest time from the turn's start to the limit's reset: that wait counts towards `--deadline`."""
        reset_ms, started_ms = parse_time_ms(self._end.resets_at), time_ms(self._request.turn_id)
        return max(0, -(-(reset_ms - started_ms) // 1000)) if reset_ms is not None and started_ms is not None else 0


def _is_unreached(end: End) -> bool:
    """Whether the turn never reached the model."""
    return end.kind is ErrorKind.STALLED and end.message.startswith(failures.ONLY_RETRIED)


def _template_of(end: End) -> str:
    if end.words:
        return end.words
    if _is_unreached(end):
        return _HINTS[ErrorKind.NETWORK]
    if end.kind is ErrorKind.BAD_REQUEST and failures.is_incomplete({"message": end.message}):
        return _CUT_SHORT
    if end.kind is ErrorKind.BAD_SCHEMA and end.message.startswith(failures.WRONG_ANSWER):
        return _WRONG_ANSWER
    if end.kind is ErrorKind.USAGE_LIMIT and end.resets_at is None:
        return _NO_RESET
    return advice.words_for(end.message, end.codex_error) or _HINTS[end.kind]
