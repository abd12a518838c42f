"""One tree of failures: each class has an exit code, a kind and a message for the user."""

from __future__ import annotations

from codex_server_cli import errors
from codex_server_cli.errors import CodexServerError, ErrorKind, Exit
from tests.kit.cases import for_each

_TABLE = [
    (errors.UsageError, 64, "bad_input"),
    (errors.BadInputError, 65, "bad_input"),
    (errors.NotLoggedInError, 2, "auth"),
    (errors.NotFoundError, 66, "bad_input"),
    (errors.CodexMissingError, 69, "codex_missing"),
    (errors.ServerError, 69, "network"),
    (errors.RefusalError, 1, "bad_request"),
    (errors.LateError, 124, "stalled"),
    (errors.HomeError, 73, "disk"),
    (errors.BusyError, 75, "thread_busy"),
    (errors.InternalError, 1, "internal"),
]


def test_the_table_holds_the_whole_tree() -> None:
    assert set(CodexServerError.__subclasses__()) == {class_ for class_, _, _ in _TABLE}


@for_each(("class_", "exit_code", "kind"), _TABLE)
def test_each_failure_has_its_exit_code_and_kind(class_: type[CodexServerError], exit_code: int, kind: str) -> None:
    error = class_("what is wrong", hint="what to do")
    assert error.to_json() == {
        "version": 2,
        "error": {"kind": kind, "message": "what is wrong", "hint": "what to do", "exit_code": exit_code},
    }
    assert str(error) == "what is wrong"
    assert class_.__doc__


def test_a_refusal_is_told_with_the_error_that_came() -> None:
    refusal = errors.RefusalError("no", error={"code": -32600, "message": "no", "data": {"reason": "x"}})
    own = {"kind": "bad_request", "message": "no", "hint": "", "exit_code": 1}
    assert refusal.to_json() == {"version": 2, "error": {**own, "code": -32600, "data": {"reason": "x"}}}
    assert errors.RefusalError("no").to_json()["error"] == own


def test_a_finer_kind_overrides_that_of_the_class() -> None:
    error = errors.BadInputError("m", kind=ErrorKind.BAD_SCHEMA)
    assert (error.kind, error.hint, errors.BadInputError("m").kind) == (ErrorKind.BAD_SCHEMA, "", ErrorKind.BAD_INPUT)


def test_the_exit_codes_are_those_of_the_contract() -> None:
    assert [int(code) for code in Exit] == [0, 1, 2, 3, 4, 5, 64, 65, 66, 69, 73, 75, 124, 130]


def test_the_kinds_are_those_of_the_contract() -> None:
    words = (
        "auth usage_limit rate_limit context_window network overloaded bad_request bad_schema bad_input sandbox "
        "thread_busy thread_missing codex_missing codex_crashed protocol disk stalled deadline cancelled worker_died "
        "internal"
    )
    assert [str(kind) for kind in ErrorKind] == words.split()


def test_only_what_may_pass_by_itself_is_retryable() -> None:
    assert {str(kind) for kind in ErrorKind if kind.is_retryable} == {
        "usage_limit",
        "rate_limit",
        "network",
        "overloaded",
        "thread_busy",
        "codex_crashed",
        "stalled",
        "worker_died",
        "disk",
    }
