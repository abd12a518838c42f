"""The verbs about the app-servers that we start: `server start`, `stop`, `restart`, `status`, `logs`, `token`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from codex_server_cli.actions import server
from codex_server_cli.cli import output
from codex_server_cli.core.documents.lean import rows_of, without_empty
from codex_server_cli.core.documents.server import servers_document, token_document
from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.model.server.report import ServerReport
from codex_server_cli.core.result.failures import without_colours
from codex_server_cli.errors import UsageError
from codex_server_cli.render.server.shared import NONE_RUNS, server_line, servers_text, servers_view
from codex_server_cli.settings.places import Settings


def start(*, json: bool, full: bool, listen: str | None, **given: Any) -> None:
    """Start the shared app-server of this environment, unless it runs; with `listen` another one, on a TCP port."""
    report, ran_already = server.start(Settings.load(), _arguments(listen, given))
    if json or full:
        _show_json([report], full=full, ran_already=ran_already)
    else:
        output.show(server_line(report))
        output.note_if("it ran already" if ran_already else None)


def _arguments(url: str | None, given: dict[str, Any]) -> list[str]:
    """The further arguments of codex; none for the shared app-server.

    Raises:
        UsageError: the flags are invalid.
        BadInputError: the token or secret cannot be used.
    """
    if url is not None:
        from codex_server_cli.actions.listen import checked_arguments
        from codex_server_cli.core.model.server.listen import ListenFlags

        return checked_arguments(ListenFlags(url, **given))
    without = next((name for name, value in given.items() if value is not None), None)
    if without is not None:
        hint = "Like --listen ws://127.0.0.1:4500. The shared app-server needs no token: only you can open its socket."
        raise UsageError(f"--{without.replace('_', '-')} goes with --listen", hint=hint)
    return []


def stop(*, now: bool, timeout: str | None, json: bool, full: bool) -> None:
    """Stop every shared app-server of this home, once the turns that run there have ended."""
    timeout_s = server.STOP_S if timeout is None else parse_duration_s(timeout, "--timeout")
    stopped = server.stop(Settings.load(), at_once=now, timeout_s=timeout_s, tell=_tell_of_turns)
    if json or full:
        _show_json(stopped, full=full)
    else:
        output.show("".join(f"stopped {server_line(report)}" for report in stopped) or NONE_RUNS)


def restart(*, json: bool, full: bool) -> None:
    """Start the next generation; the current one runs its turns to their end."""
    report = server.restart(Settings.load())
    if json or full:
        _show_json([report], full=full)
    else:
        output.show(server_line(report))


def status(*, json: bool, full: bool) -> None:
    """Show every shared app-server of this home."""
    settings = Settings.load()
    reports = server.running(settings)
    if json or full:
        _show_json(reports, full=full)
    elif output.is_terminal():
        output.show_styled(servers_view(reports, str(settings.user_home), output.display()))
    else:
        output.show(servers_text(reports, str(settings.user_home)))


def logs(*, lines: int, follows: bool) -> None:
    """Print the logs of the shared app-server and its keeper."""
    for piece in server.log_lines(Settings.load(), lines, follows=follows):
        output.show(without_colours(piece.decode("utf-8", "replace")))


def token(*, file: str, json: bool, full: bool) -> None:
    """Make a file with a random token for an app-server on a TCP port."""
    from codex_server_cli.actions.listen import make_token_file
    from codex_server_cli.render.server.token import token_text

    made = make_token_file(file)
    if json or full:
        output.show_json(token_document(str(made.path), made.sha256))
    else:
        output.show(token_text(str(made.path), made.sha256))


def _show_json(reports: Sequence[ServerReport], *, full: bool, **more: object) -> None:
    document = servers_document(reports, **more)
    output.show_json(document if full else {**without_empty(document), "servers": rows_of(document["servers"])})


def _tell_of_turns(reports: Sequence[ServerReport]) -> None:
    count = sum(report.active_turns or 0 for report in reports)
    output.note(f"waiting for {count} {'turn' if count == 1 else 'turns'}; --now would end them")
