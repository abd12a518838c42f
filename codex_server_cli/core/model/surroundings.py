"""What ends a detached worker together with the environment that it was started in.

A worker has its own session and process group, so neither a terminal nor a signal to a group reaches it. Three things
do: systemd ends all processes of a unit's cgroup; logind does so at a logout if configured; and runners of CI jobs end
every process that has a variable of the job. Pure: the caller passes the texts of files and the variables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class Ending(NamedTuple):
    """What will end a worker.

    Attributes:
        kind: `job`, `service`, `login` or `logout`; the last is the end of a user's last login, about which `new` does
            not warn, because it applies to nearly every desktop.
        event: the words after "ends with".
        remedy: what to do about it, as commands if possible.
    """

    kind: str
    event: str
    remedy: str


class Unit(NamedTuple):
    """The systemd unit that a process is in.

    Attributes:
        name: `nightly.service`, `session-3.scope` …
        uid: the user whose manager runs it; None for the system's manager.
    """

    name: str
    uid: str | None


_TRACKED = ("RUNNER_TRACKING_ID", "VSTS_PROCESS_LOOKUP_ID")
"""The variables by which GitHub's runner and the Azure Pipelines agent find a job's processes at its end."""
_JENKINS = ("JENKINS_NODE_COOKIE", "BUILD_ID")
_SPARED = "dontKillMe"
_IN_JOB = "codex-server wait TURN, before the job ends"


def ending_of_job(variables: Mapping[str, str]) -> Ending | None:
    """What a CI job does to its processes at its end.

    Args:
        variables: the job's environment.
    """
    for name in _TRACKED:
        if variables.get(name):
            remedy = f"{_IN_JOB}; on a machine of your own `{name}= codex-server new …` outlives it"
            return Ending("job", f"its CI job, whose runner ends every process that has {name}", remedy)
    is_jenkins = variables.get("JENKINS_URL") or variables.get(_JENKINS[0])
    if is_jenkins and _SPARED not in (variables.get(name) for name in _JENKINS):
        spared = " ".join(f"{name}={_SPARED}" for name in _JENKINS)
        remedy = f"{_IN_JOB}; or `{spared} codex-server new …`, which Jenkins spares"
        return Ending("job", "its Jenkins build", remedy)
    if variables.get("CI_DISPOSABLE_ENVIRONMENT"):  # GitLab: set by all executors except shell and ssh
        return Ending("job", "its GitLab job, whose container or machine is deleted then", _IN_JOB)
    return None


def unit_of(cgroups: str) -> Unit | None:
    """The unit that a process is in; None if it is in none, as in most containers.

    Args:
        cgroups: `/proc/PID/cgroup`, of either version of cgroups.
    """
    for line in cgroups.splitlines():
        hierarchy, _, path = line.partition(":")[2].partition(":")
        parts = path.split("/") if hierarchy in ("", "name=systemd") else []
        names = [part for part in parts if part.endswith((".service", ".scope"))]
        if names:  # the innermost unit; it may have created cgroups below it
            managers = [name for name in names[:-1] if name.startswith("user@")]
            uid = managers[-1].removeprefix("user@").removesuffix(".service") if managers else None
            return Unit(names[-1], uid)
    return None


def is_own_service(unit: Unit) -> bool:
    """Whether the unit is a service that does not end at a logout; a desktop starts programs as `app-….service`."""
    is_desktop = unit.uid is not None and unit.name.startswith(("app-", "dbus-"))
    return unit.name.endswith(".service") and not unit.name.startswith("user@") and not is_desktop


def is_login(unit: Unit) -> bool:
    """Whether the unit is a login session: logind creates it for a terminal, `ssh`, or a desktop."""
    return unit.uid is None and unit.name.startswith("session-") and unit.name.endswith(".scope")


def ending_of_service(unit: Unit, texts: Iterable[str]) -> Ending | None:
    """What a service does to its processes when its command ends, or when it is stopped.

    Args:
        texts: its unit file, then its drop-ins in order of precedence.
    """
    values = _values(texts, "Service")
    mode = values.get("KillMode") or "control-group"
    if mode in ("process", "none") or values.get("ExitType") == "cgroup":
        return None
    remedy = "use --wait in the service, or set KillMode=process in it"
    return Ending("service", f"{unit.name}, as soon as its command has ended (KillMode={mode})", remedy)


def ending_of_login(texts: Iterable[str], user: str) -> Ending | None:
    """What logind does to the processes of a login session at logout; lingering does not change it.

    Args:
        texts: `logind.conf`, then its drop-ins in order of precedence.
    """
    values = _values(texts, "Login")
    is_spared = user in values.get("KillExcludeUsers", "root").split()
    others = values.get("KillOnlyUsers", "").split()
    kills = values.get("KillUserProcesses", "no").lower() in ("1", "yes", "y", "true", "t", "on")
    if not kills or is_spared or (others and user not in others):
        return None
    remedy = "loginctl enable-linger, and then: systemd-run --user --scope codex-server new …"
    return Ending("login", "this login (KillUserProcesses=yes)", remedy)


ENDING_OF_LOGOUT = Ending("logout", "your last logout, as all that your systemd runs", "loginctl enable-linger")
"""For a unit of a user's own manager, if that user does not linger."""


def _values(texts: Iterable[str], section: str) -> dict[str, str]:
    """The values of one section of systemd's files; the last one wins. An empty value counts as none."""
    values: dict[str, str] = {}
    for text in texts:
        current = ""
        for line in text.splitlines():
            stripped = line.strip()
            if stripped.startswith("["):
                current = stripped.strip("[]")
            elif current == section and stripped[:1] not in ("", "#", ";"):
                name, _, value = stripped.partition("=")
                values[name.strip()] = value.strip()
    return values
