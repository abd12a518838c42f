"""The shared app-server, for people: plain for a pipe, wrapped and in colour for a terminal. Owns the wording."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from codex_server_cli.core.model.server.report import ServerReport, ServerState
from codex_server_cli.core.size import size
from codex_server_cli.render.escape import one_line
from codex_server_cli.render.style.ink import Style
from codex_server_cli.render.tables import duration, short_path

if TYPE_CHECKING:
    from codex_server_cli.render.style.wrap import Display

NONE_RUNS = "No shared app-server runs.\n"
_STATES = {
    ServerState.READY: "ready",
    ServerState.DRAINING: "draining: it runs its last turns",
    ServerState.SILENT: "does not answer",
}


def servers_text(reports: Sequence[ServerReport], user_home: str) -> str:
    """Each generation with one fact per line; unknown ones are omitted."""
    return "\n".join(_text(report, user_home) for report in reports) or NONE_RUNS


def server_line(report: ServerReport) -> str:
    """One generation in a line."""
    version = f"codex {report.codex_version}, " if report.codex_version else ""
    return f"generation {report.generation}: {version}pid {report.pid}, {one_line(report.url, 400)}\n"


def servers_view(reports: Sequence[ServerReport], user_home: str, display: Display) -> str:
    """The same for a terminal, with a mark that shows whether each can be used."""
    from codex_server_cli.render.style.facts import Fact, facts_block  # a pipe needs none of it

    blocks = []
    for report in reports:
        mark, style = _look(report)
        (label, words), *others = _facts(report, user_home)
        facts = [Fact(label, f"{mark} {words}", style)]
        facts += [Fact(*each, Style.RED if each[0] == "problem" else Style.PLAIN) for each in others]
        blocks.append(facts_block(facts, display))
    return "\n".join(blocks) or NONE_RUNS


def _look(report: ServerReport) -> tuple[str, Style]:
    if report.state is ServerState.SILENT or report.problem or report.is_healthy is False:
        return "✗", Style.RED
    return ("✓", Style.GREEN) if report.state is ServerState.READY else ("!", Style.YELLOW)


def _text(report: ServerReport, user_home: str) -> str:
    facts = _facts(report, user_home)
    return "".join(f"{label.ljust(10)}  {one_line(value, 400)}\n" for label, value in facts if value)


def _facts(report: ServerReport, user_home: str) -> list[tuple[str, str | None]]:
    other = "" if report.is_of_this_environment else "; of another environment than this shell's"
    if report.is_healthy is not None:
        other = f", on a TCP port{'' if report.is_healthy else ', and not healthy'}"
    return [
        ("server", f"{_STATES[report.state]}{other}"),
        ("generation", f"{report.generation}, up {duration(report.uptime_s) or 'for an unknown time'}"),
        ("codex", f"{report.codex_version or 'version unknown'}, {short_path(report.codex, user_home, 60)}"),
        ("home", short_path(report.codex_home, user_home, 60)),
        ("url", report.url),
        ("problem", report.problem),
        ("pid", f"{report.pid}, below {report.keeper_pid}"),
        ("memory", None if report.memory_bytes is None else size(report.memory_bytes)),
        ("threads", _number(report.threads)),
        ("turns", _turns(report)),
        ("clients", _number(report.clients)),
        *(("left over", f"{left.pid} {left.command}") for left in report.leftovers),
        ("log", short_path(report.log_path, user_home, 100)),
    ]


def _number(count: int | None) -> str | None:
    return None if count is None else str(count)


def _turns(report: ServerReport) -> str | None:
    """How many turns run, and which of them are ours."""
    ours = f": {', '.join(report.turns)}" if report.turns else ""
    if report.active_turns is None:
        return ", ".join(report.turns) or None
    return f"{report.active_turns} running{ours}"
