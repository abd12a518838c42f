"""The image, the compose file, the Kubernetes objects and the unit: as far as they can be run without their engines."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from codex_server_cli.cli.app import parse
from tests.kit import judges
from tests.kit.deployment import FOLDER, ROOT, changed, free_port
from tests.kit.home import COMMAND, FIRST_HALF, Home
from tests.kit.support import DEADLINE_S, wait_until


def _instructions(name: str) -> list[str]:
    """The instructions of a Dockerfile, each on one line, without comments."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (FOLDER / name).read_text())
    return [line.strip() for line in text.replace("\\\n", " ").split("\n") if line.strip()]


def _only(name: str, instruction: str) -> str:
    (found,) = (line for line in _instructions(name) if line.startswith(f"{instruction} "))
    return found.removeprefix(instruction).strip()


@pytest.mark.full
def test_what_the_image_copies_is_enough_to_build_the_package(tmp_path: Path) -> None:
    copies = [line.split()[1:] for line in _instructions("Dockerfile") if line.startswith("COPY") and "--" not in line]
    for *sources, target in copies:
        for source in sources:
            place = tmp_path / target.lstrip("/") / (source if target.endswith("/") else "")
            shutil.copytree(ROOT / source, place) if (ROOT / source).is_dir() else _copy(ROOT / source, place)
    (script,) = (line.split()[2] for line in _instructions("Dockerfile") if line.startswith("COPY --chmod"))
    assert (ROOT / script).is_file()
    allowed = (FOLDER / "Dockerfile.dockerignore").read_text()
    assert all(f"!{source}\n" in allowed for source in (*(s for *many, _ in copies for s in many), script))
    pip = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        str(tmp_path),
        str(tmp_path / "src"),
    ]
    subprocess.run(pip, check=True, capture_output=True)
    assert len(list(tmp_path.glob("codex_server_cli-*.whl"))) == 1


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)


@pytest.mark.full
def test_the_container_makes_a_token_serves_is_healthy_and_cancels_its_turns_at_the_end(one_home: Home) -> None:
    env, port = one_home.env, free_port()
    data = one_home.root / "data"
    data.mkdir()
    env |= {"CODEX_SERVER_DATA": str(data), "CODEX_SERVER_PROJECT": str(one_home.project)}
    env |= {"CODEX_SERVER_LISTEN": f"0.0.0.0:{port}", "PATH": f"{Path(COMMAND).parent}:{env['PATH']}"}
    one_home.configure(server_idle=0.5)
    turn, _ = one_home.start_held()
    with (one_home.root / "log").open("wb") as log:
        process = subprocess.Popen(
            [FOLDER / "entrypoint.sh", *json.loads(_only("Dockerfile", "CMD"))],
            cwd=one_home.project, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        name, *words = json.loads(_only("Dockerfile", "HEALTHCHECK").partition("CMD")[2])
        check = [FOLDER / f"{name}.sh", *words]
        wait_until(lambda: subprocess.run(check, env=env, capture_output=True).returncode == 0, what="the health check")
        elsewhere = env | {"CODEX_SERVER_LISTEN": f"127.0.0.1:{free_port()}"}
        assert subprocess.run(check, env=elsewhere, capture_output=True).returncode != 0
        token = (data / "token").read_text().strip()
        assert (data / "token").stat().st_mode & 0o777 == 0o600
        assert "new token" in (log_text := (one_home.root / "log").read_text())
        assert token not in log_text
        url = f"http://127.0.0.1:{port}/v1/models"
        assert httpx.get(url).status_code == 401
        assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}).status_code == 200
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(DEADLINE_S)
    assert (code, turn.status()["state"]) == (0, "cancelled")
    assert FIRST_HALF in turn.out


def test_the_container_takes_a_mounted_secret_that_its_group_may_read_and_runs_other_commands(one_home: Home) -> None:
    secret = one_home.root / "secret"
    secret.write_text("s" * 40 + "\n")
    secret.chmod(0o440)
    env = one_home.env | {
        "PATH": f"{Path(COMMAND).parent}:{one_home.env['PATH']}",
        "CODEX_SERVER_DATA": str(one_home.root),
    }
    env |= {
        "CODEX_SERVER_TOKEN_SOURCE": str(secret),
        "CODEX_SERVER_PROJECT": "/nowhere",
        "CODEX_SERVER_LISTEN": "127.0.0.1:0",
    }

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [str(FOLDER / "entrypoint.sh"), *words]
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=DEADLINE_S, check=False)

    assert run("serve").returncode == 65, "its code is that of serve: there is no /nowhere"
    assert (one_home.root / "token").read_text() == secret.read_text()
    assert (one_home.root / "token").stat().st_mode & 0o777 == 0o600
    assert run("codex-server", "list-turns", "--json").stdout == "[]\n"
    assert "--allow-host" in run("--help").stdout, "flags alone are those of serve"
    secret.chmod(0o640)
    for wrong in ("", "short\n"):
        secret.write_text(wrong)
        refused = run("serve")
        assert (refused.returncode, "32 bytes" in refused.stderr) == (65, True)
        assert (one_home.root / "token").read_text() == "s" * 40 + "\n", "the good one is still there"


def test_every_command_line_in_the_examples_is_one_that_this_version_takes() -> None:
    found = re.findall(
        r"codex-server ((?:[a-z-]+|--).*?)(?=  |\)$|`| && | \|| >|\n|$)",
        "\n".join(path.read_text() for path in sorted(FOLDER.iterdir())),
    )
    lines = {line.strip() for line in found if not line.startswith(("gateway", "--"))}
    assert len(lines) >= 5, lines
    for line in lines:
        words = shlex.split(line.replace("%h", "/h").replace("%t", "/t").replace("~", "/h").replace('"$@" &', ""))
        verb = " ".join(words[:2]) if words[0] == "server" else words[0]
        assert parse(words, verb) is not None, line


@pytest.mark.full
def test_the_unit_is_valid(tmp_path: Path) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed, which knows what a unit may say")
    unit = tmp_path / "codex-server.service"
    unit.write_text(changed("codex-server.service", ("%h/.local/bin/codex-server", COMMAND)))
    run = subprocess.run([analyze, "--user", "verify", unit], capture_output=True, text=True, check=False)
    assert "codex-server" not in run.stderr, run.stderr


@pytest.mark.full
@pytest.mark.parametrize(
    "command",
    [
        ["hadolint", "deploy/Dockerfile"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml"],
        ["kubernetes-validate", "--strict", "deploy/kubernetes.yaml"],
    ],
    ids=lambda command: str(command[0]),
)
def test_the_tools_of_the_field_find_nothing_wrong(command: list[Any]) -> None:
    tool = judges.FOLDER / "bin" / command[0]
    assert tool.exists(), "it comes with ./test.sh --full, in the environment of the suites of others"
    run = subprocess.run([tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
