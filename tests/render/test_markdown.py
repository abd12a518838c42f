"""Streaming Markdown is cut where a block ends, nowhere else, however its text was split."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.render.markdown import MarkdownBlocks
from tests.kit.cases import for_each

LINES = (
    "",
    "word",
    "  indented",
    "- item",
    "  - inner",
    "12. item",
    "# Title",
    "```python",
    "```",
    "~~~",
    "> said",
    "\t",
)


def cut(*pieces: str) -> list[str]:
    blocks = MarkdownBlocks()
    return [block for piece in pieces for block in blocks.feed(piece)] + blocks.end()


def words(text: str) -> list[str]:
    """All but fences: one without code is not shown."""
    return [word for word in text.split() if word[:3] not in ("```", "~~~")]


@for_each(
    ("text", "blocks"),
    [
        ("one\ntwo\n\nthree", ["one\ntwo", "three"]),
        ("\n\n\none\n\n\n\ntwo\n\n", ["one", "two"]),
        ("# Title\nwords\n## Next\n", ["# Title", "words", "## Next"]),
        ("words\n# Title\n", ["words", "# Title"]),
        ("```py\na\n\nb\n```\nwords", ["```py\na\n\nb\n```", "words"]),
        ("words\n```\ncode\n```", ["words", "```\ncode\n```"]),
        ("~~~~\n~~~\n~~~~\n", ["~~~~\n~~~\n~~~~"]),
        ("```\nnever closed\n\nat all", ["```\nnever closed\n\nat all"]),
        ("- a\n\n- b\n  more\n\nwords", ["- a\n\n- b\n  more", "words"]),
        ("1. a\n\n   inside\n2. b\n\n3) c", ["1. a\n\n   inside\n2. b\n\n3) c"]),
        ("- a\n  ```\n  code\n\n  ```\n- b\n\nend", ["- a\n  ```\n  code\n\n  ```\n- b", "end"]),
        ("- a\n# Title\n", ["- a", "# Title"]),
        ("- a\n```\ncode\n```\n", ["- a", "```\ncode\n```"]),
        ("- a\nlazy\n\nwords", ["- a\nlazy", "words"]),
        ("a line\r\nits next\r\n\r\nend", ["a line\nits next", "end"]),
        ("#no heading, no\n-list", ["#no heading, no\n-list"]),
        ("", []),
        (" \n\n", []),
    ],
)
def test_a_block_ends_where_markdown_ends_it(text: str, blocks: list[str]) -> None:
    assert cut(text) == blocks
    assert cut(*text) == blocks


def test_what_is_still_open_can_be_shown_and_then_is_finished_once() -> None:
    blocks = MarkdownBlocks()
    assert blocks.feed("first\n\nsecond ") == ["first"]
    assert blocks.open_text == "second "
    assert blocks.feed("line\nthird") == []
    assert blocks.open_text == "second line\nthird"
    assert blocks.end() == ["second line\nthird"]
    assert (blocks.open_text, blocks.end()) == ("", [])


def test_a_fence_that_is_cut_goes_on_as_a_fence() -> None:
    blocks = MarkdownBlocks()
    blocks.feed("```py\na = 1\n")
    assert blocks.flush() == ["```py\na = 1"]
    assert blocks.flush() == [], "an empty fence is nothing"
    assert blocks.feed("b = 2\n```\nwords\n\n") == ["```py\nb = 2\n```", "words"]
    blocks.feed("```\nlast")
    assert blocks.end() == ["```\nlast"]
    assert blocks.feed("words\n\n") == ["words"], "the end of a message is the end of its fence"


@given(st.lists(st.sampled_from(LINES), max_size=12), st.data())
def test_no_text_is_lost_or_said_twice_however_it_is_split(lines: list[str], data: st.DataObject) -> None:
    text = "\n".join(lines)
    middle = data.draw(st.integers(0, len(text)))
    blocks = cut(text)
    assert cut(text[:middle], text[middle:]) == blocks
    assert words(" ".join(blocks)) == words(text)
