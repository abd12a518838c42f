"""From a fresh app-server to the turn: the conversation that opens it. Owns its order, and what forbids a turn.

Account, configuration and the administrator's `requirements` are asked for at once. The thread is opened when the last
two are known, because they tell what it must be opened under; the turn starts when all have answered and none of the
answers forbids it, under the user's own permission profile where he has one (`permissions`); who pays is
`payer_check`'s to tell. A thread in which something waits (`waiting`) is not even opened. Begins anew with each
app-server, and sends the prompt once: nothing is tried again behind that. Protocol facts: notes, sections 2 to 4.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.codex_config import as_tables, startup_ms
from codex_server_cli.core.model.payer import account_of_status
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.rpc import Message, object_at, text_in
from codex_server_cli.core.result.failures import make_error
from codex_server_cli.core.session.outbox import Outbox
from codex_server_cli.core.session.payer_check import PayerCheck
from codex_server_cli.core.session.permissions import (
    PermissionProfile,
    Terms,
    denied_by_name,
    has_proxy,
    profile_in_force,
    terms_of,
)
from codex_server_cli.core.session.queued_messages import GOAL, LIST, OCCUPIED, what_waits
from codex_server_cli.core.session.requests import Requests
from codex_server_cli.core.session.requirements import READ, is_overruled, problem_of, profile_to_open_under
from codex_server_cli.errors import ErrorKind


class Handshake:
    """What is said to an app-server until the turn runs. `is_turn_sent` tells whether the prompt is out."""

    def __init__(
        self, request: TurnRequest, prompt: str, client_version: str, outbox: Outbox, requests: Requests
    ) -> None:
        self.is_turn_sent = False
        self._payers = PayerCheck(request)
        self._request = request
        self._prompt = prompt
        self._client_version = client_version
        self._outbox = outbox
        self._requests = requests
        self._account: Message | None = None  # the result of `account/read`; empty where it was refused
        self._config: Message = {}  # Codex's effective configuration
        self._requirements: Any = None  # the result of `READ`, of whatever shape
        self._waiting: dict[str, Message] = {}  # what waits in the thread, as `LIST` and `GOAL` tell it
        self._unseen: set[str] = set()  # what the thread is not opened without
        self._profile: PermissionProfile | None = None  # the user's own; looked for when all else is known
        self._terms = Terms()
        self._is_opened_wider = False  # than asked for: the built-in profile of a managed list replaces our sandbox
        self._settings_left: list[Message] | None = None  # not taken yet, the one that was told first; None: not known

    @property
    def is_policy_told(self) -> bool:
        """Whether the settings that Codex announced are those of the turn.

        Under a profile they are once the turn has started: what the profile alone allows is announced before that, and
        after the reply to what put it in force (observed on 0.163.0 and 0.171.0).
        """
        is_as_opened = self._profile is None and not self._is_opened_wider
        return is_as_opened or self._outbox.record.has_started

    @property
    def has_policy(self) -> bool:
        """Whether the turn's own policy is in force, not a permission profile as it stands."""
        return self._terms.has_policy

    def begin(self, now_ms: float) -> None:
        """Have an app-server started, and say the first word to it."""
        self._outbox.begin(self._payers.provider)
        self._account = self._profile = self._settings_left = None
        client = {"name": "codex_server", "title": "codex-server", "version": self._client_version}
        params = {"clientInfo": client, "capabilities": {"experimentalApi": True}}
        self._requests.ask("initialize", params, now_ms)

    def go_on(self, method: str, told: Any, now_ms: float) -> TurnError | None:
        """Say what follows a reply.

        Args:
            method: what was replied to; what is not of the opening changes nothing.
            told: the result; None where it was refused.

        Returns:
            Why the turn must not start, where the reply forbids it.
        """
        result: Message = told if isinstance(told, dict) else {}
        match method:
            case "initialize":
                self._outbox.send({"method": "initialized"}, now_ms)
                self._look(now_ms)
                return None
            case "account/read" if not result:  # refused, as without the network
                self._requests.ask("getAuthStatus", {"includeToken": False, "refreshToken": False}, now_ms)
                return None
            case "account/read":
                self._account = result
            case "getAuthStatus":
                self._account = account_of_status(result)
            case "config/read":
                self._config = object_at(result, "config")
                self._requests.allow_startup(startup_ms(self._configured))
                return self._open_thread(method, now_ms)
            case "configRequirements/read":
                self._requirements = told
                return self._open_thread(method, now_ms)
            case "thread/queue/list" | "thread/goal/get":
                self._waiting[method] = result
                return self._open_thread(method, now_ms)
            case "thread/start" | "thread/resume" | "thread/fork":
                pass
            case "thread/settings/update" if self._settings_left:
                del self._settings_left[0]
                self._tell_setting(now_ms)
            case _:
                return None
        return self._start_turn(now_ms)

    def _look(self, now_ms: float) -> None:
        """Only a thread that is resumed has something waiting in it: Codex copies neither queue nor goal to a fork."""
        looks: dict[str, Message] = {"config/read": {"cwd": self._request.cwd}, READ: {}}
        if self._request.thread_id is not None and not self._request.is_fork:
            looks |= {method: {"threadId": self._request.thread_id} for method in (LIST, GOAL)}
        self._unseen = set(looks)
        for method, params in {"account/read": {}, **looks}.items():
            self._requests.ask(method, params, now_ms)

    def _open_thread(self, seen: str, now_ms: float) -> TurnError | None:
        """Open the thread once all is seen that would come too late: what waits in it, and what it is opened under."""
        self._unseen.discard(seen)
        if self._unseen:
            return None
        reason = what_waits(self._waiting.get(LIST, {}), self._waiting.get(GOAL, {}))
        if reason is not None and not self._request.may_fork_if_busy:
            thread_id = str(self._request.thread_id)
            return _busy(thread_id, f"thread {thread_id} was not resumed: {reason}")
        request = self._request._replace(is_fork=self._request.is_fork or reason is not None)
        under = profile_to_open_under(self._requirements, self._configured)
        self._requests.ask(*request.open_thread(under), now_ms)
        return None

    def _start_turn(self, now_ms: float) -> TurnError | None:
        """Start the turn once everything is known that could forbid it."""
        thread_id = self._outbox.record.thread_id
        if self._account is None or thread_id is None or self.is_turn_sent:
            return None
        if self._settings_left is None:
            problem = self._judge_payer(self._config, self._account)
            if problem is not None:
                return problem
            if self._payers.wants_another:
                self._requests.forget()
                self.begin(now_ms)
                return None
            problem = self._prepare_settings(thread_id)
            if problem is not None:
                return problem
            self._tell_setting(now_ms)
        if self._settings_left:
            return None  # until Codex has taken the last of them
        if self._outbox.record.foreign.turn_id is not None:
            return _busy(thread_id, f"thread {thread_id}: Codex began a turn of its own as it was opened")
        self.is_turn_sent = True
        model = self._outbox.record.settings.get("model")
        turn = self._request.open_turn(thread_id, self._prompt, model, has_policy=self._terms.has_policy)
        self._requests.ask(*turn, now_ms)
        return None

    def _judge_payer(self, config: Message, account: Message) -> TurnError | None:
        """See who pays for the thread's own provider; not known where it takes another app-server to tell."""
        record = self._outbox.record
        problem = self._payers.problem(text_in(record.settings.get("modelProvider")) or None, config, account)
        record.payer = self._payers.payer
        return problem

    def _tell_setting(self, now_ms: float) -> None:
        if self._settings_left:
            self._requests.ask("thread/settings/update", self._settings_left[0], now_ms)

    @property
    def _configured(self) -> Message:
        """Codex's configuration for the thread, with what the turn lays over it."""
        return as_tables(self._config, self._request.overrides)

    def _prepare_settings(self, thread_id: str) -> TurnError | None:
        """See which settings put the user's own permission profile in force, and what of it forbids the turn."""
        settings, requirements = self._outbox.record.settings, self._requirements
        if not is_overruled(requirements, self._configured, settings):
            self._profile = profile_in_force(self._configured, settings)
        self._settings_left = []
        problem = problem_of(requirements, settings, self._request, self._profile)
        if problem is not None:
            return problem
        policy = {"threadId": thread_id, "sandboxPolicy": self._request.sandbox_policy()}
        if self._profile is None:
            self._is_opened_wider = self._request.is_wider(settings)
            if self._is_opened_wider and not settings.get("activePermissionProfile"):
                return too_wide()
            self._settings_left += [policy] * self._is_opened_wider  # a review's start takes none
            return None
        self._terms = terms_of(self._profile, self._request, had_proxy=has_proxy(self._config))
        self._outbox.guard(denied_by_name(self._profile, self._request))
        self._settings_left.append({"threadId": thread_id, "permissions": self._profile.name})
        if self._request.review is not None and self._terms.has_policy:  # its start takes no policy
            self._settings_left.append(policy)
        return self._terms.problem


def _busy(thread_id: str, message: str) -> TurnError:
    return make_error(ErrorKind.THREAD_BUSY, message, hint=OCCUPIED.format(thread_id=thread_id))


def too_wide() -> TurnError:
    """The error of a turn whose effective policy is wider than asked."""
    message = "Codex's effective sandbox or approval policy allows more than was asked for; the turn was interrupted."
    return make_error(ErrorKind.SANDBOX, message)
