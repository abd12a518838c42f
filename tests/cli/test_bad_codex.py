"""A codex that is missing, too old, or misbehaves: an exit code before a turn, an error kind in a turn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psutil
import pytest

from tests.fakes import codex as fake
from tests.kit.faults import KILLED_AFTER_S, cancel_and_wait
from tests.kit.shell import Shell, assert_refused
from tests.kit.support import wait_until

WITHOUT_THE_EXTRA = (  # as where the `codex` extra is not installed
    sys.executable,
    "-c",
    "import sys; sys.modules['codex_cli_bin'] = None; del sys.argv[0]; "
    "from codex_server_cli.cli.entry import main; main()",
)


# --- before a turn


def test_no_codex_at_all_is_69_and_says_how_to_get_one(shell: Shell) -> None:
    (shell.bin / "codex").unlink()
    for command in (["new", "hi"], ["setup"]):
        run = shell.run(*command, under=WITHOUT_THE_EXTRA)
        assert_refused(run, 69, "no codex binary was found on PATH", as_json=command[0] == "new")
        assert "npm install -g @openai/codex" in run.stderr
    doctor = shell.run("doctor", under=WITHOUT_THE_EXTRA)
    assert doctor.code == 69
    assert "✗ codex" in doctor.stdout
    assert "(codex not found)" in shell.run("version", under=WITHOUT_THE_EXTRA).stdout
    assert shell.left == []


@pytest.mark.parametrize(
    ("behaviour", "version", "expected"),
    [
        ("too_old", "codex-cli 0.20.0", "is version 0.20.0, too old to speak app-server"),
        ("silent", "Codex Browser", "does not tell its version: is it codex?"),
    ],
)
def test_a_codex_that_will_not_do_is_69(shell: Shell, behaviour: str, version: str, expected: str) -> None:
    binary = shell.install(behaviour, version=version)
    run = shell.run("new", "hi", under=WITHOUT_THE_EXTRA)
    assert_refused(run, 69, f"{binary} {expected}", as_json=True)
    assert run.error["kind"] == "codex_missing"
    assert run.error["hint"]
    assert shell.left == []


def test_a_pinned_codex_that_has_vanished_is_found_again(shell: Shell) -> None:
    shell.configure(json.dumps({"codex": str(shell.root / "gone" / "codex")}))
    run = shell.run("new", "hi")
    assert run.code == 0
    meta = json.loads(Path(run.json["meta_path"]).read_bytes())
    assert meta["codex"] == str(shell.bin / "codex")
    assert shell.run("wait", run.json["turn_id"]).code == 1


@pytest.mark.parametrize("toml", ["model = ", '[model_providers\nname = "x"', "\x00"])
def test_a_broken_config_of_codex_is_65(shell: Shell, toml: str) -> None:
    path = shell.codex_home / "config.toml"
    path.write_text(toml)
    run = shell.run("new", "hi")
    assert_refused(run, 65, f"Codex's {path} is broken: ", as_json=True)
    assert shell.left == []


@pytest.mark.parametrize(
    ("login", "expected"),
    [("Not logged in", "Codex is not logged in"), ("Logged in using an API key - sk-***", "API key, not with ChatGPT")],
)
def test_no_chatgpt_login_is_2_with_what_to_do(shell: Shell, login: str, expected: str) -> None:
    (shell.codex_home / "config.toml").unlink()
    shell.install("silent", login=login, login_code=0)
    run = shell.run("new", "hi")
    assert_refused(run, 2, expected, as_json=True)
    assert run.error["kind"] == "auth"
    assert "codex-server login" in run.error["hint"]
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


@pytest.mark.parametrize("behaviour", ["silent", "garbage", "noisy", "mute", "stubborn"])
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
