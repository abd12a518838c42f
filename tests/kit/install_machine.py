"""A temporary user for the tests of install.sh, and a fake `python3` whose `venv` and `pip` take no time.

Owns: where such a user's files are, and how install.sh is run for them. Never here: assertions about what it did.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
_OURS = ("CODEX_SERVER_HOME", "CODEX_HOME", "XDG_DATA_HOME", "CLAUDE_CONFIG_DIR")
_TOOLS = (
    *("sh", "cat", "cmp", "cp", "dirname", "find", "ln", "ls", "mkdir"),
    *("ps", "readlink", "rm", "rmdir", "sort", "tr", "uname"),
)

_FAKE_PYTHON = """#!/bin/sh
case $* in
    *'-m venv '*)
        for environment; do :; done
        mkdir -p "$environment/bin"
        cp "$0" "$environment/bin/python" ;;
    *'-m pip '*)
        for package; do :; done
        printf '%s\\n' "$package" >"$HOME/pip-was-asked-for"
        [ ! -p "$HOME/gate" ] || cat "$HOME/gate"
        [ ! -e "$HOME/pip-fails" ] || exit 1
        cp "$FAKE_CODEX_SERVER" "${0%/*}/codex-server" ;;
    *) exec "$REAL_PYTHON" "$@" ;;
esac
"""

_FAKE_CODEX_SERVER = """#!/bin/sh
case $1 in
    version) echo 'codex-server 0.1.0' ;;
    setup)
        [ ! -e "$HOME/setup-fails" ] || exit 69
        mkdir -p "$HOME/.codex-server/turns"
        [ -e "$HOME/.codex-server/config.json" ] || echo '{}' >"$HOME/.codex-server/config.json" ;;
    demo) echo 'a demo turn' ;;
    run-until-stdin-closes) cat ;;
esac
"""


@dataclass
class InstallMachine:
    """A temporary user: a checkout, a home and a PATH, all with a space in their names."""

    root: Path
    source: Path = field(init=False)
    home: Path = field(init=False)
    tools: Path = field(init=False)
    env: dict[str, str] = field(init=False)
    _runs: list[subprocess.Popen[str]] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.source = self.root / "a checkout"
        self.home = self.root / "a home"
        self.tools = self.root / "some tools"
        self.home.mkdir(parents=True)
        self.env = {name: value for name, value in os.environ.items() if name not in _OURS} | {"HOME": str(self.home)}

    @property
    def data(self) -> Path:
        return self.home / ".local/share/codex-server"

    @property
    def link(self) -> Path:
        return self.home / ".local/bin/codex-server"

    @property
    def skill(self) -> Path:
        return self.home / ".claude/skills/codex-server"

    @property
    def codex_server_home(self) -> Path:
        return self.home / ".codex-server"

    def versions(self) -> set[str]:
        return {path.name for path in (self.data / "versions").glob("*")}

    def change_source(self, text: str) -> None:
        """Change the checkout, as a pull would."""
        with (self.source / "codex_server_cli/__init__.py").open("a") as file:
            file.write(f"# {text}\n")

    def start(self, *options: str) -> subprocess.Popen[str]:
        """Start install.sh in a session of its own, so that a signal to its group is what Ctrl-C is."""
        run = subprocess.Popen(
            [self.source / "install.sh", *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=self.env,
            cwd=self.root,
            start_new_session=True,
        )
        self._runs.append(run)
        return run

    def end_runs(self) -> None:
        """Kill what a failed test left running."""
        for run in self._runs:
            if run.poll() is None:
                os.killpg(run.pid, signal.SIGKILL)
                run.communicate()

    def install(self, *options: str, code: int = 0) -> str:
        """Run install.sh to its end with this exit code; return its stdout and stderr."""
        return ended(self.start(*options), code)

    def works(self) -> bool:
        run = subprocess.run([self.link, "version"], capture_output=True, text=True, env=self.env, check=False)
        return run.returncode == 0 and run.stdout.startswith("codex-server ")


def ended(run: subprocess.Popen[str], code: int = 0) -> str:
    """Wait for the end of a run with this exit code, and return its output."""
    said, _ = run.communicate()
    assert run.returncode == code, said
    return said


def snapshot(*roots: Path) -> dict[Path, tuple[int, int, int]]:
    """Every path below these, with the facts that change when it is written."""
    paths = [path for root in roots if root.exists() for path in [root, *root.rglob("*")]]
    stats = {path: path.lstat() for path in paths}
    return {path: (stat.st_mode, stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}


def executable(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def machine_with_fakes(root: Path) -> InstallMachine:
    """A machine where building takes no time, with a codex on PATH and a small checkout.

    Files in its home steer the fakes: `pip-fails` and `setup-fails` do, and where `gate` is a FIFO, pip waits until it
    is opened for writing. `pip-was-asked-for` holds the arguments of pip.
    """
    machine = InstallMachine(root)
    (machine.source / "codex_server_cli").mkdir(parents=True)
    (machine.source / "references").mkdir()
    for name in ("install.sh", "pyproject.toml", "README.md", "codex_server_cli/__init__.py"):
        shutil.copy(ROOT / name, machine.source / name)
    (machine.source / "SKILL.md").write_text("how to use it\n")
    (machine.source / "references/examples.md").write_text("examples\n")
    machine.tools.mkdir()
    for name in _TOOLS:
        if found := shutil.which(name):
            (machine.tools / name).symlink_to(found)
    executable(machine.tools / "python3", _FAKE_PYTHON)
    executable(machine.tools / "codex", "#!/bin/sh\n")
    machine.env |= {
        "PATH": str(machine.tools),
        "REAL_PYTHON": sys.executable,
        "FAKE_CODEX_SERVER": str(executable(root / "fake-codex-server", _FAKE_CODEX_SERVER)),
    }
    return machine
