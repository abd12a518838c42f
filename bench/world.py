"""The temporary environment of all benchmarks: homes, a project, the model, the installed command.

Owns every process of a run and the check that none outlives it. The model runs in a separate process, so that its work
is not counted. Never here: what is measured.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

import psutil
from platformdirs import user_cache_path

from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.gates import FileGate
from codex_server_cli.disk import lock

BENCH = Path(__file__).parent
TRIVIAL = "two words"
"""A prompt that the model repeats: an answer of two words."""

TYPER = "`import typer`"
"""The name of `import_typer` in the table."""

_HOMES = ("CODEX_SERVER_HOME", "CODEX_HOME")
_NOT_INHERITED = (*_HOMES, "CODEX_SERVER_TURN_ID", "OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")
_MAX_RUNNING = 32
_END_S = 10.0
_TURN_S = 120.0
_POLL_S = 0.01
_FIND_CODEX = """\
from codex_server_cli.codex.binary import find_codex
from codex_server_cli.settings.config import read_config
from codex_server_cli.settings.places import Settings
settings = Settings.load()
print(find_codex(read_config(settings.config_path).codex, settings.search_path).path)
"""


class BenchError(Exception):
    """A benchmark cannot run here, or failed; the message says why."""


class World:
    """See the attributes; a context manager.

    Attributes:
        command, python: the installed `codex-server`, and the interpreter that runs it.
        codex: the binary that all turns use.
        root: contains everything else, and is deleted at the end.
        home, codex_home, project: the command's home, codex's home, and the working directory of both.
        env: the environment of every process.
        model_origin: `http://127.0.0.1:PORT`, where the scripted model answers.
        specimen: the directory of a trivial turn that has ended.
    """

    def __init__(self, codex: Path | None) -> None:
        self.command = _installed_command()
        self.python = Path(self.command.read_text().partition("\n")[0].removeprefix("#!"))
        self.codex = codex.resolve() if codex else Path(self._ask_python(_FIND_CODEX))
        cache = user_cache_path("codex-server")  # codex refuses its helpers in the temporary directory
        cache.mkdir(parents=True, exist_ok=True)
        self.root = Path(tempfile.mkdtemp(prefix="bench-", dir=cache)).resolve()
        self.home, self.codex_home, self.project = (self.root / name for name in ("home", "codex", "project"))
        self.project.mkdir()
        (self.root / "user").mkdir()
        self.env = {name: value for name, value in os.environ.items() if name not in _NOT_INHERITED}
        self.env |= {"HOME": str(self.root / "user"), **self.homes(self.home, self.codex_home)}
        self.make_home(self.home)
        self._model, self.model_origin = self._start_model()
        write_custom_provider(self.codex_home, f"{self.model_origin}/v1")

    def __enter__(self) -> World:
        try:
            self.specimen = self.start(TRIVIAL)  # codex creates its databases
            self.await_end(self.specimen)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        left = self._close()
        if left and error is None:
            raise BenchError(f"still running at the end, and killed: {', '.join(left)}")

    def _close(self) -> list[str]:
        """End and delete everything; return the processes that did not end by themselves."""
        self._model.terminate()
        self._model.communicate()
        left = self._end_processes()
        shutil.rmtree(self.root)
        return left

    # --- homes

    def homes(self, home: Path, codex_home: Path) -> dict[str, str]:
        """The environment variables that make a command use these."""
        return dict(zip(_HOMES, (str(home), str(codex_home)), strict=True))

    def make_home(self, home: Path, max_running: int = _MAX_RUNNING, *, is_pinned: bool = True) -> None:
        """Make a CODEX_SERVER_HOME that pins this run's codex, or one where codex must be found."""
        home.mkdir(mode=0o700)
        pin = {"codex": str(self.codex)} if is_pinned else {}
        (home / "config.json").write_text(json.dumps({"max_running": max_running, **pin}))

    def _start_model(self) -> tuple[subprocess.Popen[str], str]:
        script = str(BENCH / "model.py")
        model = subprocess.Popen(
            [sys.executable, "-m", "codex_server_cli.demo", "--script", script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert model.stdout is not None
        return model, json.loads(model.stdout.readline())["origin"]

    # --- processes

    def popen(
        self, *command: str | Path, env: dict[str, str] | None = None, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[bytes]:
        """Start a command in the project; its stdout is a pipe, and its stdin is empty by default."""
        return subprocess.Popen(
            command,
            cwd=self.project,
            env={**self.env, **(env or {})},
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def run(self, *command: str | Path, env: dict[str, str] | None = None, stdin: int = subprocess.DEVNULL) -> bytes:
        """Run a command to its end and return its stdout.

        Raises:
            BenchError: it failed.
        """
        process = self.popen(*command, env=env, stdin=stdin)
        assert process.stdout is not None
        with process.stdout:
            stdout = process.stdout.read()  # a pipe as stdin stays open meanwhile
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
        if process.returncode != 0:
            raise BenchError(f"{' '.join(map(str, command))}: exit code {process.returncode}")
        return stdout

    def import_typer(self) -> None:
        """The reference for every start-up: the interpreter of the command imports typer and nothing else."""
        self.run(self.python, "-c", "import typer")

    def bare(self, n: int, prompt: str, env: dict[str, str] | None = None) -> float:
        """Drive `n` turns through `bare.py`; return the seconds of the longest stream."""
        return float(self.run(self.python, BENCH / "bare.py", str(n), self.codex, self.project, prompt, env=env))

    def bare_socket(self, n: int, path: str, prompt: str) -> float:
        """Drive `n` turns through `bare_socket.py` on the server that listens there; return the seconds."""
        return float(self.run(self.python, BENCH / "bare_socket.py", str(n), path, self.project, prompt))

    def exec_turn(self) -> None:
        """Run a trivial turn with `codex exec`."""
        self.run(self.codex, "exec", "--skip-git-repo-check", TRIVIAL)

    def await_newest(self, home: Path | None = None) -> None:
        """Sleep until the newest turn has ended, and check that it completed."""
        self.await_end(max(((home or self.home) / "turns").iterdir()))

    def start(
        self, prompt: str, *options: str, stdin: int = subprocess.DEVNULL, env: dict[str, str] | None = None
    ) -> Path:
        """Start a turn; return its directory."""
        return turn_of(self.run(self.command, "new", *options, prompt, stdin=stdin, env=env))

    def await_end(self, turn: Path) -> None:
        """Sleep until a turn's worker has released its lock, and check that it completed."""
        if not lock.wait_until_free(turn / "lock", _TURN_S) or not (turn / "done").exists():
            raise BenchError(f"the turn in {turn} did not complete")

    def await_text(self, turn: Path) -> None:
        """Wait for the first output of a turn."""
        deadline = time.monotonic() + _TURN_S
        while not (turn / "out.txt").stat().st_size:
            if time.monotonic() > deadline:
                raise BenchError(f"the turn in {turn} says nothing")
            time.sleep(_POLL_S)

    @contextmanager
    def held_turns(self, n: int, n_deltas: int, *options: str) -> Iterator[list[Path]]:
        """Turns that block after `n_deltas` deltas; they end with the `with` block."""
        gate = FileGate(self.root / "gate")
        turns = [self.start(f"hold {n_deltas} {gate.path}", *options) for _ in range(n)]
        try:
            for turn in turns:
                self.await_text(turn)
            gate.wait_until_reached()  # by the first of them
            yield turns
        finally:
            gate.open()
            for turn in turns:
                self.await_end(turn)
            gate.path.unlink()
            gate.reached_path.unlink()

    def versions(self) -> str:
        """The measured programs and their versions, as text."""
        python = self._ask_python("import platform; print(platform.python_version())")
        ours = self.run(self.command, "version").decode().strip()
        codex = re.search(r"[\d.]+\S*", self.run(self.codex, "--version").decode())
        return f"{ours.partition(' (')[0]}, Python {python}, codex {codex.group() if codex else 'unknown'}"

    def _ask_python(self, code: str) -> str:
        run = subprocess.run([self.python, "-c", code], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            raise BenchError(run.stderr.strip().rpartition("\n")[2])
        return run.stdout.strip()

    def _end_processes(self) -> list[str]:
        """Wait for all processes of this world; kill and return those that do not end."""
        deadline = time.monotonic() + _END_S
        while (left := [process for process in psutil.process_iter() if self._is_in_world(process)]) and (
            time.monotonic() < deadline
        ):
            time.sleep(_POLL_S)
        names = [" ".join(process.cmdline()) for process in left if process.is_running()]
        for process in left:
            process.kill()
        return names

    def _is_in_world(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get("HOME") == self.env["HOME"]
        except (psutil.Error, OSError, ValueError):
            return False  # a zombie, or another user's


def turn_of(stdout: bytes) -> Path:
    """The turn directory that `new` has printed."""
    return Path(json.loads(stdout)["turn_dir"])


def _installed_command() -> Path:
    found = shutil.which("codex-server")
    if found is None:
        raise BenchError("codex-server is not on PATH: install it first")
    return Path(found)
