"""The anchor of a prompt cache: one id for a key, in the form of Codex's own, and a session of one line."""

from __future__ import annotations

import json
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.openai.thread_terms import anchor_id, anchor_line

SEED = b"a secret"


@given(st.text(), st.integers(min_value=0, max_value=1 << 60))
def test_an_id_is_a_uuid_that_begins_with_its_time(key: str, unix_ms: int) -> None:
    found = UUID(anchor_id(key, seed=SEED, unix_ms=unix_ms))
    assert (found.version, found.variant) == (7, "specified in RFC 4122")
    assert found.int >> 80 == unix_ms % (1 << 48)


def test_an_id_is_that_of_its_key_and_of_its_gateway() -> None:
    ids = [anchor_id(key, seed=seed, unix_ms=1) for key in ("a", "b") for seed in (SEED, SEED, b"another")]
    assert ids[0] == ids[1]
    assert ids[3] == ids[4]
    assert len(set(ids)) == 4


def test_its_line_is_the_head_of_a_session_and_nothing_else() -> None:
    anchor = anchor_id("a", seed=SEED, unix_ms=1_796_024_000_123)
    (line,) = anchor_line(anchor, cwd="/empty", version="1.2", unix_ms=1_796_024_000_123).splitlines()
    head = json.loads(line)
    assert (head["type"], head["timestamp"]) == ("session_meta", "2026-11-30T07:33:20.123Z")
    assert head["payload"]["id"] == head["payload"]["session_id"] == anchor
    assert (head["payload"]["cwd"], head["payload"]["history_mode"]) == ("/empty", "legacy")
    assert not {"dynamic_tools", "base_instructions", "model_provider"} & head["payload"].keys()
