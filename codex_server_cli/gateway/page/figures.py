"""`GET /usage` and `GET /limits`: the documents of the verbs `usage` and `limits`. Owns their parameters."""

from __future__ import annotations

import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response

from codex_server_cli.actions.read.usage import read_usage
from codex_server_cli.core.account.queries import is_without_limits
from codex_server_cli.core.documents.account import limits_document
from codex_server_cli.core.documents.lean import rows_of, without_empty
from codex_server_cli.core.documents.turn import VERSION
from codex_server_cli.core.documents.usage import usage_document
from codex_server_cli.core.duration import since_ms
from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.core.openai.refusal import ApiError, invalid
from codex_server_cli.core.record.rate_limits import limits_in
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.turns.face import TurnsFace, document_answer
from codex_server_cli.gateway.turns.query import FULL, QueryForm, QueryOf
from codex_server_cli.gateway.upstream.connection import UpstreamError

USAGE: Mapping[str, QueryForm] = {**FULL, "since": QueryForm.TEXT, "by": QueryForm.TEXT}
GROUPED_BY = ("day", "model", "cwd", "state")
SINCE = "7d"
"""The default, as on the command line."""
_FACE = "figures"


class Figures:
    """What turns have used, and what the login may still use."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._face = gateway, gateway.shared(TurnsFace)

    async def usage(self, request: Request) -> Response:
        """What turns have used, by day, model, directory or state."""
        query = QueryOf(request, *USAGE)
        is_full, by = query.switch("full"), query.text("by") or GROUPED_BY[0]
        if by not in GROUPED_BY:
            raise invalid(f"`by` is one of {', '.join(GROUPED_BY)}, not {by[:40]!r}", "by", "invalid_value")
        start_ms = since_ms(query.text("since") or SINCE, "since", time.time_ns() // 1_000_000)
        report = await self._face.act(read_usage, self._face.settings, start_ms, by)
        document = usage_document(
            report.groups, report.total, by=by, since=format_time_ms(start_ms), n_unreadable=report.n_unreadable
        )
        return document_answer(document if is_full else without_empty(document))

    async def limits(self, request: Request) -> Response:
        """The limits of the ChatGPT login, and when they reset."""
        is_full = QueryOf(request, *FULL).switch("full")
        connection = await self._gateway.app_server.kept(_FACE)
        try:
            result = await connection.call("account/rateLimits/read", {})
        except UpstreamError as error:
            if not is_without_limits(error.message):
                raise
            # an API key, or another provider: the page shows the rest without limits
            raise ApiError(409, error.message, type="no_limits", code="no_limits") from error
        found = [limits_document(limit) for limit in limits_in(result)]
        return document_answer({"version": VERSION, "limits": found if is_full else rows_of(found)})
