"""The state machine of one answer: the messages of a thread in, outputs for the client out. No I/O, no clock.

`content` owns the format: that of a chat completion, or of a Response.

For its caller:

    run = ChatRun(request, Content(request), now_s=time.monotonic(), limits=limits)  # one AccountLimits for all runs
    for output in run.feed(message, time.monotonic()): …              # every message of the feed, in order
    for output in run.tick(time.monotonic()): …                       # at `run.wakeup_s`, if nothing came until then

* A stream sends its status line when `has_begun` becomes true. A `Failed` before that is an error response with its own
  status; after it, an error event. A plain answer waits for `Finish` or `Failed`, and reads `content`.
* `Interrupt`: send `turn/interrupt` (it may be refused until `turn/started`), and do not reuse the thread.
* `Calls` are followed by `Finish`. After `tool_calls` the turn continues once each `item/tool/call` has been answered,
  by its `callId`; 0.163.0 sends the second one after the first was answered. The HTTP request with the results is a new
  run with the same `turn_id`; feed it everything that came since.
* `Finish("stop")` without an `Interrupt` comes with `turn/completed`: the thread is idle, and may be kept. Any other
  thread may not, and a turn that has not ended must be interrupted.
* `account/rateLimits/updated` is not a message of a thread: pass it to `limits`.
"""

from __future__ import annotations

import hashlib
from typing import Any

from codex_server_cli.core.openai import wire_errors
from codex_server_cli.core.openai.answer.model_response import ModelResponse
from codex_server_cli.core.openai.answer.outputs import AnswerContent, Calls, Failed, Finish, Interrupt, Output, Piece
from codex_server_cli.core.openai.answer.retries import RetryBudget
from codex_server_cli.core.openai.answer.usage import ChatUsage
from codex_server_cli.core.openai.chat_request import ChatRequest
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.tools import ClientCall, forced_call
from codex_server_cli.core.openai.wire_errors import AccountLimits
from codex_server_cli.core.protocol.rpc import Message, at, object_at, params_of, text_in

BEGIN_S = 10.0
"""A stream's status line is sent after this time: reasoning may be silent for long, and proxies time out after 60 s."""

SILENCE_S = 20.0
"""A response whose calls Codex waits for counts as complete after this time without a message. If the model's
connection was lost after a call, Codex does not report it until the call is answered (0.163.0 and 0.171.0)."""

_NO_PROGRESS = ("userMessage", "dynamicToolCall")
"""Items that do not begin the model's answer: a message of the user, and a call, which Codex reports late."""


class ChatRun:
    """One HTTP response.

    Args:
        request: the request to answer.
        content: collects the model's output, in the format of one API.
        now_s: seconds of a monotonic clock, here as everywhere.
        unix_s: the offset from them to Unix seconds, which the limits use.
        turn_id: of a turn that was held open; None for a new one, which `turn/started` names.
        limits: the account's known limits.

    Attributes:
        content: as given.
        turn_id: None until it is known.
        has_begun: the status line of a stream may be sent.
        calls: the calls of the answer; empty until `Calls`.
        finish: how the answer ended; None while it has not, or if it failed.
    """

    def __init__(
        self,
        request: ChatRequest,
        content: AnswerContent,
        *,
        now_s: float,
        unix_s: float = 0.0,
        turn_id: str | None = None,
        limits: AccountLimits | None = None,
    ) -> None:
        self.turn_id = turn_id
        self.has_begun = False
        self.calls: tuple[ClientCall, ...] = ()
        self.finish: Finish | None = None
        self._request, self._unix_s = request, unix_s
        self._limits = limits or AccountLimits()
        self._began_s = self._now_s = now_s
        self._error: ApiError | None = None
        self.content = content
        self._response = ModelResponse([tool["name"] for tool in request.tools])
        self._usage, self._retries = ChatUsage(), RetryBudget()
        self._is_response_complete = False

    @property
    def is_over(self) -> bool:
        """Whether the answer ended or failed; everything that comes later is ignored."""
        return self.finish is not None or self._error is not None

    @property
    def text(self) -> str:
        """The content so far."""
        return self.content.text

    @property
    def reasoning_items(self) -> dict[str, tuple[dict[str, Any], ...]]:
        """By call id, the encrypted reasoning that a rebuilt history needs before that call."""
        return self._response.reasoning_items

    def feed(self, message: Message, now_s: float) -> list[Output]:
        """Take a message of the thread, or one without a thread."""
        if self.is_over:
            return []
        self._now_s = now_s
        return self._given(self._take(text_in(message.get("method")), params_of(message)))

    @property
    def wakeup_s(self) -> float | None:
        """When to call `tick`, if no message comes before; None if only a message can change anything."""
        if self.is_over:
            return None
        dues = [self._retries.due_s, self._begin_due_s, self._silence_due_s]
        return min((due for due in dues if due is not None), default=None)

    def tick(self, now_s: float) -> list[Output]:
        """Time has passed."""
        if self.is_over:
            return []
        if _is_due(self._retries.due_s, now_s):
            self._now_s = now_s
            return self._given(self._stop_retrying())
        if _is_due(self._silence_due_s, now_s):
            return self._given(self._hold(None))
        self.has_begun = self.has_begun or _is_due(self._begin_due_s, now_s)
        return []

    def give_up(self, error: ApiError) -> list[Output]:
        """The caller ends the run: on a deadline, or because the app-server is gone (`wire_errors` has the errors).

        The caller must interrupt the turn, if there still is one.
        """
        return [] if self.is_over else self._given(self._fail(error))

    def _given(self, outputs: list[Output]) -> list[Output]:
        """The outputs for the client: the pieces of an answer only if it is a stream."""
        if self.content.is_stopped and not self.is_over:
            outputs = [*outputs, *self._interrupt_and_finish("stop")]
        if self._request.is_stream:
            self.has_begun = self.has_begun or any(isinstance(each, Piece) for each in outputs)
            return outputs
        return [each for each in outputs if not isinstance(each, Piece)]

    @property
    def _begin_due_s(self) -> float | None:
        """None while a request is retried, because it may still fail."""
        is_waiting = self._request.is_stream and not self.has_begun and self._retries.error is None
        return self._began_s + BEGIN_S if is_waiting else None

    @property
    def _silence_due_s(self) -> float | None:
        return self._now_s + SILENCE_S if self._response.is_dispatched else None

    def _take(self, method: str, params: Message) -> list[Output]:
        if method == "account/rateLimits/updated":
            self._limits.note(params)
            return []
        turn_id = params.get("turnId") or at(params, "turn.id", str)
        if method == "turn/started" and self.turn_id is None:
            self.turn_id = text_in(turn_id)
        if turn_id != self.turn_id or turn_id is None:
            return []  # of another turn; or the echo of injected items, which has its own turn id
        match method:
            case "rawResponseItem/completed":
                return self._take_raw(object_at(params, "item"))
            case "rawResponse/completed":
                return self._take_response(params)
            case "item/tool/call":
                self._response.note_dispatch(text_in(params.get("callId")))
                is_late = self._is_response_complete and self._response.calls
                return self._hold(self._usage.document) if is_late else []
            case "error":
                return self._take_error(object_at(params, "error"), will_retry=params.get("willRetry") is True)
            case "turn/completed":
                return self._take_end(object_at(params, "turn"))
            case "item/started":
                return self._take_start(params)
        return [*self.content.take(method, params)]

    def _take_start(self, params: Message) -> list[Output]:
        kind = at(params, "item.type", str)
        if kind == "contextCompaction":  # the model would answer a summary
            return [Interrupt(), *self._fail(wire_errors.too_long())]
        if kind not in _NO_PROGRESS:
            self._note_progress()
        return [*self.content.take("item/started", params)]

    def _note_progress(self) -> None:
        """The model responds."""
        self.has_begun = self._request.is_stream
        self._is_response_complete = False
        self._retries.note_progress()

    def _take_raw(self, item: Message) -> list[Output]:
        self._response.note(item)
        if item.get("type") == "function_call":
            self._note_progress()
        return [*self.content.take_raw(item)]

    def _take_response(self, params: Message) -> list[Output]:
        """A model response is complete: the turn continues by itself, unless the client has to answer calls."""
        if not self._usage.add(params.get("responseId"), params.get("usage")):
            return []
        if self._response.calls:
            return self._hold(self._usage.document)
        self._is_response_complete = True
        self.content.keep()
        self._retries.reset()
        return []

    def _take_error(self, error: Message, *, will_retry: bool) -> list[Output]:
        reason = wire_errors.early_finish(error)
        if reason is None and wire_errors.is_policy(error) and (self.text or self.has_begun):
            reason = "content_filter"
        if not will_retry:
            return self._finish(reason, None) if reason is not None else self._fail(self._error_of(error))
        if reason is not None:  # Codex would make the model answer five more times
            return self._interrupt_and_finish(reason)
        if self.content.is_answered:  # the model would answer again, after its own answer
            return self._interrupt_and_finish("stop")
        self._retries.note(error, self._now_s)
        if self.content.is_fixed or wire_errors.is_login(error) or _is_due(self._retries.due_s, self._now_s):
            return self._stop_retrying()
        self._response.drop()
        return [*self.content.restart()]

    def _take_end(self, turn: Message) -> list[Output]:
        match turn.get("status"):
            case "completed":
                return self._finish("content_filter" if self.content.is_refused else "stop", self._usage.document)
            case "interrupted":
                return self._fail(wire_errors.interrupted())
        return self._take_error(object_at(turn, "error"), will_retry=False)

    def _error_of(self, error: Message) -> ApiError:
        return wire_errors.error_of(error, self._limits, self._now_s + self._unix_s)

    def _stop_retrying(self) -> list[Output]:
        return [Interrupt(), *self._fail(self._error_of(self._retries.error or {}))]

    def _fail(self, error: ApiError) -> list[Output]:
        """Sends what was held back first: half an answer is better than none."""
        outputs: list[Output] = [*self.content.flush()] if self.has_begun else []
        self._error = error
        return [*outputs, Failed(error)]

    def _interrupt_and_finish(self, reason: str) -> list[Output]:
        return [Interrupt(), *self._finish(reason, None)]

    def _finish(self, reason: str, usage: dict[str, Any] | None) -> list[Output]:
        """The answer ends without a tool call of the model; a forced call is in its text."""
        forced = self._request.forced
        found = forced_call(forced, self.content.raw) if forced is not None and reason == "stop" else None
        if found is not None:
            return self._end_with([], (ClientCall(self._call_id, *found),), usage)
        return self._end([*self.content.end()], Finish(reason, usage))

    @property
    def _call_id(self) -> str:
        """The id of a forced call, which the model does not know: as unique as the turn's id."""
        return f"call_{hashlib.sha256(text_in(self.turn_id).encode()).hexdigest()[:24]}"

    def _hold(self, usage: dict[str, Any] | None) -> list[Output]:
        """The answer ends in calls that Codex waits for."""
        calls = self._response.calls
        is_told_one = len(calls) > 1 and self._request.uses_functions  # the others would never be answered
        unanswered: list[Output] = [Interrupt()] if is_told_one else []
        return [*unanswered, *self._end_with([*self.content.before_calls()], calls, usage)]

    def _end_with(
        self, before: list[Output], calls: tuple[ClientCall, ...], usage: dict[str, Any] | None
    ) -> list[Output]:
        is_function = self._request.uses_functions
        self.calls = calls[:1] if is_function else calls
        reason = "function_call" if is_function else "tool_calls"
        return self._end([*before, Calls(self.calls)], Finish(reason, usage))

    def _end(self, outputs: list[Output], finish: Finish) -> list[Output]:
        self.has_begun, self.finish = True, finish
        return [*outputs, finish]


def _is_due(due_s: float | None, now_s: float) -> bool:
    return due_s is not None and now_s >= due_s
