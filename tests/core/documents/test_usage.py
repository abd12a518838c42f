"""The JSON of `usage`."""

from __future__ import annotations

from codex_server_cli.core.documents.lean import without_empty
from codex_server_cli.core.documents.usage import usage_document
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.result.usage_report import TurnUse, group_of


def test_each_group_is_under_its_key_with_its_figures_flat() -> None:
    uses = [TurnUse("m", State.COMPLETE, None, {"total_tokens": 7}, 1.5), TurnUse("", State.FAILED, "network")]
    groups = [group_of(use.group, [use]) for use in uses]
    document = usage_document(groups, group_of("", uses), by="model", since="SINCE", n_unreadable=1)
    tokens = {"input_tokens": 0, "cached_input_tokens": 0, "output_tokens": 0, "reasoning_output_tokens": 0}
    first = {"model": "m", "turns": 1, "running": 0, "cancelled": 0, "failures": {}, **tokens, "total_tokens": 7}
    second = {"model": None, "turns": 1, "running": 0, "cancelled": 0, "failures": {"network": 1}, **tokens}
    assert document == {
        "version": 2,
        "since": "SINCE",
        "by": "model",
        "groups": [
            {**first, "median_s": 1.5, "p95_s": 1.5},
            {**second, "total_tokens": 0, "median_s": None, "p95_s": None},
        ],
        "total": {
            **{"turns": 2, "running": 0, "cancelled": 0, "failures": {"network": 1}, **tokens},
            **{"total_tokens": 7, "median_s": 1.5, "p95_s": 1.5},
        },
        "unreadable": 1,
    }
    assert without_empty(document)["groups"][1].keys() == second.keys() - {"model"} | {"total_tokens"}
