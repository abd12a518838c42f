"""install.sh: what it builds, what it leaves alone, and what is left after a failure or an uninstall.

Most tests put a fake `python3` on PATH, whose `venv` and `pip` take no time and stop at a gate; the slow ones are real.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.kit.cases import in_full
from tests.kit.install_machine import ROOT, InstallMachine, ended, executable, machine_with_fakes, snapshot
from tests.kit.support import wait_until


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[InstallMachine]:
    """A machine where building takes no time."""
    machine = machine_with_fakes(tmp_path)
    yield machine
    machine.end_runs()


@pytest.fixture
def busy_turn(machine: InstallMachine) -> Iterator[subprocess.Popen[bytes]]:
    """An installed machine, and a process that was started from its environment and runs until stdin closes."""
    machine.install("--no-demo")
    environment = (machine.data / "current").resolve()
    command: list[str | Path] = [environment / "bin/codex-server", "run-until-stdin-closes"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=machine.env) as process:
        yield process


def test_a_second_run_changes_nothing_and_says_so(machine: InstallMachine) -> None:
    first = machine.install()
    before = snapshot(machine.data, machine.link.parent, machine.skill, machine.codex_server_home)
    second = machine.install()
    assert snapshot(machine.data, machine.link.parent, machine.skill, machine.codex_server_home) == before
    assert "Installed codex-server 0.4.0-" in first
    assert "Nothing to change: codex-server 0.4.0-" in second
    assert machine.works()


def test_the_demo_runs_last_unless_it_is_not_wanted(machine: InstallMachine) -> None:
    assert "a demo turn" not in machine.install("--no-demo")
    assert "a demo turn" in machine.install()


def test_the_skill_is_copied_and_follows_the_checkout(machine: InstallMachine) -> None:
    machine.install("--no-demo")
    (machine.source / "references/examples.md").rename(machine.source / "references/more.md")
    said = machine.install("--no-demo")
    assert "Nothing to change" not in said
    assert (machine.skill / "SKILL.md").read_text() == "how to use it\n"
    assert [path.name for path in (machine.skill / "references").iterdir()] == ["more.md"]


def test_the_skill_is_left_out_when_it_is_not_wanted(machine: InstallMachine) -> None:
    machine.install("--no-demo", "--no-skill")
    assert not machine.skill.exists()


def test_a_skill_of_somebody_else_is_not_overwritten(machine: InstallMachine) -> None:
    machine.skill.mkdir(parents=True)
    (machine.skill / "SKILL.md").write_text("mine")
    assert "is not ours and stays as it is" in machine.install("--no-demo")
    machine.install("--uninstall")
    assert (machine.skill / "SKILL.md").read_text() == "mine"


def test_a_skill_folder_that_is_a_link_is_left_alone(machine: InstallMachine, tmp_path: Path) -> None:
    mine = tmp_path / "my own checkout"
    mine.mkdir()
    machine.skill.parent.mkdir(parents=True)
    machine.skill.symlink_to(mine)
    assert "is a link and stays as it is" in machine.install("--no-demo")
    machine.install("--uninstall")
    assert machine.skill.is_symlink()
    assert not list(mine.iterdir())


def test_a_prefix_takes_the_environments_and_the_command(machine: InstallMachine, tmp_path: Path) -> None:
    machine.install("--no-demo", "--prefix", "my prefix")
    prefix = tmp_path / "my prefix"
    assert (prefix / "bin/codex-server").resolve().is_relative_to(prefix / "share/codex-server/versions")
    assert not (machine.home / ".local").exists()


def test_a_command_folder_that_is_not_on_path_is_explained(machine: InstallMachine) -> None:
    assert f'export PATH="{machine.link.parent}:$PATH"' in machine.install("--no-demo")
    machine.env["PATH"] += f":{machine.link.parent}"
    assert "export PATH" not in machine.install("--no-demo")


@pytest.mark.full
def test_codex_comes_with_the_package_only_when_path_has_no_usable_one(machine: InstallMachine) -> None:
    machine.install("--no-demo")
    assert not (machine.home / "pip-was-asked-for").read_text().endswith("[codex]\n")
    executable(machine.tools / "codex", "#!/bin/sh\nexit 2\n")
    assert "no usable codex on PATH" in machine.install("--no-demo")
    assert (machine.home / "pip-was-asked-for").read_text().endswith("[codex]\n")


@pytest.mark.full
def test_what_serve_needs_comes_when_it_is_asked_for_and_stays_with_later_versions(machine: InstallMachine) -> None:
    asked = machine.home / "pip-was-asked-for"
    machine.install("--no-demo")
    assert not asked.read_text().endswith("]\n")
    said = machine.install("--no-demo", "--serve")
    assert asked.read_text().endswith("[serve]\n")
    assert "no usable codex" not in said
    machine.change_source("second")
    executable(machine.tools / "codex", "#!/bin/sh\nexit 2\n")
    machine.install("--no-demo")
    assert asked.read_text().endswith("[codex,serve]\n")


def test_a_file_of_somebody_else_in_the_command_s_place_is_refused(machine: InstallMachine) -> None:
    machine.link.parent.mkdir(parents=True)
    machine.link.write_text("mine")
    assert f"{machine.link} is there and not ours" in machine.install(code=1)
    assert machine.link.read_text() == "mine"
    assert not machine.data.exists()


@pytest.mark.full
def test_an_older_version_goes_unless_it_was_the_last_one(machine: InstallMachine) -> None:
    machine.install("--no-demo")
    [first] = machine.versions()
    machine.change_source("second")
    machine.install("--no-demo")
    assert first in machine.versions()
    machine.change_source("third")
    machine.install("--no-demo")
    assert first not in machine.versions()
    assert len(machine.versions()) == 2


def test_an_older_version_stays_while_a_turn_runs_with_it(
    machine: InstallMachine, busy_turn: subprocess.Popen[bytes]
) -> None:
    [first] = machine.versions()
    for text in ("second", "third"):
        machine.change_source(text)
        said = machine.install("--no-demo")
    assert f"Kept the older {first}: a turn still runs with it." in said
    assert first in machine.versions()
    assert busy_turn.poll() is None


def test_going_back_to_an_older_checkout_needs_no_new_build(machine: InstallMachine) -> None:
    machine.install("--no-demo")
    before = (machine.data / "current").resolve()
    original = (machine.source / "codex_server_cli/__init__.py").read_text()
    machine.change_source("second")
    machine.install("--no-demo")
    (machine.source / "codex_server_cli/__init__.py").write_text(original)
    assert "Building" not in machine.install("--no-demo")
    assert (machine.data / "current").resolve() == before


def opened_for_writing(fifo: Path) -> int | None:
    """A descriptor of a FIFO that a reader has opened; None as long as there is no reader."""
    with suppress(OSError):
        return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
    return None


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), in_full(signal.SIGTERM, 143), in_full(signal.SIGKILL, -signal.SIGKILL)]
)
def test_an_interrupted_install_leaves_the_old_one(machine: InstallMachine, number: signal.Signals, code: int) -> None:
    machine.install("--no-demo")
    before = snapshot(machine.link.parent) | snapshot(*(machine.data / "versions").iterdir())
    machine.change_source("second")
    os.mkfifo(machine.home / "gate")
    (machine.home / "pip-was-asked-for").unlink()
    run = machine.start("--no-demo")
    gate = wait_until(lambda: opened_for_writing(machine.home / "gate"), what="pip, which waits at its gate")
    assert gate is not None
    os.killpg(run.pid, number)  # not sooner: dash loses an interrupt between two commands
    ended(run, code)
    os.close(gate)
    assert before.items() <= (snapshot(machine.link.parent) | snapshot(*(machine.data / "versions").iterdir())).items()
    assert number == signal.SIGKILL or len(machine.versions()) == 1
    assert machine.works()
    (machine.home / "gate").unlink()
    assert "Installed codex-server" in machine.install("--no-demo")
    assert len(machine.versions()) == 2


def test_a_failed_install_leaves_the_old_one(machine: InstallMachine) -> None:
    machine.install("--no-demo")
    old = machine.versions()
    machine.change_source("second")
    (machine.home / "pip-fails").touch()
    assert "what was installed before is unchanged" in machine.install("--no-demo", code=1)
    assert machine.versions() == old
    assert machine.works()


def test_a_second_install_at_the_same_time_is_refused(machine: InstallMachine) -> None:
    gate = machine.home / "gate"
    os.mkfifo(gate)
    first = machine.start("--no-demo")
    wait_until((machine.home / "pip-was-asked-for").exists, what="pip")
    assert "another install.sh is at work" in machine.install("--no-demo", code=75)
    gate.write_bytes(b"")
    ended(first)
    assert machine.works()


def test_a_setup_that_fails_is_said_and_gives_its_exit_code(machine: InstallMachine) -> None:
    (machine.home / "setup-fails").touch()
    assert "`codex-server setup` failed" in machine.install("--no-demo", code=69)


def test_the_command_that_deletes_the_rest_works_as_it_stands(machine: InstallMachine) -> None:
    home = machine.codex_server_home.with_name("it's $HOME")
    (home / "turns/mine").mkdir(parents=True)
    machine.env["CODEX_SERVER_HOME"] = str(home)
    said = machine.install("--uninstall")
    command = said.partition("To delete that too: ")[2].splitlines()[0]
    subprocess.run(["sh", "-c", command], check=True)
    assert not home.exists()
    assert machine.codex_server_home.parent.exists()


def test_uninstall_leaves_only_the_turns_and_the_user_s_feedback(machine: InstallMachine) -> None:
    machine.install("--no-demo")
    turn = machine.codex_server_home / "turns/20261120-165501-482-7f3a"
    turn.mkdir()
    (machine.skill / "feedback").mkdir()
    (machine.skill / "feedback/log.md").write_text("mine")
    said = machine.install("--uninstall")
    kept = {turn, turn.parent, machine.codex_server_home, machine.skill, machine.skill / "feedback"}
    kept |= {machine.skill / "feedback/log.md"}
    assert snapshot(machine.codex_server_home, machine.skill).keys() == kept
    assert f"Kept what is yours in {machine.codex_server_home}: turns\n" in said
    assert f"To delete that too: rm -r '{machine.codex_server_home}'\n" in said
    assert f"Kept what is yours in {machine.skill}: feedback" in said
    assert not machine.data.exists()
    assert not machine.link.is_symlink()


def test_uninstall_without_turns_leaves_nothing_and_can_be_repeated(machine: InstallMachine) -> None:
    machine.install("--no-demo")
    for _ in range(2):
        machine.install("--uninstall")
        gone = (machine.codex_server_home, machine.skill, machine.data, machine.link)
        assert not any(path.exists() for path in gone)


@pytest.mark.parametrize(
    "text",
    ['{"codex": "/bin/codex", "notify": "mine"}', '{"auth": "any"}', '{"codex": "/a", "codex": "/b"}', "{", ""],
)
@pytest.mark.full
def test_uninstall_keeps_a_configuration_that_the_user_has_edited_and_says_so(
    machine: InstallMachine, text: str
) -> None:
    machine.install("--no-demo")
    config = machine.codex_server_home / "config.json"
    config.write_text(text)
    said = machine.install("--uninstall")
    assert config.read_text() == text
    assert f"Kept what is yours in {machine.codex_server_home}: config.json\n" in said


def test_uninstall_removes_a_configuration_that_setup_wrote_and_nothing_behind_a_link(machine: InstallMachine) -> None:
    config = machine.codex_server_home / "config.json"
    machine.install("--no-demo")
    config.write_text('{\n  "codex": "/usr/lib/a codex/bin/codex"\n}\n')
    for name in ("models.json", "codex.json"):
        (machine.codex_server_home / name).write_text("{}")
    machine.install("--uninstall")
    assert not machine.codex_server_home.exists()
    machine.install("--no-demo")
    mine = machine.home / "dotfiles.json"
    config.rename(mine)
    config.symlink_to(mine)
    machine.install("--uninstall")
    assert mine.read_text() == "{}\n"
    assert config.is_symlink()


def test_the_help_says_what_uninstall_keeps(machine: InstallMachine) -> None:
    assert "--uninstall    remove the program and its skill; your turns and your settings stay" in machine.install("-h")


_SCRIPT = "import sys\nprint('codex-server 0.1.0' if sys.flags.isolated else sys.exit('not isolated'))\n"
_LONG = "#!/bin/sh\n'''exec' \"{python}\" \"$0\" \"$@\"\n' '''\n"


@pytest.mark.parametrize(("name", "form"), [("python3", "#!{python}\n"), ("a python3", _LONG)])
def test_the_command_is_isolated_from_the_user_s_own_python(machine: InstallMachine, name: str, form: str) -> None:
    python = machine.root / name
    python.symlink_to(sys.executable)
    script = executable(machine.root / "pips-script", form.format(python=python) + _SCRIPT)
    machine.env |= {"FAKE_CODEX_SERVER": str(script)}
    machine.install("--no-demo")
    assert machine.works()


def test_uninstall_is_refused_while_a_turn_runs(machine: InstallMachine, busy_turn: subprocess.Popen[bytes]) -> None:
    assert "a turn still runs" in machine.install("--uninstall", code=75)
    assert machine.works()
    busy_turn.communicate()
    machine.install("--uninstall")
    assert not machine.data.exists()


def test_without_a_python_that_runs_the_error_says_what_is_needed(machine: InstallMachine) -> None:
    executable(machine.tools / "python3", "#!/bin/sh\nexit 127\n")  # a pyenv shim of a version that is not there
    assert "no Python 3.11 or newer was found on PATH" in machine.install(code=1)
    assert not machine.data.exists()


def test_a_python_without_ensurepip_is_named_and_another_one_is_taken(machine: InstallMachine) -> None:
    without = '#!/bin/sh\ncase $* in *ensurepip*) exit 1 ;; esac\nexec "$REAL_PYTHON" "$@"\n'
    (machine.tools / "python3").rename(machine.tools / "python3.11")
    executable(machine.tools / "python3", without)
    machine.install("--no-demo")
    executable(machine.tools / "python3.11", without)
    said = machine.install("--no-demo", code=1)
    assert f"{machine.tools / 'python3.11'} lacks venv or ensurepip" in said
    assert "apt install python3.11-venv" in said


@pytest.mark.parametrize("options", [["--frobnicate"], ["--prefix"]])
def test_a_wrong_option_is_a_usage_error(machine: InstallMachine, options: list[str]) -> None:
    machine.install(*options, code=64)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_real_install_runs_a_demo_turn_changes_nothing_twice_and_goes_again(tmp_path: Path, one_codex: Path) -> None:
    machine = InstallMachine(tmp_path)
    shutil.copytree(
        ROOT, machine.source, ignore=lambda folder, names: {"tests", "bench", *(n for n in names if n[0] == ".")}
    )
    machine.tools.mkdir()
    (machine.tools / "codex").symlink_to(one_codex)
    machine.env["PATH"] = f"{machine.tools}:{machine.env['PATH']}"
    first = machine.install()
    assert "Installed codex-server" in first
    assert machine.works()
    before = snapshot(machine.data, machine.link.parent, machine.skill, machine.codex_server_home / "config.json")
    assert "Nothing to change" in machine.install("--no-demo")
    after = snapshot(machine.data, machine.link.parent, machine.skill, machine.codex_server_home / "config.json")
    assert after == before
    machine.install("--uninstall")
    assert not any(path.exists() for path in (machine.data, machine.link, machine.skill))
    assert {path.name for path in machine.codex_server_home.glob("*")} <= {"turns"}


@pytest.mark.full
def test_a_built_wheel_holds_the_package_and_its_command_and_no_tests(tmp_path: Path) -> None:
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        tmp_path,
        ROOT,
    ]
    subprocess.run(command, check=True, capture_output=True)
    [wheel] = tmp_path.glob("codex_server_cli-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        [entry_points] = [name for name in names if name.endswith("entry_points.txt")]
        assert "codex-server = codex_server_cli.cli.entry:main" in archive.read(entry_points).decode()
    assert "codex_server_cli/py.typed" in names
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"codex_server_cli"}
