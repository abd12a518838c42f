"""The floors of coverage: every folder of the package has one, and they apply to whole runs alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import codex_server_cli
from tests.kit import coverage_floor
from tests.kit.coverage_floor import FLOORS, UNMEASURED, FloorResult

PACKAGE = Path(codex_server_cli.__file__).parent
TESTS = Path(__file__).parent

_CONFTEST = """
from pathlib import Path

import pytest

pytest_plugins = ["tests.kit.coverage_floor"]

@pytest.hookimpl(tryfirst=True)
def pytest_configure(config):
    from tests.kit import coverage_floor
    coverage_floor._ROOT = Path(__file__).parent
    coverage_floor._CONFIG = coverage_floor._ROOT / "coverage.toml"
    coverage_floor._REPORT = coverage_floor._ROOT / "coverage.txt"
    coverage_floor._PACKAGE = coverage_floor._ROOT / "small"
    coverage_floor.FLOORS = {("half",): FLOOR, ("whole",): 100}

def pytest_sessionstart(session):
    from tests.kit import coverage_floor
    for measurement in coverage_floor._measurement:
        path = Path(measurement.data_file + ".machine.pid1.x")
        path.write_bytes(b"SQLite format 3\\0 of a process that was killed over it")
        path.with_suffix(".y").touch()
"""
_TEST = "from small.half import one\nfrom small.whole import two\n\ndef test_it(): assert one.f() == two.f()\n"
_PROPERTY = """
from hypothesis import given, settings, strategies as st
from small.whole import two

examples = []

@settings(database=None)
@given(st.integers())
def test_a(number):
    examples.append(number)
    if len(examples) > 50:
        two.late()

def test_b():
    two.afterwards()
"""
_MODULES = {
    "half/one.py": "def f(): return 1\n\ndef never_called():\n    return 2\n",
    "whole/two.py": "def f(): return 1\n",
}
FULL = ["-m", "not judge"]
_THREE_RUNS = """
import sys
import pytest
full = ["-m", "not judge"]
codes = [pytest.main(["-q", *args]) for args in ([*full, "-k", "it"], [*full, "test_it.py"], [])]
sys.exit(any(codes))
"""


def test_every_folder_of_the_package_has_a_floor() -> None:
    named = [folder for folders in FLOORS for folder in folders]
    assert sorted(named) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_every_file_that_is_not_measured_is_there() -> None:
    assert [name for name in UNMEASURED if not (TESTS / name).exists()] == []


@pytest.mark.parametrize(("per_cent", "is_missed"), [(99.99, True), (100.0, False)])
def test_all_but_everything_is_not_everything(per_cent: float, is_missed: bool) -> None:
    assert FloorResult(("core",), 100, per_cent, "").is_missed is is_missed


@pytest.mark.parametrize(("marks", "is_first_codex"), [({"measured"}, True), ({"measured"}, False), ({"full"}, True)])
def test_only_the_processes_of_a_test_that_is_marked_are_measured_with_the_first_codex_alone(
    monkeypatch: pytest.MonkeyPatch, marks: set[str], *, is_first_codex: bool
) -> None:
    measurement = SimpleNamespace(environment={"COVERAGE_PROCESS_START": "here"})
    monkeypatch.setattr(coverage_floor, "_measurement", [measurement])
    test: Any = SimpleNamespace(get_closest_marker=lambda name: name if name in marks else None)
    is_measured = "measured" in marks and is_first_codex
    assert bool(coverage_floor.environment_for(test, is_first_codex=is_first_codex)) is is_measured
    monkeypatch.setattr(coverage_floor, "_measurement", [])
    assert coverage_floor.environment_for(test, is_first_codex=is_first_codex) == {}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project with a package of two folders, one wholly covered and one in part, under our rules for coverage."""
    for name, source in _MODULES.items():
        path = tmp_path / "small" / name
        path.parent.mkdir(parents=True)
        path.write_text(source)
        (path.parent / "__init__.py").touch()
    (tmp_path / "small" / "__init__.py").touch()
    ours = (TESTS.parent / "pyproject.toml").read_text().partition("[tool.coverage.run]")
    (tmp_path / "coverage.toml").write_text((ours[1] + ours[2]).replace(f'"{PACKAGE.name}"', '"small"'))
    (tmp_path / "conftest.py").write_text(_CONFTEST)
    (tmp_path / "test_it.py").write_text(_TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\nmarkers = judge\n")
    return tmp_path


def run_python(project: Path, *args: str, floor: int) -> subprocess.CompletedProcess[str]:
    """Run Python in a project whose folder `half` has a floor."""
    conftest = project / "conftest.py"
    conftest.write_text(conftest.read_text().replace("FLOOR,", f"{floor},"))
    # A folder of its own for temporary files: a run of pytest deletes what earlier runs left in the common one.
    env = {"PYTHONPATH": f"{project}{os.pathsep}{TESTS.parent}", "TMPDIR": str(project)}
    return subprocess.run([sys.executable, *args], cwd=project, env=env, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("floor", "args", "code", "word"),
    [(50, [], 0, "reaches"), (100, [], 1, "MISSES"), (100, ["-n2"], 1, "MISSES")],
    ids=["reached", "missed", "missed by two"],
)
@pytest.mark.full
def test_a_missed_floor_turns_a_green_run_red_and_the_last_line_stays_pytests(
    small: Path, floor: int, args: list[str], code: int, word: str
) -> None:
    run = run_python(small, "-m", "pytest", "-q", *FULL, *args, floor=floor)
    assert run.returncode == code, run.stdout
    assert run.stdout.splitlines()[-1].startswith("1 passed in")
    assert f"{word} its floor of {floor} %" in run.stdout
    assert "coverage of whole: 100.00 % reaches its floor of 100 %" in run.stdout
    assert "one.py" in (small / "coverage.txt").read_text()


@pytest.mark.full
def test_the_first_examples_of_a_property_are_measured_and_what_comes_after_it_is_again(small: Path) -> None:
    (small / "test_a_property.py").write_text(_PROPERTY)
    module = small / "small" / "whole" / "two.py"
    more = "\ndef late():\n    return 3\n\ndef afterwards():\n    return 4\n"
    module.write_text(module.read_text() + more)
    run = run_python(small, "-m", "pytest", "-q", *FULL, floor=50)
    assert run.stdout.splitlines()[-1].startswith("3 passed in"), run.stdout
    (row,) = [line for line in (small / "coverage.txt").read_text().splitlines() if "two.py" in line]
    assert row.split()[-1] == str(more.count("\n", 0, more.index("return 3")) + 2)


@pytest.mark.full
def test_a_selection_a_file_and_an_everyday_run_measure_nothing(small: Path) -> None:
    run = run_python(small, "-c", _THREE_RUNS, floor=100)
    assert (run.returncode, run.stdout.count("1 passed in")) == (0, 3), run.stdout
    assert "floor" not in run.stdout
    assert not (small / "coverage.txt").exists()
