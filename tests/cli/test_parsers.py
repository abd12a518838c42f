"""The two parsers of the command line read every line alike, or the light one leaves it to typer."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from codex_server_cli.cli import app, light_parser, typer_parser
from codex_server_cli.cli.parameters import (
    CHAT_FLAGS,
    PROMPT,
    REVIEW_FLAGS,
    SERVER_FLAGS,
    START_FLAGS,
    STDIN,
    Printed,
    Until,
    defaults_of,
)
from codex_server_cli.cli.table import VERBS
from codex_server_cli.cli.tables.serve import SERVE_FLAGS
from codex_server_cli.cli.tables.server import LISTEN_FLAGS
from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.errors import UsageError
from tests.kit.cases import examples

WORDS = ("hi", "two words", "", "-", "--", "-x", "--no-such", "é", "a=b", "-5", "5", "0", "007", "+5", "5_0", " 5", "٥")
VALUES = (*WORDS, "read-only", "never", "ASK", "attention", "answer", "running", "last", "-f", "--wait", "--help")
PLAIN: dict[str, dict[str, Any]] = {
    "new hi": {"prompt": "hi"},
    "new - --write -m m": {"prompt": "-", "write": True, "model": "m"},
    "new -f --config a=b -c c=d --sandbox=read-only -- -hi": {
        **{"prompt": "-hi", "follow": True, "config": ["a=b", "c=d"], "sandbox": Sandbox.READ_ONLY},
    },
    "new hi - --approval ask --deadline=5m": {
        **{"prompt": "hi", "stdin": "-", "approval": Approval.ASK, "deadline": "5m"},
    },
    "continue --last hi --wait": {"last": True, "prompt": "hi", "wait": True},
    "continue --thread T --fork-if-busy hi -C /": {"thread": "T", "fork_if_busy": True, "prompt": "hi", "cwd": "/"},
    "wait a b --any --timeout 100": {"turns": ["a", "b"], "is_any": True, "timeout": "100"},
    "wait a --print answer --until attention": {"turns": ["a"], "printed": Printed.ANSWER, "until": Until.ATTENTION},
    "status": {},
    "status a": {"turns": ["a"]},
    "tail a -f -n 5": {"turns": ["a"], "follows": True, "lines": 5},
    "tail --all --json --after 17": {"is_all": True, "json": True, "after": 17},
    "answer last": {"turns": ["last"]},
    "list-turns --limit 3 --json": {"limit": 3, "json": True},
}
LEFT_TO_TYPER = (
    *("new --help", "new -h", "new hi -wf", "new hi -mM", "new hi -m=M", "new hi there now", "new --mod M", "new -5"),
    *("new hi --write=1", "new hi --model", "new hi --sandbox anything", "new hi --approval Ask", "wait", "wait a -C"),
    *(
        "tail a -n -1",
        "tail a -n 1.5",
        "tail a --after x",
        f"tail a -n {'9' * 5000}",
        "list-turns --limit 0",
        "answer",
        "recover a b",
        "decline",
    ),
)


@st.composite
def lines(draw: st.DrawFn) -> tuple[str, list[str]]:
    """A verb and its arguments: flags of its own and of others, values that suit them or not, in any order."""
    verb = draw(st.sampled_from(list(VERBS)))
    own = [(flag, each.type is bool) for each in VERBS[verb].parameters for flag in each.flags]
    words: list[str] = []
    for _ in range(draw(st.integers(0, 6))):
        kind = draw(st.sampled_from(("word", "flag", "flag", "flag", "foreign"))) if own else "word"
        if kind == "word":
            words.append(draw(st.sampled_from(WORDS)))
        elif kind == "foreign":
            words.append(draw(st.sampled_from(VALUES)))
        else:
            flag, is_switch = draw(st.sampled_from(own))
            value = draw(st.sampled_from(VALUES))
            shapes = [[flag]] if is_switch else [[flag, value], [f"{flag}={value}"], [flag + value]]
            words += draw(st.sampled_from(shapes))
    return verb, words


@given(lines())
@example(("continue", ["--turn", "-", "--", "--", "-x"]))
@example(("wait", ["--", "a", "--any"]))
@example(("tail", ["", "-n", "007"]))
@examples(400)
def test_where_the_light_parser_reads_a_line_typer_reads_the_same(line: tuple[str, list[str]]) -> None:
    verb, words = line
    read = light_parser.parse(VERBS[verb].parameters, words)
    if read is not None:
        by_typer = typer_parser.parse([*verb.split(), *words], verb)
        assert by_typer is not None
        assert (verb, read) == by_typer
        assert {name: type(value) for name, value in read.items()} == {
            name: type(value) for name, value in by_typer[1].items()
        }


@pytest.mark.parametrize("line", PLAIN)
def test_a_plain_line_needs_no_typer(line: str) -> None:
    verb, *words = line.split(" ")
    read = light_parser.parse(VERBS[verb].parameters, words)
    assert read is not None
    assert read == defaults_of(VERBS[verb].parameters) | PLAIN[line]
    assert typer_parser.parse([verb, *words], verb) == (verb, read)


def test_a_line_that_is_not_plain_is_left_to_typer() -> None:
    for line in LEFT_TO_TYPER:
        verb, *words = line.split(" ")
        assert light_parser.parse(VERBS[verb].parameters, words) is None, line
    assert app.parse(["new", "hi", "-wfmM"], "new") == app.parse(["new", "hi", "-w", "-f", "-m", "M"], "new")
    with pytest.raises(UsageError, match="No such option"):
        app.parse(["new", "--mod", "M"], "new")


@pytest.mark.parametrize("verb", VERBS)
def test_the_function_of_a_verb_takes_what_the_table_says(verb: str) -> None:
    signature = inspect.signature(VERBS[verb].load())
    declared = {each.name for each in VERBS[verb].parameters}
    taken = {name for name, each in signature.parameters.items() if each.kind is inspect.Parameter.KEYWORD_ONLY}
    passed_on = {
        "new": (PROMPT, STDIN, *START_FLAGS),
        "continue": (PROMPT, STDIN, *START_FLAGS),
        "review": REVIEW_FLAGS,
        **dict.fromkeys(("rpc", "proxy"), SERVER_FLAGS),
    }
    passed_on |= {"chat": CHAT_FLAGS, "server start": LISTEN_FLAGS[1:], "serve": SERVE_FLAGS}
    assert declared - taken == {each.name for each in passed_on.get(verb, ())}
    assert taken <= declared
    assert len(declared) == len(VERBS[verb].parameters)
    flags = [flag for each in VERBS[verb].parameters for flag in each.flags]
    assert len({*flags}) == len(flags)
