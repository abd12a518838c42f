"""An answer of JSON, less the code fence around it."""

from __future__ import annotations

import pytest

from codex_server_cli.core.openai.answer.code_fence import CodeFence


def passed(*pieces: str) -> str:
    """All that is shown."""
    fence = CodeFence()
    return "".join([*(fence.feed(piece) for piece in pieces), fence.flush()])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ('```json\n{"a": 1}\n```', '{"a": 1}'),
        ('\n ```JSON \r\n{"a": 1}\n```\n\n', '{"a": 1}'),
        ('```\n{"a": 1}```', '{"a": 1}'),
        ('```json\n{"a": "``` `` ````"}\n```', '{"a": "``` `` ````"}'),
        ('```json\n{"a": 1}', '{"a": 1}'),  # the answer was cut
        ('```json\n{"a": 1}\n``', '{"a": 1}\n``'),
        ("```json\n{}\n````", "{}\n````"),  # no fence
        ("```json\n{}\n`` ", "{}\n`` "),
        ("```json\n{}\n```\nThat is all.", "{}\n```\nThat is all."),  # not JSON, so it is left as it is
        ("Here it is:\n```json\n{}\n```", "Here it is:\n```json\n{}\n```"),
        ("```json {}```", "```json {}```"),
        ("``", "``"),
        ("  ", "  "),
        ("", ""),
    ],
)
def test_a_fence_around_the_whole_is_taken_off_however_it_comes(text: str, shown: str) -> None:
    assert passed(text) == shown
    assert passed(*text) == shown
    for cut in range(len(text)):
        assert passed(text[:cut], text[cut:]) == shown


def test_what_is_no_end_is_shown_at_once() -> None:
    fence = CodeFence()
    assert fence.feed('```json\n{"a": ') == '{"a":'
    assert fence.feed("1, ") == " 1,"
