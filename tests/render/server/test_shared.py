"""The shared app-server as people read it."""

from __future__ import annotations

from codex_server_cli.core.model.server.report import ServerReport, ServerState
from codex_server_cli.render.server.shared import server_line, servers_text, servers_view
from codex_server_cli.render.style.ink import Ink
from codex_server_cli.render.style.wrap import Display
from tests.kit.cases import for_each
from tests.kit.server_reports import READY, UNKNOWN

HOME = "/home/you"


def test_each_generation_is_one_fact_a_line() -> None:
    assert servers_text([READY], HOME) == (
        "server      ready\n"
        "generation  3, up 1m 05s\n"
        "codex       0.171.0, /opt/codex\n"
        "home        ~/.codex\n"
        "url         unix:///home/you/.codex-server/servers/00ff/g3.sock\n"
        "pid         40, below 39\n"
        "memory      100.0 MB\n"
        "threads     2\n"
        "turns       1 running: 20261120-165501-482-7f3a\n"
        "clients     1\n"
        "log         ~/.codex-server/servers/00ff/server.log\n"
    )


def test_what_is_not_known_is_left_out_and_what_is_left_over_is_listed() -> None:
    assert servers_text([UNKNOWN], HOME) == (
        "server      does not answer; of another environment than this shell's\n"
        "generation  3, up for an unknown time\n"
        "codex       version unknown, /opt/codex\n"
        "home        ~/.codex\n"
        "url         unix:///home/you/.codex-server/servers/00ff/g3.sock\n"
        "pid         40, below 39\n"
        "left over   77 sleep 9␛[31m\n"
        "log         ~/.codex-server/servers/00ff/server.log\n"
    )


def test_a_server_on_a_tcp_port_is_called_one_and_says_what_is_wrong() -> None:
    well = READY._replace(url="ws://127.0.0.1:4500", is_healthy=True, clients=None)
    ill = well._replace(state=ServerState.SILENT, is_healthy=False, problem="it does not answer")
    assert servers_text([well], HOME).startswith("server      ready, on a TCP port\n")
    text = servers_text([ill], HOME)
    assert text.startswith("server      does not answer, on a TCP port, and not healthy\n")
    assert "url         ws://127.0.0.1:4500\nproblem     it does not answer\n" in text


def test_several_are_apart_and_none_is_said() -> None:
    draining = READY._replace(state=ServerState.DRAINING, active_turns=0, turns=())
    text = servers_text([READY, draining], HOME)
    assert text.count("\n\nserver      draining: it runs its last turns\n") == 1
    assert "turns       0 running\n" in text
    assert servers_text([], HOME) == "No shared app-server runs.\n"


def test_our_turns_are_named_where_the_server_does_not_say_how_many_run() -> None:
    assert "turns       20261120-165501-482-7f3a\n" in servers_text([READY._replace(active_turns=None)], HOME)


def test_one_generation_in_a_line() -> None:
    assert server_line(READY) == f"generation 3: codex 0.171.0, pid 40, {READY.url}\n"
    assert server_line(UNKNOWN).startswith("generation 3: pid 40, ")


@for_each(
    ("report", "shown"),
    [
        (READY, "\x1b[32m✓ ready\x1b[0m"),
        (READY._replace(state=ServerState.DRAINING), "\x1b[33m! draining: it runs its last turns\x1b[0m"),
        (READY._replace(is_healthy=False), "\x1b[31m✗ ready, on a TCP port, and not healthy\x1b[0m"),
        (READY._replace(problem="odd"), "\x1b[31m✗ ready\x1b[0m"),
    ],
)
def test_on_a_terminal_a_mark_says_whether_it_can_be_used(report: ServerReport, shown: str) -> None:
    text = servers_view([report], HOME, Display(80, Ink(is_coloured=True)))
    assert text.splitlines()[0].endswith(shown)
    assert ("\x1b[31modd\x1b[0m" in text) == (report.problem is not None)


def test_on_a_terminal_its_facts_are_wrapped() -> None:
    lines = servers_view([READY, UNKNOWN], HOME, Display(50)).splitlines()
    assert lines.count("") == 1
    assert max(map(len, lines)) <= 50
    assert servers_view([], HOME, Display(50)) == "No shared app-server runs.\n"
