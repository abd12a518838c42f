"""Finding the native codex binary. Owns where to look; must never run a turn.

The native binary is spawned, never npm's node shim: the shim costs about 50 ms and 44 MB a turn, and a SIGKILL on it
leaves the real process alive (protocol notes, section 8).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from codex_server_cli.codex.room import is_without_room, no_room
from codex_server_cli.errors import CodexMissingError
from codex_server_cli.settings.environment import codex_environment

INSTALL_HINT = "Install it: `npm install -g @openai/codex`, or codex-server with its extra: pip install '.[codex]'."
_PROBE_TIMEOUT_S = 10.0
_VERSION = r"\d+\.\d+\.\d+\S*"


class CodexBinary(NamedTuple):
    """A codex that can be spawned: an absolute path, and its version if it was probed."""

    path: Path
    version: str | None = None


def find_codex(
    pinned: str | None, search_path: str, probe_with: Callable[[Path], CodexBinary] | None = None
) -> CodexBinary:
    """The codex to spawn: the pinned one, else a usable one on PATH, else the one of the `codex` extra.

    A pinned binary that still exists is not probed.

    Args:
        probe_with: probes any other one, possibly from a cache; by default `probe`, 20 ms.

    Raises:
        CodexMissingError: there is none, or it is too old to speak `app-server`.
    """
    if pinned is not None and _is_executable(Path(pinned)):
        return CodexBinary(native_of(Path(pinned)))
    on_path, bundled = _on_path(search_path), _bundled()
    if on_path is not None:
        try:
            return (probe_with or probe)(on_path)
        except CodexMissingError:
            if bundled is None:
                raise
    if bundled is None:
        raise CodexMissingError("no codex binary was found on PATH", hint=INSTALL_HINT)
    return (probe_with or probe)(bundled)


def probe(path: Path) -> CodexBinary:
    """Ask a binary for its version, and whether it speaks `app-server`.

    Raises:
        CodexMissingError: it cannot be run, does not print its version, or is too old.
        BusyError: no resources for a process.
    """
    code, text = _run(path, "--version")
    found = re.search(_VERSION, text)
    if code != 0 or found is None:
        raise CodexMissingError(f"{path} does not report a version: is it codex?", hint=INSTALL_HINT)
    if _run(path, "app-server", "--help")[0] != 0:
        hint = "Update it: `npm install -g @openai/codex@latest`."
        raise CodexMissingError(f"{path} is version {found.group()}, too old to speak app-server", hint=hint)
    return CodexBinary(path, found.group())


def _run(path: Path, *arguments: str) -> tuple[int, str]:
    import subprocess  # 3 ms, not needed where the version is known

    try:
        run = subprocess.run(
            [path, *arguments],
            env=codex_environment(may_bill_api_key=False),
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        if isinstance(error, OSError) and is_without_room(error):
            raise no_room(f"{path} cannot be run", error) from error
        raise CodexMissingError(f"{path} cannot be run: {error}", hint=INSTALL_HINT) from error
    return run.returncode, run.stdout.decode("utf-8", "replace")


def _on_path(search_path: str) -> Path | None:
    for folder in search_path.split(os.pathsep) if search_path else ():  # as `shutil.which`, whose import takes 3 ms
        path = Path(folder, "codex")
        if _is_executable(path):
            return native_of(path)
    return None


def native_of(path: Path) -> Path:
    """The native binary behind npm's shim; any other executable is returned unchanged.

    The shim is `@openai/codex/bin/codex.js`; the binary is in a separate package for each platform,
    `codex-<os>-<cpu>/vendor/<triple>/bin/codex` (0.171.0), beside the shim's package or inside its `node_modules`.
    """
    real = path.resolve()
    if real.suffix != ".js":
        return real
    package = real.parent.parent
    for root in (package.parent, package / "node_modules" / "@openai", package):
        for pattern in ("codex-*/vendor/*/bin/codex", "codex-*/vendor/*/codex/codex", "vendor/*/bin/codex"):
            natives = [native for native in sorted(root.glob(pattern)) if _is_executable(native)]
            if natives:
                return natives[0]
    return real


def _bundled() -> Path | None:
    """The binary of the PyPI package `openai-codex-cli-bin`, found without importing it."""
    from importlib.util import find_spec

    spec = find_spec("codex_cli_bin")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "bin" / "codex"
        if _is_executable(path):
            return path
    return None


def _is_executable(path: Path) -> bool:
    """False, too, where its directory is not readable."""
    return os.path.isfile(path) and os.access(path, os.X_OK)  # noqa: PTH113 — pathlib raises there
