"""`serve` where it does not begin: one line, a way out that works, nothing left. With a codex that does not start."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.codex.server.token import make_token
from tests.kit.cases import for_each
from tests.kit.shell import Shell, assert_refused


def assert_serve_refused(shell: Shell, code: int, words: str, *flags: str) -> None:
    """Run `serve`, which does not begin."""
    assert_refused(shell.run("serve", *flags), code, words, as_json=False)


@for_each(
    ("flags", "code", "words"),
    [
        (("--listen", "8787"), 64, "--listen takes HOST:PORT or unix:PATH"),
        (("--listen", "0.0.0.0:0"), 65, "without a token by everybody"),
        (("--allow-host", "codex.example.org"), 65, "without a token everybody"),
        (("--token-file", "nowhere"), 65, "there is no file"),
        (("--token-file", ""), 64, "--token-file is empty"),
        (("--cwd", ""), 64, "--cwd is empty"),
        (("--model-alias", "gpt-4o"), 64, "--model-alias takes A=M"),
        (("--max-streams", "0"), 64, "--max-streams"),
        (("--instructions", "mine"), 64, "--instructions"),
        (("--cwd", "nowhere"), 65, "--cwd is no directory"),
    ],
)
def test_flags_that_cannot_be_are_refused(flags: tuple[str, ...], code: int, words: str, shell: Shell) -> None:
    assert_refused(shell.call("serve", *flags), code, words, as_json=False)
    assert not shell.home.exists()


@for_each(
    ("listen", "words"),
    [
        ("nosuchhost.invalid:0", "is no address of this machine"),
        ("192.0.2.1:0", "cannot listen on 192.0.2.1:0"),
        ("unix:nowhere/s", "there is no directory"),
        ("unix:file", "exists, and is no socket"),
    ],
)
@pytest.mark.measured
@pytest.mark.full
def test_where_it_cannot_listen_nothing_is_started(listen: str, words: str, shell: Shell, tmp_path: Path) -> None:
    (shell.project / "file").touch()
    token = tmp_path / f"token-{listen.partition(':')[0]}-{words[:5]}"
    make_token(token)
    assert_serve_refused(shell, 65, words, "--listen", listen, "--token-file", str(token))
    assert not (shell.home / "servers").exists()


@pytest.mark.measured
def test_a_port_that_is_taken_is_busy(shell: Shell) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert_serve_refused(
            shell, 75, "something else listens there", "--listen", f"127.0.0.1:{taken.getsockname()[1]}"
        )


@pytest.mark.measured
def test_a_directory_that_takes_no_socket_is_73(shell: Shell) -> None:
    (shell.root / "closed").mkdir(mode=0o500)
    if os.geteuid() == 0:  # root writes anywhere but in the kernel's own
        assert_serve_refused(shell, 73, "cannot make the socket", "--listen", "unix:/proc/self/s")
    else:
        assert_serve_refused(shell, 73, "cannot make the socket", "--listen", f"unix:{shell.root}/closed/s")


@pytest.mark.measured
def test_a_codex_that_does_not_start_ends_it_with_69_and_leaves_no_socket(shell: Shell) -> None:
    path = shell.root / "s"
    assert_serve_refused(shell, 69, "the shared app-server did not start", "--listen", f"unix:{path}")
    assert not path.exists()


def test_a_broken_table_in_config_json_is_65_and_an_unknown_key_a_note(shell: Shell) -> None:
    shell.configure('{"serve": {"listen": 8787}}')
    assert_serve_refused(shell, 65, "serve.listen must be HOST:PORT or unix:PATH, not 8787")
    shell.configure('{"serve": {"colour": 1, "listen": "here"}}')
    assert "unknown key 'serve.colour' is ignored" in shell.run("serve").stderr


@for_each("missing", ["starlette", "uvicorn", "prometheus_client"])
@pytest.mark.measured
def test_without_the_extra_it_says_how_to_install_it(missing: str, shell: Shell) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None\nfrom codex_server_cli.cli.app import run; run(['serve'])"
    run: Any = subprocess.run([sys.executable, "-c", code], env=shell.env, capture_output=True, text=True, check=False)
    assert run.stderr == (
        f"codex-server: serve needs the extra `serve`: {missing} is not installed\n"
        f"{sys.executable} -m pip install 'codex-server-cli[serve]'\n"
    )
