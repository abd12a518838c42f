"""The exception tree: its drawing, its exit codes, its JSON."""

from __future__ import annotations

import re
from collections.abc import Iterator

from codex_server_cli import errors
from codex_server_cli.errors import CodexServerError, ErrorKind, Exit
from tests.kit.cases import for_each


def family(parent: type[CodexServerError]) -> Iterator[type[CodexServerError]]:
    """A class and all that derive from it."""
    yield parent
    for child in parent.__subclasses__():
        yield from family(child)


FAMILY = list(family(CodexServerError))


def test_the_drawing_in_the_docstring_is_the_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+) +(\d+)", errors.__doc__ or "")
    assert drawn == [(cls.__name__, str(int(cls.exit_code))) for cls in FAMILY if cls is not CodexServerError]


def test_exit_codes_are_the_contract() -> None:
    assert {name: int(code) for name, code in Exit.__members__.items()} == {
        "OK": 0,
        "FAILED": 1,
        "NOT_LOGGED_IN": 2,
        "ABANDONED": 3,
        "CANCELLED": 4,
        "ATTENTION": 5,
        "USAGE": 64,
        "BAD_INPUT": 65,
        "NOT_FOUND": 66,
        "CODEX_MISSING": 69,
        "CANNOT_WRITE": 73,
        "BUSY": 75,
        "TIMEOUT": 124,
        "INTERRUPTED": 130,
    }


def test_error_kinds_are_the_contract() -> None:
    words = """auth usage_limit rate_limit context_window network overloaded bad_request bad_schema bad_input sandbox
        thread_busy thread_missing codex_missing codex_crashed protocol disk stalled deadline cancelled worker_died
        internal"""
    assert {str(kind) for kind in ErrorKind} == set(words.split())


def test_only_what_may_pass_by_itself_is_retryable() -> None:
    lasting = """auth context_window bad_request bad_schema bad_input sandbox thread_missing codex_missing protocol
        deadline cancelled internal"""
    assert {str(kind) for kind in ErrorKind if not kind.is_retryable} == set(lasting.split())


@for_each("cls", FAMILY)
def test_every_error_has_the_same_json(cls: type[CodexServerError]) -> None:
    error = cls("what is wrong", hint="what to do")
    assert error.to_json() == {
        "version": 2,
        "error": {
            "kind": str(cls.kind),
            "message": "what is wrong",
            "hint": "what to do",
            "exit_code": int(cls.exit_code),
        },
    }
    assert str(error) == "what is wrong"


def test_a_finer_kind_may_be_given() -> None:
    error = errors.NotFoundError("no such thread", kind=ErrorKind.THREAD_MISSING)
    assert (error.kind, errors.NotFoundError.kind) == (ErrorKind.THREAD_MISSING, ErrorKind.BAD_INPUT)
