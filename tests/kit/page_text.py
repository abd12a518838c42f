"""The page's pure modules (`static/text`), run in node. Never here: what they should answer."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

from codex_server_cli.gateway.page import static_files

NODE = shutil.which("node")
_TEXT = Path(static_files.__file__).parent / "static" / "text"
_RUNNER = """
const [module, body, input] = JSON.parse(process.argv[1]);
const found = await import(module);
const run = new (async () => {}).constructor("m", "input", body);
process.stdout.write(JSON.stringify((await run(found, input)) ?? null));
"""


def copy_modules(folder: Path) -> Path:
    """Put them into an empty folder, with what tells node that they are modules: the package has no `package.json`."""
    for path in _TEXT.iterdir():
        shutil.copy(path, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    return folder


def run(modules: Path, module: str, body: str, given: Any = None) -> Any:
    """What a function body returns that is given the module `m` and the `input`."""
    assert NODE
    call = json.dumps([(modules / f"{module}.js").as_uri(), body, given])
    command = [NODE, "--input-type=module", "-e", _RUNNER, call]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def each(modules: Path, module: str, name: str, given: list[Any]) -> list[Any]:
    """What a function of one parameter makes of each of these."""
    found: list[Any] = run(modules, module, f"return input.map((each) => m.{name}(each))", given)
    return found
