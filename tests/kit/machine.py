"""A machine with an `/etc/codex` for one test, seen only by the commands that run on it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.command_run import Run
from tests.kit.home import COMMAND, Home
from tests.kit.support import DEADLINE_S


class Machine:
    """Runs commands where `/etc/codex` holds something, each in its own mount namespace.

    Args:
        config: of `/etc/codex/config.toml`.
        requirements: of `/etc/codex/requirements.toml`, which an administrator manages.
    """

    def __init__(self, home: Home, config: str = "", requirements: str = "") -> None:
        new, old = home.root / "etc", home.root / "old-etc"
        (new / "codex").mkdir(parents=True)
        old.mkdir()
        for entry in Path("/etc").iterdir():
            if entry.name != "codex":
                (new / entry.name).symlink_to(old / entry.name)
        (new / "codex" / "config.toml").write_text(config)
        (new / "codex" / "requirements.toml").write_text(requirements)
        self.home = home
        mounts = f"mount --bind /etc {shlex.quote(str(old))} && mount --bind {shlex.quote(str(new))} /etc"
        self._prefix = ["unshare", "--mount", "sh", "-c", f'{mounts} && exec "$@"', "sh"]

    def run(self, *args: str) -> Run:
        """Run `codex-server ARGS` there."""
        run = subprocess.run(
            [*self._prefix, COMMAND, *args],
            cwd=self.home.project,
            env=self.home.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        return Run(run.returncode, run.stdout, run.stderr, 0.0)


def _can_mount() -> bool:
    unshare = shutil.which("unshare")
    command = [unshare or "", "--mount", "sh", "-c", "mount --bind /etc /etc"]
    return unshare is not None and os.geteuid() == 0 and subprocess.run(command, check=False).returncode == 0


needs_root = pytest.mark.skipif(not _can_mount(), reason="only root can have an /etc/codex of a test's own")
