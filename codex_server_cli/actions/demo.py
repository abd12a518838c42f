"""The `demo` verb: a whole turn offline. Owns a temporary home and the commands that are run in it.

The turn is run by the real `codex-server` and the real codex; only the model is scripted, on loopback. Every command
is run as a user would run it, in a separate process.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from codex_server_cli.codex.binary import find_codex
from codex_server_cli.disk.files import write_json
from codex_server_cli.errors import Exit
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.environment import demo_environment, interpreter
from codex_server_cli.settings.places import Settings

PROMPT = "Say hello, and look at this machine."


def run_demo(settings: Settings, note: Callable[[str], None], *, keeps_home: bool) -> int:
    """Run the demo turn; its output goes to our stdout and stderr.

    Args:
        note: takes the messages in between.
        keeps_home: do not delete the temporary home.

    Returns:
        The exit code of the first command that failed, else 0.

    Raises:
        CodexMissingError: no usable codex.
    """
    from platformdirs import user_cache_path

    from codex_server_cli.demo.codex_home import write_custom_provider
    from codex_server_cli.demo.script import demo_script
    from codex_server_cli.demo.scripted_model import ScriptedModel

    codex = find_codex(read_config(settings.config_path).codex, settings.search_path)
    cache = user_cache_path("codex-server")  # not the system's temporary directory: codex refuses its helpers there
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    home = Path(tempfile.mkdtemp(prefix="demo-", dir=cache))
    try:
        with ScriptedModel(demo_script()) as model:
            # Codex's list of plugins comes from the network: the demo uses none.
            write_custom_provider(home / "codex", model.base_url, features={"plugins": False})
            write_json(home / "config.json", {"codex": str(codex.path)})
            (home / "project").mkdir()
            return _run_commands(home, note)
    finally:
        if keeps_home:
            note(f"kept: {home}")
        else:
            shutil.rmtree(home, ignore_errors=True)


def _run_commands(home: Path, note: Callable[[str], None]) -> int:
    commands = (["new", PROMPT, "--name", "demo", "--follow"], ["list-turns"], ["answer", "demo"])
    for command in commands:
        shown = " ".join(f'"{word}"' if " " in word else word for word in command)
        note(f"\n$ codex-server {shown}")
        run = subprocess.run(
            interpreter("import runpy; runpy.run_module('codex_server_cli', run_name='__main__')", *command),
            cwd=home / "project",
            env=demo_environment(home, home / "codex"),
            check=False,
        )
        if run.returncode != 0:
            return run.returncode
    return Exit.OK
