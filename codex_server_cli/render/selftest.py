"""The self-test of `serve` for people: a line for each check, and one for all."""

from __future__ import annotations

from collections.abc import Sequence

from codex_server_cli.core.openai.selftest.probe import tokens_text
from codex_server_cli.core.openai.selftest.result import CheckResult

_NAME_COLUMNS = 14


def selftest_line(result: CheckResult) -> str:
    """Whether a check is ok, its name, milliseconds, and details."""
    mark = "ok" if result.problem is None else "FAILED"
    return f"{mark:6}  {result.name:{_NAME_COLUMNS}}  {result.ms:>6} ms  {result.detail}\n"


def selftest_summary(results: Sequence[CheckResult]) -> str:
    """How many checks are ok, and the time and tokens of all."""
    n_ok = sum(result.problem is None for result in results)
    usages = [result.usage for result in results if result.usage]
    usage = {name: sum(each[name] for each in usages) for name in usages[0]} if usages else {}
    seconds = sum(result.ms for result in results) / 1000
    facts = [f"{n_ok} of {len(results)} ok", f"{seconds:.1f} s", tokens_text(usage)]
    return f"{', '.join(filter(None, facts))}\n"
