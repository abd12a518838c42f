"""How the state of a turn looks, and what it is called."""

from __future__ import annotations

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.style.ink import PLAIN, Ink, Style
from codex_server_cli.render.turns.states import look, state_words
from codex_server_cli.render.turns.titles import title
from tests.kit.cases import for_each


def view(phase: Phase | None = None, state: State = State.RUNNING, kind: str | None = None) -> TurnView:
    return TurnView("20261120-165501-482-7f3a", "/", state, phase, error=None if kind is None else {"kind": kind})


@for_each(
    "seen, shown",
    [
        (view(Phase.RUNNING_COMMAND), "● running command"),
        (view(Phase.WAITING_APPROVAL), "! waits for approval"),
        (view(Phase.WAITING_INPUT), "! waits for an answer"),
        (view(Phase.QUEUED), "· queued"),
        (view(state=State.COMPLETE), "✓ complete"),
        (view(state=State.FAILED, kind="rate_limit"), "✗ failed (rate_limit)"),
        (view(state=State.CANCELLED, kind="cancelled"), "– cancelled"),
    ],
)
def test_a_state_has_a_glyph_and_words(seen: TurnView, shown: str) -> None:
    assert f"{look(seen)[0]} {state_words(seen)}" == shown


def test_a_style_is_reset_after_its_text_and_nothing_is_added_where_there_are_no_colours() -> None:
    coloured = Ink(is_coloured=True)
    assert coloured("done", Style.GREEN) == "\x1b[32mdone\x1b[0m"
    assert coloured("", Style.GREEN) == ""
    assert coloured("as it is", Style.PLAIN) == "as it is"
    assert PLAIN("done", Style.GREEN) == "done"


def test_the_title_of_a_turn_is_its_name_or_the_beginning_of_its_prompt() -> None:
    unnamed = view()
    assert title(unnamed, "Mend the\n\x1b[31mparser", 20) == "Mend the ␛[31mparser"
    assert title(unnamed, "Mend the parser of dates", 10) == "Mend the …"
    assert title(unnamed._replace(meta={"name": "fix"}), "Mend", 20) == "fix"
    assert title(unnamed, "", 20) == "(no prompt)"
    assert title(unnamed._replace(meta={"request": {"review": {"type": "uncommittedChanges"}}}), "", 20) == "review"
