"""Owns the environment of each process that this program starts, and the import path of our processes.

Must never import more than `os` and `sys`: it is needed before anything else.
"""

from __future__ import annotations

import os
import sys

from codex_server_cli import TURN_VARIABLE

TYPE_CHECKING = False  # typing itself takes 3 ms
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NOTIFY_VARIABLE = "CODEX_SERVER_NOTIFY"
"""Marks a notify command: `notify` of `config.json` is off for a turn that it starts, or it would recur endlessly."""

_DISPLAY_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")
UTF8 = ("-X", "utf8")
"""Makes our Python decode names and arguments as UTF-8 in any locale, as Codex does."""

JOB_VARIABLES = (
    *("RUNNER_TRACKING_ID", "VSTS_PROCESS_LOOKUP_ID", "JENKINS_URL", "JENKINS_NODE_COOKIE", "BUILD_ID"),
    "CI_DISPOSABLE_ENVIRONMENT",
)
"""The variables of CI jobs that end their processes."""
_API_KEY_VARIABLES = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")
_PATH_VARIABLES = (
    *("HOME", "CODEX_SERVER_HOME", "CODEX_HOME", "CODEX_SQLITE_HOME"),
    *("TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE"),
)
"""Variables that name a file or a directory, for us or for Codex."""

_PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_SERVER_VARIABLES = (
    *_PROXY_VARIABLES,
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE", "CODEX_SQLITE_HOME"),
)
"""Variables that an app-server itself reads, only at its start (transport notes, section 5)."""

SERVER_MARK = "server"
"""Marks the processes of the shared app-server as not belonging to any turn."""


def make_paths_absolute() -> None:
    """Make the paths in our own environment absolute, once, before anything is started.

    A relative path refers to the user's current directory. Our processes, and each codex, have other working
    directories, and would resolve it differently.
    """
    for name in _PATH_VARIABLES:
        value = os.environ.get(name)
        if value and not value.startswith("/"):
            try:
                os.environ[name] = os.path.abspath(value)  # noqa: PTH100 — must not resolve links
            except OSError:  # the current directory is gone: reported where the path is used
                return


def is_completing() -> bool:
    """Whether the shell asks for completions (TAB), in the protocol of typer and click."""
    return "_CODEX_SERVER_COMPLETE" in os.environ


_REPOSITORY_VARIABLES = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_CONFIG",
        "GIT_CONFIG_COUNT",
        "GIT_CONFIG_PARAMETERS",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)
"""git's repository-local variables, of all its versions (`git rev-parse --local-env-vars`), and the quarantine of a
push's hooks."""

_CONFIG_VARIABLE_PREFIXES = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")
"""What `GIT_CONFIG_COUNT` counts; meaningless without it."""


def inherited_environment() -> dict[str, str]:
    """Our environment, without the variables that tie git to one repository, or to one state of it.

    A turn that a git hook starts works in its own directory, for longer than the hook: with the hook's `GIT_DIR` it
    would read another repository, with its `GIT_INDEX_FILE` write to an index that is locked or gone. Git's other
    variables are the user's (`GIT_AUTHOR_NAME`, `GIT_SSH_COMMAND` …) and are kept.
    """
    return {name: value for name, value in os.environ.items() if not _is_repository_variable(name)}


def _is_repository_variable(name: str) -> bool:
    return name in _REPOSITORY_VARIABLES or name.startswith(_CONFIG_VARIABLE_PREFIXES)


def import_path() -> list[str]:
    """`sys.path` in an order in which no user module shadows the standard library or our dependencies.

    `PYTHONPATH` and the directory of the script come first by default; here they come last, for users who have
    installed us or our dependencies only there.
    """
    library = os.path.dirname(os.__file__)  # noqa: PTH120 — pathlib takes 5 ms
    package = os.path.abspath(f"{__file__}/../../..")  # noqa: PTH100 — the same
    split = sys.path.index(library) if library in sys.path else 0
    foreign, path = sys.path[0 if sys.flags.safe_path else 1 : split], sys.path[split:]
    if package not in path:  # after the two of the library, before another installed version of us
        path.insert(2, package)
    return [*path, *(place for place in foreign if place not in path)]


def interpreter(code: str, *arguments: str) -> list[str]:
    """The command line of a Python that runs our `code`, with `arguments` in `sys.argv`.

    It is isolated (`-I`): neither the user's `PYTHON…` variables, nor their site directory, nor the current directory
    affect its imports. The variables stay in its environment, for Codex and the commands of a turn. Their settings for
    bytecode files are kept: without these every start could be slow. It does not search for site-packages either
    (`-S`, 2 to 3 ms): it gets ours.
    """
    site = [] if "coverage" in sys.modules else ["-S"]  # a file in site-packages starts coverage in our processes
    bytecode = ["-B"] if sys.dont_write_bytecode else []
    prefix = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    return [
        sys.executable,
        "-I",
        *site,
        *bytecode,
        *prefix,
        *UTF8,
        "-c",
        f"import sys; sys.path[:] = {import_path()!r}; {code}",
        *arguments,
    ]


def worker_environment() -> dict[str, str]:
    """The environment of a worker: the caller's, without the mark of the caller's turn.

    With that mark it would be ended with the caller's turn; its own turn has no id yet.
    """
    return {**inherited_environment(), TURN_VARIABLE: "worker"}


def codex_environment(
    *, may_bill_api_key: bool, turn_id: str | None = None, codex_home: str | None = None
) -> dict[str, str]:
    """The environment of a codex process: ours, without variables that could make it bill an API key.

    Everything else is kept, except for git's repository variables: an allow-list would lose proxies, CA bundles and
    `CODEX_HOME`.

    Args:
        may_bill_api_key: keep the keys, because the user consented.
        turn_id: the turn to mark it with; None keeps our own mark.
        codex_home: replaces our `CODEX_HOME`.
    """
    left_out = () if may_bill_api_key else _API_KEY_VARIABLES
    environment = {name: value for name, value in inherited_environment().items() if name not in left_out}
    overrides = {TURN_VARIABLE: turn_id, "CODEX_HOME": codex_home}
    return environment | {name: value for name, value in overrides.items() if value is not None}


def server_environment(*, may_bill_api_key: bool) -> dict[str, str]:
    """The environment of the shared app-server and of its keeper, with a mark that is not a turn's.

    Without that mark, the end of the turn that happens to start the server would end it.
    """
    return codex_environment(may_bill_api_key=may_bill_api_key, turn_id=SERVER_MARK)


def server_variables(named: Iterable[str], *, may_bill_api_key: bool) -> list[tuple[str, str]]:
    """The variables that an app-server itself reads, not for a turn, and their values: proxies, CAs, keys.

    Args:
        named: those that Codex's configuration names.
        may_bill_api_key: whether it gets API keys.
    """
    read = {*_SERVER_VARIABLES, *(name.lower() for name in _PROXY_VARIABLES), *named}
    read |= set(_API_KEY_VARIABLES) if may_bill_api_key else set()
    left_out = () if may_bill_api_key else _API_KEY_VARIABLES
    return [(name, os.environ[name]) for name in sorted(read) if name in os.environ and name not in left_out]


def ssh_environment(*, may_bill_api_key: bool) -> dict[str, str]:
    """The environment of an ssh: that of a codex, with a mark that is not a turn's.

    The user's own ssh configuration may make it leave a process that later connections use (`ControlPersist`), which
    the end of a turn must not end; and it may forward variables (`SendEnv`).
    """
    return codex_environment(may_bill_api_key=may_bill_api_key, turn_id="ssh")


def api_key_variables() -> tuple[str, ...]:
    """The variables that could make a codex bill an API key."""
    return _API_KEY_VARIABLES


def temporary_directories() -> tuple[str, ...]:
    """Codex's temporary directories: the environment's, and the system's."""
    named = os.environ.get("TMPDIR", "")
    return tuple(dict.fromkeys((named, "/tmp"))) if named.startswith("/") else ("/tmp",)


def turn_environment(turn_id: str) -> dict[str, str]:
    """The environment of an auxiliary process that ends with a turn: ours, with that turn's mark."""
    return {**inherited_environment(), TURN_VARIABLE: turn_id}


def notifier_environment(home: Path) -> dict[str, str]:
    """The environment of a notifier: ours, with a mark that is not a turn's, so that no turn's end ends it."""
    return {**inherited_environment(), TURN_VARIABLE: "notifier", "CODEX_SERVER_HOME": str(home)}


def told_environment() -> dict[str, str]:
    """The environment of a notify command: outside of any turn, and marked as such a command."""
    return unmarked_environment() | {NOTIFY_VARIABLE: "1"}


def variable(name: str) -> str | None:
    """The value of a variable that the user names (`--server-token-env`); None where it is not set."""
    return os.environ.get(name)


def job_variables() -> dict[str, str]:
    """The `JOB_VARIABLES` that are set."""
    return {name: os.environ[name] for name in JOB_VARIABLES if name in os.environ}


def unmarked_environment() -> dict[str, str]:
    """Our environment without a turn's mark, for processes outside of any turn, and the turns that they start."""
    return {name: value for name, value in inherited_environment().items() if name != TURN_VARIABLE}


def browser_environment() -> dict[str, str] | None:
    """The environment of a browser: ours; None where no variable suggests a graphical browser.

    Without a display `webbrowser` would start a text browser, which takes over the terminal.
    """
    has_one = sys.platform == "darwin" or any(os.environ.get(name) for name in _DISPLAY_VARIABLES)
    return inherited_environment() if has_one else None


def demo_environment(home: Path, codex_home: Path) -> dict[str, str]:
    """The environment of the demo's commands: ours, with a temporary home, outside of any turn."""
    return unmarked_environment() | {"CODEX_SERVER_HOME": str(home), "CODEX_HOME": str(codex_home)}
