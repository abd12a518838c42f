"""The message grammar: four kinds of line, distinguished by which members are present."""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.core.protocol import rpc
from codex_server_cli.core.protocol.rpc import MessageType
from tests.kit.cases import for_each

BOM = b"\xef\xbb\xbf"


@for_each(
    ("message", "type_"),
    [
        ({"method": "m", "id": 0, "params": {}}, MessageType.REQUEST),
        ({"method": "m", "id": "abc", "params": {}}, MessageType.REQUEST),
        ({"method": "m", "id": None}, MessageType.REQUEST),
        ({"method": "m"}, MessageType.NOTIFICATION),
        ({"method": "m", "params": None, "emittedAtMs": 1}, MessageType.NOTIFICATION),
        ({"id": 0, "result": {}}, MessageType.RESPONSE),
        ({"id": "abc", "result": None}, MessageType.RESPONSE),
        ({"error": {"code": 1, "message": ""}, "id": 2}, MessageType.RESPONSE),
        ({"id": None, "error": {}}, MessageType.INVALID),
        ({"id": [1], "result": {}}, MessageType.INVALID),
        ({"method": ["m"]}, MessageType.INVALID),
        ({"method": 5, "id": 1}, MessageType.INVALID),
        ({"params": {}}, MessageType.INVALID),
        ({}, MessageType.INVALID),
    ],
)
def test_a_message_is_told_by_the_presence_of_method_and_id(message: rpc.Message, type_: MessageType) -> None:
    assert rpc.message_type(message) is type_


@for_each(
    "line",
    [
        b"",
        b"   ",
        b"null",
        b"[1]",
        b'"text"',
        b"{",
        b'{"a":1}}',
        b'{"a":1} {"b":2}',
        b"{'a':1}",
        b'{"a":"\xff"}',
        b'{"a":"\xed\xa0\x80"}',
        BOM + b'{"a":1}',
        '{"a":1}'.encode("utf-16-le"),
        '{"a":1}'.encode("utf-16"),
        b"[" * 100_000,
        b'{"n":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_no_json_object_in_utf8_is_no_message(line: bytes) -> None:
    assert rpc.parse_line(line) is None


@for_each("line", [b'{"a":1}', b' \t{"a":1}\r', b'{ "a" : 1 }\r\n'])
def test_whitespace_around_a_message_is_no_part_of_it(line: bytes) -> None:
    assert rpc.parse_line(line) == {"a": 1}


def test_separators_of_unicode_are_text_like_any_other() -> None:
    text = "line\u2028paragraph\u2029next\x85nul\\u0000"
    assert rpc.parse_line(json.dumps({"a": text}, ensure_ascii=False).encode()) == {"a": text}


@for_each("text", ["two\nlines", "\u2028\x85", "ü€😀", "\ud800 alone", '"quoted" \\'])
def test_an_encoded_message_is_one_line_of_ascii_and_reads_back(text: str) -> None:
    encoded = rpc.encode({"id": 1, "method": "m", "params": {"text": text}})
    assert encoded.isascii()
    assert encoded.count(b"\n") == 1
    assert encoded.endswith(b"}\n")
    assert json.loads(encoded)["params"]["text"] == text


def test_a_request_always_has_params() -> None:
    assert rpc.request(7, "account/logout", {}) == {"id": 7, "method": "account/logout", "params": {}}


@for_each("request_id", [0, 1, "abc", None])
def test_a_refusal_bears_the_id_of_its_request_and_grants_nothing(request_id: Any) -> None:
    refusal = rpc.refusal({"id": request_id, "method": "item/tool/call"}, "no")
    assert refusal == {"id": request_id, "error": {"code": -32601, "message": "no"}}


@for_each("message", [{}, {"params": None}, {"params": [1]}, {"params": "x"}])
def test_params_that_are_no_object_read_as_empty(message: rpc.Message) -> None:
    assert rpc.params_of(message) == {}


def test_a_changed_shape_reads_as_nothing() -> None:
    assert rpc.objects_in([{"a": 1}, 2, None, [3], {"b": 4}]) == [{"a": 1}, {"b": 4}]
    assert rpc.objects_in({"a": 1}) == []
    assert rpc.objects_in(None) == []
    assert rpc.text_in("text") == "text"
    assert rpc.text_in(5) == ""
    assert rpc.text_in(None) == ""


@for_each(
    ("value", "path", "kind", "found"),
    [
        ({"turn": {"id": "t"}}, "turn.id", str, "t"),
        ({"turn": {"id": 1}}, "turn.id", str, None),
        ({"turn": "odd"}, "turn.id", str, None),
        ({"turn": {}}, "turn.id.more", str, None),
        ({"turn": {"items": []}}, "turn.items", list, []),
        (None, "turn", dict, None),
        ([{"turn": 1}], "turn", int, None),
    ],
)
def test_a_path_leads_to_what_is_there_and_of_that_kind(value: Any, path: str, kind: type, found: Any) -> None:
    assert rpc.at(value, path, kind) == found


def test_an_object_that_is_not_there_is_an_empty_one() -> None:
    assert rpc.object_at({"a": {"b": {"c": 1}}}, "a.b") == {"c": 1}
    assert rpc.object_at({"a": [1]}, "a.b") == {}
