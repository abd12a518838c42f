"""Executables that call themselves `codex` and do not behave. Run as a script by the `#!` line that `write` makes.

Owns their behaviour. Works at the process boundary, so that what is tested is the real spawn, the real pipes and the
real signals. Must import the standard library alone: it runs isolated, without site-packages.
"""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from pathlib import Path

VERSION = "codex-cli 0.163.0"
STDERR_TAIL = "thread 'main' panicked: out of cheese"


def write(
    path: Path, app_server: str = "silent", *, version: str = VERSION, login: str = "Not logged in", login_code: int = 1
) -> Path:
    """Make an executable.

    Args:
        path: where; parents are made.
        app_server: what its `app-server` does: one of `APP_SERVERS` here or of those of `faulty`, which speak the
            protocol, or `too_old` to have none.
        version: what `--version` prints; `silent` to hang without output.
        login: what `login status` prints on stderr; `silent` to hang without output.
        login_code: its exit code.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    here = str(Path(__file__).parent)
    path.write_text(
        f"#!{sys.executable} -IS\nimport sys\nsys.path.insert(0, {here!r})\nsys.dont_write_bytecode = True\n"
        f"import codex\ncodex.main({app_server!r}, {version!r}, {login!r}, {login_code!r})\n"
    )
    path.chmod(0o755)
    return path


def main(app_server: str, version: str, login: str, login_code: int) -> None:
    """Act as `codex`, as `sys.argv` asks."""
    match sys.argv[1:]:
        case ["--version"]:
            print(_or_be_silent(version))
        case ["login", "status"]:
            print(_or_be_silent(login), file=sys.stderr)
            sys.exit(login_code)
        case ["app-server", *_] if app_server == "too_old":
            print("error: unrecognized subcommand 'app-server'", file=sys.stderr)
            sys.exit(2)
        case ["app-server", "--help"]:
            print("Usage: codex app-server")
        case ["app-server"]:
            APP_SERVERS[app_server]() if app_server in APP_SERVERS else import_module("faulty").main(app_server)
        case other:
            sys.exit(f"error: unexpected arguments {other}")


def _or_be_silent(text: str) -> str:
    if text == "silent":
        signal.pause()
    return text


def _silent() -> None:
    """Read everything, answer nothing, exit at EOF of stdin."""
    sys.stdin.buffer.read()


def _exits() -> None:
    """Write something to stderr and exit at once."""
    print(f"\x1b[31mERROR\x1b[0m it begins\n{STDERR_TAIL}", file=sys.stderr)
    sys.exit(101)


def _garbage() -> None:
    """Write output that is not the protocol; then be silent."""
    lines = [b"Welcome!", b"", b"\xff\xfe\x00", b"[1, 2]", b'"text"', b'{"id": 1.5, "result": {}}', b"{" * 100_000]
    sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
    sys.stdout.flush()
    _silent()


def _refuses() -> None:
    """Answer the first request with an error."""
    sys.stdin.buffer.readline()
    print('{"id": 1, "error": {"code": -32600, "message": "no"}}', flush=True)
    _silent()


def _polite() -> None:
    """Ignore EOF of stdin, exit at SIGTERM."""
    _outlive_stdin()


def _stubborn() -> None:
    """Ignore EOF of stdin and SIGTERM: only SIGKILL ends it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _outlive_stdin()


def _outlive_stdin() -> None:
    print("ready", file=sys.stderr, flush=True)
    while True:
        signal.pause()


def _noisy() -> None:
    """Write more to stderr than any reader keeps, then exit at EOF of stdin."""
    for number in range(20_000):
        os.write(2, b"line %d of far too many\n" % number)
    _silent()


def _telltale() -> None:
    """Print its environment and working directory as JSON on stdout."""
    import json

    print(json.dumps({"env": dict(os.environ), "cwd": os.getcwd()}), flush=True)  # noqa: PTH109
    _silent()


def _mute() -> None:
    """Close stderr at once, answer nothing."""
    os.close(2)
    _silent()


APP_SERVERS = {
    "silent": _silent,
    "exits": _exits,
    "garbage": _garbage,
    "refuses": _refuses,
    "polite": _polite,
    "stubborn": _stubborn,
    "noisy": _noisy,
    "telltale": _telltale,
    "mute": _mute,
}
