"""Every message that a real Codex may send by its own schema is handled, declined or ignored: none stops a turn."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.core.result import failures
from tests.kit.dialogue import COMPLETED, THREAD, TURN, Dialogue, Json, message_completed, said

RETRIED = {
    *("flexUnavailable", "internalServerError", "policyCapacityUnavailable", "rateLimitExceeded", "serverOverloaded"),
    *("sessionBudgetExceeded", "usageLimitExceeded"),
}
"""Codex's names of its errors that the same request may not meet later."""


_made: dict[Path, Path] = {}


@pytest.fixture
def schema(codex: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the schema of this Codex lies, which the binary writes itself: once, because the tests only read it."""
    if codex not in _made:
        folder = tmp_path_factory.mktemp("schema")
        command: list[str | Path] = [codex, "app-server", "generate-json-schema", "--experimental", "--out", folder]
        subprocess.run(command, env={"CODEX_HOME": str(folder)}, capture_output=True, check=True)
        _made[codex] = folder
    return _made[codex]


def methods(schema: Path, kind: str) -> list[str]:
    document = json.loads((schema / f"{kind}.json").read_text())
    return [one["properties"]["method"]["enum"][0] for one in document["oneOf"]]


def test_every_request_of_codex_is_answered_at_once_without_consent(schema: Path) -> None:
    asked = methods(schema, "ServerRequest")
    assert "item/commandExecution/requestApproval" in asked
    for method in asked:
        talk = Dialogue().started()
        talk.receive({"method": method, "id": 7, "params": {"threadId": THREAD, "turnId": TURN}})
        assert talk.sent[-1]["id"] == 7, method
        assert "error" in talk.sent[-1], method
        assert not talk.has_ended


def test_no_notification_of_codex_stops_a_turn_that_goes_on(schema: Path) -> None:
    reported = [method for method in methods(schema, "ServerNotification") if method not in ("turn/completed", "error")]
    assert "thread/readState/changed" in reported
    talk = Dialogue().started()
    for method in reported:
        about: list[Json] = [{}, {"threadId": "another"}, {"threadId": THREAD, "turnId": TURN, "reason": "unknown"}]
        for params in about:
            talk.receive({"method": method, "params": params})
            assert not talk.has_ended, method
    talk.receive(*said("Hello"))
    assert "Hello" in talk.text
    assert talk.receive(COMPLETED).outcome.answer == "Hello"


def test_every_error_that_codex_names_has_a_kind_and_only_passing_ones_are_retryable(schema: Path) -> None:
    text = (schema / "ServerNotification.json").read_text()
    named = json.loads(text)["definitions"]["CodexErrorInfo"]
    infos = [info for one in named.get("anyOf", named.get("oneOf")) for info in one.get("enum", [])]
    assert {"cyberPolicy", "unauthorized", "sandboxError"} <= set(infos)
    for info in infos:
        kind = failures.kind_of_turn_error({"message": "m", "codexErrorInfo": info}, None)
        assert failures.make_error(kind, "m").retryable is (info in RETRIED), info


def test_an_answer_that_the_service_wants_hidden_is_still_whole() -> None:
    """The display that comes with it is for the service's own chat; its shape changed with 0.171.0."""
    for display in ({"mode": "hide", "version": 1, "replacement": {"kind": "k"}}, {"action": "hide"}, None, "new"):
        message = message_completed("What it said.")
        message["params"]["item"]["moderation"] = {"moderated": True, "display": display}
        talk = Dialogue().started().receive(message, COMPLETED)
        assert talk.outcome.answer == "What it said."
