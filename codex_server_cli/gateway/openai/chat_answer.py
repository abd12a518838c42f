"""One answer to one request: messages of a turn in, output for the client out.

Owns: the timeouts of the run, and what happens to the turn at the end.
Never here: the meaning of a message (`ChatRun`), the form of the response, HTTP.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from codex_server_cli.core.openai import conversation
from codex_server_cli.core.openai.answer.outputs import AnswerContent, Failed, Finish, Interrupt, Output
from codex_server_cli.core.openai.chat_run import ChatRun
from codex_server_cli.core.openai.wire_errors import AccountLimits, deadline_passed, turn_in_doubt
from codex_server_cli.gateway.http_answers import refusal_of
from codex_server_cli.gateway.openai.asked import Asked
from codex_server_cli.gateway.openai.chat_memory import ChatMemory
from codex_server_cli.gateway.openai.client_thread import ClientTurn
from codex_server_cli.gateway.openai.opening import held_key
from codex_server_cli.gateway.upstream.feed import FeedOverflow
from codex_server_cli.gateway.upstream.wire import UpstreamGone

_MOST_AT_ONCE = 256
"""How many messages are processed before other requests get a turn."""
_LONGEST_S = 3600.0
"""For one answer: a model that reasons for long may need much of it."""


class ChatAnswer:
    """A request with its running turn; the creator must close it.

    Attributes:
        run: what has been received so far.
    """

    def __init__(
        self, state: ChatMemory, asked: Asked, turn: ClientTurn, limits: AccountLimits, content: AnswerContent
    ) -> None:
        self._state, self._asked, self._turn = state, asked, turn
        self.run = ChatRun(
            asked.request,
            content,
            now_s=time.monotonic(),
            unix_s=time.time() - time.monotonic(),
            turn_id=turn.id,
            limits=limits,
        )
        self._ends_s = time.monotonic() + _LONGEST_S
        self._is_disposed = False
        self._early: list[Output] = []

    async def begin(self) -> None:
        """Wait until the status of the response is known.

        Raises:
            ApiError: the request failed.
        """
        while not (self.run.has_begun or self.run.is_over):
            self._early += await self._next()
        for output in self._early:
            if isinstance(output, Failed):
                raise output.error

    async def outputs(self) -> list[Output]:
        """The next outputs for the client, and all that have arrived by then; empty at the end."""
        outputs, self._early = self._early, []
        while not outputs and not self.run.is_over:
            outputs = await self._next()
        return [*outputs, *self._unread_outputs()]

    @property
    def has_outputs(self) -> bool:
        """Whether `outputs` would return without waiting."""
        return bool(self._early)

    def _unread_outputs(self) -> list[Output]:
        """All outputs that are there: deltas come by the dozen, and sending each separately would be expensive."""
        found: list[Output] = []
        for _ in range(_MOST_AT_ONCE):
            message = None if self.run.is_over else self._turn.take_message()
            if message is None:
                break
            outputs = self.run.feed(message, time.monotonic())
            self._handle_end(outputs)
            found += outputs
        return found

    def close(self) -> None:
        """End what still runs, because the client has disconnected or the answer is lost. Idempotent."""
        if not self._is_disposed:
            self._is_disposed = True
            self._state.end_turn(self._turn)

    async def _next(self) -> list[Output]:
        outputs = await self._fed()
        self._handle_end(outputs)
        return outputs

    async def _fed(self) -> list[Output]:
        due_s = min(self.run.wakeup_s or self._ends_s, self._ends_s)
        try:
            async with asyncio.timeout(max(0.0, due_s - time.monotonic())):
                message = await self._turn.next_message()
        except TimeoutError:
            is_late = time.monotonic() >= self._ends_s
            return self.run.give_up(deadline_passed(_LONGEST_S)) if is_late else self.run.tick(time.monotonic())
        except UpstreamGone as error:
            return self.run.give_up(turn_in_doubt(error.reason))
        except FeedOverflow as error:
            return self.run.give_up(refusal_of(error)[0])
        return self.run.feed(message, time.monotonic())

    def _handle_end(self, outputs: Sequence[Output]) -> None:
        """Done before the client knows that the answer is complete, so that its next request finds what is kept."""
        for output in outputs:
            match output:
                case Interrupt() | Failed():
                    self.close()
                case Finish():
                    self._finish(output)
                case _:
                    pass

    def _finish(self, finish: Finish) -> None:
        self._state.count(finish.usage)
        answer = conversation.answer_items(self.run.content.texts, self.run.calls)
        self._keep_reasoning(answer)
        if self._is_disposed:
            return
        if self._state.gateway.is_stopping or not conversation.is_keepable(self._asked.request):
            self.close()
            return
        history = self._asked.history.prefix_keys(answer)[-1]
        if finish.reason == "tool_calls" and not self._turn.is_over:
            self._is_disposed = True
            self._state.held_turns.hold(
                [call.id for call in self.run.calls], held_key(self._asked.history, history), self._turn
            )
        elif finish.reason == "stop" and self._turn.is_over:
            self._is_disposed = True
            self._state.threads.keep(history, self._turn.thread)
        else:
            self.close()

    def _keep_reasoning(self, answer: Sequence[conversation.Item]) -> None:
        """Remember the model's reasoning before each of its calls."""
        history, thoughts = self._asked.history, self.run.reasoning_items
        keys = history.reasoning_keys(answer)[len(history.digests) :]
        self._state.reasoning.keep(
            {
                key: thoughts[item["call_id"]]
                for key, item in zip(keys, answer, strict=True)
                if item.get("call_id") in thoughts
            }
        )
