"""The import law: which folder may import which, and which folders have no side effect at all.

Read from the source with `ast`; nothing is imported. `_breaches` judges one module, so that the law itself is tested.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.kit.cases import for_each

PACKAGE = "codex_server_cli"
ROOT = Path(__file__).parents[1] / PACKAGE
MODULES = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))

LAW = {  # folder → the folders that it may import besides itself
    "__init__": set[str](),
    "__main__": {"cli"},
    "errors": set[str](),
    "settings": {"errors"},
    "core": {"errors"},
    "render": {"core", "errors"},
    "disk": {"core", "errors"},
    "codex": {"core", "errors", "settings"},
    "worker": {"codex", "disk", "core", "errors", "settings"},
    "actions": {"worker", "codex", "disk", "core", "errors", "settings"},
    "gateway": {"actions", "codex", "core", "errors", "settings"},
    "cli": {"actions", "render", "core", "errors", "settings"},
    "demo": {"errors"},
}
FLOORS = (  # of core: a folder imports those of lower floors, and itself
    {"places"},
    {"protocol"},
    {"model", "inputs", "images", "duration", "command_line"},
    {"record"},
    {"result"},
    {"account", "history", "openai"},
    {"documents"},
    {"session"},
)
LAZY = {("cli", "gateway"), ("cli", "demo"), ("actions", "demo")}  # inside a function only
PURE_ROOMS = {"core", "render", "errors"}
SIDE_EFFECTS = {
    *("asyncio", "fcntl", "io", "logging", "mmap", "multiprocessing", "os", "pathlib", "platform", "psutil", "random"),
    *("resource", "secrets", "select", "selectors", "shutil", "signal", "socket", "socketserver", "ssl", "subprocess"),
    *("sys", "tempfile", "threading", "urllib.request", "uuid", "watchfiles", "websockets", "http.client"),
    *("open()", "print()", "input()", "exec()", "eval()", "breakpoint()"),
    *("time.time", "time.time_ns", "time.monotonic", "time.monotonic_ns", "time.perf_counter", "time.perf_counter_ns"),
    *("time.sleep", "time.localtime", "datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
}
ENVIRONMENT = {"os.environ", "os.environb", "os.getenv"}
TERMINAL_ALONE = {"typer", "rich", "click", "prompt_toolkit"}
GATEWAY_ALONE = {"asyncio", "anyio", "starlette", "uvicorn", "h11", "prometheus_client"}
TYPES_ONLY = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
MAY_USE = {"cli": TERMINAL_ALONE | {"asyncio"}, "gateway": GATEWAY_ALONE, "render": {"rich"}}


_MODULE_IN_TEXT = re.compile(rf"(?:from|import|-m) ({PACKAGE}(?:\.\w+)+)")


def _room(module: Path) -> str:
    return module.parts[0] if len(module.parts) > 1 else module.stem


def _imports(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """The dotted names that a module imports, each with its node. Relative imports are not used here."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: a relative import"
            yield from ((f"{node.module}.{alias.name}", node) for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):  # code that a subprocess runs
            yield from ((name, node) for name in _MODULE_IN_TEXT.findall(node.value))


def _uses(tree: ast.AST) -> Iterator[str]:
    """What a module may cause effects with: `os.environ`, `open()`, and what it imports with all that leads there."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            yield f"{node.value.id}.{node.attr}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield f"{node.func.id}()"
    for name, _ in _imports(tree):
        parts = name.split(".")
        yield from (".".join(parts[:length]) for length in range(1, len(parts) + 1))


def _lazy_nodes(tree: ast.AST) -> set[ast.AST]:
    """Everything inside a function."""
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {inner for function in functions for inner in ast.walk(function)}


def _rooms_imported(room: str, tree: ast.AST) -> Iterator[str]:
    """The other folders that a module imports, without those that it may import lazily and does."""
    lazy = _lazy_nodes(tree)
    for name, node in _imports(tree):
        package, _, inside = name.partition(".")
        other = inside.partition(".")[0]
        if package == PACKAGE and other in LAW and not (node in lazy and (room, other) in LAZY):
            yield other


def _too_high(module: Path, tree: ast.AST) -> set[str]:
    """The folders of core that a module of core imports and that are on no lower floor."""
    floor_of = {folder: number for number, folders in enumerate(FLOORS) for folder in folders}
    if module.parts[0] != "core" or len(module.parts) < 3:
        return set()
    own, parts = module.parts[1], [name.split(".") for name, _ in _imports(tree)]
    others = {each[2] for each in parts if each[:2] == [PACKAGE, "core"] and len(each) > 2} - {own}
    return {other for other in others if floor_of[other] >= floor_of[own]}


def _breaches(module: Path, source: str) -> list[str]:
    tree, room = ast.parse(source), _room(module)
    if room not in LAW:
        return [f"{room} is a room without a law"]
    uses = set(_uses(tree))
    forbidden = (TERMINAL_ALONE | GATEWAY_ALONE) - MAY_USE.get(room, set()) | (
        SIDE_EFFECTS if room in PURE_ROOMS else set()
    )
    if room != "settings":
        forbidden |= ENVIRONMENT
    rooms = set(_rooms_imported(room, tree)) - LAW[room] - {room}
    return [
        *(f"{room} imports {other}" for other in sorted(rooms)),
        *(f"core/{module.parts[1]} imports core/{other}" for other in sorted(_too_high(module, tree))),
        *(f"{room} uses {x}" for x in sorted(uses & forbidden)),
    ]


def test_every_module_keeps_the_law() -> None:
    found = {str(module): _breaches(module, (ROOT / module).read_text(encoding="utf-8")) for module in MODULES}
    assert {module: breaches for module, breaches in found.items() if breaches} == {}


def _dotted(module: Path) -> str:
    return ".".join([PACKAGE, *module.with_suffix("").parts])


def test_no_files_import_each_other_in_a_circle() -> None:
    files = {_dotted(module) for module in MODULES}
    graph = {}
    for module in MODULES:
        names = [name for name, _ in _imports(ast.parse((ROOT / module).read_text(encoding="utf-8")))]
        prefixes = (".".join(name.split(".")[:length]) for name in names for length in range(name.count(".") + 2))
        graph[_dotted(module)] = files.intersection(prefixes) - {_dotted(module)}
    TopologicalSorter(graph).prepare()  # raises for a circle, and names it


@pytest.mark.full
def test_no_two_classes_share_a_name() -> None:
    names = Counter(
        node.name
        for module in MODULES
        for node in ast.parse((ROOT / module).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    )
    assert [name for name, count in names.items() if count > 1] == []


@for_each("module", MODULES)
def test_a_module_says_what_it_owns_and_is_short(module: Path) -> None:
    source = (ROOT / module).read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(source))
    assert source.count("\n") <= 300


@for_each(
    ("module", "source", "breach"),
    [
        ("core/x.py", "import subprocess", "core uses subprocess"),
        ("core/x.py", "from os import path", "core uses os"),
        ("core/x.py", "from urllib.request import urlopen", "core uses urllib.request"),
        ("core/x.py", "def f():\n    import socket", "core uses socket"),
        ("core/x.py", "open('f')", "core uses open()"),
        ("render/x.py", "print('x')", "render uses print()"),
        ("core/x.py", "import time\ntime.time()", "core uses time.time"),
        ("core/x.py", "from time import monotonic", "core uses time.monotonic"),
        ("core/x.py", "from datetime import datetime\ndatetime.now()", "core uses datetime.now"),
        ("core/x.py", "from codex_server_cli.disk.lock import x", "core imports disk"),
        ("core/x.py", "from codex_server_cli import disk", "core imports disk"),
        ("disk/x.py", "from codex_server_cli.settings import x", "disk imports settings"),
        ("codex/x.py", "import codex_server_cli.disk.lock", "codex imports disk"),
        ("worker/x.py", "from codex_server_cli.actions import x", "worker imports actions"),
        ("worker/x.py", "CODE = 'from codex_server_cli.cli.entry import main; main()'", "worker imports cli"),
        ("worker/x.py", "CODE = 'python -m codex_server_cli.cli.entry'", "worker imports cli"),
        ("disk/x.py", f"{TYPES_ONLY}    from codex_server_cli.worker.x import Y", "disk imports worker"),
        ("core/record/x.py", "from codex_server_cli.core.result import y", "core/record imports core/result"),
        ("core/account/x.py", "from codex_server_cli.core.history.y import Z", "core/account imports core/history"),
        ("disk/x.py", "import os\nos.environ['HOME']", "disk uses os.environ"),
        ("disk/x.py", "from os import getenv", "disk uses os.getenv"),
        ("worker/main.py", "import typer", "worker uses typer"),
        ("actions/x.py", "def f():\n    from rich.console import Console", "actions uses rich"),
        ("render/x.py", "import typer", "render uses typer"),
        ("cli/x.py", "from codex_server_cli.demo import x", "cli imports demo"),
        ("actions/x.py", "import asyncio", "actions uses asyncio"),
        ("cli/x.py", "import starlette", "cli uses starlette"),
        ("gateway/x.py", "from rich.table import Table", "gateway uses rich"),
        ("gateway/x.py", "from codex_server_cli.disk.lock import x", "gateway imports disk"),
        ("cellar/x.py", "", "cellar is a room without a law"),
    ],
)
def test_the_law_finds_a_breach(module: str, source: str, breach: str) -> None:
    assert _breaches(Path(module), source) == [breach]


@for_each(
    ("module", "source"),
    [
        ("core/x.py", "import json\nfrom codex_server_cli.errors import ErrorKind"),
        ("core/x.py", "import time\ntime.gmtime(0)\nfrom urllib.parse import unquote"),
        ("render/x.py", "from rich.table import Table\nfrom codex_server_cli.core.model.turn import State"),
        ("disk/x.py", "import os\nos.open('f', 0)\nprint('x')"),
        ("cli/x.py", "import typer\ndef f():\n    from codex_server_cli.demo import x"),
        ("settings.py", "import os\nos.environ['HOME']"),
        ("worker/x.py", "from codex_server_cli import __version__"),
        ("core/result/x.py", "from codex_server_cli.core.record.y import Z"),
        ("cli/x.py", "HINT = 'codex-server new'"),
    ],
)
def test_the_law_lets_pass_what_is_allowed(module: str, source: str) -> None:
    assert _breaches(Path(module), source) == []
