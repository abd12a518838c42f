"""Where in a line the cursor is, and what the table lets come there."""

from __future__ import annotations

import pytest

from codex_server_cli.cli.completion.line import Candidate, context_at, fitting
from codex_server_cli.cli.parameters import Offer
from codex_server_cli.cli.table import GROUPS, VERBS


def words(line: str) -> list[str]:
    """What can come at the end of a line, of what is fixed."""
    *before, typed = line.split(" ")
    return [each.word for each in fitting(context_at(before, typed))]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("rev", ["review"]),
        ("serv", ["serve", "server"]),
        ("--v", ["--version"]),
        ("help re", ["recover", "review", "reply", "remote"]),
        ("server st", ["start", "stop", "status"]),
        ("help server to", ["token"]),
        ("nonsense ", []),
        ("server nonsense ", []),
        ("new --appr", ["--approval", "--approval-timeout"]),
        ("new --approval ", ["never", "ask", "auto"]),
        ("new --approval=a", ["--approval=ask", "--approval=auto"]),
        ("new -s w", ["workspace-write"]),
        ("new --no-such=", []),
        ("new --no-such --plan hi -- --wr", []),
        ("new hi - --plan --pl", []),
        ("new hi - -i a --im", ["--image"]),
        ("new hi - more --deadline 5m --once", ["--once", "--once-for"]),
        ("wait a --until att", ["attention"]),
        ("wait a --print ", ["out", "answer", "json", "none"]),
        ("usage --by m", ["model"]),
        ("list-turns --state c", ["complete", "cancelled"]),
        ("server start --ws-auth ", ["capability-token", "signed-bearer-token"]),
        ("serve --instructions c", ["client", "codex"]),
        ("account ", ["--refresh", "--json", "--full", "--help"]),
        ("new hi - -- x", []),
    ],
)
def test_what_is_fixed_is_offered_where_it_can_come(line: str, expected: list[str]) -> None:
    assert sorted(words(line)) == sorted(expected)


def test_the_first_word_is_a_verb_a_group_or_help() -> None:
    assert {*words("")} == {*GROUPS, *(name for name in VERBS if " " not in name), "help"}


def test_verbs_and_flags_are_explained() -> None:
    assert all(each.what for line in ([], ["new"], ["server"]) for each in context_at(line, "").words)


@pytest.mark.parametrize(
    ("line", "offer"),
    [
        ("tail ", Offer.TURNS),
        ("tail a ", Offer.TURNS),
        ("show ", Offer.TURNS),
        ("continue --turn ", Offer.TURNS),
        ("cancel ", Offer.RUNNING),
        ("steer ", Offer.RUNNING),
        ("recover ", Offer.ENDED),
        ("apply ", Offer.WORKTREES),
        ("pending ", Offer.WAITING),
        ("approve ", Offer.WAITING),
        ("decline ", Offer.WAITING),
        ("reply ", Offer.WAITING),
        ("approve a ", Offer.REQUESTS),
        ("continue --thread ", Offer.THREADS),
        ("list-turns --thread ", Offer.THREADS),
        ("new --model ", Offer.MODELS),
        ("new --model=", Offer.MODELS),
        ("chat -m ", Offer.MODELS),
        ("review --effort ", Offer.EFFORTS),
        ("new -p ", Offer.PROFILES),
        ("rpc model/list --server ", Offer.SERVERS),
        ("remote pair --server ", Offer.SHARED),
        ("new --cwd ", Offer.DIRECTORIES),
        ("new --add-dir ", Offer.DIRECTORIES),
        ("serve -C ", Offer.DIRECTORIES),
        ("list --cwd ", Offer.DIRECTORIES),
        ("new --file ", Offer.FILES),
        ("new --schema ", Offer.FILES),
        ("new --image ", Offer.FILES),
        ("steer a -F ", Offer.FILES),
        ("serve --token-file ", Offer.FILES),
        ("server token ", Offer.FILES),
        ("server start --ws-shared-secret-file ", Offer.FILES),
        ("new --server-token-file ", Offer.FILES),
        ("new ", None),
        ("new --deadline ", None),
    ],
)
def test_what_must_be_looked_up_is_named(line: str, offer: Offer | None) -> None:
    *before, typed = line.split(" ")
    assert context_at(before, typed).offers is offer


def test_what_the_line_says_already_is_known() -> None:
    assert context_at(["new", "--model=m", "hi", "--effort"], "h").others == {
        "model": "m",
        "prompt": "hi",
        "effort": "",
    }
    assert context_at(["approve", "fix"], "").others == {"turn": "fix"}


def test_a_word_that_would_break_a_line_is_not_offered() -> None:
    here = context_at(["new", "--profile"], "")
    assert fitting(here, [Candidate("a\nb")]) == []
