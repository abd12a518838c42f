"""What ends a worker together with the place that it was started in, told from real texts of /proc, systemd and CI."""

from __future__ import annotations

from codex_server_cli.core.model.surroundings import (
    Unit,
    ending_of_job,
    ending_of_login,
    ending_of_service,
    is_login,
    is_own_service,
    unit_of,
)
from tests.kit.cases import for_each

USER = "/user.slice/user-1000.slice"
MANAGER = f"{USER}/user@1000.service"
V1 = """\
12:pids:/system.slice/cron.service
5:cpu,cpuacct:/
1:name=systemd:/system.slice/cron.service
0::/system.slice/cron.service
"""
V1_ALONE = "11:memory:/user.slice\n4:devices:/\n1:name=systemd:/user.slice/user-0.slice/session-c2.scope\n"
DOCKER_V1 = "12:pids:/docker/4f1e\n1:name=systemd:/docker/4f1e\n0::/system.slice/containerd.service\n"
KUBERNETES = "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1a.slice/cri-containerd-9c.scope\n"
RUNNER = "0::/system.slice/actions.runner.owner-project.host-1.service\n"


@for_each(
    ("cgroups", "unit"),
    [
        ("0::/system.slice/nightly.service\n", Unit("nightly.service", None)),
        ("0::/system.slice/system-job.slice/job@a.service\n", Unit("job@a.service", None)),
        (V1, Unit("cron.service", None)),
        (V1_ALONE, Unit("session-c2.scope", None)),
        (RUNNER, Unit("actions.runner.owner-project.host-1.service", None)),
        ("0::/system.slice/docker.service/payload/x\n", Unit("docker.service", None)),
        (f"0::{USER}/session-3.scope\n", Unit("session-3.scope", None)),
        (f"0::{MANAGER}/app.slice/nightly.service\n", Unit("nightly.service", "1000")),
        (f"0::{MANAGER}/app.slice/run-r12.scope\n", Unit("run-r12.scope", "1000")),
        (f"0::{MANAGER}/tmux-spawn-0a1b.scope\n", Unit("tmux-spawn-0a1b.scope", "1000")),
        (f"0::{MANAGER}/app.slice/app-gnome-code-9.scope\n", Unit("app-gnome-code-9.scope", "1000")),
        (f"0::{MANAGER}/init.scope\n", Unit("init.scope", "1000")),
        (f"0::{MANAGER}\n", Unit("user@1000.service", None)),
        ("0::/init.scope\n", Unit("init.scope", None)),  # WSL with systemd
        ("0::/system.slice/docker-4f1e.scope\n", Unit("docker-4f1e.scope", None)),  # with the host's cgroups
        (KUBERNETES, Unit("cri-containerd-9c.scope", None)),
        (DOCKER_V1, Unit("containerd.service", None)),
        ("0::/\n", None),  # Docker and Kubernetes with cgroups of their own, WSL
        ("9:name=systemd:/\n8:pids:/\n0::/\n", None),
        ("12:cpu:/docker/4f1e\n1:name=systemd:/docker/4f1e\n", None),
        ("0::/kubepods/burstable/pod1a/9c\n", None),
        ("7:pids:/system.slice/only-a-controller.service\n", None),
        ("", None),
        ("what\n0\n:\n::\n", None),
    ],
)
def test_the_unit_is_the_innermost_that_the_cgroup_names(cgroups: str, unit: Unit | None) -> None:
    assert unit_of(cgroups) == unit


@for_each(
    ("unit", "is_service", "is_of_login"),
    [
        (Unit("nightly.service", None), True, False),
        (Unit("nightly.service", "1000"), True, False),
        (Unit("app-org.kde.konsole-9.service", "1000"), False, False),
        (Unit("dbus-:1.2-org.gnome.Console@0.service", "1000"), False, False),
        (Unit("app-of-mine.service", None), True, False),
        (Unit("user@1000.service", None), False, False),
        (Unit("session-3.scope", None), False, True),
        (Unit("session-3.scope", "1000"), False, False),
        (Unit("session-3.service", None), True, False),
        (Unit("docker-4f1e.scope", None), False, False),
    ],
)
def test_a_service_and_a_login_are_told_from_all_else(unit: Unit, is_service: bool, is_of_login: bool) -> None:
    assert (is_own_service(unit), is_login(unit)) == (is_service, is_of_login)


@for_each(
    ("texts", "mode"),
    [
        (["[Service]\nExecStart=/x\n"], "control-group"),
        (["[Service]\nKillMode=mixed\n"], "mixed"),
        (["[Service]\nKillMode = process \n"], None),
        (["[Service]\nKillMode=none\n"], None),
        (["[Service]\nExitType=cgroup\n"], None),
        (["[Service]\n# KillMode=process\n; KillMode=none\n\n"], "control-group"),
        (["[Unit]\nKillMode=process\n[Service]\nType=oneshot\n"], "control-group"),
        (["[Service]\nKillMode=process\n", "[Service]\nKillMode=mixed\n"], "mixed"),
        (["[Service]\nKillMode=process\n", "[Service]\nKillMode=\n"], "control-group"),
        (["[Service]\n", "[Service]\nKillMode=process\n", "[Install]\nWantedBy=x\n"], None),
        (["nonsense"], "control-group"),
    ],
)
def test_a_service_ends_its_workers_unless_it_ends_its_command_alone(texts: list[str], mode: str | None) -> None:
    ending = ending_of_service(Unit("nightly.service", None), texts)
    if mode is None:
        assert ending is None
    else:
        assert ending is not None
        assert ending.event == f"nightly.service, as soon as its command has ended (KillMode={mode})"
        assert ending.kind == "service"
        assert "KillMode=process" in ending.remedy


@for_each(
    ("text", "user", "ends"),
    [
        ("[Login]\n#KillUserProcesses=no\n", "ada", False),
        ("[Login]\nKillUserProcesses=yes\n", "ada", True),
        ("[Login]\nKillUserProcesses=TRUE\n", "ada", True),
        ("[Login]\nKillUserProcesses=no\n", "ada", False),
        ("[Login]\nKillUserProcesses=yes\n", "root", False),
        ("[Login]\nKillUserProcesses=yes\nKillExcludeUsers=\n", "root", True),
        ("[Login]\nKillUserProcesses=yes\nKillExcludeUsers=bob ada\n", "ada", False),
        ("[Login]\nKillUserProcesses=yes\nKillOnlyUsers=bob\n", "ada", False),
        ("[Login]\nKillUserProcesses=yes\nKillOnlyUsers=bob ada\n", "ada", True),
        ("", "ada", False),
    ],
)
def test_a_logout_ends_the_workers_of_those_whom_logind_is_told_to_end(text: str, user: str, ends: bool) -> None:
    ending = ending_of_login([text], user)
    assert (ending is not None) == ends
    if ending is not None:
        assert ending.remedy == "loginctl enable-linger, and then: systemd-run --user --scope codex-server new …"


@for_each(
    ("variables", "words"),
    [
        ({"RUNNER_TRACKING_ID": "github_1a2b"}, ("RUNNER_TRACKING_ID", "`RUNNER_TRACKING_ID= codex-server new")),
        ({"VSTS_PROCESS_LOOKUP_ID": "vsts_1a2b"}, ("VSTS_PROCESS_LOOKUP_ID",)),
        ({"JENKINS_URL": "https://ci", "BUILD_ID": "7"}, ("Jenkins", "BUILD_ID=dontKillMe codex-server new")),
        ({"JENKINS_URL": "https://ci"}, ("Jenkins",)),
        ({"JENKINS_NODE_COOKIE": "x"}, ("Jenkins",)),
        ({"CI_DISPOSABLE_ENVIRONMENT": "true"}, ("GitLab", "codex-server wait TURN")),
    ],
)
def test_a_ci_job_that_ends_its_processes_is_known_by_its_variables(
    variables: dict[str, str], words: tuple[str, ...]
) -> None:
    ending = ending_of_job(variables)
    assert ending is not None
    assert ending.kind == "job"
    assert not [word for word in words if word not in f"{ending.event}: {ending.remedy}"]


@for_each(
    "variables",
    [
        {},
        {"RUNNER_TRACKING_ID": ""},
        {"BUILD_ID": "7"},
        {"JENKINS_URL": "https://ci", "JENKINS_NODE_COOKIE": "dontKillMe", "BUILD_ID": "7"},
        {"JENKINS_URL": "https://ci", "BUILD_ID": "dontKillMe"},
        {"CI_DISPOSABLE_ENVIRONMENT": ""},
    ],
)
def test_elsewhere_or_where_the_job_was_told_to_spare_it_nothing_ends_a_worker(variables: dict[str, str]) -> None:
    assert ending_of_job(variables) is None
