"""The checks of `doctor`, in their order: everything that a turn needs, and what an operator should know."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from codex_server_cli import __version__
from codex_server_cli.actions.doctor.check import Check, check
from codex_server_cli.actions.doctor.place import Orphan, look_at_place
from codex_server_cli.actions.doctor.server import has_server, look_at_server
from codex_server_cli.actions.doctor.storage import look_at_home, look_at_sessions, look_at_turns
from codex_server_cli.codex.binary import CodexBinary, find_codex, probe
from codex_server_cli.codex.client import read_user_agent
from codex_server_cli.codex.login import check_login
from codex_server_cli.errors import CodexServerError
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings


def doctor(settings: Settings) -> list[Check]:
    """Run all checks. Creates the default home; Codex creates its own."""
    codex: list[CodexBinary] = []

    def find() -> str:
        found = find_codex(_pinned(settings), settings.search_path)
        codex.append(found if found.version else probe(found.path))
        return f"{codex[0].path} ({codex[0].version})"

    def login() -> str:
        try:
            may_bill = read_config(settings.config_path).may_bill_api_key
        except CodexServerError:
            may_bill = False  # reported by its own check
        return check_login(settings.codex_home, codex[0].path, may_bill_api_key=may_bill, is_thorough=True)

    def answers() -> str:
        started = time.monotonic()
        agent = read_user_agent(codex[0].path, settings.user_home)
        return f"{agent.partition(' ')[0]} in {(time.monotonic() - started) * 1000:.0f} ms"

    orphan = Orphan()  # checked last: it may take a moment to be reaped
    home = check("home", lambda: look_at_home(settings))
    checks = [check("codex-server", lambda: f"{__version__}, Python {sys.version.split()[0]}"), home]
    if home.is_ok:
        checks.append(check("turns", lambda: look_at_turns(settings)))
    checks += [check("config.json", lambda: _look_at_config(settings)), check("codex", find)]
    if codex:
        checks += [check("app-server", answers), check("login", login)]
    if has_server(settings):
        checks.append(check("server", lambda: look_at_server(settings)))
    checks += [check("sessions", lambda: look_at_sessions(settings)), check("workers", lambda: look_at_place(settings))]
    problem = orphan.problem()
    return checks if problem is None else [*checks, check("process 1", lambda: problem)]


def codex_version(settings: Settings) -> str | None:
    """The version of the codex that turns would use; None where there is none."""
    try:
        found = find_codex(_pinned(settings), settings.search_path)
        return found.version or probe(found.path).version
    except CodexServerError:
        return None


def _pinned(settings: Settings) -> str | None:
    try:
        return read_config(settings.config_path).codex
    except CodexServerError:
        return None  # reported by its own check


def _look_at_config(settings: Settings) -> str | tuple[str, str]:
    config = read_config(settings.config_path)
    if config.warnings:
        return "; ".join(config.warnings), f"Fix {settings.config_path}."
    if config.codex is not None and not Path(config.codex).exists():
        return f"{settings.config_path}: the pinned codex {config.codex} is gone", "Pin another: codex-server setup"
    return str(settings.config_path) if settings.config_path.exists() else "none yet: `codex-server setup` writes it"
