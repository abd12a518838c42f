"""`serve --selftest`: what it says of a model that does all it should, and of one that does not."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from codex_server_cli.codex.server.shared import retire
from codex_server_cli.codex.server.state import generations_of
from codex_server_cli.core.openai.selftest.probe import Probe, WrongAnswer
from codex_server_cli.demo import replies
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike, Usage
from codex_server_cli.demo.request import Request
from codex_server_cli.gateway.selftest.client import SelftestClient
from tests.gateway.conftest import home, initialised, one_home
from tests.kit.chat_model import problems_of, text_of
from tests.kit.command_run import Run
from tests.kit.home import Home
from tests.kit.support import wait_until

__all__ = ["home", "initialised", "one_home"]

NAMES = ["chat", "streamed chat", "tool call", "json schema", "second turn", "response"]
USAGE = Usage(input=100, cached=40, output=20, reasoning=5)
CITY = {"city": "Oslo", "population": 717710}


def right(request: Request) -> ReplyLike:
    """What a model that does all it should answers."""
    assert problems_of(request.body) == []
    last = request.body["input"][-1]
    if last["type"] == "function_call_output":
        return said(text_of(last))
    text = text_of(last)
    if "look_up_code" in text:
        return replies.reply(
            replies.call("look_up_code", {"room": "blue"}, call_id="call_1", namespace="client"), usage=USAGE
        )
    if found := re.search(r"shelf (\d+)", text):
        return said(str(int(found[1]) * 7))
    return said(json.dumps(CITY) if "Norway" in text else "pong")


def said(text: str, usage: Usage = USAGE) -> ReplyLike:
    return replies.reply(replies.say(text), usage=usage)


def selftest(home: Home, *flags: str) -> Run:
    """Run it, and end its app-server afterwards."""

    def end() -> None:
        for generation in generations_of(home.path):
            retire(generation, at_once=True)

    home.opened.callback(end)
    return home.run("serve", "--selftest", *flags)


def rows_by_name(home: Home, script: Callable[[Request], ReplyLike], *flags: str, code: int) -> dict[str, Any]:
    """The self-test as JSON."""
    home.model(script)
    run = selftest(home, "--json", *flags)
    assert run.code == code, run.stderr
    rows = json.loads(run.stdout)
    assert [row["name"] for row in rows] == NAMES
    assert "Traceback" not in run.stderr
    return {row["name"]: row for row in rows}


def test_of_a_model_that_does_all_it_should_each_line_is_ok(home: Home) -> None:
    model = home.model(right)
    run = selftest(home)
    assert (run.code, "20 000 tokens" in run.stderr) == (0, True), run.stdout + run.stderr
    *lines, summary = run.stdout.splitlines()
    assert [re.split(r"\s{2,}", line)[:2] for line in lines] == [["ok", name] for name in NAMES]
    assert re.search(r'ms  "pong" · 100 tokens in \(40 cached\), 20 out · req_\w+$', lines[0])
    assert re.search(r"first word after \d+ ms", lines[1])
    assert '"4711"' in lines[2]
    assert '"140"' in lines[4]
    assert re.fullmatch(r"6 of 6 ok, [\d.]+ s, 800 tokens in \(320 cached\), 160 out", summary)
    assert len(model.requests) == 8
    assert run.stderr.count("\n") == 1


@pytest.mark.full
@pytest.mark.measured
def test_its_json_tells_model_tokens_threads_and_ids_and_its_flags_are_those_of_serve(one_home: Home) -> None:
    rows = rows_by_name(
        one_home, right, "--model-alias", "mine=gpt-5.5:high", "--strict-params", "--max-streams", "1", code=0
    )
    assert all(row["ok"] and row["model"] == "mine" for row in rows.values())
    assert rows["tool call"]["threads"] == ["fresh", "held"]
    assert rows["second turn"]["threads"] == ["forked", "kept"]
    assert rows["chat"]["usage"] == {"prompt_tokens": 100, "cached_tokens": 40, "completion_tokens": 20}
    assert len(rows["tool call"]["request_ids"]) == 2
    assert "detail" not in rows["chat"]


@pytest.mark.full
@pytest.mark.measured
def test_of_a_model_that_answers_wrongly_each_line_says_what_is_wrong(one_home: Home) -> None:
    def wrong(request: Request) -> ReplyLike:
        last = text_of(request.body["input"][-1])
        uncached = Usage(input=100, cached=0, output=20)
        is_shelf = re.search(r"shelf (\d+)", last)
        return said(str(int(is_shelf[1]) * 7) if is_shelf else "no idea", uncached)

    rows = rows_by_name(one_home, wrong, code=1)
    assert not any(row["ok"] for row in rows.values())
    assert rows["chat"]["detail"] == 'the answer should have "pong" in it: "no idea"'
    assert rows["tool call"]["detail"] == 'the model called no tool, it said "no idea"'
    assert rows["json schema"]["detail"] == 'the answer does not match the schema: "no idea"'
    assert "missed twice" in rows["second turn"]["detail"]
    assert len(rows["second turn"]["request_ids"]) == 3


@pytest.mark.full
@pytest.mark.measured
def test_of_a_model_that_fails_each_line_has_the_services_words(one_home: Home) -> None:
    def refused(_: Request) -> ReplyLike:
        return replies.bad_request("Instructions are not valid")

    rows = rows_by_name(one_home, refused, code=1)
    assert all("start `serve` with `--instructions codex`" in row["detail"] for row in rows.values())


@pytest.mark.full
@pytest.mark.measured
def test_without_a_login_it_ends_with_the_guide(one_home: Home) -> None:
    run = one_home.run("serve", "--selftest")
    assert (run.code, run.stdout) == (2, "")
    assert "codex-server login" in run.stderr


@pytest.mark.measured
@pytest.mark.full
def test_ctrl_c_ends_it_with_130_and_nothing_runs_on(one_home: Home) -> None:
    one_home.configure(server_idle=0.5)
    gate = Gate()
    model = one_home.model(lambda _: replies.reply(replies.say("begin", replies.hold(gate))))
    process = one_home.spawn("serve", "--selftest")
    gate.wait_until_reached()
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, stdout) == (130, "")
    assert "Traceback" not in stderr
    gate.open()
    assert len(model.requests) == 1
    wait_until(lambda: not one_home.processes(), what="the end of its app-server")


def test_json_without_the_self_test_is_refused(one_home: Home) -> None:
    run = one_home.call("serve", "--json")
    assert (run.code, "--selftest" in run.stderr) == (64, True)


WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
NO_JSON = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"
CUT = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n: ka\ndata: {}\n\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [(b"", "without response"), (b"no\r\n\r\n", "no"), (NO_JSON, "Expecting value"), (CUT, "the stream has no end")],
)
def test_what_is_no_answer_is_told_as_such(answer: bytes, words: str) -> None:
    with answering(answer) as address, pytest.raises(WrongAnswer, match=f"no answer: .*{words}"):
        SelftestClient(address, "t", lambda _: None).ask(Probe("/", {}))
    with pytest.raises(WrongAnswer, match=r"no answer: .*refused"):
        SelftestClient(address, "t", lambda _: None).ask(Probe("/", {}))


def test_leaving_after_an_answer_does_nothing() -> None:
    with answering(WHOLE) as address:
        client = SelftestClient(address, "t", lambda _: None)
        assert client.ask(Probe("/", {})).document == {}
        client.leave()


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that gives each request this answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(65536):
                    continue

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()
