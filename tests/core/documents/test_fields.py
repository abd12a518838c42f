"""`--fields`: the keys of a document that were asked for."""

from __future__ import annotations

import pytest

from codex_server_cli.core.documents.fields import only, read_fields
from codex_server_cli.errors import UsageError
from tests.kit.cases import for_each

KNOWN = ("state", "phase", "answer")


def test_the_keys_come_in_the_order_in_which_they_were_asked_for() -> None:
    assert read_fields(" phase, state ,", KNOWN, is_full=False) == ("phase", "state")
    assert read_fields(None, KNOWN, is_full=True) is None


@for_each(
    ("text", "is_full", "message"),
    [
        ("state", True, "--fields and --full exclude each other"),
        ("stat,state,x", False, "--fields: there is no stat, x"),
        (" , ", False, "--fields is empty"),
    ],
)
def test_what_is_no_key_is_refused(text: str, is_full: bool, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        read_fields(text, KNOWN, is_full=is_full)
    assert refusal.value.message == message


def test_a_key_has_the_form_of_the_short_document_where_it_is_in_it() -> None:
    assert only(("a", "b", "c"), {"a": 1, "b": 2}, {"a": "short"}) == {"a": "short", "b": 2, "c": None}
