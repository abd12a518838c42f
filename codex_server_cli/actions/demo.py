"""The `demo` verb: a whole turn offline. Owns a temporary home and the command that is run in it.

The real `codex-server` and the real codex run the turn; only the model is scripted, on loopback. The command runs as a
user would run it, in a separate process. The whole output fits on a small screen.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from codex_server_cli.codex.binary import find_codex
from codex_server_cli.core.result.commands import PROGRAM
from codex_server_cli.disk.files import write_json
from codex_server_cli.errors import Exit
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.environment import demo_environment, interpreter
from codex_server_cli.settings.places import Settings

PROMPT = "Say hello, and look at this machine."
NEXT_STEPS = f"""
Next: `{PROGRAM} login`, and then
  {PROGRAM} chat
  {PROGRAM} new "What is here?" -f"""
_REMOVAL_S = 5.0
_ENTRY = "import runpy; runpy.run_module('codex_server_cli', run_name='__main__')"


def run_demo(settings: Settings, note: Callable[[str], None], *, keeps_home: bool) -> int:
    """Run the demo turn; its output goes to our stdout and stderr.

    Args:
        note: called with the command that is run, and with what to do next.
        keeps_home: do not delete the temporary home.

    Returns:
        The exit code of that command.

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
            write_custom_provider(home / "codex", model.base_url, model=None, features={"plugins": False})
            write_json(home / "config.json", {"codex": str(codex.path)})
            (home / "project").mkdir()
            code = _run_turn(home, note)
        if code == Exit.OK:
            note(NEXT_STEPS)
        return code
    finally:
        if keeps_home:
            note(f"kept: {home}")
        else:
            _remove(home)


def _remove(home: Path) -> None:
    """Delete the home; the worker and codex may write in it for a moment after the turn has ended."""
    deadline = time.monotonic() + _REMOVAL_S
    shutil.rmtree(home, ignore_errors=True)
    while home.exists() and time.monotonic() < deadline:
        time.sleep(0.1)
        shutil.rmtree(home, ignore_errors=True)


def _run_turn(home: Path, note: Callable[[str], None]) -> int:
    note(f'$ {PROGRAM} new "{PROMPT}" --name demo -f')
    return subprocess.run(
        interpreter(_ENTRY, "new", PROMPT, "--name", "demo", "-f"),
        cwd=home / "project",
        env=demo_environment(home, home / "codex"),
        check=False,
    ).returncode
