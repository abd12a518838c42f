"""The next step, where Codex's own message is more specific than the kind of an error."""

from __future__ import annotations

from codex_server_cli.core.model.request import TurnRequest
from codex_server_cli.core.record.turn_record import TurnRecord
from codex_server_cli.core.result import advice
from codex_server_cli.core.result.failures import make_error
from codex_server_cli.core.result.outcome import Cause, decide
from codex_server_cli.errors import ErrorKind
from tests.kit.cases import for_each

THREAD = "01a2266f-12b6-7743-96b1-0b89d91fd07d"


@for_each(
    ("message", "info", "expected"),
    [
        ("no such model", "modelNotFound", advice.NO_MODEL),
        ("no", "cyberPolicy", advice.POLICY),
        ("no", "bioPolicy", advice.POLICY),
        ("no", "inferenceHookDenied", advice.POLICY),
        ("no", "policyCapacityUnavailable", None),
        ("no", {"httpConnectionFailed": {}}, None),
        ("failed to initialize sqlite state runtime under /c", None, advice.DATABASE),
        ("(code: 14) unable to open database file", None, advice.DATABASE),
        ("(code: 8) attempt to write a readonly database", None, advice.DATABASE),
        ("(code: 5) database is locked", None, None),
        ("rollout at /c/r.jsonl does not start with session metadata", None, advice.SESSION_FILE),
        ("failed to read session metadata /c/r.jsonl: stream did not contain valid UTF-8", None, advice.SESSION_FILE),
        ("codex cannot be started: Too many open files", None, advice.NO_ROOM),
        ("Error: Resource temporarily unavailable (os error 11)", None, advice.NO_ROOM),
        ("anything else", None, None),
    ],
)
def test_words_are_chosen_by_what_codex_said(message: str, info: object, expected: str | None) -> None:
    assert advice.words_for(message, info) == expected


def hint(kind: ErrorKind, message: str, **facts: object) -> str:
    flags = {"--thread": [THREAD], "--model": ["gpt-99"]}
    request = TurnRequest("t1", cwd="/p", model="gpt-99", prompt_path="/h/prompt.txt", thread_id=THREAD, flags=flags)
    error = decide(TurnRecord(), Cause.FAILED, request, error=make_error(kind, message, **facts)).error
    assert error is not None
    return error.hint


def test_an_archived_thread_is_to_be_unarchived_first() -> None:
    said = f"Codex refused thread/resume: session {THREAD} is archived. Run `codex unarchive {THREAD}` to …"
    words = hint(ErrorKind.THREAD_MISSING, said)
    assert f"`codex unarchive {THREAD}`, then: `codex-server continue --thread {THREAD} " in words


def test_a_damaged_session_file_leads_to_a_new_thread() -> None:
    words = hint(ErrorKind.BAD_INPUT, "Codex refused thread/resume: rollout at /c/r.jsonl is empty")
    assert "In a new thread: `codex-server new --cwd /p --model gpt-99 --file /h/prompt.txt`" in words


def test_a_model_that_there_is_not_is_no_part_of_the_next_command() -> None:
    words = hint(ErrorKind.BAD_REQUEST, "no", codex_error="modelNotFound")
    start = "Those that there are: `codex-server models`; with the usual one: `codex-server continue --thread "
    assert words.startswith(start)
    assert "gpt-99" not in words
