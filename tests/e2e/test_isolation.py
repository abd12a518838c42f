"""The user's own Python setup changes nothing here: modules on PYTHONPATH, in the user site, in the working directory.

They still reach what a turn runs: its environment is the user's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from codex_server_cli.demo.replies import reply, run_command, say
from tests.kit.cases import in_full
from tests.kit.faults import pin_fake_codex
from tests.kit.home import Home
from tests.kit.support import wait_until

SHADOWED = ("calendar", "json", "typing", "signal", "subprocess", "select", "pathlib", "shlex", "datetime", "struct")
INSTALLED = ("typer", "rich", "watchfiles", "psutil", "jsonschema")
VARIABLES = (
    {"PYTHONWARNINGS": "error"},
    {"PYTHONOPTIMIZE": "2"},
    in_full({"PYTHONSAFEPATH": "1"}),
    in_full({"PYTHONSTARTUP": "/nowhere/startup.py"}),
    in_full({"PYTHONDONTWRITEBYTECODE": "1"}),
    in_full({"PYTHONINSPECT": "1"}),
    {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
    in_full({"PYTHONIOENCODING": "ascii:strict"}),
    in_full({"PYTHONDEVMODE": "1"}),
)


def fill(folder: Path, *names: str) -> Path:
    """A folder whose modules end whatever imports them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text(f"raise SystemExit('not the {name} that was meant')\n")
    return folder


ALL = f"""\
#!{sys.executable}
from codex_server_cli.cli import entry

def run_all(words, **_):
    from codex_server_cli.cli.app import run
    return max(run(command.split()) for command in words)

entry._run = run_all
entry.main()
"""
"""Several commands in one interpreter, each an argument, behind the real entry point, which makes it fit for us."""


def ask(home: Home, *options: str) -> str:
    """Run a whole turn, and one of each kind of command; return the answer."""
    run = home.run("new", "hi é", "--wait", *options)
    assert run.code == 0, run
    turn_id = run.json["turn_id"]
    path = home.root / "all-commands"
    path.write_text(ALL)
    path.chmod(0o755)
    commands = [f"status {turn_id}", "list-turns", "tail --all --after 0", f"wait {turn_id}", f"answer {turn_id}"]
    seen = subprocess.run([path, *commands], cwd=home.project, env=home.env, capture_output=True, check=False)
    assert (seen.returncode, b"Traceback" in seen.stderr) == (0, False), seen
    said = seen.stdout.decode()
    assert f'"turn_id":"{turn_id}"' in said.splitlines()[0]
    return said.partition(home.turn(turn_id).out)[2]  # what `wait` prints, and then `answer`


def test_modules_on_the_python_path_stop_neither_the_command_nor_its_worker(home: Home) -> None:
    home.model([reply(run_command("echo path=$PYTHONPATH.")), reply(say("Yes → é"))])
    folder = fill(home.root / "mine", *SHADOWED, *INSTALLED)
    home.env["PYTHONPATH"] = f"{folder}:."
    assert ask(home) == "Yes → é\n"
    (turn_id,) = home.turn_ids
    assert f"path={folder}:.." in home.turn(turn_id).out  # what the turn runs has the user's path


def test_modules_where_the_user_stands_stop_nothing(one_home: Home) -> None:
    one_home.model([say("Yes.")])
    fill(one_home.project, *SHADOWED, *INSTALLED, "codex_server_cli")
    assert ask(one_home) == "Yes.\n"


def test_modules_on_the_python_path_do_not_stop_a_queued_turn(one_home: Home) -> None:
    one_home.env["PYTHONPATH"] = str(fill(one_home.root / "mine", *SHADOWED, *INSTALLED))
    one_home.configure(max_running=1, codex=str(one_home.codex))
    first, gate = one_home.start_held()
    second = one_home.start("new", "hi")
    wait_until(lambda: second.status()["phase"] == "queued", what="phase queued")
    gate.open()
    assert (first.wait()["state"], second.wait()["state"]) == ("complete", "complete")


@pytest.mark.parametrize("variables", VARIABLES, ids=" ".join)
@pytest.mark.full
def test_variables_for_the_users_own_pythons_change_nothing(one_home: Home, variables: dict[str, str]) -> None:
    one_home.model([say("Yes → é")])
    one_home.env |= variables
    assert ask(one_home) == "Yes → é\n"
    refused = one_home.run("status", "→é")
    assert (refused.code, "Traceback" in refused.stderr) == (66, False), refused


@pytest.mark.parametrize("variable", ["PYTHONUSERBASE", "PYTHONPATH"])
def test_a_worker_finds_us_where_only_the_command_does(one_home: Home, variable: str) -> None:
    """As after `pip install --user`, or from a checkout: the interpreter's own site does not have this package."""
    pin_fake_codex(one_home, "silent")
    places = [str(Path(__file__).parents[2]), sysconfig.get_path("purelib")]
    site = fill(
        Path(sysconfig.get_path("purelib", f"{os.name}_user", {"userbase": str(one_home.root / "mine")})), *SHADOWED
    )
    (site / "ours.pth").write_text("\n".join(places))
    one_home.env |= {variable: str(one_home.root / "mine") if variable == "PYTHONUSERBASE" else ":".join(places)}
    run = subprocess.run(
        [os.path.realpath(sys.executable), "-m", "codex_server_cli", "new", "hi"],
        env=one_home.env,
        cwd=one_home.project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run
    (turn_id,) = one_home.turn_ids
    assert one_home.turn(turn_id).app_server().is_running()
    assert one_home.run("cancel", turn_id).code == 0
