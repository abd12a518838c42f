"""Chat completions through `codex-server serve`, compared with the same requests of a bare client of its app-server."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import psutil

from bench.chats import BareChat, BenchChat, GatewayChat, answer_all, body_of
from bench.measure import in_ms, in_s
from bench.scale import Scale
from bench.table import Amount, Row
from bench.world import BenchError, World
from codex_server_cli.codex.server.state import generations_of
from codex_server_cli.core.openai.chat_request import parse_chat
from codex_server_cli.core.openai.thread_terms import thread_start
from codex_server_cli.demo.codex_home import write_chatgpt_login

_EXTRA = "import h11, prometheus_client, starlette, uvicorn, websockets"
_WORDS = 60
_END_S = 30.0
_BARE = "a bare client of its app-server"


class _ServedGateway(NamedTuple):
    """A `serve` that listens: the port, its process, and how to reach its app-server."""

    port: int
    process: psutil.Process
    socket: str
    terms: dict[str, Any]

    def ours(self, text: str) -> GatewayChat:
        """A chat through it."""
        return GatewayChat(self.port, text)

    def bare(self, text: str) -> BareChat:
        """The same without it: the same thread on the same server."""
        return BareChat(self.socket, self.terms, text)

    @property
    def memory(self) -> Amount:
        """Its resident memory now."""
        return Amount(self.process.memory_info().rss / 1e6, "MB")


def gateway(world: World, scale: Scale) -> Iterator[Row]:
    """One chat, many chats, and memory with a custom provider; one chat in ChatGPT mode. No rows if the extra of
    `serve` is not installed.
    """
    try:
        world.run(world.python, "-c", _EXTRA)
    except BenchError:
        print("bench: gateway: left out: the extra `serve` is not installed", file=sys.stderr)
        return
    with _serving(world, scale) as served:
        idle = served.memory
        yield from _latency(served, scale, "a provider of one's own")
        yield from _many(served, scale, idle)
    codex_home = world.root / "codex-chatgpt-gateway"
    write_chatgpt_login(codex_home, world.model_origin)
    with _serving(world, scale, world.homes(world.home, codex_home)) as served:
        yield from _latency(served, scale, "ChatGPT mode")


@contextlib.contextmanager
def _serving(world: World, scale: Scale, env: dict[str, str] | None = None) -> Iterator[_ServedGateway]:
    """A running gateway; it and its app-server are ended afterwards."""
    flags = ("--listen", "127.0.0.1:0", "--max-streams", str(scale.streams_at_once))
    process = world.popen(world.command, "serve", *flags, env=env)
    try:
        assert process.stdout is not None
        line = process.stdout.readline().decode()
        if not line:
            raise BenchError("`serve` did not begin to listen")
        server = max((each for each in generations_of(world.home) if each.is_alive()), key=lambda each: each.started_at)
        directory = world.root / "empty"
        directory.mkdir(exist_ok=True)
        request = parse_chat(body_of("any"), aliases={}, is_strict=False)
        terms = thread_start(request, cwd=str(directory), instructions="client")
        yield _ServedGateway(int(line.rpartition(":")[2]), psutil.Process(process.pid), server.socket_path, terms)
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=_END_S)
        world.run(world.command, "server", "stop", "--now", env=env)


def _latency(served: _ServedGateway, scale: Scale, mode: str) -> Iterator[Row]:
    """One chat at a time."""
    ours, bare = _alternate(scale.samples, 1, served.ours, served.bare)
    if ours.n_astray or bare.n_astray:
        raise BenchError("a chat completion was not answered, so that its time means nothing")
    what = f"a chat completion through `serve`, {mode}"
    yield Row(f"{what}: first delta", in_ms(ours.first_s), in_ms(bare.first_s, _BARE), max_ratio=1.15)
    yield Row(f"{what}: {_WORDS} words, whole", in_ms(ours.whole_s), in_ms(bare.whole_s, _BARE), max_ratio=1.15)


def _many(served: _ServedGateway, scale: Scale, idle: Amount) -> Iterator[Row]:
    """Many concurrent chats, then many in turn: whether each got its own text, and the memory afterwards."""
    n, n_in_turn = scale.streams_at_once, scale.streams_in_turn
    ours, bare = _alternate(scale.rounds, n, served.ours, served.bare)
    if bare.n_astray:
        raise BenchError("a bare client was not answered, so that its time means nothing")
    after = served.memory
    (in_turn,) = _alternate(n_in_turn, 1, served.ours)
    n_all, n_astray = (scale.rounds + 1) * n + n_in_turn + 1, ours.n_astray + in_turn.n_astray
    yield Row(f"{n} streams at once through `serve`", in_s(ours.whole_s), in_s(bare.whole_s, _BARE))
    what = f"{n} streams at once and {n_in_turn} in turn through `serve`: of {n_all} answers went astray"
    yield Row(what, Amount(n_astray, "answers"), max_value=0)
    yield Row("resident memory of an idle `serve`", idle, max_value=60)
    yield Row(f"the same after {n} streams at once", after, max_value=120)
    reference = Amount(after.value, "MB", of="before them")
    yield Row(f"the same after {n_in_turn} more in turn", served.memory, reference, max_value=120)


class _Runs:
    """The times of several equal runs: seconds to the last first delta, and to the last end."""

    def __init__(self) -> None:
        self.first_s: list[float] = []
        self.whole_s: list[float] = []
        self.n_astray = 0


def _alternate(n: int, n_at_once: int, *clients: Callable[[str], BenchChat]) -> list[_Runs]:
    """Run each client `n` times, alternating; one more run before these is not counted: it warms the caches."""
    found = [_Runs() for _ in clients]
    for number in range(n + 1):
        for client, runs in zip(clients, found, strict=True):
            chats = [client(_text(number * n_at_once + i)) for i in range(n_at_once)]
            first_s, whole_s = answer_all(chats)
            runs.n_astray += sum(chat.is_astray() for chat in chats)
            if number:
                runs.first_s.append(first_s)
                runs.whole_s.append(whole_s)
    return found


def _text(number: int) -> str:
    """The text of one message, different for each, which the model repeats word by word."""
    return "".join(f"{number}.{word} " for word in range(_WORDS))
