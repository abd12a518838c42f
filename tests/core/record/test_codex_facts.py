"""What an app-server reports of itself and of its user's configuration."""

from __future__ import annotations

from codex_server_cli.core.record.codex_facts import CodexFacts
from tests.kit.cases import for_each
from tests.kit.dialogue import Json


@for_each(
    ("config", "program", "farewell"),
    [
        ({"notify": ["a", "b"], "hooks": {"SessionEnd": [{"hooks": []}], "Stop": []}}, True, True),
        ({"notify": [], "hooks": {"SessionEnd": [], "Stop": [{}]}}, False, False),
        ({"notify": None, "hooks": None}, False, False),
        ({}, False, False),
        ("odd", False, False),
    ],
)
def test_what_the_user_has_configured_for_a_turns_end_is_known(config: Json, program: bool, farewell: bool) -> None:
    facts = CodexFacts()
    facts.learn("config/read", {"config": config})
    assert (facts.has_program, facts.has_farewell) == (program, farewell)


def test_where_codex_keeps_its_things_is_known() -> None:
    facts = CodexFacts()
    facts.learn("initialize", {"userAgent": "x"})
    assert not facts.home
    facts.learn("initialize", {"codexHome": "/home/u/.codex"})
    facts.learn("thread/start", {"codexHome": "/elsewhere", "config": {"notify": ["x"]}})
    assert (facts.home, facts.has_program) == ("/home/u/.codex", False)
