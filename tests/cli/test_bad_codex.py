"""A codex that is missing, too old, or misbehaves: an exit code before a turn, an error kind in a turn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil
import pytest

from codex_server_cli.codex import client
from tests.fakes import codex as fake
from tests.kit.cases import in_full
from tests.kit.faults import KILLED_AFTER_S, cancel_and_wait
from tests.kit.shell import Shell, assert_refused
from tests.kit.support import wait_until

WITHOUT_THE_EXTRA = (  # as where the `codex` extra is not installed
    sys.executable,
    "-c",
    "import sys; sys.modules['codex_cli_bin'] = None; del sys.argv[0]; "
    "from codex_server_cli.cli.entry import main; main()",
)


@pytest.fixture
def without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for commands in this process."""
    monkeypatch.setitem(sys.modules, "codex_cli_bin", None)


# --- before a turn


@pytest.mark.usefixtures("without_the_extra")
def test_no_codex_at_all_is_69_and_says_how_to_get_one(shell: Shell) -> None:
    (shell.bin / "codex").unlink()
    for run, is_new in ((shell.run("new", "hi", under=WITHOUT_THE_EXTRA), True), (shell.call("setup"), False)):
        assert_refused(run, 69, "no codex binary was found on PATH", as_json=is_new)
        assert "npm install -g @openai/codex" in run.told
    doctor = shell.call("doctor")
    assert doctor.code == 69
    assert "✗ codex" in doctor.stdout
    assert "(codex not found)" in shell.call("version").stdout
    assert shell.left == []


@pytest.mark.usefixtures("without_the_extra")
def test_a_codex_that_will_not_do_is_69(shell: Shell) -> None:
    for behaviour, version, expected in (
        ("too_old", "codex-cli 0.20.0", "is version 0.20.0, too old to speak app-server"),
        ("silent", "Codex Browser", "does not report a version: is it codex?"),
    ):
        binary = shell.install(behaviour, version=version)
        run = shell.call("new", "hi")
        assert_refused(run, 69, f"{binary} {expected}", as_json=True, case=behaviour)
        assert run.error["kind"] == "codex_missing"
        assert run.error["hint"]
        assert shell.left == []


def test_a_pinned_codex_that_has_vanished_is_found_again(shell: Shell) -> None:
    shell.configure(json.dumps({"codex": str(shell.root / "gone" / "codex")}))
    run = shell.run("new", "hi")
    assert run.code == 0
    meta = json.loads((Path(run.json["turn_dir"]) / "meta.json").read_bytes())
    assert meta["codex"] == str(shell.bin / "codex")
    assert shell.run("wait", run.json["turn_id"]).code == 1


@pytest.mark.full
def test_a_broken_config_of_codex_is_65(shell: Shell) -> None:
    path = shell.codex_home / "config.toml"
    for toml in ("model = ", '[model_providers\nname = "x"', "\x00"):
        path.write_text(toml)
        assert_refused(shell.call("new", "hi"), 65, f"Codex's {path} is broken: ", as_json=True, case=toml)
        assert shell.left == [], toml
    assert_refused(shell.run("new", "hi"), 65, f"Codex's {path} is broken: ", as_json=True)
    assert shell.left == []


def test_no_chatgpt_login_is_2_with_what_to_do(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    run_query = client.run_query  # a silent app-server is given up early
    monkeypatch.setattr(client, "run_query", lambda codex, cwd, asked, _: run_query(codex, cwd, asked, 0.3))
    (shell.codex_home / "config.toml").unlink()
    for behaviour, login, expected in (
        ("exits", "Not logged in", "Codex is not logged in"),
        ("silent", "Logged in using an API key - sk-***", "API key, not with ChatGPT"),
    ):
        shell.install(behaviour, login=login, login_code=0)
        run = shell.call("new", "hi")
        assert_refused(run, 2, expected, as_json=True, case=login)
        assert run.error["kind"] == "auth"
        assert "codex-server login" in run.error["hint"]
        assert shell.left == []
    shell.install("exits", login="Not logged in", login_code=0)
    assert_refused(shell.run("new", "hi"), 2, "Codex is not logged in", as_json=True)
    assert shell.left == []


# --- in a turn


@pytest.mark.parametrize(
    ("behaviour", "kind", "expected"),
    [
        ("exits", "codex_crashed", f"(exit code 101): {fake.STDERR_TAIL}"),
        ("too_old", "codex_missing", "unrecognized subcommand"),
        ("refuses", "bad_request", "no"),
    ],
)
def test_a_codex_that_ends_a_turn_is_quoted(shell: Shell, behaviour: str, kind: str, expected: str) -> None:
    shell.configure(json.dumps({"codex": str(shell.install(behaviour))}))  # pinned, so it is trusted and not probed
    run = shell.run("new", "hi", "--wait")
    assert (run.code, run.json["state"]) == (1, "failed")
    assert run.json["error"]["kind"] == kind
    assert expected in run.json["error"]["message"]
    assert f" failed ({kind}): " in run.stderr


def test_a_codex_that_vanished_since_it_was_looked_for_fails_the_turn(shell: Shell) -> None:
    binary = shell.root / "codex"
    binary.write_text("#!/no/such/interpreter\n")
    binary.chmod(0o755)
    shell.configure(json.dumps({"codex": str(binary)}))
    run = shell.run("new", "hi", "--wait")
    assert (run.code, run.json["error"]["kind"]) == (1, "codex_missing")


@pytest.mark.parametrize("behaviour", ["silent", "stubborn", *map(in_full, ("garbage", "noisy", "mute"))])
def test_a_turn_whose_codex_never_answers_is_cancelled_in_bounded_time(shell: Shell, behaviour: str) -> None:
    binary = shell.install(behaviour)
    turn_id = shell.run("new", "hi").json["turn_id"]
    cancel_and_wait(shell)
    run = shell.run("cancel", turn_id)
    assert (run.code, run.json["state"], run.json["error"]["kind"]) == (0, "cancelled", "cancelled")
    assert run.duration_s < KILLED_AFTER_S
    assert not [
        process for process in psutil.process_iter(["cmdline"]) if str(binary) in (process.info["cmdline"] or [])
    ]
    assert shell.run("wait", turn_id).code == 4


def test_a_deadline_ends_a_turn_whose_codex_never_answers(shell: Shell) -> None:
    shell.install("silent")
    run = shell.run("new", "hi", "--deadline", "0.3", "--wait")
    assert (run.code, run.json["error"]["kind"]) == (1, "deadline")


def test_what_codex_said_that_was_no_message_is_kept_in_the_events(shell: Shell) -> None:
    shell.install("garbage")
    turn_id = shell.run("new", "hi").json["turn_id"]
    path = shell.home / "turns" / turn_id / "events.jsonl"
    wait_until(lambda: b"Welcome!" in path.read_bytes(), what="what codex said")
    assert shell.run("cancel", turn_id).json["state"] == "cancelled"
    events = [json.loads(line) for line in shell.run("tail", turn_id, "--events").stdout.splitlines()]
    assert "Welcome!" in [event.get("invalid") for event in events]
