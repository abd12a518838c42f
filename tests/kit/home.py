"""One user's environment for an end-to-end test: a home, a CODEX_HOME, a project, and the installed command run in it.

Never here: assertions about the product beyond "the command did what the test needs to go on".
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sysconfig
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil

from codex_server_cli.core.model.turn import is_turn_id
from codex_server_cli.demo.codex_home import write_chatgpt_login, write_custom_provider
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from codex_server_cli.demo.scripted_model import Script, ScriptedModel
from tests.kit.command_run import Run
from tests.kit.in_process import call
from tests.kit.processes import end, has, is_forked_of_itself, is_over, is_running, with_variable
from tests.kit.support import DEADLINE_S, Json, codex_env, spared_features, wait_until

COMMAND = str(Path(sysconfig.get_path("scripts")) / "codex-server")
"""The command as pip installed it."""

FIRST_HALF, SECOND_HALF = "The first half, ", "and the second."
"""The output of a held turn, and the rest once its gate opens."""

_HOME = "CODEX_SERVER_HOME"
_NOT_INHERITED = (_HOME, "CODEX_SERVER_TURN_ID")


class Home:
    """A CODEX_SERVER_HOME with everything a user has: see the attributes.

    Attributes:
        path, codex_home, project: the three directories; the project is where commands run.
        codex: the pinned binary.
        env: the environment of commands; tests may change it.
        opened: what `close` closes, the last one first.
        spared: the features of Codex that are switched off.
    """

    def __init__(self, root: Path, codex: Path, initialised_codex_home: Path) -> None:
        self.spared = spared_features(codex)
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
        self.opened = ExitStack()
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

    def model(
        self, script: Script, *, retries: int = 0, features: dict[str, bool] | None = None, extra_toml: str = ""
    ) -> ScriptedModel:
        """Serve `script` and make Codex use it through a provider that needs no login."""
        model = self.opened.enter_context(ScriptedModel(script))
        write_custom_provider(
            self.codex_home,
            model.base_url,
            stream_max_retries=retries,
            features=self.spared | (features or {}),
            extra_toml=extra_toml,
        )
        return model

    def chatgpt(self, script: Script) -> ScriptedModel:
        """Serve `script` and make Codex use it in ChatGPT mode, logged in."""
        model = self.opened.enter_context(ScriptedModel(script))
        write_chatgpt_login(self.codex_home, model.origin, features=self.spared)
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

    def call(self, *args: str, cwd: Path | None = None) -> Run:
        """Run `codex-server ARGS`, which starts no turn, in the test's own process: an interpreter costs more than it.

        In one of its own in a thread, and where `faults.change_python` has changed the interpreter.
        """
        if "PYTHONPATH" in self.env or threading.current_thread() is not threading.main_thread():
            return self.run(*args, cwd=cwd)
        return call(*args, env=self.env, cwd=cwd or self.project)

    def spawn(self, *args: str, cwd: Path | None = None, stdin: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start `codex-server ARGS`, its streams being pipes; `close` ends what the test leaves running."""
        process = subprocess.Popen(
            [COMMAND, *args],
            cwd=cwd or self.project,
            env=self.env,
            stdin=stdin,
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
        ours = (each for each in with_variable(_HOME, str(self.path)) if each.pid != os.getpid())
        return [process for process in ours if has(process, words)]

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

    def close(self, *, has_failed: bool = False) -> list[str]:
        """Release every held turn, wait for the end of all processes, and kill what stays.

        Args:
            has_failed: the test has; then nothing is waited for.

        Returns:
            The command lines of what stayed.
        """
        self.opened.close()
        deadline = time.monotonic() + (0 if has_failed else DEADLINE_S)
        while (left := self.processes()) and time.monotonic() < deadline:
            psutil.wait_procs(left, timeout=0.05)
        words = end(left)
        for process in self._spawned:
            with suppress(OSError), process:  # reaped, its pipes closed: the test may have ended before it read them
                process.kill()
        return words


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
        return [json.loads(line) for line in self.event_bytes.rpartition(b"\n")[0].split(b"\n") if line]

    @property
    def event_bytes(self) -> bytes:
        """`events.jsonl`; empty until it exists."""
        path = self.path / "events.jsonl"
        return path.read_bytes() if path.exists() else b""

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
        """The output of `status`, of a real command: the kernel frees the lock of a killed worker meanwhile."""
        return self._home.run("status", self.id, "--full").json

    def wait(self) -> Json:
        """The output of `wait` at the end: status and answer."""
        return self._home.call("wait", self.id, "--print", "json", "--full", "--timeout", str(DEADLINE_S)).json

    def wait_for_exit_of_worker(self) -> None:
        """As before the files of an ended turn are changed: once a day a worker repairs what it finds, at its end."""
        wait_until(lambda: not is_running(self.meta["pid"]), what="the exit of the worker")

    def worker(self) -> psutil.Process:
        """The worker, once it has recorded its pid."""
        pid: int = wait_until(lambda: self.meta["pid"], what="the worker's pid")
        return psutil.Process(pid)

    def kill_worker(self) -> None:
        """Kill it, and wait until the kernel has freed its lock: a dying process holds it for a moment more."""
        self.worker().kill()
        self.wait_for_exit_of_worker()

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


def await_sleeper(turn: Turn, command: str) -> None:
    """Wait until this command of a turn runs; a turn that ends without it fails the test at once, and says why."""
    wait_until(lambda: sleepers(command) or turn.is_ended, what=f"the process {command}")
    assert sleepers(command), turn.status()


def start_sleeping(home: Home, command: str, *options: str) -> tuple[Turn, str]:
    """Start a turn that has some output and now runs `command`, in which `{nap}` stands for a long sleep."""
    sleep = nap(home)
    home.model([reply(say(FIRST_HALF), run_command(command.format(nap=sleep))), reply(say(SECOND_HALF))])
    turn = home.start("new", "hi", *options)
    await_sleeper(turn, sleep)
    return turn, sleep
