"""Which files say what would end a worker: units of the system and of a user, drop-ins, logind, lingering."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from codex_server_cli.core.model.surroundings import ENDING_OF_LOGOUT, Ending
from codex_server_cli.disk.machine import surroundings

USER = "/user.slice/user-1000.slice"
MANAGER = f"{USER}/user@1000.service"


class SystemRoot:
    """A root of a file system in which a process is in a cgroup."""

    def __init__(self, root: Path) -> None:
        self.root, self.user_home = root, root / "home/ada"

    def write(self, path: str, text: str) -> None:
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def is_in(self, cgroup: str) -> None:
        self.write("proc/self/cgroup", f"0::{cgroup}\n")

    def find_ending(self, **variables: str) -> Ending | None:
        return surroundings.find_ending(variables, self.user_home, self.root)

    def kind(self) -> str | None:
        found = self.find_ending()
        return found.kind if found is not None else None


@pytest.fixture
def machine(tmp_path: Path) -> SystemRoot:
    return SystemRoot(tmp_path)


def test_without_proc_and_without_a_unit_nothing_is_found(machine: SystemRoot) -> None:
    assert machine.find_ending() is None
    machine.is_in("/")
    assert machine.find_ending() is None


def test_this_machine_can_be_asked() -> None:
    surroundings.find_ending({}, Path("/nowhere"))


def test_a_ci_job_counts_before_the_unit_of_its_runner(machine: SystemRoot) -> None:
    machine.is_in("/system.slice/runner.service")
    machine.write("etc/systemd/system/runner.service", "[Service]\nKillMode=process\n")
    assert machine.find_ending() is None
    found = machine.find_ending(RUNNER_TRACKING_ID="github_1")
    assert found is not None
    assert found.kind == "job"


@pytest.mark.parametrize(
    ("place", "cgroup"),
    [
        ("run/systemd/transient/nightly.service", "/system.slice/nightly.service"),
        ("etc/systemd/system/nightly.service", "/system.slice/nightly.service"),
        ("usr/lib/systemd/system/nightly.service", "/system.slice/nightly.service"),
        ("usr/lib/systemd/system/job@.service", "/system.slice/system-job.slice/job@a.service"),
        ("home/ada/.config/systemd/user/nightly.service", f"{MANAGER}/app.slice/nightly.service"),
        ("run/user/1000/systemd/transient/nightly.service", f"{MANAGER}/app.slice/nightly.service"),
    ],
)
def test_a_service_is_judged_by_its_file_wherever_that_is(machine: SystemRoot, place: str, cgroup: str) -> None:
    machine.is_in(cgroup)
    machine.write(place, "[Service]\nExecStart=/x\n")
    assert machine.kind() == "service"
    machine.write(place, "[Service]\nKillMode=process\n")
    assert machine.kind() != "service"


def test_of_two_files_of_a_service_the_administrators_counts(machine: SystemRoot) -> None:
    machine.is_in("/system.slice/cron.service")
    machine.write("usr/lib/systemd/system/cron.service", "[Service]\nKillMode=process\n")
    assert machine.kind() is None
    machine.write("etc/systemd/system/cron.service", "[Service]\n")
    assert machine.kind() == "service"


def test_a_drop_in_counts_over_the_file_and_the_last_one_over_the_others(machine: SystemRoot) -> None:
    machine.is_in("/system.slice/nightly.service")
    machine.write("etc/systemd/system/nightly.service", "[Service]\n")
    machine.write("etc/systemd/system/nightly.service.d/10-kill.conf", "[Service]\nKillMode=process\n")
    assert machine.kind() is None
    machine.write("usr/lib/systemd/system/nightly.service.d/20-kill.conf", "[Service]\nKillMode=mixed\n")
    assert machine.kind() == "service"
    machine.write("etc/systemd/system/nightly.service.d/20-kill.conf", "")  # replaces the one of that name
    assert machine.kind() is None


def test_a_service_without_a_file_is_not_judged(machine: SystemRoot) -> None:
    machine.is_in("/system.slice/containerd.service")  # of the host, as a container with old cgroups sees it
    assert machine.kind() is None


def test_a_file_that_cannot_be_read_as_one_says_nothing(machine: SystemRoot) -> None:
    machine.is_in("/system.slice/nightly.service")
    (machine.root / "etc/systemd/system").mkdir(parents=True)
    os.mkfifo(machine.root / "etc/systemd/system/nightly.service")
    assert machine.kind() is None


def test_a_login_is_judged_by_logind_and_its_drop_ins(machine: SystemRoot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surroundings, "_name_of", lambda uid: "ada" if uid == os.getuid() else "?")
    machine.is_in(f"{USER}/session-3.scope")
    assert machine.kind() is None
    machine.write("etc/systemd/logind.conf", "[Login]\n#KillUserProcesses=no\n")
    assert machine.kind() is None
    machine.write("usr/lib/systemd/logind.conf.d/kill.conf", "[Login]\nKillUserProcesses=yes\n")
    assert machine.kind() == "login"
    machine.write("etc/systemd/logind.conf.d/kill.conf", "[Login]\n")
    assert machine.kind() is None


def test_what_a_users_systemd_runs_ends_with_the_last_logout_of_one_who_does_not_linger(machine: SystemRoot) -> None:
    uid, name = os.getuid(), pwd.getpwuid(os.getuid()).pw_name
    machine.is_in(f"/user.slice/user-{uid}.slice/user@{uid}.service/app.slice/run-r1.scope")
    assert machine.find_ending() is ENDING_OF_LOGOUT
    machine.write(f"var/lib/systemd/linger/{name}", "")
    assert machine.find_ending() is None


def test_a_user_without_a_name_lingers_by_number(machine: SystemRoot) -> None:
    machine.is_in("/user.slice/user-4000111222.slice/user@4000111222.service/app.slice/run-r1.scope")
    assert machine.find_ending() is ENDING_OF_LOGOUT
    machine.write("var/lib/systemd/linger/4000111222", "")
    assert machine.find_ending() is None
    machine.is_in("/user.slice/user@me.service/app.slice/run-r1.scope")
    assert machine.find_ending() is ENDING_OF_LOGOUT
