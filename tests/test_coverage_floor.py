"""The floors of coverage: every folder of the package has one, and they apply to whole runs alone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import codex_server_cli
from tests.kit import coverage_floor
from tests.kit.coverage_floor import FLOORS, MEASURED, Verdict

PACKAGE = Path(codex_server_cli.__file__).parent
TESTS = Path(__file__).parent

_CONFTEST = """
from pathlib import Path

pytest_plugins = ["tests.kit.coverage_floor"]

def pytest_sessionstart(session):
    from tests.kit import coverage_floor
    coverage_floor._ROOT = Path(__file__).parent
    coverage_floor._REPORT = coverage_floor._ROOT / "coverage.txt"
    coverage_floor.FLOORS = {("core",): FLOOR}
    for measurement in coverage_floor._measurement:
        path = Path(measurement.data_file + ".machine.pid1.x")
        path.write_bytes(b"SQLite format 3\\0 of a process that was killed over it")
        path.with_suffix(".y").touch()
"""
FULL = ["-m", "not judge"]
_TEST = "from codex_server_cli.core.protocol import rpc\n\ndef test_it(): assert rpc.request(1, 'x', {})\n"


def test_every_folder_of_the_package_has_a_floor() -> None:
    named = [folder for folders in FLOORS for folder in folders]
    assert sorted(named) == sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))


def test_every_measured_file_is_there() -> None:
    assert [name for name in MEASURED if not (TESTS / name).exists()] == []


@pytest.mark.parametrize(("per_cent", "is_missed"), [(99.99, True), (100.0, False)])
def test_all_but_everything_is_not_everything(per_cent: float, is_missed: bool) -> None:
    assert Verdict(("core",), 100, per_cent, "").is_missed is is_missed


@pytest.mark.parametrize(
    ("file", "name", "is_first_codex", "is_measured"),
    [
        ("test_starting.py", "test_it[pypi]", True, True),
        ("test_starting.py", "test_it[npm]", False, False),
        ("test_load.py", "test_it", True, False),
        ("test_queue.py", "test_a_turn_in_line_is_light_and_idle", True, False),
    ],
)
def test_only_the_processes_of_what_is_named_are_measured(
    monkeypatch: pytest.MonkeyPatch, file: str, name: str, is_first_codex: bool, is_measured: bool
) -> None:
    measurement = SimpleNamespace(environment={"COVERAGE_PROCESS_START": "here"})
    monkeypatch.setattr(coverage_floor, "_measurement", [measurement])
    test: Any = SimpleNamespace(path=TESTS / "e2e" / file, name=name)
    assert bool(coverage_floor.environment_for(test, is_first_codex=is_first_codex)) is is_measured
    monkeypatch.setattr(coverage_floor, "_measurement", [])
    assert coverage_floor.environment_for(test, is_first_codex=is_first_codex) == {}


@pytest.mark.parametrize(
    ("floor", "args", "code", "word"),
    [
        (0, FULL, 0, "reaches"),
        (100, FULL, 1, "MISSES"),
        (0, [*FULL, "-n2"], 0, "reaches"),
        (100, [*FULL, "-n2"], 1, "MISSES"),
        (100, [*FULL, "-k", "it"], 0, None),
        (100, [*FULL, "test_it.py"], 0, None),
        (100, [], 0, None),
    ],
    ids=["reached", "missed", "reached by two", "missed by two", "a selection", "a file", "everyday"],
)
def test_a_missed_floor_turns_a_green_run_red_and_the_last_line_stays_pytests(
    tmp_path: Path, floor: int, args: list[str], code: int, word: str | None
) -> None:
    (tmp_path / "conftest.py").write_text(_CONFTEST.replace("FLOOR}", f"{floor}}}"))
    (tmp_path / "test_it.py").write_text(_TEST)
    (tmp_path / "pytest.ini").write_text("[pytest]\ntestpaths = .\nmarkers = judge\n")
    command = [sys.executable, "-m", "pytest", "-q", *args]
    run = subprocess.run(command, cwd=tmp_path, env={"PYTHONPATH": str(TESTS.parent)}, capture_output=True, text=True)
    assert run.returncode == code, run.stdout
    assert run.stdout.splitlines()[-1].startswith("1 passed in")
    assert (f"{word} its floor of {floor} %" in run.stdout) if word else ("floor" not in run.stdout)
    assert (tmp_path / "coverage.txt").exists() is (word is not None)
