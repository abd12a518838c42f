"""From a fresh app-server to the turn: the conversation that opens it. Owns its order, and what forbids a turn.

Account and configuration are looked at while the thread opens; the turn starts when all three have answered and none
of the answers forbids it; who pays is `payer_check`'s to tell. Begins anew with each app-server, and sends the prompt
once: nothing is tried again behind that. Protocol facts: notes, sections 2 to 4.
"""

from __future__ import annotations

from codex_server_cli.core.asking import Asking
from codex_server_cli.core.exchange import Exchange
from codex_server_cli.core.failures import make_error
from codex_server_cli.core.payer import account_of_status
from codex_server_cli.core.payer_check import PayerCheck
from codex_server_cli.core.request import TurnRequest
from codex_server_cli.core.rpc import Message, text_in
from codex_server_cli.core.turn import TurnError
from codex_server_cli.errors import ErrorKind


class Opening:
    """What is said to an app-server until the turn runs. `is_turn_sent` tells whether the prompt is out."""

    def __init__(
        self, request: TurnRequest, prompt: str, client_version: str, exchange: Exchange, asking: Asking
    ) -> None:
        self.is_turn_sent = False
        self._payers = PayerCheck(request)
        self._request = request
        self._prompt = prompt
        self._client_version = client_version
        self._exchange = exchange
        self._asking = asking
        self._account: Message | None = None  # the result of `account/read`; empty where it was refused
        self._config: Message | None = None  # Codex's effective configuration; empty where it would not tell

    def begin(self, now_ms: float) -> None:
        """Have an app-server started, and say the first word to it."""
        self._exchange.begin(self._payers.provider)
        self._account = self._config = None
        client = {"name": "codex_server", "title": "codex-server", "version": self._client_version}
        params = {"clientInfo": client, "capabilities": {"experimentalApi": True}}
        self._asking.ask("initialize", params, now_ms)

    def go_on(self, method: str, result: Message, now_ms: float) -> TurnError | None:
        """Say what follows a reply.

        Args:
            method: what was replied to; what is not of the opening changes nothing.

        Returns:
            Why the turn must not start, where the reply forbids it.
        """
        match method:
            case "initialize":
                self._exchange.send({"method": "initialized"}, now_ms)
                self._asking.ask("account/read", {}, now_ms)
                self._asking.ask("config/read", {"cwd": self._request.cwd}, now_ms)
                self._asking.ask(*self._request.open_thread(), now_ms)
                return None
            case "account/read" if not result:  # refused, as without the network
                self._asking.ask("getAuthStatus", {"includeToken": False, "refreshToken": False}, now_ms)
                return None
            case "account/read":
                self._account = result
            case "getAuthStatus":
                self._account = account_of_status(result)
            case "config/read":
                config = result.get("config")
                self._config = config if isinstance(config, dict) else {}
            case "thread/start" | "thread/resume" | "thread/fork":
                if self._request.is_wider(self._exchange.record.settings):
                    return too_wide()
            case _:
                return None
        return self._start_turn(now_ms)

    def _start_turn(self, now_ms: float) -> TurnError | None:
        """Start the turn once everything is known that could forbid it."""
        thread_id = self._exchange.record.thread_id
        if self._account is None or self._config is None or thread_id is None or self.is_turn_sent:
            return None
        settings = self._exchange.record.settings
        problem = self._payers.problem(text_in(settings.get("modelProvider")) or None, self._config, self._account)
        self._exchange.record.payer = self._payers.payer
        if problem is not None:
            return problem
        if self._payers.wants_another:
            self._asking.forget()
            self.begin(now_ms)
            return None
        self.is_turn_sent = True
        model = settings.get("model")
        self._asking.ask(*self._request.open_turn(thread_id, self._prompt, model), now_ms)
        return None


def too_wide() -> TurnError:
    """The error of a turn whose effective policy is wider than asked."""
    message = "Codex's effective sandbox or approval policy allows more than was asked for; the turn was interrupted."
    return make_error(ErrorKind.SANDBOX, message)
