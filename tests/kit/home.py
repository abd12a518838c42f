"""One user's environment for an end-to-end test: a home, a CODEX_HOME, a project, and the installed command run in it.

Never here: assertions about the product beyond "the command did what the test needs to go on".
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sysconfig
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from unittest import mock

import psutil

from codex_server_cli.cli import app
from codex_server_cli.cli.entry import STARTING_VERBS
from codex_server_cli.core.model.turn import is_turn_id
from codex_server_cli.demo.codex_home import write_chatgpt_login, write_custom_provider
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from codex_server_cli.demo.scripted_model import Script, ScriptedModel
from tests.kit.processes import end, has, is_forked_of_itself, is_over
from tests.kit.support import DEADLINE_S, Json, codex_env, wait_until

COMMAND = str(Path(sysconfig.get_path("scripts")) / "codex-server")
"""The command as pip installed it."""

FIRST_HALF, SECOND_HALF = "The first half, ", "and the second."
"""The output of a held turn, and the rest once its gate opens."""

_HOME = "CODEX_SERVER_HOME"
_NOT_INHERITED = (_HOME, "CODEX_SERVER_TURN_ID")


@dataclass(frozen=True, slots=True)
class Run:
    """One finished command."""

    code: int
    stdout: str
    stderr: str
    duration_s: float

    @property
    def json(self) -> Json:
        """The one JSON object that stdout is, on one line."""
        assert self.stdout.count("\n") == 1, f"not one line: {self.stdout!r} {self.stderr!r}"
        document: Json = json.loads(self.stdout)
        return document

    @property
    def error(self) -> Json:
        """The error object of a command that failed."""
        error: Json = self.json["error"]
        assert error["exit_code"] == self.code
        return error


class Home:
    """A CODEX_SERVER_HOME with everything a user has: see the attributes.

    Attributes:
        path, codex_home, project: the three directories; the project is where commands run.
        codex: the pinned binary.
        env: the environment of commands; tests may change it.
    """

    def __init__(self, root: Path, codex: Path, initialised_codex_home: Path) -> None:
        self.root, self.codex = root, codex
        self.path, self.codex_home, self.project = root / "home", root / "codex-home", root / "project"
        shutil.copytree(initialised_codex_home, self.codex_home)
        self.path.mkdir(mode=0o700)
        self.project.mkdir()
        user = root / "user"
        user.mkdir()
        env = codex_env(self.codex_home, HOME=str(user), CODEX_SERVER_HOME=str(self.path))
        self.env = {name: value for name, value in env.items() if name != "CODEX_SERVER_TURN_ID"}
        self.configure()
        self._models = ExitStack()
        self._spawned: list[subprocess.Popen[str]] = []

    def configure(self, **values: object) -> None:
        """Write `config.json`: the pinned binary, and `values`."""
        (self.path / "config.json").write_text(json.dumps({"codex": str(self.codex), **values}))

    def wrap_codex(self, script: str) -> None:
        """Pin a shell script as codex."""
        wrapper = self.root / "wrapped-codex"
        wrapper.write_text(f"#!/bin/sh\n{script}\n")
        wrapper.chmod(0o755)
        self.configure(codex=str(wrapper))

    # --- the model

    def model(self, script: Script, *, retries: int = 0, extra_toml: str = "") -> ScriptedModel:
        """Serve `script` and make Codex use it through a provider that needs no login."""
        model = self._models.enter_context(ScriptedModel(script))
        write_custom_provider(self.codex_home, model.base_url, stream_max_retries=retries, extra_toml=extra_toml)
        return model

    def chatgpt(self, script: Script) -> ScriptedModel:
        """Serve `script` and make Codex use it in ChatGPT mode, logged in."""
        model = self._models.enter_context(ScriptedModel(script))
        write_chatgpt_login(self.codex_home, model.origin)
        return model

    # --- commands

    def run(self, *args: str, cwd: Path | None = None, stdin: str = "", timeout_s: float = DEADLINE_S) -> Run:
        """Run `codex-server ARGS` to its end."""
        started = time.monotonic()
        process = self.spawn(*args, cwd=cwd)
        try:
            stdout, stderr = process.communicate(stdin, timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise
        return Run(process.returncode, stdout, stderr, time.monotonic() - started)

    def run_here(self, *args: str, cwd: Path | None = None) -> Run:
        """Run `codex-server ARGS` in the tests' own process, which costs no interpreter: for what refuses or reads.

        A verb that starts a turn has no worker to hand it to, and must be refused. What `faults.change_python` changes
        is not changed here.
        """
        started = time.monotonic()
        with ExitStack() as stack:
            stack.enter_context(mock.patch.dict(os.environ, self.env, clear=True))
            stack.enter_context(contextlib.chdir(cwd or self.project))
            stdin, stdout, stderr = (stack.enter_context(TemporaryFile("w+", encoding="utf-8")) for _ in range(3))
            stack.enter_context(mock.patch("sys.stdin", stdin))
            stack.enter_context(contextlib.redirect_stdout(stdout))
            stack.enter_context(contextlib.redirect_stderr(stderr))
            stack.enter_context(_timer_kept())
            code = app.run([*args], object() if args[0] in STARTING_VERBS else None)
            for stream in (stdout, stderr):
                stream.seek(0)
            written = [stream.read() for stream in (stdout, stderr)]
        return Run(int(code), written[0], written[1], time.monotonic() - started)

    def read(self, *args: str) -> Run:
        """Run `codex-server ARGS`, which starts no turn, in the tests' own process where nothing speaks against it."""
        is_changed = "PYTHONPATH" in self.env  # by `faults.change_python`: the interpreter, or its clock
        is_in_thread = threading.current_thread() is not threading.main_thread()
        return self.run(*args) if is_changed or is_in_thread else self.run_here(*args)

    def spawn(self, *args: str, cwd: Path | None = None) -> subprocess.Popen[str]:
        """Start `codex-server ARGS`, its three streams being pipes; `close` ends what the test leaves running."""
        process = subprocess.Popen(
            [COMMAND, *args],
            cwd=cwd or self.project,
            env=self.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._spawned.append(process)
        return process

    def start(self, *args: str, cwd: Path | None = None) -> Turn:
        """Run a starting command that must work, and return its turn."""
        run = self.run(*args, cwd=cwd)
        assert run.code == 0, run
        return self.turn(str(run.json["turn_id"]))

    def start_held(self, *args: str) -> tuple[Turn, Gate]:
        """Start a turn (`new hi` by default) that pauses in the middle of its answer."""
        gate = Gate()
        self.model([say(FIRST_HALF, hold(gate), SECOND_HALF)])
        turn = self.start(*(args or ("new", "hi")))
        wait_until(lambda: FIRST_HALF in turn.out, what="the first half")
        return turn, gate

    # --- what exists

    def turn(self, turn_id: str) -> Turn:
        """The turn of this id."""
        return Turn(self, turn_id)

    def new_turn(self, *known: Turn) -> Turn:
        """The one turn beside these, once it is published: until then its directory has a hidden name."""
        ids = {turn.id for turn in known}
        (turn_id,) = wait_until(lambda: set(filter(is_turn_id, self.turn_ids)) - ids, what="the turn")
        return self.turn(turn_id)

    @property
    def turn_ids(self) -> list[str]:
        """The ids of all turns on disk, oldest first; hidden directories are named too, so that none is missed."""
        turns = self.path / "turns"
        return sorted(path.name for path in turns.iterdir()) if turns.is_dir() else []

    def processes(self, *words: str) -> list[psutil.Process]:
        """The live processes that have this home in their environment, and these words in their command line."""
        return [process for process in psutil.process_iter() if self._is_ours(process) and has(process, words)]

    def app_servers(self) -> list[psutil.Process]:
        """The app-servers of this home that run at the same moment.

        A walk over all processes takes a while: one that ended during it and one that began during it were never alive
        together. A fork of codex has codex's command line until its exec.
        """
        found = [each for each in self.processes("app-server") if not is_forked_of_itself(each)]
        return [each for each in found if has(each, ("app-server",)) and each.is_running()]

    def left_running(self) -> list[psutil.Process]:
        """Codex, and what it started. Without the workers: one that has published its end may still be exiting."""
        return [each for each in self.processes() if not has(each, ("codex_server_cli",)) and not is_over(each)]

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            is_ours: bool = process.environ().get(_HOME) == str(self.path)
        except (psutil.Error, OSError, ValueError):
            return False  # a zombie, a kernel thread, or another user's
        return is_ours and process.pid != os.getpid()

    def close(self, *, has_failed: bool = False) -> list[str]:
        """Release every held turn, wait for the end of all processes, and kill what stays.

        Args:
            has_failed: the test has; then nothing is waited for.

        Returns:
            The command lines of what stayed.
        """
        self._models.close()
        deadline = time.monotonic() + (0 if has_failed else DEADLINE_S)
        while (left := self.processes()) and time.monotonic() < deadline:
            psutil.wait_procs(left, timeout=0.05)
        words = end(left)
        for process in self._spawned:
            with suppress(OSError), process:  # reaped, its pipes closed: the test may have ended before it read them
                process.kill()
        return words


@contextlib.contextmanager
def _timer_kept() -> Iterator[None]:
    """A bounded wait for a lock uses the process's one timer, which is pytest's timeout of the test, too."""
    kept = signal.getitimer(signal.ITIMER_REAL)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, *kept)


class Turn:
    """A turn, by its files and by the commands that read it."""

    def __init__(self, home: Home, turn_id: str) -> None:
        self._home = home
        self.id = turn_id
        self.path = home.path / "turns" / turn_id

    @property
    def out(self) -> str:
        """`out.txt`."""
        return (self.path / "out.txt").read_text(encoding="utf-8")

    @property
    def meta(self) -> Json:
        """`meta.json`."""
        meta: Json = json.loads((self.path / "meta.json").read_bytes())
        return meta

    @property
    def result(self) -> Json:
        """`result.json`."""
        result: Json = json.loads((self.path / "result.json").read_bytes())
        return result

    @property
    def events(self) -> list[Json]:
        """`events.jsonl`, whole lines only."""
        data = (self.path / "events.jsonl").read_bytes()
        return [json.loads(line) for line in data.rpartition(b"\n")[0].split(b"\n") if line]

    def sent(self, method: str) -> Json:
        """The parameters of the one request of this method that went to Codex."""
        (params,) = (
            event["params"] for event in self.events if event["dir"] == "out" and event.get("method") == method
        )
        found: Json = params
        return found

    @property
    def is_ended(self) -> bool:
        """Whether a marker exists."""
        return (self.path / "done").exists() or (self.path / "error").exists()

    def status(self) -> Json:
        """The output of `status`: a process, because what a test has just killed is given the time of its start."""
        return self._home.run("status", self.id).json

    def wait(self) -> Json:
        """The output of `wait` at the end: status and answer."""
        return self._home.read("wait", self.id, "--print", "json").json

    def worker(self) -> psutil.Process:
        """The worker, once it has recorded its pid."""
        pid: int = wait_until(lambda: self.meta["pid"], what="the worker's pid")
        return psutil.Process(pid)

    def app_server(self) -> psutil.Process:
        """The worker's app-server, once its exec is done."""
        worker = self.worker()
        (server,) = wait_until(
            lambda: [child for child in worker.children() if has(child, ("app-server",))], what="the app-server"
        )
        return server


def nap(home: Home) -> str:
    """The command of a sleep that no other test runs, so that it can be found by its command line alone."""
    return f"sleep 300.{abs(hash(home.root)) % 10**9}"


def sleepers(command: str) -> list[psutil.Process]:
    """The live processes that run this command, whatever their environment."""
    return [process for process in psutil.process_iter(["cmdline"]) if process.info["cmdline"] == command.split()]


def start_sleeping(home: Home, command: str, *options: str) -> tuple[Turn, str]:
    """Start a turn that has some output and now runs `command`, in which `{nap}` stands for a long sleep."""
    sleep = nap(home)
    home.model([reply(say(FIRST_HALF), run_command(command.format(nap=sleep))), reply(say(SECOND_HALF))])
    turn = home.start("new", "hi", *options)
    wait_until(lambda: sleepers(sleep), what=f"the process {sleep}")
    return turn, sleep
