"""A real sshd on loopback with throw-away keys, and an `ssh` that knows it and nothing else of this machine's.

Where the machine has no sshd, Debian's is unpacked below `.build/`, without installing it. Tests are skipped, with a
word, where none can be had. Never here: assertions about the product.
"""

from __future__ import annotations

import contextlib
import functools
import os
import pwd
import shlex
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.kit.processes import with_variable
from tests.kit.support import wait_until

_CACHE = Path(__file__).parents[2] / ".build" / "sshd"
_MARK = "SSHD_OF_TEST"
_PACKAGES = ("openssh-server", "libwrap0")
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin:/usr/local/bin:/usr/bin:/bin"
_FETCH_S = 120.0
# As root sshd wants a user and a directory of its own: they are there in its own view of the file system alone.
_AS_ROOT = (
    "mount --bind {passwd} /etc/passwd && mount -t tmpfs tmpfs /run && mkdir -m 0755 /run/sshd && "
    "exec {sshd} -D -e -f {config}"
)


class Sshd:
    """A running sshd that lets in the user of the test.

    Attributes:
        root: where its files are, and those of the two `ssh`.
        home: `HOME` of its sessions; a `.bashrc` there is read where the user's shell is bash.
        port: where it listens, on loopback.
        known_hosts: the host keys that `ssh` knows.
    """

    def __init__(self, root: Path, codex_home: Path, path: str) -> None:
        """Start it.

        Args:
            codex_home: `CODEX_HOME` of its sessions.
            path: the directories that they have in `PATH` before the system's.
        """
        binary = _find_or_skip()
        self.root, self.home = root, root / "remote-home"
        self.home.mkdir(parents=True)
        self.known_hosts = root / "known_hosts"
        for name in ("key", "host_key", "other_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", root / name], check=True)
        shutil.copy(root / "key.pub", root / "authorized_keys")
        self._environment = {
            **{"HOME": self.home, "CODEX_HOME": codex_home, "PATH": f"{path}:/usr/bin:/bin"},
            _MARK: str(root),
        }
        self._started = _start(binary, self)
        self.port = _port_of(self._started, self)
        self.know(root / "host_key.pub")
        self.bin = root / "bin"
        self.write_ssh()

    @property
    def address(self) -> str:
        """The address of its app-server."""
        return f"ssh://127.0.0.1:{self.port}"

    def know(self, key: Path) -> None:
        """Make this the one host key that `ssh` knows."""
        kind, text = key.read_text().split()[:2]
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {kind} {text}\n")

    def write_ssh(self, *options: str) -> None:
        """Write an `ssh` to `bin`: the system's, with our keys, and these lines of configuration."""
        self.bin.mkdir(exist_ok=True)
        config = self.root / "ssh_config"
        lines = (
            *options,
            f"IdentityFile {self.root / 'key'}",
            "IdentitiesOnly yes",
            "IdentityAgent none",
            f"UserKnownHostsFile {self.known_hosts}",
            "GlobalKnownHostsFile /dev/null",
        )
        config.write_text("\n".join(lines) + "\n")
        wrapper = self.bin / "ssh"
        wrapper.write_text(f'#!/bin/sh\nexec {_ssh()} -F {shlex.quote(str(config))} "$@"\n')
        wrapper.chmod(0o755)

    def sessions(self) -> list[psutil.Process]:
        """The processes of its sessions, and what they run."""
        return psutil.Process(self._started.pid).children(recursive=True)

    def stop(self) -> None:
        """End it and its sessions, and what these left. May be called again."""
        if self._started.returncode is None:
            for process in (*self.sessions(), *with_variable(_MARK, str(self.root))):
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self._started.terminate()
            self._started.wait()


@contextlib.contextmanager
def running_sshd(root: Path, codex_home: Path, path: str) -> Iterator[Sshd]:
    """A running sshd, ended at the end."""
    root.mkdir(parents=True, exist_ok=True)
    server = Sshd(root, codex_home, path)
    try:
        yield server
    finally:
        server.stop()


def _start(binary: Path, server: Sshd) -> subprocess.Popen[bytes]:
    root = server.root
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = " ".join(shlex.quote(f"{name}={value}") for name, value in server._environment.items())
    config = root / "sshd_config"
    config.write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {root / 'host_key'}\nPidFile none\nUsePAM no\nStrictModes no\n"
        f"AuthorizedKeysFile {root / 'authorized_keys'}\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"KbdInteractiveAuthentication no\nSetEnv {environment}\n"
    )
    command = [str(binary), "-D", "-e", "-f", str(config)]
    if os.geteuid() == 0:
        passwd = root / "passwd"
        users = Path("/etc/passwd").read_text()
        passwd.write_text(users + ("" if "\nsshd:" in users else "sshd:x:64999:65534::/run/sshd:/usr/sbin/nologin\n"))
        names = {"passwd": passwd, "sshd": binary, "config": config}
        script = _AS_ROOT.format(**{name: shlex.quote(str(value)) for name, value in names.items()})
        command = ["unshare", "--mount", "sh", "-c", script]
    library = ":".join(str(each) for each in _CACHE.glob("usr/lib/*"))
    with (root / "sshd.log").open("wb") as log:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**os.environ, "LD_LIBRARY_PATH": library}
        )


def _port_of(started: subprocess.Popen[bytes], server: Sshd) -> int:
    """The port, once it listens; skips where this machine does not let one run."""
    config = (server.root / "sshd_config").read_text()
    port = int(config.partition("127.0.0.1:")[2].partition("\n")[0])

    def listens() -> bool:
        if started.poll() is not None:
            pytest.skip(f"sshd does not run here: {(server.root / 'sshd.log').read_text().strip()[-300:]}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    wait_until(listens, what="sshd")
    return port


def _ssh() -> str | None:
    """The system's own: the first on PATH may be one of `write_ssh`."""
    return shutil.which("ssh", path=_SYSTEM_PATH)


def _find_or_skip() -> Path:
    if _ssh() is None or shutil.which("ssh-keygen") is None:
        pytest.skip("no ssh: install openssh-client")
    if not pwd.getpwuid(os.getuid()).pw_shell:
        pytest.skip("this user has no shell")
    installed = shutil.which("sshd", path=_SYSTEM_PATH)
    if installed is not None:
        return Path(installed)
    problem = _fetch()
    if problem is not None:
        pytest.skip(f"no sshd, and none can be had: {problem}")
    return _CACHE / "usr" / "sbin" / "sshd"


@functools.cache
def _fetch() -> str | None:
    """Unpack Debian's sshd below `.build/`, once for all tests.

    Returns:
        Why that was not possible.
    """
    if _CACHE.exists():
        return None
    _CACHE.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_CACHE.parent) as name:
        folder = Path(name)
        try:
            command = ["apt-get", "download", "-q", *_PACKAGES]
            subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=_FETCH_S)
            for package in folder.glob("*.deb"):
                subprocess.run(["dpkg", "-x", package, folder / "unpacked"], check=True, capture_output=True)
            (folder / "unpacked").rename(_CACHE)
        except OSError as error:
            return None if _CACHE.exists() else str(error)  # another test was quicker
        except subprocess.SubprocessError as error:
            return str(error)
    return None
