"""The fault matrix and its tests match: each row names tests that exist, and each such test is in a row."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "references" / "error-handling.md"
COLUMNS = ["fault", "state", "kind", "what is kept", "run next", "test"]
LATER = "in a later version"


def rows() -> list[list[str]]:
    """The rows of the matrix, cell by cell, without those that only name a group."""
    section = DOCUMENT.read_text(encoding="utf-8").partition("## The fault matrix")[2].partition("\n## ")[0]
    table = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    head, _, *body = [[cell.strip() for cell in row] for row in table]
    assert head == COLUMNS
    return [row for row in body if any(row[1:])]


def named(cell: str) -> list[str]:
    """The tests that a cell names."""
    return re.findall(r"`(tests/[\w/]+\.py::test_\w+)`", cell)


def functions_of(path: Path) -> set[str]:
    """The test functions of a file, as the matrix names them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")]
    return {f"{path.relative_to(ROOT).as_posix()}::{name}" for name in names}


def test_each_row_is_whole_and_names_its_test() -> None:
    for row in rows():
        assert len(row) == len(COLUMNS), row
        assert LATER in row[3] or (all(row) and named(row[5])), row


def test_each_test_that_a_row_names_exists() -> None:
    tests = [test for row in rows() for test in named(row[5])]
    files = {test.partition("::")[0] for test in tests}
    assert set(tests) <= set().union(*(functions_of(ROOT / file) for file in files))


def test_each_fault_that_is_tested_stands_in_the_matrix() -> None:
    tested = set().union(*(functions_of(path) for path in (ROOT / "tests" / "e2e").rglob("test_fault_*.py")))
    assert tested
    assert tested - {test for row in rows() for test in named(row[5])} == set()
