"""What an app-server says of itself."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.protocol.diagnostics import Diagnostics, ask_diagnostics
from tests.kit.cases import for_each
from tests.kit.queries import play_query

HELLO = {"result": {"userAgent": "codex_server/0.171.0"}}
OURS = {"name": "app.requests.in_flight", "value": 1}


@for_each(
    ("result", "found"),
    [
        (
            {
                "process": {"id": 7, "residentMemoryBytes": 162398208, "physicalFootprintBytes": None},
                "gauges": [OURS, {"name": "core.threads.live", "value": 2}, {"name": "core.turns.active", "value": 1}],
            },
            Diagnostics(162398208, 2, 1),
        ),
        ({"process": {"residentMemoryBytes": 5}, "gauges": [OURS]}, Diagnostics(5, 0, 0)),  # nothing was counted yet
        ({"gauges": [{"name": "something.else", "value": 1}]}, Diagnostics(None, None, None)),
        ({"process": 3, "gauges": {}}, Diagnostics(None, None, None)),
        ({}, Diagnostics(None, None, None)),
    ],
)
def test_what_is_told_is_taken_and_a_gauge_that_is_not_there_yet_is_zero(
    result: dict[str, Any], found: Diagnostics
) -> None:
    asked, said = play_query(ask_diagnostics("1"), HELLO, {"result": result})
    assert asked[1] == ("server/diagnostics", {})
    assert said == found


def test_a_refusal_is_none() -> None:
    assert play_query(ask_diagnostics("1"), HELLO, {"error": {"code": -32600, "message": "no"}})[1] is None
