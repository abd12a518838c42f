"""Coverage floors, enforced by the suite: a whole run fails where one is missed. Owns the floors, and what is measured.

Measured are the tests' own process and, in tests that are marked `measured`, each command and the detached worker
behind it: all that no other test shows. Not the others: a measured process starts three times as slowly, which costs a
whole run minutes, and would falsify what is timed, weighed or started by the hundred. Nor anything of a test with the
second codex version: the first one shows the same lines. A run of selected tests measures nothing. The uncovered lines
are in `.build/coverage.txt` after a whole run; to raise a floor, copy what that run reported.
"""

from __future__ import annotations

import io
import sys
import threading
import warnings
from collections.abc import Callable, Generator
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, cast

import pytest
from coverage import Coverage
from coverage.exceptions import CoverageWarning

from tests.kit.support import has_second_codex

FLOORS = {  # folders of the package → per cent of lines and branches, rounded down to a whole number
    ("core", "render"): 100,
    ("actions", "cli", "codex", "demo", "disk", "settings", "worker"): 96,
    ("gateway",): 96,
}
UNMEASURED = frozenset({"test_import_law.py", "test_words.py"})
"""Test files that read the source and the documents; what little they run is measured elsewhere."""
EXAMPLES = 25
"""So many examples of a property are measured at most: traced, each takes twice as long."""

_ROOT = Path(__file__).parents[2]
_TESTS = Path(__file__).parents[1]
_CONFIG = _ROOT / "pyproject.toml"
_REPORT = _ROOT / ".build" / "coverage.txt"
_PACKAGE = _ROOT / "codex_server_cli"


class FloorResult(NamedTuple):
    """The result for one floor."""

    folders: tuple[str, ...]
    floor: int
    per_cent: float
    report: str

    @property
    def is_missed(self) -> bool:
        return self.per_cent < self.floor

    @property
    def line(self) -> str:
        word = "MISSES" if self.is_missed else "reaches"
        return f"coverage of {', '.join(self.folders)}: {self.per_cent:.2f} % {word} its floor of {self.floor} %"


class Measurement:
    """What one process of a whole run measures: itself, and the processes that bear its `environment`.

    Args:
        data_file: where the data goes, beside that of the others.
    """

    def __init__(self, data_file: str) -> None:
        self.data_file = data_file
        self.environment = {"COVERAGE_PROCESS_START": str(_CONFIG), "COVERAGE_FILE": data_file}
        self._coverage = Coverage(data_file=data_file, config_file=str(_CONFIG))
        self._coverage.start()
        self._n_examples = 0
        self._tracer: Any = None  # of a pause: what measures

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Have each property tell of its examples."""
        for property_ in {getattr(item, "function", None) for item in items}:
            handle = getattr(property_, "hypothesis", None)
            if handle is not None:
                handle.inner_test = self._counted(handle.inner_test)

    def _counted(self, test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def run(*args: Any, **kwargs: Any) -> None:
            self._n_examples += 1
            if self._n_examples == EXAMPLES + 1:
                self._pause()
            test(*args, **kwargs)

        return run

    def _pause(self) -> None:
        """Measure nothing of this thread; that of a server which a test has started goes on being measured."""
        self._tracer = self._tracer or sys.gettrace()  # it may be paused already
        sys.settrace(None)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, Any, Any]:
        """Measure a test, as far as it has something to show."""
        self._n_examples = 0
        of_new_threads: Any = threading.gettrace()
        if item.path in {_TESTS / name for name in UNMEASURED} or has_second_codex(item):
            self._pause()
            threading.settrace(cast("Any", None))
        try:
            return (yield)
        finally:
            threading.settrace(of_new_threads)
            if self._tracer is not None:
                sys.settrace(self._tracer)
                self._tracer = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self) -> None:
        """Save what was measured, for the judgement."""
        self._coverage.stop()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CoverageWarning)  # the controller of pytest-xdist runs nothing of ours
            self._coverage.save()


class FloorReport:
    """The verdict on a whole run, in the process that reports it: the only one, or pytest-xdist's controller."""

    def __init__(self) -> None:
        self._folder = TemporaryDirectory(prefix="coverage-")
        self.data_file = str(Path(self._folder.name) / "data")
        self._verdicts: list[FloorResult] = []

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Have a worker of pytest-xdist measure, too."""
        node.workerinput[_DATA_FILE] = self.data_file

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Judge the run; a green one turns red where a floor is missed."""
        self._coverage = Coverage(data_file=self.data_file, config_file=str(_CONFIG))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CoverageWarning)  # a process that was killed leaves half of its data
            self._coverage.combine()
        self._verdicts = [self._judge(folders, floor) for folders, floor in FLOORS.items()]
        self._folder.cleanup()
        _REPORT.parent.mkdir(exist_ok=True)
        _REPORT.write_text("\n".join(verdict.report for verdict in self._verdicts), encoding="utf-8")
        if exitstatus == pytest.ExitCode.OK and any(verdict.is_missed for verdict in self._verdicts):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Print the results before pytest's own last line."""
        terminalreporter.section(f"coverage: {_REPORT.relative_to(_ROOT)}")
        for verdict in self._verdicts:
            terminalreporter.write_line(verdict.line, red=verdict.is_missed)

    def _judge(self, folders: tuple[str, ...], floor: int) -> FloorResult:
        report = io.StringIO()
        include = [f"{_PACKAGE / folder}/*" for folder in folders]
        per_cent = self._coverage.report(file=report, include=include)
        return FloorResult(folders, floor, per_cent, report.getvalue())


_DATA_FILE = "coverage_data_file"
_FULL = "not judge"
_NARROWING = ("keyword", "deselect", "ignore", "ignore_glob", "lf", "collectonly")
_measurement: list[Measurement] = []


def pytest_configure(config: pytest.Config) -> None:
    """Measure a full run (`./test.sh --full`), from before the package is imported."""
    if hasattr(config, "workerinput"):
        data_file = config.workerinput.get(_DATA_FILE)
    elif _is_whole(config) and not _measurement:
        judgement = FloorReport()
        config.pluginmanager.register(judgement)
        data_file = judgement.data_file
    else:
        data_file = None
    if data_file is not None:
        _measurement.append(Measurement(data_file))
        config.pluginmanager.register(_measurement[0])


def _is_whole(config: pytest.Config) -> bool:
    is_narrowed = any(getattr(config.option, name, None) for name in _NARROWING) or config.option.markexpr != _FULL
    return config.args_source is pytest.Config.ArgsSource.TESTPATHS and not is_narrowed


def environment_for(test: pytest.Item, *, is_first_codex: bool = True) -> dict[str, str]:
    """The variables that make a test's processes measure themselves; empty where they are not measured.

    Args:
        is_first_codex: where a test runs with each codex, it is measured with the first of them.
    """
    is_measured = is_first_codex and _measurement and test.get_closest_marker("measured") is not None
    return _measurement[0].environment if is_measured else {}
