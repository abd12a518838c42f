"""A turn that a test plays: it runs, says, asks and ends when the test wants it to, without codex, a model or a worker.

For tests of those that read a running turn, follow it, wait for it or answer it. The package's own session, writer,
live file, journal, inbox and slot do what they do in a worker; only the messages of the app-server are the test's. What
a worker has beside these is missing: a process, an app-server, notifiers. Never here: assertions.

    turn = PlayedTurn(one_home)
    turn.say("The first half, ")
    turn.end("and the second.")
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from codex_server_cli.core.model.request import Approval, TurnRequest
from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.core.model.turn_id import make_turn_id
from codex_server_cli.core.protocol.rpc import encode
from codex_server_cli.core.record.effective_settings import effective_terms
from codex_server_cli.core.session.outbox import Step
from codex_server_cli.disk.journal.turn_journal import TurnJournal
from codex_server_cli.disk.queue import queue
from codex_server_cli.disk.turn import inbox, layout
from codex_server_cli.disk.turn.writer import TurnWriter
from codex_server_cli.worker.inbox import answer, take_requests
from codex_server_cli.worker.live_file import LiveFile
from codex_server_cli.worker.notify import Notifier
from tests.kit.dialogue import (
    COMPLETED,
    INTERRUPTED,
    THREAD,
    TURN,
    Dialogue,
    Json,
    delta,
    error_notification,
    item_notification,
    message_completed,
    message_started,
    turn_notification,
    usage_notification,
)
from tests.kit.home import FIRST_HALF, SECOND_HALF, Home, Turn

ASKING: dict[str, Any] = {"approval": Approval.ASK, "may_ask_questions": True}
"""The terms of a turn that may ask for an approval, and a question."""

_COMMAND, _QUESTION = "item/commandExecution/requestApproval", "item/tool/requestUserInput"


class _Talk(Dialogue):
    """A dialogue that is recorded on disk as it goes."""

    def __init__(self, turn: PlayedTurn, prompt: str, request: TurnRequest) -> None:
        self._turn = turn
        self._ids = {f'"{each}"'.encode(): f'"{uuid.uuid4()}"'.encode() for each in (THREAD, TURN)}
        self._accepted: set[int] = set()
        super().__init__(prompt, **request._asdict())

    def receive(self, *messages: Json | bytes) -> Dialogue:
        """Let these messages come, about a thread and a turn that no other has."""
        data = b"".join(message if isinstance(message, bytes) else encode(message) for message in messages)
        for written, own in self._ids.items():
            data = data.replace(written, own)
        return super().receive(data)

    def accept_steers(self) -> None:
        """Codex takes up each text that was steered in."""
        for message in [each for each in self.sent if each.get("method") == "turn/steer"]:
            if message["id"] not in self._accepted:
                self._accepted.add(message["id"])
                self.receive({"id": message["id"], "result": {"turnId": TURN}})

    def _do(self, step: Step) -> None:
        super()._do(step)
        self._turn.carry_out(step)


class PlayedTurn(Turn):
    """A turn of a home; `home.close` ends what the test leaves open.

    Each action returns once all of it is in the files, as a worker has them a quarter of a second later.

    Attributes:
        is_over: whether it has ended, or its worker has died.
    """

    def __init__(
        self,
        home: Home,
        prompt: str = "hi",
        *,
        name: str | None = None,
        max_running: int | None = None,
        has_begun: bool = True,
        **terms: Any,
    ) -> None:
        """Begin it.

        Args:
            max_running: take one of so many slots, so that other turns may have to queue; None takes none.
            has_begun: False leaves it in phase `starting`, until `begin`.
            terms: of its `TurnRequest`; its directory is the home's project unless they say otherwise.
        """
        turns = home.path / "turns"
        now_ms = time.time_ns() // 1_000_000
        turn_id = make_turn_id(now_ms, int.from_bytes(os.urandom(2)), max(home.turn_ids, default=None))
        request = TurnRequest(**{"turn_id": turn_id, "cwd": str(home.project), **terms})
        self._record: Json = {
            "version": 1,
            "name": name,
            "thread_id": None,
            "codex_turn_id": None,
            "started_at": format_time_ms(now_ms),
            "finished_at": None,
            "cwd": request.cwd,
            "sandbox": str(request.sandbox),
            "approval": str(request.approval),
            "codex": str(home.codex),
            "request": request.to_json(),
        }
        self._directory, self._lock_fd = layout.create(turns, turn_id, prompt, self._record)
        super().__init__(home, self._directory.turn_id)
        self._record["turn_id"] = self.id
        self._slot = None
        if max_running is not None:
            self._slot = queue.take_slot(queue.folder_of(turns), self.id, max_running)
        self._writer = TurnWriter(self._directory, self._lock_fd)
        self._journal = TurnJournal(self.path, name)
        self._live = LiveFile(self._writer, self._journal, Notifier(self.path, None), "/")
        self._mutex = threading.RLock()
        self.is_over = False
        self._message = self._message_count = self._request_count = 0
        self._text = ""
        self._wake_fd = inbox.open_wake(self._directory)
        self._talk = _Talk(self, prompt, request)
        with self._acting():
            pass
        if has_begun:
            self.begin()
        os.set_blocking(self._wake_fd, True)
        self._inbox = threading.Thread(target=self._serve, name=f"inbox of {self.id}", daemon=True)
        self._inbox.start()
        home.opened.callback(self.close)

    # --- what happens in it

    def begin(self) -> None:
        """Codex has begun the turn."""
        with self._acting() as talk:
            talk.started()

    def say(self, *pieces: str) -> None:
        """More of the answer comes."""
        with self._acting() as talk:
            self._say(talk, pieces)

    def say_aside(self, text: str) -> None:
        """A whole message comes that is not the answer."""
        with self._acting() as talk:
            self._message_count += 1
            id_ = f"msg-{self._message_count}"
            talk.receive(
                message_started(id_, "commentary"), delta(text, id_), message_completed(text, id_, "commentary")
            )

    def run(self, command: str, output: str = "", code: int = 0) -> None:
        """A command begins and ends."""
        with self._acting() as talk:
            self._message_count += 1
            id_ = f"item-{self._message_count}"
            item: Json = {"command": command, "cwd": self._record["cwd"]}
            talk.receive(item_notification("item/started", "commandExecution", id_, **item, status="inProgress"))
            ended: Json = {"status": "completed", "aggregatedOutput": output, "exitCode": code, "durationMs": 1}
            talk.receive(item_notification("item/completed", "commandExecution", id_, **item, **ended))

    def ask_approval(self, command: str, **params: Any) -> str:
        """Codex asks whether a command may run; the id of the request."""
        return self._ask(_COMMAND, command=command, cwd=self._record["cwd"], **params)

    def ask(self, *questions: Json) -> str:
        """Codex asks the user, who may answer in words of their own; the id of the request."""
        return self._ask(_QUESTION, questions=[{"isOther": True, **question} for question in questions])

    def end(self, *pieces: str) -> None:
        """The rest of the answer comes, and the turn ends well."""
        with self._acting() as talk:
            if pieces or not self._text:
                self._say(talk, pieces or ("Done.",))
            talk.receive(message_completed(self._text, f"msg-{self._message}"), usage_notification(), COMPLETED)

    def fail(self, info: str = "usageLimitExceeded", message: str = "It is over.") -> None:
        """Codex ends the turn with an error."""
        with self._acting() as talk:
            error = {"message": message, "codexErrorInfo": info}
            talk.receive(error_notification(message, will_retry=False, info=info))
            talk.receive(turn_notification("turn/completed", status="failed", error=error, items=[]))

    def die(self) -> None:
        """What is left when the worker is killed: no end, and a lock that nothing holds."""
        with self._mutex:
            if not self.is_over:
                self.is_over = True
                self._release()

    # --- the worker's part

    def carry_out(self, step: Step) -> None:
        """Record a step of the session, and answer the shells."""
        if step.events:
            self._writer.append_events(step.events)
        if step.text:
            self._writer.append_text(step.text)
        if step.replies:
            self._live.update(self._talk.session, self._talk.now_ms)
        for reply in step.replies:
            answer(Path(reply.tag), reply.error, reply.result)

    def close(self) -> None:
        """Leave it as the death of its worker does, unless it has ended."""
        self.die()
        if self._inbox.is_alive():
            os.write(self._wake_fd, b"!")
            self._inbox.join()
            os.close(self._wake_fd)

    @contextlib.contextmanager
    def _acting(self) -> Iterator[_Talk]:
        with self._mutex:
            self._talk.now_ms = time.time_ns() / 1e6
            yield self._talk
            self._keep_up()

    def _keep_up(self) -> None:
        """Bring the files up to date, and publish the end once there is one."""
        session = self._talk.session
        self._live.update(session, self._talk.now_ms)
        if self._live.due_ms is not None:
            self._live.update(session, self._live.due_ms)
        record = session.record
        told = {"thread_id": record.thread_id, "codex_turn_id": record.turn_id}
        if record.thread_id is not None and not told.items() <= self._record.items():
            terms = effective_terms(record.settings)
            self._record |= told | {"model": terms["model"], "effort": terms["effort"], "effective": terms}
            self._writer.write_meta(self._record)
        if session.outcome is not None and not self.is_over:
            self.is_over = True
            outcome = session.outcome._replace(refused=record.refusals.to_json())
            self._writer.finish(outcome, self._record)
            self._journal.end(outcome.state, outcome.error.kind if outcome.error else None)
            self._release()

    def _release(self) -> None:
        self._writer.close()
        if self._slot is not None:
            self._slot.release()
        os.close(self._lock_fd)

    def _serve(self) -> None:
        """Answer other shells, until the turn is over."""
        while not self.is_over and os.read(self._wake_fd, 4096):
            with self._mutex:
                if not self.is_over:
                    self._look_into_inbox()

    def _look_into_inbox(self) -> None:
        with self._acting() as talk:
            cause = take_requests(self._directory, talk.serve_request)
            talk.accept_steers()
            if cause is not None:
                talk.stop(cause)
                if not talk.has_ended:
                    talk.receive(INTERRUPTED)

    # --- the app-server's part

    def _say(self, talk: Dialogue, pieces: tuple[str, ...]) -> None:
        if not self._text:
            self._message_count += 1
            self._message = self._message_count
            talk.receive(message_started(f"msg-{self._message}"))
        for piece in pieces:
            self._text += piece
            talk.receive(delta(piece, f"msg-{self._message}"))

    def _ask(self, method: str, **params: Any) -> str:
        with self._acting() as talk:
            id_ = self._request_count
            self._request_count += 1
            about = {"threadId": THREAD, "turnId": TURN, "itemId": f"asking-{id_}"}
            talk.receive({"method": method, "id": id_, "params": {**about, **params}})
            return str(id_)


def hold(home: Home, prompt: str = "hi", **terms: Any) -> PlayedTurn:
    """A turn in the middle of its answer."""
    turn = PlayedTurn(home, prompt, **terms)
    turn.say(FIRST_HALF)
    return turn


def finish(turn: PlayedTurn) -> None:
    """The rest of its answer, and its end."""
    turn.end(SECOND_HALF)
