"""The verb `usage`."""

from __future__ import annotations

import time

from codex_server_cli.actions.read import read
from codex_server_cli.actions.read.usage import UsageReport, read_usage
from codex_server_cli.cli import output
from codex_server_cli.cli.parameters import UsageKey
from codex_server_cli.core.documents.lean import without_empty
from codex_server_cli.core.documents.usage import usage_document
from codex_server_cli.core.duration import since_ms
from codex_server_cli.core.model.turn import format_time_ms
from codex_server_cli.render.usage import usage_text, usage_view
from codex_server_cli.settings.places import Settings


def usage(*, since: str, by: UsageKey, json: bool, full: bool) -> None:
    """Show what turns have used: how many, their tokens, what failed, how long they took."""
    start_ms = since_ms(since, "--since", time.time_ns() // 1_000_000)
    settings = Settings.load()
    read.check_home(settings)
    report = read_usage(settings, start_ms, str(by))
    if report.n_unreadable:
        left_out = "1 turn is" if report.n_unreadable == 1 else f"{report.n_unreadable} turns are"
        output.note_if(f"{left_out} left out: the record cannot be read")
    if json or full:
        document = usage_document(
            *report[:2], by=str(by), since=format_time_ms(start_ms), n_unreadable=report.n_unreadable
        )
        output.show_json(document if full else without_empty(document))
    elif not report.groups:
        output.say(f"There is no turn of the last {since}.\n")
    else:
        _show(report, by, str(settings.user_home))


def _show(report: UsageReport, by: UsageKey, user_home: str) -> None:
    shown = (report.groups, report.total, str(by), user_home, output.width())
    if not output.is_terminal():
        output.show(usage_text(*shown))
        return
    from rich.console import Console

    Console(highlight=False, markup=False, emoji=False).print(usage_view(*shown), end="", soft_wrap=True)
