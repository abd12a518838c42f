"""Run the scripted model alone: `python -m codex_server_cli.demo [--script demo|words|FILE] [--port-file F]`.

Owns: its command line. Prints one JSON line `{"version":1,"base_url","origin"}` and serves until EOF on stdin or
SIGTERM. FILE is a Python file that defines `script` (see `ScriptedModel`).
"""

from __future__ import annotations

import argparse
import json
import runpy
import signal
import sys
from pathlib import Path

from codex_server_cli.demo.script import demo_script, words_script
from codex_server_cli.demo.scripted_model import Script, ScriptedModel

_BUILT_IN = {"demo": demo_script, "words": words_script}


def main() -> None:
    """Parse, serve, announce, wait for the end."""
    parser = argparse.ArgumentParser(prog="python -m codex_server_cli.demo", description="Run the scripted model.")
    parser.add_argument("--script", default="demo", metavar="demo|words|FILE")
    parser.add_argument("--port-file", type=Path, metavar="F", help="write the JSON line here too, atomically")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ScriptedModel(_load(options.script)) as model:
        line = json.dumps({"version": 1, "base_url": model.base_url, "origin": model.origin})
        if options.port_file is not None:
            unfinished = options.port_file.with_name(options.port_file.name + ".new")
            unfinished.write_text(line)
            unfinished.replace(options.port_file)
        print(line, flush=True)
        sys.stdin.buffer.read()


def _load(name: str) -> Script:
    if name in _BUILT_IN:
        return _BUILT_IN[name]()
    script: Script = runpy.run_path(name)["script"]
    return script


if __name__ == "__main__":
    main()
