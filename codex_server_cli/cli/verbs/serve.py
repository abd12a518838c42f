"""The verb `serve`: passes flags and config.json to the gateway; and the hint if its extra is not installed."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from codex_server_cli.cli import output
from codex_server_cli.core.documents.lean import rows_of
from codex_server_cli.core.openai.selftest.checks import COST
from codex_server_cli.core.openai.selftest.result import CheckResult
from codex_server_cli.errors import UsageError
from codex_server_cli.render.selftest import selftest_line, selftest_summary
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings
from codex_server_cli.settings.serve import checked_table

_EXTRA = ("starlette", "uvicorn", "prometheus_client", "websockets", "anyio", "h11")


def serve(*, model_alias: Sequence[str], selftest: bool, json: bool, full: bool, **flags: Any) -> int:
    """Serve HTTP until a signal; or, with `selftest`, until that has ended."""
    if (json or full) and not selftest:
        raise UsageError("--json and --full are for --selftest", hint="codex-server serve --selftest --json")
    try:
        from codex_server_cli.gateway import options, serve
        from codex_server_cli.gateway.selftest import run
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRA:
            raise
        hint = f"{shlex.quote(sys.executable)} -m pip install 'codex-server-cli[serve]'"
        raise UsageError(f"serve needs the extra `serve`: {missing} is not installed", hint=hint) from error
    settings = Settings.load()
    config = read_config(settings.config_path)
    table, warnings = checked_table(config.serve, settings.config_path)
    for warning in (*config.warnings, *warnings):
        output.note(warning)
    # An empty text, perhaps from an unset variable, counts as given, and is refused below.
    given = table | {name: value for name, value in flags.items() if value not in (None, False, [])}
    if model_alias:
        given["model_alias"] = options.parse_aliases(model_alias)
    checked = options.options_of(given, os.getcwd())  # noqa: PTH109 — as the user knows it
    if selftest:
        return _tell_selftest(partial(run.selftest, settings, checked), is_json=json or full, is_full=full)
    return serve.serve(settings, checked, tell=_tell, is_for_people=sys.stderr.isatty())


def _tell_selftest(selftest: Callable[..., int], *, is_json: bool, is_full: bool) -> int:
    results: list[CheckResult] = []

    def tell(result: CheckResult) -> None:
        results.append(result)
        if not is_json:
            output.show(selftest_line(result))

    output.note(f"codex-server: {COST}")
    code = selftest(tell=tell, is_for_people=sys.stderr.isatty())
    documents = [result.document() for result in results]
    if is_json:
        output.show_json(documents if is_full else rows_of(documents))
    elif results:
        output.show(selftest_summary(results))
    return code


def _tell(line: str) -> None:
    output.draw(f"{line}\n")  # the caller need not read it
