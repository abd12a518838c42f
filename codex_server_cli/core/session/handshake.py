"""The handshake with a new app-server, up to the start of the turn. Owns its order, and what forbids a turn.

Account, configuration and the administrator's `requirements` are requested at once. The thread is opened when the last
two are known, because they determine the profile to open it under; the turn starts after all replies if none forbids
it, under the user's own permission profile if there is one (`permissions`); `payer_check` determines who pays. A thread
with something queued (`queued_messages`) is not even opened. Restarts with each app-server, and sends the prompt once:
nothing is retried after that. On a shared app-server the thread gets the turn's environment, and the prompt an id of
ours (`shared`). Protocol facts: notes, sections 2 to 4.
"""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.model.codex_config import as_tables, startup_ms
from codex_server_cli.core.model.payer import account_of_status
from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.model.server.terms import OWN_SERVER, ServerTerms
from codex_server_cli.core.model.turn import TurnError
from codex_server_cli.core.protocol.query import initialize_params
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
from codex_server_cli.core.session.requirements import is_overruled, problem_of, profile_to_open_under
from codex_server_cli.core.session.shared.environment import config_on_server
from codex_server_cli.core.session.shared.opening import INITIALIZED, READ, queries
from codex_server_cli.core.session.shared.own_threads import OPTED_OUT
from codex_server_cli.core.session.shared.resumed import why_busy
from codex_server_cli.errors import ErrorKind


class Handshake:
    """The requests to an app-server until the turn runs. `is_turn_sent`: whether the prompt was sent."""

    def __init__(
        self,
        request: TurnRequest,
        prompt: str,
        client_version: str,
        outbox: Outbox,
        requests: Requests,
        server: ServerTerms = OWN_SERVER,
    ) -> None:
        self.is_turn_sent = False
        self._server = server
        self._payers = PayerCheck(request)
        self._request = request
        self._prompt = prompt
        self._client_version = client_version
        self._outbox = outbox
        self._requests = requests
        self._account: Message | None = None  # the result of `account/read`; empty if it was refused
        self._config: Message = {}  # Codex's effective configuration
        self._looks: dict[str, Any] = {}  # the results of the queries before the thread is opened, by method
        self._missing_replies: set[str] = set()  # methods whose replies are needed to open the thread
        self._profile: PermissionProfile | None = None  # the user's own; determined after all replies
        self._terms = Terms()
        self._opened_with: Message = {}
        self._is_opened_wider = False  # than requested: the built-in profile of a managed list replaces our sandbox
        self._pending_settings: list[Message] | None = None  # not applied yet, the one sent is first; None: unknown

    @property
    def is_policy_announced(self) -> bool:
        """Whether the settings that Codex announced are those of the turn.

        Under a profile they are so once the turn has started: before that, and after the reply that applied the
        profile, Codex announces what the profile alone allows (observed on 0.163.0 and 0.171.0).
        """
        is_as_opened = self._profile is None and not self._is_opened_wider
        return is_as_opened or self._outbox.record.has_started

    @property
    def has_policy(self) -> bool:
        """Whether the turn's own policy is in force, not an unmodified permission profile."""
        return self._terms.has_policy

    def begin(self, now_ms: float) -> None:
        """Request the start of an app-server, and send `initialize`."""
        self._outbox.begin(self._payers.provider)
        self._account = self._profile = self._pending_settings = None
        self.is_turn_sent = False
        self._requests.ask("initialize", self.initialize_params(), now_ms)

    def initialize_params(self) -> Message:
        """The parameters of `initialize`."""
        return initialize_params(self._client_version, OPTED_OUT if self._server.is_shared else ())

    def resume_params(self, newest: int | None) -> Message:
        """The parameters that resume our thread once it has our turn: nothing in them is wider than at its opening.

        Args:
            newest: how many of its newest turns to get, items in full; None for all. Only with None Codex reports the
                thread's tokens again (0.163.0 and 0.171.0).
        """
        own = self._request._replace(thread_id=self._outbox.record.thread_id, is_fork=False)
        params = self._opening(own, None)[1]
        if newest is None:
            return {**params, "excludeTurns": False}
        return {**params, "initialTurnsPage": {"limit": newest, "sortDirection": "desc", "itemsView": "full"}}

    def on_reply(self, method: str, raw_result: Any, now_ms: float) -> TurnError | None:
        """Send what follows a reply.

        Args:
            method: of the request; one outside the handshake changes nothing.
            raw_result: the result, of any shape; None if it was refused.

        Returns:
            Why the turn must not start, if the reply forbids it.
        """
        result: Message = raw_result if isinstance(raw_result, dict) else {}
        match method:
            case "initialize":
                self._outbox.send(INITIALIZED, now_ms)
                self._send_queries(now_ms)
                return None
            case "account/read" if not result:  # refused, as without the network
                self._requests.ask("getAuthStatus", {"includeToken": False, "refreshToken": False}, now_ms)
                return None
            case "account/read":
                self._account = result
            case "getAuthStatus":
                self._account = account_of_status(result)
            case "config/read":
                self._config, self._looks[method] = object_at(result, "config"), result
                self._requests.allow_startup(startup_ms(self._configured))
                return self._open_thread(method, now_ms)
            case "configRequirements/read" | "thread/queue/list" | "thread/goal/get":
                self._looks[method] = raw_result
                return self._open_thread(method, now_ms)
            case "thread/start" | "thread/resume" | "thread/fork":
                return self._check_opened(method, result) or self._start_turn(now_ms)
            case "thread/settings/update" if self._pending_settings:
                del self._pending_settings[0]
                self._send_setting(now_ms)
            case _:
                return None
        return self._start_turn(now_ms)

    def _send_queries(self, now_ms: float) -> None:
        asked = queries(self._request.work_dir, None if self._request.is_fork else self._request.thread_id)
        self._missing_replies = set(asked) - {"account/read"}
        for method, params in asked.items():
            self._requests.ask(method, params, now_ms)

    def _open_thread(self, method: str, now_ms: float) -> TurnError | None:
        """Open the thread once its queue and its profile are known: afterwards would be too late."""
        self._missing_replies.discard(method)
        if self._missing_replies:
            return None
        reason = what_waits(object_at(self._looks, LIST), object_at(self._looks, GOAL))
        if reason is not None and not self._request.may_fork_if_busy:
            thread_id = str(self._request.thread_id)
            return _busy(thread_id, f"thread {thread_id} was not resumed: {reason}")
        request = self._request._replace(is_fork=self._request.is_fork or reason is not None)
        under = profile_to_open_under(self._looks.get(READ), self._configured)
        method, self._opened_with = self._opening(request, under)
        self._requests.ask(method, self._opened_with, now_ms)
        return None

    def _check_opened(self, method: str, result: Message) -> TurnError | None:
        """Check that the reply names the thread, and that no other client of a shared app-server uses it."""
        if self._outbox.record.thread_id is None:  # the turn would hang for a quarter of an hour
            return make_error(ErrorKind.PROTOCOL, f"Codex's reply to {method} names no thread.")
        is_comparable = self._server.is_shared and method == "thread/resume"
        reason = why_busy(self._opened_with, result) if is_comparable else None
        thread_id = str(self._request.thread_id)
        return None if reason is None else _busy(thread_id, f"thread {thread_id} was not used: {reason}")

    def _opening(self, request: TurnRequest, under: str | None) -> tuple[str, Message]:
        method, params = request.open_thread(under)
        if not self._server.is_shared:
            return method, params
        if method == "thread/resume" and (request.review is not None or request.is_compaction):
            params["initialTurnsPage"] = {"limit": 1, "sortDirection": "desc", "itemsView": "notLoaded"}
        read = object_at(self._looks, "config/read")
        config = config_on_server(params.get("config") or {}, self._server, read, self._request.turn_id)
        return method, {**params, "config": config} if config else params

    def _start_turn(self, now_ms: float) -> TurnError | None:
        """Start the turn once everything is known that could forbid it."""
        thread_id = self._outbox.record.thread_id
        if self._account is None or thread_id is None or self.is_turn_sent:
            return None
        if self._pending_settings is None:
            problem = self._check_payer(self._config, self._account)
            if problem is not None:
                return problem
            if self._payers.wants_another:
                self._requests.forget()
                self.begin(now_ms)
                return None
            problem = self._prepare_settings(thread_id)
            if problem is not None:
                return problem
            self._send_setting(now_ms)
        if self._pending_settings:
            return None  # until Codex has applied the last of them
        if self._outbox.record.foreign.turn_id is not None:
            return _busy(thread_id, f"thread {thread_id}: Codex began a turn of its own as it was opened")
        self.is_turn_sent = True
        model = self._outbox.record.settings.get("model")
        method, params = self._request.open_turn(thread_id, self._prompt, model, has_policy=self._terms.has_policy)
        if self._server.is_shared and method == "turn/start":
            params["clientUserMessageId"] = self._request.turn_id  # identifies it after a lost connection
        self._requests.ask(method, params, now_ms)
        return None

    def _check_payer(self, config: Message, account: Message) -> TurnError | None:
        """Determine who pays for the thread's provider; still unknown if that needs another app-server."""
        record = self._outbox.record
        problem = self._payers.problem(text_in(record.settings.get("modelProvider")) or None, config, account)
        record.payer = self._payers.payer
        return problem

    def _send_setting(self, now_ms: float) -> None:
        if self._pending_settings:
            self._requests.ask("thread/settings/update", self._pending_settings[0], now_ms)

    @property
    def _configured(self) -> Message:
        """Codex's configuration for the thread, with the turn's overrides."""
        return as_tables(self._config, self._request.overrides)

    def _prepare_settings(self, thread_id: str) -> TurnError | None:
        """Determine which settings apply the user's own permission profile, and whether it forbids the turn."""
        settings, requirements = self._outbox.record.settings, self._looks.get(READ)
        if not is_overruled(requirements, self._configured, settings):
            self._profile = profile_in_force(self._configured, settings)
        self._pending_settings = []
        problem = problem_of(requirements, settings, self._request, self._profile)
        if problem is not None:
            return problem
        policy = {"threadId": thread_id, "sandboxPolicy": self._request.sandbox_policy()}
        if self._profile is None:
            self._is_opened_wider = self._request.is_wider(settings)
            if self._is_opened_wider and not settings.get("activePermissionProfile"):
                return too_wide()
            self._pending_settings += [policy] * self._is_opened_wider  # a review's start takes none
            return None
        self._terms = terms_of(self._profile, self._request, had_proxy=has_proxy(self._config))
        self._outbox.record_denied(denied_by_name(self._profile, self._request))
        self._pending_settings.append({"threadId": thread_id, "permissions": self._profile.name})
        if self._request.review is not None and self._terms.has_policy:  # its start takes no policy
            self._pending_settings.append(policy)
        return self._terms.problem


def _busy(thread_id: str, message: str) -> TurnError:
    return make_error(ErrorKind.THREAD_BUSY, message, hint=OCCUPIED.format(thread_id=thread_id))


def too_wide() -> TurnError:
    """The error of a turn whose effective policy is wider than requested."""
    message = "Codex's effective sandbox or approval policy allows more than was asked for; the turn was interrupted."
    return make_error(ErrorKind.SANDBOX, message)
