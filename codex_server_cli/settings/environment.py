"""What a process of ours gets as its environment, and where it imports from. Needed before anything else.

Imports only `os` and `sys`.
"""

from __future__ import annotations

import os
import sys

from codex_server_cli import TURN_VARIABLE

TYPE_CHECKING = False  # typing itself takes 3 ms
if TYPE_CHECKING:
    from pathlib import Path

NOTIFY_VARIABLE = "CODEX_SERVER_NOTIFY"
"""Marks a command that is told of a turn: a turn that it starts is not told of by `config.json`, again and for ever."""

_OF_A_DISPLAY = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")
UTF8 = ("-X", "utf8")
"""Makes a Python of ours take names and arguments for UTF-8, whatever the locale: Codex does."""

_API_KEY_VARIABLES = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")
_PATH_VARIABLES = (
    *("HOME", "CODEX_SERVER_HOME", "CODEX_HOME", "CODEX_SQLITE_HOME"),
    *("TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR", "CODEX_CA_CERTIFICATE"),
)
"""What names a file or a directory to us or to Codex."""


def make_paths_absolute() -> None:
    """Make the paths in our own environment absolute, once, before anything is started.

    A relative one means where the user stands. Our processes stand elsewhere, and each codex where its turn works: to
    every one of them it would be another place.
    """
    for name in _PATH_VARIABLES:
        value = os.environ.get(name)
        if value and not value.startswith("/"):
            try:
                os.environ[name] = os.path.abspath(value)  # noqa: PTH100 — must not resolve links
            except OSError:  # the current directory is gone: told by who needs the path
                return


_OF_ONE_REPOSITORY = frozenset(
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
"""git's repository-local variables, of all its versions (`git rev-parse --local-env-vars`), and the quarantine that a
push's hooks stand in."""

_OF_ONE_COMMAND = ("GIT_CONFIG_KEY_", "GIT_CONFIG_VALUE_")
"""What `GIT_CONFIG_COUNT` counts: without it they mean nothing."""


def inherited_environment() -> dict[str, str]:
    """Our environment, less what ties git to one repository, or to one moment of it.

    A turn that a git hook starts works in its own directory, for longer than the hook: with the hook's `GIT_DIR` it
    would ask about another repository, with its `GIT_INDEX_FILE` write to an index that is locked or gone. All else of
    git's is the user's (`GIT_AUTHOR_NAME`, `GIT_SSH_COMMAND` …) and stays.
    """
    return {name: value for name, value in os.environ.items() if not _is_of_one_repository(name)}


def _is_of_one_repository(name: str) -> bool:
    return name in _OF_ONE_REPOSITORY or name.startswith(_OF_ONE_COMMAND)


def import_path() -> list[str]:
    """`sys.path` in an order in which nothing of the user's stands in for the standard library, or for what we need.

    `PYTHONPATH` and the directory of the script come before everything else by nature; here they come last, for who
    has installed us or our dependencies nowhere else.
    """
    library = os.path.dirname(os.__file__)  # noqa: PTH120 — pathlib takes 5 ms
    package = os.path.abspath(f"{__file__}/../../..")  # noqa: PTH100 — the same
    split = sys.path.index(library) if library in sys.path else 0
    foreign, path = sys.path[0 if sys.flags.safe_path else 1 : split], sys.path[split:]
    if package not in path:  # behind the library's two, and before another version of us that is installed
        path.insert(2, package)
    return [*path, *(place for place in foreign if place not in path)]


def interpreter(code: str, *arguments: str) -> list[str]:
    """The command line of a Python of ours that runs `code`, which finds `arguments` in `sys.argv`.

    It is isolated (`-I`): neither the user's `PYTHON…` variables, nor his site, nor the directory where he happens to
    stand say what it imports. The variables stay in its environment, for Codex and the commands of a turn. What they
    say of bytecode files is kept: without it each start could be a slow one.
    """
    bytecode = ["-B"] if sys.dont_write_bytecode else []
    prefix = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    return [
        sys.executable,
        "-I",
        *bytecode,
        *prefix,
        *UTF8,
        "-c",
        f"import sys; sys.path[:] = {import_path()!r}; {code}",
        *arguments,
    ]


def worker_environment() -> dict[str, str]:
    """The environment of a worker: the caller's, but for the mark of the caller's turn.

    It must not bear that one, or it would end with the caller's turn; and its own turn has no id yet.
    """
    return {**inherited_environment(), TURN_VARIABLE: "worker"}


def codex_environment(
    *, may_bill_api_key: bool, turn_id: str | None = None, codex_home: str | None = None
) -> dict[str, str]:
    """The environment of a codex process: ours, less what could make it bill an API key.

    Everything else stays, but for git's repository variables: an allow-list would lose proxies, CA bundles and
    `CODEX_HOME`.

    Args:
        may_bill_api_key: keep the keys, because the user said so.
        turn_id: the turn to mark it with; None leaves the mark that we bear ourselves.
        codex_home: another `CODEX_HOME` than ours.
    """
    left_out = () if may_bill_api_key else _API_KEY_VARIABLES
    environment = {name: value for name, value in inherited_environment().items() if name not in left_out}
    told = {TURN_VARIABLE: turn_id, "CODEX_HOME": codex_home}
    return environment | {name: value for name, value in told.items() if value is not None}


def temporary_directories() -> tuple[str, ...]:
    """Where Codex takes temporary files to belong: what the environment says, and the system's own place."""
    named = os.environ.get("TMPDIR", "")
    return tuple(dict.fromkeys((named, "/tmp"))) if named.startswith("/") else ("/tmp",)


def turn_environment(turn_id: str) -> dict[str, str]:
    """The environment of a process that helps a turn, and ends with it: ours, with that turn's mark."""
    return {**inherited_environment(), TURN_VARIABLE: turn_id}


def notifier_environment(home: Path) -> dict[str, str]:
    """The environment of a notifier: ours, with a mark that is no turn's, so that no turn's end is its end."""
    return {**inherited_environment(), TURN_VARIABLE: "notifier", "CODEX_SERVER_HOME": str(home)}


def told_environment() -> dict[str, str]:
    """The environment of a command that is told of a turn: outside of any turn, and known for what it is."""
    return unmarked_environment() | {NOTIFY_VARIABLE: "1"}


def unmarked_environment() -> dict[str, str]:
    """Our environment outside of any turn, for what belongs to no turn, and starts turns that belong to none."""
    return {name: value for name, value in inherited_environment().items() if name != TURN_VARIABLE}


def browser_environment() -> dict[str, str] | None:
    """The environment of a browser: ours; None where nothing says that there is one which can show a page.

    Without a display `webbrowser` would take a text browser, and with it the terminal.
    """
    has_one = sys.platform == "darwin" or any(os.environ.get(name) for name in _OF_A_DISPLAY)
    return inherited_environment() if has_one else None


def demo_environment(home: Path, codex_home: Path) -> dict[str, str]:
    """The environment of the demo's commands: ours, in a throw-away home, outside of any turn."""
    return unmarked_environment() | {"CODEX_SERVER_HOME": str(home), "CODEX_HOME": str(codex_home)}
