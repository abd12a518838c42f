"""A gateway that serves only the self-test's requests. Owns the order of checks, and what a failure stops.

It listens on a free loopback port, with a random secret token, wherever `serve` would listen.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Callable
from typing import Any

from anyio import to_thread

from codex_server_cli.core.openai.selftest.checks import CHECKS, Check, CheckContext
from codex_server_cli.core.openai.selftest.probe import ProbeReply, WrongAnswer
from codex_server_cli.core.openai.selftest.result import CheckResult
from codex_server_cli.errors import Exit
from codex_server_cli.gateway.access_log import AccessLog
from codex_server_cli.gateway.login_check import LoginCheck
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.selftest.client import SelftestClient
from codex_server_cli.gateway.serve import run_service
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.settings.places import Settings

_NO_PROJECT = "/"
"""Chats work in an empty directory, so that no project configuration affects their login."""
_LOGGED_S = 1.0
"""How long the log line of a request may take after its last byte."""


def selftest(
    settings: Settings, options: ServeOptions, *, tell: Callable[[CheckResult], None], is_for_people: bool
) -> int:
    """Run all checks against the model that is logged in.

    Args:
        options: as for `serve`; its address and token are not used.
        tell: called in a thread with each result as soon as it is known.
        is_for_people: the form of the log on stderr, which contains no request lines.

    Returns:
        The exit code: that of a missing login, 1 if a check failed, 130 after Ctrl-C.

    Raises:
        CodexServerError: there is no login, or the gateway cannot start.
    """
    asyncio.run(LoginCheck(settings, _NO_PROJECT).check())
    token, results = secrets.token_urlsafe(32), []
    own = options._replace(host="127.0.0.1", port=0, path=None, token=token, allowed_origins=(), allowed_hosts=())
    log = _Log(is_for_people=is_for_people)

    def run_all(client: SelftestClient, gateway: Gateway) -> None:
        context = CheckContext(next(iter(options.model_aliases), None), secrets.token_hex(8))
        for name, check in CHECKS.items():
            result = _run(name, check(context), client)
            if gateway.is_stopping:  # shutdown is why it failed
                return
            results.append(result)
            tell(result)

    async def work(gateway: Gateway, address: str) -> None:
        client = SelftestClient(address, token, log.way_of)
        running = asyncio.ensure_future(to_thread.run_sync(run_all, client, gateway))
        stopping = asyncio.ensure_future(gateway.stopping.wait())
        await asyncio.wait((running, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        client.leave()
        await running

    code = run_service(settings, own, log, work)
    if len(results) < len(CHECKS):
        return code or Exit.FAILED
    if any(result.is_login for result in results):
        return Exit.NOT_LOGGED_IN
    return Exit.OK if all(result.problem is None for result in results) else Exit.FAILED


def _run(name: str, check: Check, client: SelftestClient) -> CheckResult:
    replies: list[ProbeReply] = []
    try:
        probe = next(check)
        while True:
            replies.append(client.ask(probe))
            probe = check.send(replies[-1])
    except StopIteration as end:
        return CheckResult(name, None, end.value, tuple(replies))
    except WrongAnswer as error:
        return CheckResult(name, str(error), "", tuple(replies))


class _Log(AccessLog):
    """Remembers the log lines of requests instead of writing them."""

    def __init__(self, *, is_for_people: bool) -> None:
        super().__init__(is_for_people=is_for_people)
        self._ways: dict[str, str | None] = {}
        self._changed = threading.Condition()

    def say(self, event: str, **facts: Any) -> None:
        """See `AccessLog`."""
        if event == "request":
            with self._changed:
                self._ways[facts["id"]] = facts.get("thread")
                self._changed.notify_all()
        elif event not in ("started", "stopping"):
            super().say(event, **facts)

    def way_of(self, request_id: str) -> str | None:
        """What happened to the previous request's thread; None if unknown."""
        with self._changed:
            self._changed.wait_for(lambda: request_id in self._ways, _LOGGED_S)
            return self._ways.get(request_id)
