"""Facts and findings on a terminal."""

from __future__ import annotations

from codex_server_cli.render.style.facts import Fact, checks_block, facts_block
from codex_server_cli.render.style.ink import Ink, Style
from codex_server_cli.render.style.wrap import Display

FACTS = [
    Fact("server", "✓ ready, and it has been so for a very long time", Style.GREEN),
    Fact("name", None),
    Fact("connect", "codex-server new --server ws://127.0.0.1:4500 'your prompt'", is_command=True),
    Fact("odd", "a\x1b[2J\nb"),
]
CHECKS = [
    ("codex", True, "fine", ""),
    ("home", True, "on nfs4, which is not a file system of one machine", "one machine only"),
    ("login", False, "not logged in", "`codex login`\nor so"),
]


def test_a_fact_is_wrapped_under_its_label_and_a_command_can_be_copied() -> None:
    assert facts_block(FACTS, Display(40)).splitlines() == [
        "server   ✓ ready, and it has been so for",
        "         a very long time",
        "connect  codex-server new --server \\",
        "         ws://127.0.0.1:4500 \\",
        "         'your prompt'",
        "odd      a␛[2J b",
    ]
    coloured = facts_block(FACTS[:1], Display(80, Ink(is_coloured=True)))
    assert coloured == f"\x1b[2mserver\x1b[0m  \x1b[32m{FACTS[0].value}\x1b[0m\n"


def test_on_a_narrow_terminal_what_is_known_stands_below_its_label() -> None:
    assert facts_block(FACTS[:1], Display(30)).splitlines() == [
        "server",
        "    ✓ ready, and it has been",
        "    so for a very long time",
    ]
    assert facts_block([], Display(30)) == ""


def test_a_check_has_a_mark_and_what_to_do_about_it() -> None:
    assert checks_block(CHECKS, Display(50)).splitlines() == [
        "✓ codex  fine",
        "! home   on nfs4, which is not a file system of",
        "         one machine",
        "         one machine only",
        "✗ login  not logged in",
        "         `codex login`",
        "         or so",
    ]
    assert checks_block(CHECKS[2:], Display(20)).splitlines()[:2] == ["✗ login", "    not logged in"]
    coloured = checks_block(CHECKS, Display(80, Ink(is_coloured=True)))
    for piece in ("\x1b[32m✓ codex\x1b[0m  fine", "\x1b[1;33m! home\x1b[0m", "\x1b[31m✗ login\x1b[0m  \x1b[31mnot"):
        assert piece in coloured
