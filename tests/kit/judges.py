"""The suites that others wrote: where `./test.sh --judges` keeps them, and how one runs in a pytest of its own.

They have an environment of their own below `.build` (see test.sh), so nothing here or in a `test_*.py` imports them;
only `tests/judges/suites` does, which that pytest runs. Never here: what a suite is asked to do.
"""

from __future__ import annotations

import os
import subprocess
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[2] / ".build" / "judges"
"""The environment; `sdist` in it is the source distribution of the official client."""
SUITES = Path(__file__).parents[1] / "judges" / "suites"
"""Suites that are ours, or subclasses of those of others."""

_TIMEOUT_S = 500
_OURS = ("PYTEST_", "PYTHON", "COVERAGE")


class SuiteOutcome(NamedTuple):
    """What a suite did, without its failures: those are raised.

    Attributes:
        passed: the names of its tests, with their parameters; tests of two classes may have the same.
        n_passed: how many they are.
        skipped: the others, each with its reason.
    """

    passed: frozenset[str]
    n_passed: int
    skipped: Mapping[str, str]


def run_suite(scratch: Path, *arguments: str | Path, cwd: Path = SUITES, **env: str) -> SuiteOutcome:
    """Run tests with the packages of the judges.

    Args:
        scratch: a directory for the report.
        arguments: of pytest, plugins too (`-p NAME`); paths are relative to `cwd`.
        cwd: where its configuration is.
        env: added to the environment.

    Raises:
        AssertionError: one failed; the message is what pytest printed.
    """
    python = FOLDER / "bin" / "python"
    assert (FOLDER / ".stamp").exists(), (
        "the suites of others are not there: run ./test.sh --judges, which fetches them"
    )
    report = scratch / "report.xml"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    # Only the plugins that are named: the packages bring a dozen, half of what it costs to begin.
    options = ["-q", "-ra", "--disable-plugin-autoload", "-p", "asyncio", f"--junitxml={report}"]
    run = subprocess.run(
        [python, "-m", "pytest", *options, *arguments],
        cwd=cwd,
        env={**inherited, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_TIMEOUT_S,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    return _read(report)


def _read(report: Path) -> SuiteOutcome:
    passed, skipped = [], {}
    for case in ElementTree.parse(report).iter("testcase"):
        name, skip = case.attrib["name"], case.find("skipped")
        if skip is None:
            passed.append(name)
        else:
            skipped[name] = skip.attrib.get("message", "")
    return SuiteOutcome(frozenset(passed), len(passed), skipped)
