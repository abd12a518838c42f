"""The model of the judges: what it answers, and that it would notice what it is there to notice."""

from __future__ import annotations

from typing import Any

from codex_server_cli.demo.request import Request
from tests.kit.willing_model import WillingModel, fitting


def _message(role: str, text: str) -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "text", "text": text}]}


def _ask(model: WillingModel, key: str, *items: dict[str, Any]) -> None:
    model(Request("POST", "/v1/responses", {}, {"input": list(items), "prompt_cache_key": key}))


_ASKED = _message("user", "say hello")
_GONE_ON = (_ASKED, _message("assistant", "hello"), _message("user", "say bye"))


def test_a_conversation_that_keeps_its_key_is_right() -> None:
    model = WillingModel()
    _ask(model, "a", _ASKED)
    _ask(model, "a", *_GONE_ON)
    assert model.problems == []


def test_a_conversation_under_another_key_is_a_problem() -> None:
    model = WillingModel()
    _ask(model, "a", _ASKED)
    _ask(model, "b", *_GONE_ON)
    assert ["under another prompt-cache key" in each for each in model.problems] == [True]


def test_a_conversation_with_another_answer_is_another_conversation() -> None:
    model = WillingModel()
    _ask(model, "a", _message("user", "say something else"))
    _ask(model, "a", _ASKED)
    _ask(model, "b", _ASKED, _message("assistant", "no"), _message("user", "say bye"))
    assert model.problems == []


def test_a_second_answer_to_the_same_may_have_any_key() -> None:
    model = WillingModel()
    _ask(model, "a", _ASKED)
    _ask(model, "a", *_GONE_ON)
    _ask(model, "b", *_GONE_ON)
    assert model.problems == []


def test_a_value_fits_its_schema() -> None:
    schema = {
        "$defs": {"Place": {"type": "object", "properties": {"name": {"type": "string"}}}},
        "type": "object",
        "properties": {
            "at": {"$ref": "#/$defs/Place"},
            "degrees": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "kinds": {"type": "array", "items": {"enum": ["rain", "sun"]}},
        },
    }
    assert fitting(schema, "At 'Oslo' -3 degrees") == {"at": {"name": "Oslo"}, "degrees": -3, "kinds": ["rain"]}
