"""The parameters behind a path: what they cost."""

from __future__ import annotations

import time

import pytest
from starlette.requests import Request

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.turns.query import QueryOf


def test_a_query_of_many_names_is_refused_at_once_as_all_clients_wait_for_that() -> None:
    names = [f"p{number}" for number in range(16_000)]
    for query, message in (
        ("&".join(names), "there is no parameter `p0`"),
        ("&".join([*names, "p7"]), "`p7` is given"),
    ):
        begun_s = time.process_time()
        with pytest.raises(ApiError, match=message):
            QueryOf(Request({"type": "http", "query_string": query.encode()}), "limit")
        assert time.process_time() - begun_s < 1.0
