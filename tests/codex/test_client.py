"""Running a query: with the real codex, and with ones that keep the client waiting or exit in the middle."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from codex_server_cli.codex.client import CodexClient, run_query, run_query_on
from codex_server_cli.core.history.stored_turn_query import StoredTurn, find_stored_turn
from codex_server_cli.core.protocol.query import Listen, Query, initialize
from codex_server_cli.core.session import backoff
from codex_server_cli.errors import BusyError, CodexMissingError, ServerError

THREAD = "01a1fa42-6c80-78a2-9b1e-8e0f86b82eb3"


def ask_twice() -> Query[list[object]]:
    first = yield "one", {}
    second = yield "two", {"n": 2}
    return [first.get("result"), second.get("result")]


def scripted(path: Path, *lines: str) -> Path:
    """A codex whose app-server is these lines of Python; `read` returns its next request."""
    body = "\n".join(lines)
    path.write_text(f"#!{sys.executable} -IS\nimport json, sys\nread = sys.stdin.buffer.readline\n{body}\n")
    path.chmod(0o755)
    return path


def children() -> list[psutil.Process]:
    return psutil.Process().children(recursive=True)


def test_each_request_gets_its_own_reply_whatever_comes_in_between(tmp_path: Path) -> None:
    codex = scripted(
        tmp_path / "codex",
        "first = json.loads(read())",
        'print(\'{"method":"news","params":{}}\')',
        'print(\'{"id":0,"method":"a/question","params":{}}\')',
        'print(json.dumps({"id": first["id"] + 1, "result": "too early"}))',
        'print("no message at all")',
        'print(json.dumps({"id": first["id"], "result": first["method"]}), flush=True)',
        "refusal = json.loads(read())",
        'assert refusal["id"] == 0 and refusal["error"], "a question of codex waits for its answer"',
        "second = json.loads(read())",
        'print(json.dumps({"id": second["id"], "result": second["params"]}), flush=True)',
        "read()",
    )
    assert run_query(codex, tmp_path, ask_twice(), 60) == ["one", {"n": 2}]
    assert children() == []


LISTENS = (  # to one that came early, and to one that comes late
    "read()",
    'print(\'{"method":"other"}\\n{"method":"early","params":{"n":1}}\\n{"id":1,"result":"begun"}\', flush=True)',
)


def listen(*listens: Listen) -> Query[list[object]]:
    yield "begin", {}
    received: list[object] = []
    for each in listens:
        received.append((yield each).get("params"))
    return received


def test_a_notification_is_heard_also_when_it_came_before_anybody_listened(tmp_path: Path) -> None:
    codex = scripted(
        tmp_path / "codex",
        *LISTENS,
        'print(\'{"method":"late","params":{"n":2}}\', flush=True)',
        "read()",
    )
    listens = Listen("early"), Listen("late"), Listen("early", 0.05)
    assert run_query(codex, tmp_path, listen(*listens), 60) == [{"n": 1}, {"n": 2}, None]
    assert children() == []


@pytest.mark.parametrize("last", ["read()", "pass"], ids=["silent", "gone"])
def test_who_listens_in_vain_is_told_so(tmp_path: Path, last: str) -> None:
    codex = scripted(tmp_path / "codex", *LISTENS, last)
    with pytest.raises(CodexMissingError, match="does not answer"):
        run_query(codex, tmp_path, listen(Listen("early"), Listen("never", None)), 1)
    assert children() == []


def test_an_interrupt_leaves_room_for_one_more_query_and_then_the_process_is_gone(tmp_path: Path) -> None:
    def interrupted() -> Query[None]:
        yield "one", {}
        raise KeyboardInterrupt

    echo = 'for line in sys.stdin.buffer: print(json.dumps({"id": json.loads(line)["id"], "result": 1}), flush=True)'
    with CodexClient.spawn(scripted(tmp_path / "codex", echo), tmp_path) as talk:
        with pytest.raises(KeyboardInterrupt):
            talk.run(interrupted(), 60)
        assert talk.run(ask_twice(), 60) == [1, 1]
        assert len(children()) == 1
    assert children() == []


def test_a_request_that_is_too_large_for_the_pipe_arrives_all_the_same(tmp_path: Path) -> None:
    def ask() -> Query[object]:
        return (yield "large", {"text": "x" * 3_000_000})["result"]

    count = 'print(json.dumps({"id": 1, "result": len(json.loads(read())["params"]["text"])}), flush=True)'
    assert run_query(scripted(tmp_path / "codex", count, "read()"), tmp_path, ask(), 60) == 3_000_000


@pytest.mark.parametrize(
    ("lines", "expected", "timeout_s"),
    [
        (["print('the last words', file=sys.stderr)"], "the last words", 60),
        (["read()", "print('the last words', file=sys.stderr)"], "the last words", 60),
        (['print(\'{"id":1,"result":{}}\', flush=True)', "read(); read()", "sys.exit('gone')"], "gone", 60),
        (["sys.stdin.close()", "import signal; signal.pause()"], "it printed nothing", 1),
    ],
    ids=["at-once", "after-a-request", "between-two", "deaf"],
)
@pytest.mark.full
def test_one_that_goes_away_is_reported_with_its_stderr_tail(
    tmp_path: Path, lines: list[str], expected: str, timeout_s: float
) -> None:
    with pytest.raises(CodexMissingError, match=f"does not answer: .*{expected}"):
        run_query(scripted(tmp_path / "codex", *lines), tmp_path, ask_twice(), timeout_s)
    assert children() == []


COLLIDES = (  # as often as `often` says, then answers
    "with open(count, 'a+') as file: file.write('x'); file.seek(0); met = len(file.read())",
    "if met <= often: sys.exit('Error: failed to open state DB: (code: 5) database is locked')",
    'for line in sys.stdin.buffer: print(json.dumps({"id": json.loads(line)["id"], "result": {"userAgent": met}}), '
    "flush=True)",
)


def colliding(tmp_path: Path, often: int) -> Path:
    return scripted(tmp_path / "codex", f"count, often = {str(tmp_path / 'count')!r}, {often}", *COLLIDES)


def test_one_that_met_others_while_it_started_is_started_again(tmp_path: Path) -> None:
    assert run_query(colliding(tmp_path, 3), tmp_path, initialize("1"), 60) == "4"
    assert children() == []


@pytest.mark.parametrize(("limit_ms", "timeout_s"), [(400, 60), (60_000, 1)], ids=["retries", "time"])
@pytest.mark.full
def test_one_that_meets_others_for_ever_is_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit_ms: float, timeout_s: float
) -> None:
    monkeypatch.setattr(backoff, "RETRY_LIMIT_MS", limit_ms)
    with pytest.raises(CodexMissingError, match=r"does not answer: .*database is locked"):
        run_query(colliding(tmp_path, 10**6), tmp_path, initialize("1"), timeout_s)
    assert children() == []
    assert timeout_s == 1 or len((tmp_path / "count").read_text()) > 1


def test_one_that_met_others_and_then_cannot_be_run_is_reported(tmp_path: Path) -> None:
    codex = scripted(tmp_path / "codex", "import os; os.unlink(sys.argv[0])", "sys.exit('database is locked')")
    with pytest.raises(CodexMissingError, match="cannot be started"):
        run_query(codex, tmp_path, initialize("1"), 20)
    assert children() == []


def test_one_that_falls_silent_is_given_up(tmp_path: Path) -> None:
    codex = scripted(tmp_path / "codex", 'print(\'{"id":1,"result":{}}\', flush=True)', "sys.stdin.buffer.read()")
    with pytest.raises(CodexMissingError, match="does not answer: it printed nothing"):
        run_query(codex, tmp_path, ask_twice(), 0.4)
    assert children() == []


def test_the_real_codex_says_that_it_does_not_know_a_thread(
    codex: Path, codex_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CODEX_HOME", str(codex_home))  # without a login or a configuration
    found: StoredTurn = run_query(codex, tmp_path, find_stored_turn(THREAD, "t", "1"), 60)
    assert found == StoredTurn(None, f"thread not loaded: {THREAD}")
    assert children() == []


# --- on a link to a server that others use


class SharedLink:
    """A link to a server that is no process of ours: it says what a test has it say."""

    pid = None

    def __init__(self, *said: object, replies: Sequence[object] = ()) -> None:
        self._replies = list(replies)
        self._ours, self.theirs = socket.socketpair()
        self._ours.setblocking(False)
        self.theirs.sendall(b"".join(json.dumps(message).encode() + b"\n" for message in said))

    def heard(self) -> list[object]:
        return [json.loads(line) for line in self.theirs.recv(1 << 20).splitlines()]

    def fds(self) -> tuple[int, ...]:
        return (self._ours.fileno(),)

    def write_fd(self) -> None:
        return None

    def read(self, _fd: int) -> bytes | None:
        return self._ours.recv(1 << 20) or None

    def send(self, data: bytes) -> None:
        self._ours.sendall(data)
        if data and self._replies:
            self.theirs.sendall(json.dumps(self._replies.pop(0)).encode() + b"\n")

    def tick(self) -> float:
        return 0.05

    def end(self, first_grace_s: float = 0.0) -> str:
        return "the connection was lost"

    def stderr_tail(self) -> str:
        return ""

    def close(self) -> None:
        self._ours.close()
        self.theirs.close()


QUESTION = {"id": 0, "method": "item/commandExecution/requestApproval", "params": {}}


def test_a_request_of_a_server_that_others_use_is_theirs_to_answer() -> None:
    link = SharedLink(QUESTION, {"method": "news"}, {"id": 1, "result": {}})
    with CodexClient(lambda: link, "unix://", keeps_all=True) as client:
        assert client.call("thread/resume", {}, 60) == {"id": 1, "result": {}}
        assert link.heard() == [{"id": 1, "method": "thread/resume", "params": {}}]
        assert list(client.unsolicited(0.1)) == [QUESTION, {"method": "news"}]


def test_a_server_that_others_use_is_named_where_it_is_silent_or_gone() -> None:
    link = SharedLink()
    with pytest.raises(ServerError, match=r"^unix:///s does not answer$"):
        run_query_on(lambda: link, "unix:///s", ask_twice(), 0.2)
    link = SharedLink({"id": 1, "result": 1})
    with CodexClient(lambda: link, "unix:///s") as client:
        assert client.call("x", None, 60) == {"id": 1, "result": 1}
        assert client.call("x", None, 0.1) is None
        link.theirs.shutdown(socket.SHUT_RDWR)
        with pytest.raises(ServerError, match=r"^unix:///s does not answer any more: the connection was lost$"):
            client.call("x", None, 60)
        with pytest.raises(ServerError, match="any more"):
            list(client.unsolicited())


def test_what_a_busy_server_did_not_take_is_asked_again_within_the_time() -> None:
    busy = {"error": {"code": -32001, "message": "Server overloaded; retry later."}}
    link = SharedLink(replies=[{"id": 1, **busy}, {"id": 2, **busy}, {"id": 3, "result": "done"}, {"id": 4, **busy}])
    with CodexClient(lambda: link, "x") as client:
        assert client.call("m", {}, 60) == {"id": 3, "result": "done"}
        assert [message["params"] for message in link.heard() if isinstance(message, dict)] == [{}] * 3
        assert client.call("m", {}, 0.02) == {"id": 4, **busy}


def test_a_link_that_finds_no_room_is_a_busy_machine() -> None:
    def fail() -> SharedLink:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    with pytest.raises(BusyError, match="ssh://far cannot be started"):
        CodexClient(fail, "ssh://far")
