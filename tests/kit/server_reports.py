"""A generation of the shared app-server as `server status` knows it. Never here: how it comes about."""

from __future__ import annotations

from codex_server_cli.core.model.server.report import LeftProcess, ServerReport, ServerState

READY = ServerReport(
    state=ServerState.READY,
    key="00ff",
    generation=3,
    url="unix:///home/you/.codex-server/servers/00ff/g3.sock",
    pid=40,
    keeper_pid=39,
    codex="/opt/codex",
    codex_version="0.171.0",
    codex_home="/home/you/.codex",
    is_of_this_environment=True,
    started_at="2026-11-20T16:55:01.482Z",
    uptime_s=65.0,
    memory_bytes=100 << 20,
    threads=2,
    active_turns=1,
    clients=1,
    turns=("20261120-165501-482-7f3a",),
    leftovers=(),
    log_path="/home/you/.codex-server/servers/00ff/server.log",
)
UNKNOWN = READY._replace(
    state=ServerState.SILENT,
    codex_version="",
    is_of_this_environment=False,
    uptime_s=None,
    memory_bytes=None,
    threads=None,
    active_turns=None,
    clients=None,
    turns=(),
    leftovers=(LeftProcess(77, "sleep 9\x1b[31m"),),
)
