"""The verbs about the account: `account`, `login`, `logout`, `limits`, `models`. A key is never read from argv."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from codex_server_cli.actions import account as actions
from codex_server_cli.cli import output
from codex_server_cli.core.documents import account as documents
from codex_server_cli.core.documents.fields import only, read_fields
from codex_server_cli.core.documents.lean import rows_of, without_empty
from codex_server_cli.errors import BadInputError, Exit, UsageError
from codex_server_cli.render.account import account_text, account_view, models_table, models_view
from codex_server_cli.render.limits import limits_text
from codex_server_cli.settings.places import Settings

if TYPE_CHECKING:
    from codex_server_cli.core.account.account import Account
    from codex_server_cli.core.account.queries import LoginStart
    from codex_server_cli.core.record.rate_limits import Limits

_MAX_KEY_CHARS = 4096


def account(*, refresh: bool, json: bool, full: bool) -> Exit:
    """Show who is logged in; exit code 2 if no turn could start."""
    report = actions.read_account(Settings.load(), refreshes=refresh)
    problem = report.problem
    if json or full:
        message = problem.message if problem else None
        document = documents.account_document(report.account, message, has_refreshed=report.has_refreshed)
        output.show_json(document if full else without_empty(document))
    else:
        _show_account(report.account, report.has_refreshed)
    if problem is not None:
        output.show_error(problem, as_json=False)
        return problem.exit_code
    return Exit.OK


def login(*, device: bool, no_browser: bool, api_key: str | None) -> None:
    """Log in with ChatGPT; waits until it is done in a browser. Ctrl-C cancels it."""
    if api_key is not None:
        if device or no_browser:
            raise UsageError("--api-key opens no page: it goes with neither --device nor --no-browser")
        if api_key != "-":  # not repeated in the error: it may be a key
            hint = 'printf %s "$KEY" | codex-server login --api-key -'
            raise UsageError("an API key is read from stdin alone: an argument can be seen by others", hint=hint)
        account = actions.log_in_with_key(Settings.load(), _read_key)
    else:
        try:
            account = actions.log_in(Settings.load(), _show_login, is_device=device, opens_browser=not no_browser)
        except KeyboardInterrupt:
            output.note("\nThe login was cancelled.")
            raise
    _show_account(account)


def _show_account(account: Account, has_refreshed: bool | None = None) -> None:
    if output.is_terminal():
        output.show_styled(account_view(account, output.display(), has_refreshed=has_refreshed))
    else:
        output.show(account_text(account, has_refreshed=has_refreshed))


def _show_login(started: LoginStart, has_browser: bool) -> None:
    if started.user_code is not None:
        output.show(f"Open this page in any browser:\n  {started.url}\nand enter the code:\n  {started.user_code}\n")
    else:
        opened = " It should open by itself." if has_browser else ""
        output.show(f"Open this page in a browser on this machine.{opened}\n  {started.url}\n")
    output.note("Waiting for the login; Ctrl-C cancels it.")


def _read_key() -> str:
    if sys.stdin.isatty():
        import getpass

        key = getpass.getpass("API key: ")  # without echo
    else:
        key = sys.stdin.buffer.read(_MAX_KEY_CHARS + 1).decode("utf-8", "replace")
    key = key.strip()
    if not key:
        raise BadInputError("there is no API key on stdin", hint='printf %s "$KEY" | codex-server login --api-key -')
    if len(key) > _MAX_KEY_CHARS or not (key.isascii() and key.isprintable()) or " " in key:
        raise BadInputError("what is on stdin is no API key", hint="A key is one line of printable ASCII characters.")
    return key


def logout() -> None:
    """Forget Codex's login on this machine."""
    actions.log_out(Settings.load())
    output.show("Logged out.\n")


def limits(*, json: bool, full: bool, fields: str | None) -> None:
    """Show the usage limits of the ChatGPT login, and when they reset."""
    names = read_fields(fields, documents.LIMITS_KEYS, is_full=full)
    found = actions.read_limits(Settings.load())
    if json or full or names:
        _show_rows([documents.limits_document(limit) for limit in found], names, is_full=full)
    else:
        _show_limits(found)


def _show_limits(found: list[Limits]) -> None:
    if output.is_terminal():
        output.show_styled(limits_text(found, time.time(), width=output.width(), ink=output.ink()))
    else:
        output.show(limits_text(found, time.time()))


def models(*, shows_hidden: bool, json: bool, full: bool, fields: str | None) -> None:
    """List the models, with the efforts and inputs that each takes."""
    names = read_fields(fields, documents.MODEL_KEYS, is_full=full)
    found = [model for model in actions.read_models(Settings.load()) if shows_hidden or not model.is_hidden]
    if json or full or names:
        _show_rows([documents.model_document(model) for model in found], names, is_full=full)
    elif output.is_terminal():
        output.show_styled(models_view(found, output.display()))
    else:
        output.show(models_table(found, output.width()))


def _show_rows(rows: list[dict[str, Any]], names: tuple[str, ...] | None, *, is_full: bool) -> None:
    if names:
        output.show_json([only(names, row, {}) for row in rows])
    else:
        output.show_json(rows if is_full else rows_of(rows))
