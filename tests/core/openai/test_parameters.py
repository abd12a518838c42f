"""Each parameter has an effect, or is told to have none, or is refused; the documentation has the same table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from codex_server_cli.core.openai.parameter import EFFORTS, SUMMARIES, VERBOSITIES, Treatment
from codex_server_cli.core.openai.parameters import (
    MAX_STOPS,
    PARAMETERS,
    ChatSettings,
    parse_settings,
)
from codex_server_cli.core.openai.refusal import ApiError
from tests.kit.cases import for_each

GATEWAY = Path(__file__).parents[3] / "references" / "gateway.md"
ALIASES = {"gpt-4o": "gpt-6.2-sol", "small": "gpt-6-luna:low", "llama:7b": "llama"}
NOTHING = ChatSettings(
    model=None,
    effort=None,
    summary=None,
    verbosity=None,
    service_tier=None,
    stop=(),
    is_stream=False,
    has_usage_chunk=False,
    cache_key=None,
    ignored=(),
)
IGNORED: dict[str, Any] = {
    "max_tokens": 1,
    "max_completion_tokens": 1,
    "temperature": 0.2,
    "top_p": 0.5,
    "frequency_penalty": 0.1,
    "presence_penalty": -1,
    "seed": 7,
    "logit_bias": {"1": 2},
    "metadata": {"a": "b"},
    "store": True,
    "safety_identifier": "x",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"mode": "explicit"},
    "prediction": {"type": "content", "content": "x"},
    "parallel_tool_calls": False,
    "service_tier": "scale",
}
REFUSED: list[tuple[str, Any]] = [
    ("n", 2),
    ("n", "1"),
    ("logprobs", True),
    ("top_logprobs", 3),
    ("audio", {"voice": "alloy"}),
    ("audio", {}),
    ("modalities", ["text", "audio"]),
    ("moderation", {"model": "omni-moderation-latest"}),
    ("web_search_options", {}),
]


def read(is_strict: bool = False, **body: Any) -> ChatSettings:
    return parse_settings(body, ALIASES, is_strict=is_strict)


def test_the_documentation_has_the_same_table() -> None:
    section = GATEWAY.read_text(encoding="utf-8").partition("\n## Parameters\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `([\w.]+)` \| (\w+) \| (.+) \|$", section, re.MULTILINE)
    assert rows == [(each.name, each.treatment.value, each.note) for each in PARAMETERS]


def test_the_documentation_names_the_efforts_that_a_model_name_may_end_in() -> None:
    assert ", ".join(f"`{each}`" for each in EFFORTS) in GATEWAY.read_text(encoding="utf-8")


def test_every_parameter_that_the_official_client_can_send_is_in_the_table() -> None:
    either = (CompletionCreateParamsNonStreaming, CompletionCreateParamsStreaming)
    sent = {key for kind in either for key in kind.__required_keys__ | kind.__optional_keys__}
    assert {"messages", "stream_options"} <= sent
    assert sent - {each.name.partition(".")[0] for each in PARAMETERS} == set()


@for_each("given", [(name, value) for name, value in IGNORED.items()])
def test_a_parameter_without_effect_is_told_and_refused_where_that_is_asked_for(given: tuple[str, Any]) -> None:
    name, value = given
    assert read(**{name: value}) == NOTHING._replace(ignored=(name,))
    with pytest.raises(ApiError) as refused:
        read(is_strict=True, **{name: value})
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, name, "unsupported_parameter")


def test_all_that_is_ignored_is_named_in_the_order_of_the_table() -> None:
    names = [each.name for each in PARAMETERS if each.treatment is Treatment.IGNORED and "." not in each.name]
    told = read(**dict(reversed(IGNORED.items()))).ignored
    assert told == (*names, "service_tier")
    with pytest.raises(ApiError, match=r"`temperature`, `seed` would have no effect"):
        read(is_strict=True, seed=1, temperature=0)


def test_what_a_stream_option_asks_for_in_vain_is_told() -> None:
    assert read(stream_options={"include_obfuscation": True}).ignored == ("stream_options.include_obfuscation",)


def test_a_value_that_asks_for_nothing_is_neither_told_nor_refused() -> None:
    for each in PARAMETERS:
        for value in (None, *each.harmless):
            outer, _, inner = each.name.rpartition(".")
            body = {outer: {inner: value}} if outer else {inner: value}
            assert read(is_strict=True, **body) == NOTHING, each.name


@for_each("given", REFUSED)
def test_a_parameter_that_would_change_what_an_answer_is_is_refused(given: tuple[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        read(**dict([given]))
    assert (refused.value.status, refused.value.param, refused.value.code) == (400, given[0], "unsupported_parameter")
    assert f"`{given[0]}`" in refused.value.message


@for_each(
    ("name", "model", "effort"),
    [
        (None, None, None),
        ("", None, None),
        ("gpt-6.2-sol", "gpt-6.2-sol", None),
        ("gpt-6.2-sol:high", "gpt-6.2-sol", "high"),
        ("gpt-4o", "gpt-6.2-sol", None),
        ("gpt-4o:max", "gpt-6.2-sol", "max"),
        ("small", "gpt-6-luna", "low"),
        ("small:high", "gpt-6-luna", "high"),
        ("qwen:0.5b", "qwen:0.5b", None),
        ("qwen:0.5b:low", "qwen:0.5b", "low"),
        ("llama:7b", "llama", None),
        (":high", ":high", None),
    ],
)
def test_a_model_name_may_be_an_alias_and_end_in_an_effort(name: Any, model: Any, effort: Any) -> None:
    assert read(model=name) == NOTHING._replace(model=model, effort=effort)


def test_an_effort_of_its_own_goes_before_that_of_the_name() -> None:
    assert read(model="gpt-6.2-sol:high", reasoning_effort="low").effort == "low"
    assert read(model="gpt-6.2-sol:high", reasoning_effort="").effort == "high"
    assert read(model="gpt-6.2-sol:high", reasoning={"effort": "max"}).effort == "max"
    assert read(reasoning_effort="low", reasoning={"effort": "max"}).effort == "low"


@for_each(
    ("body", "expected"),
    [
        *(({"verbosity": each}, {"verbosity": each}) for each in VERBOSITIES),
        *(({"reasoning": {"summary": each}}, {"summary": each}) for each in SUMMARIES),
        ({"reasoning": {"summary": "none"}}, {}),
        ({"reasoning": {"max_tokens": 5, "enabled": True}}, {}),
        ({"reasoning": True}, {}),
        ({"service_tier": "priority"}, {"service_tier": "priority"}),
        ({"service_tier": "fast"}, {"service_tier": "priority"}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        *(({"service_tier": each}, {}) for each in ("auto", "default", "")),
        ({"stop": "END"}, {"stop": ("END",)}),
        ({"stop": ["a", "b", "a"]}, {"stop": ("a", "b")}),
        ({"stop": []}, {}),
        ({"stream": True}, {"is_stream": True}),
        ({"stream": False}, {}),
        ({"stream_options": {"include_usage": True}}, {"has_usage_chunk": True}),
        ({"stream_options": {"include_usage": None}}, {}),
        ({"stream_options": {}}, {}),
        ({"prompt_cache_key": "k", "user": "u"}, {"cache_key": "k"}),
        ({"prompt_cache_key": "", "user": "u"}, {"cache_key": "u"}),
        ({"user": 5}, {}),
    ],
)
def test_a_parameter_with_effect_is_understood(body: Any, expected: Any) -> None:
    assert read(**body) == NOTHING._replace(**expected)


@for_each(
    ("body", "param"),
    [
        ({"model": 5}, "model"),
        ({"reasoning_effort": {"effort": "low"}}, "reasoning_effort"),
        ({"reasoning": {"effort": 1}}, "reasoning.effort"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"verbosity": "huge"}, "verbosity"),
        ({"verbosity": []}, "verbosity"),
        ({"service_tier": 1}, "service_tier"),
        ({"stop": ""}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"stop": ["a", 5]}, "stop"),
        ({"stop": 5}, "stop"),
        ({"stop": {}}, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stream": "true"}, "stream"),
        ({"stream": 1}, "stream"),
        ({"stream_options": True}, "stream_options"),
        ({"stream_options": {"include_usage": "yes"}}, "stream_options.include_usage"),
    ],
)
def test_a_value_of_the_wrong_kind_is_refused_by_its_path(body: Any, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        read(**body)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_the_table_says_how_many_stops_there_may_be() -> None:
    assert next(each.note for each in PARAMETERS if each.name == "stop").startswith(f"up to {MAX_STOPS} ")
