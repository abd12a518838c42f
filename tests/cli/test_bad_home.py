"""A home that cannot be written, a full disk, a broken config: a clear message, and nothing half-made."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.kit.shell import Shell, assert_refused
from tests.kit.turns_on_disk import ANSWER, TurnsOnDisk

NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")
IN_A_TINY_HOME = (
    'mkdir -p "$CODEX_SERVER_HOME"; mount -t tmpfs -o size=64k,mode=700 none "$CODEX_SERVER_HOME" || exit 99; '
    '"$0" "$@"; code=$?; ls -A "$CODEX_SERVER_HOME/turns" >"$LEFT"; exit $code'
)
IN_A_READ_ONLY_HOME = (
    'mount --bind "$CODEX_SERVER_HOME" "$CODEX_SERVER_HOME" && '
    'mount -o remount,bind,ro "$CODEX_SERVER_HOME" || exit 99; exec "$0" "$@"'
)


@pytest.fixture
def mounting() -> tuple[str, ...]:
    """A command that runs a shell script where mounting is allowed and ends with it; skipped where mounting is not."""
    if shutil.which("unshare") is None:
        pytest.skip("no unshare on this machine")
    trial = subprocess.run([*NAMESPACE, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, check=False)
    if trial.returncode != 0:
        pytest.skip(f"this machine does not allow a mount in a name space: {trial.stderr.decode().strip()}")
    return (*NAMESPACE, "sh", "-c")


@pytest.mark.full
def test_a_home_below_a_file_is_73_also_for_those_who_read(shell: Shell) -> None:
    (shell.root / "file").write_text("a file")
    shell.env["CODEX_SERVER_HOME"] = str(shell.root / "file" / "home")
    for run, is_new in ((shell.run("new", "hi"), True), (shell.call("setup"), False)):
        assert_refused(run, 73, f"cannot write {shell.root}/file/home: ", as_json=is_new)
        assert "CODEX_SERVER_HOME" in run.told
    for command in (["list-turns"], ["status", "2026"], ["wait", "name"], ["gc"]):
        run = shell.call(*command)
        expected = f"cannot read {shell.root}/file/home/turns: "
        assert_refused(run, 73, expected, as_json=command[0] == "status", case=command)
    doctor = shell.call("doctor")
    assert doctor.code == 73
    assert "✗ home" in doctor.stdout


def test_a_home_that_is_a_file_is_73(shell: Shell) -> None:
    shell.home.write_text("a file")
    assert_refused(shell.run("new", "hi"), 73, f"cannot write {shell.home}", as_json=True)
    assert shell.home.read_text() == "a file"


@pytest.mark.measured
def test_a_full_disk_at_new_is_73_and_leaves_nothing(shell: Shell, mounting: tuple[str, ...]) -> None:
    shell.env["LEFT"] = str(shell.root / "left")
    run = shell.run("new", "-", stdin=b"x" * 200_000, under=[*mounting, IN_A_TINY_HOME])
    assert_refused(run, 73, f"cannot write {shell.home}: No space left on device", as_json=True)
    assert (shell.root / "left").read_text() == ""


def test_a_file_that_may_not_grow_is_73_and_leaves_nothing(shell: Shell) -> None:
    # The same as a full disk, for machines where nothing can be mounted.
    run = shell.run("new", "-", stdin=b"x" * 200_000, under=["sh", "-c", 'ulimit -f 8; exec "$0" "$@"'])
    assert_refused(run, 73, f"cannot write {shell.home}: File too large", as_json=True)
    assert shell.left == []


def test_in_a_read_only_home_everything_reads_and_nothing_starts(
    shell: Shell, turns: TurnsOnDisk, mounting: tuple[str, ...]
) -> None:
    complete, dead, running = turns.complete().turn_id, turns.dead().turn_id, turns.running().turn_id
    read_only = [*mounting, IN_A_READ_ONLY_HOME]
    before = shell.left
    assert_refused(shell.run("new", "hi", under=read_only), 73, "Read-only file system", as_json=True)
    assert_refused(shell.run("cancel", running, under=read_only), 73, "Read-only file system", as_json=True)
    gc = shell.run("gc", "--older-than", "0s", under=read_only)
    assert_refused(gc, 73, f"cannot tidy {shell.home}/turns: Read-only file system", as_json=False)
    doctor = shell.run("doctor", under=read_only)
    assert doctor.code == 73
    assert f"✗ home          cannot write {shell.home}: Read-only file system" in doctor.stdout
    assert shell.run("answer", complete, under=read_only).stdout == f"{ANSWER}\n"
    status = shell.run("status", dead, under=read_only)
    assert (status.code, status.json["state"], status.json["error"]["kind"]) == (0, "abandoned", "worker_died")
    waited = shell.run("wait", dead, "--print", "json", under=read_only)
    assert (waited.code, waited.json["answer"]) == (3, ANSWER)
    states = {line.split()[1] for line in shell.run("list-turns", under=read_only).stdout.splitlines()[1:]}
    assert states == {"complete", "abandoned", "starting"}
    assert shell.left == before
    assert not (shell.home / "turns" / dead / "error").exists()
    turns.drop_lock(running)


def test_a_broken_config_is_65_for_what_needs_it(shell: Shell) -> None:
    path = shell.home / "config.json"
    for config, expected in (
        ("", "is not JSON"),
        ("[]", "does not hold a JSON object"),
        ('{"codex": "codex"}', 'codex must be an absolute path, not "codex"'),
        ('{"sandbox": "write"}', "sandbox must be one of read-only"),
        ('{"max_running": 1e999}', "max_running must be a whole number"),
        ('{"auth": "apikey"}', 'auth must be "chatgpt" or "any"'),
        ('{"codex": ', "is not JSON"),
    ):
        shell.configure(config)
        for command in ("new hi", "setup", "gc"):
            run = shell.call(*command.split())
            assert_refused(run, 65, expected, as_json=command == "new hi", case=(config, command))
            assert str(path) in run.stderr, (config, command)
        assert path.read_text() == config
        assert shell.left == [], config
    assert_refused(shell.run("new", "hi"), 65, "is not JSON", as_json=True)
    assert shell.left == []


def test_a_broken_config_hinders_no_reading(shell: Shell, turns: TurnsOnDisk) -> None:
    turn_id = turns.complete().turn_id
    shell.configure("{")
    for command in (["status", turn_id], ["answer", turn_id], ["wait", turn_id], ["list-turns"], ["cancel", turn_id]):
        run = shell.call(*command)
        assert (run.code, run.stderr) == (0, ""), command


@pytest.mark.measured
def test_an_unknown_key_is_a_warning_and_the_turn_starts(shell: Shell) -> None:
    shell.configure('{"modle": "x"}')
    run = shell.run("new", "hi")
    assert (run.code, run.json["state"]) == (0, "running")
    assert run.stderr == f"codex-server: {shell.home}/config.json: unknown key 'modle' is ignored\n"
    assert shell.run("wait", run.json["turn_id"]).code == 1
