"""A client's lines on their way to an app-server: what is passed on, what is refused, what is still unanswered."""

from __future__ import annotations

import json
from typing import Any

from codex_server_cli.core.protocol.jsonl import LineDecoder
from codex_server_cli.core.protocol.relay import INVALID_REQUEST, PARSE_ERROR, Relay
from tests.kit.cases import for_each

ASKED = b'{"id":1,"method":"thread/list","params":{}}\n'


def errors(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


@for_each(
    "line",
    [
        ASKED,
        b'{"method":"initialized"}\n',
        b'{"id":0,"result":{}}\n',
        b'{"jsonrpc":"2.0","id":"a","method":"x"}\r\n',
        '{"method":"x","params":"\u2028 and ü"}\n'.encode(),
        b'{"odd":true}\n',
    ],
)
def test_a_message_is_passed_on_as_it_is(line: bytes) -> None:
    assert Relay().feed(line) == (line, b"")


def test_a_message_is_passed_on_once_it_is_whole() -> None:
    relay = Relay()
    assert relay.feed(ASKED[:5]) == (b"", b"")
    assert relay.feed(ASKED[5:] + b'{"id"') == (ASKED, b"")
    assert relay.feed(b':2,"method":"x"}') == (b"", b"")
    assert relay.end() == (b'{"id":2,"method":"x"}\n', b"")
    assert relay.end() == (b"", b"")


@for_each("line", [b"hello\n", b"[1]\n", b'{"id":1\n', b"\xff\n", b"null\n", b'{"id":1}{"id":2}\n'])
def test_a_line_that_the_server_would_drop_is_refused_and_the_others_pass(line: bytes) -> None:
    relayed = Relay().feed(b"\n" + line + b"  \n" + ASKED)
    assert relayed.to_server == ASKED
    (error,) = errors(relayed.to_client)
    assert (error["id"], error["error"]["code"]) == (None, PARSE_ERROR)


def test_a_message_that_would_cut_the_connection_is_refused_by_its_id() -> None:
    relay = Relay(most_bytes=2 << 20)
    long = "x" * (3 << 20)
    lines = [{"id": "a", "method": "m", "params": long}, {"method": "m", "params": long}, {"id": 3, "result": long}]
    relayed = relay.feed(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
    assert relayed.to_server == b""
    assert [(error["id"], error["error"]["code"]) for error in errors(relayed.to_client)] == [
        ("a", INVALID_REQUEST),
        (None, INVALID_REQUEST),
        (None, INVALID_REQUEST),
    ]
    assert "2 MiB" in errors(relayed.to_client)[0]["error"]["message"]
    assert relay.unanswered == 0


def test_a_line_that_no_memory_is_kept_for_is_refused() -> None:
    relay = Relay()
    relay._from_client = LineDecoder(max_line_bytes=100)
    assert relay.feed(b"x" * 150) == (b"", b"")
    relayed = relay.feed(b"y\n" + ASKED)
    assert relayed.to_server == ASKED
    assert [error["error"]["code"] for error in errors(relayed.to_client)] == [INVALID_REQUEST]


def test_a_request_is_unanswered_until_its_reply_has_come() -> None:
    relay = Relay()
    relay.feed(ASKED + b'{"id":"b","method":"x"}\n{"id":null,"method":"y"}\n{"method":"z"}\n{"id":7,"result":1}\n')
    assert relay.unanswered == 2
    back = b'{"method":"news","id2":1}\n{"id":1,"method":"a/question"}\nno json\n{"id":9,"result":1}\n{"id":1,'
    assert relay.feed_back(back) == back.removesuffix(b'{"id":1,')
    assert relay.unanswered == 2
    assert relay.feed_back(b'"error":{}}\n{"id":"b","result":{}}\n') == b'{"id":1,"error":{}}\n{"id":"b","result":{}}\n'
    assert relay.unanswered == 0
    assert relay.feed_back(b'{"method":"more"}\n') == b'{"method":"more"}\n'
