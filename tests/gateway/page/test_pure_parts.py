"""The parts of the page that need no page: markdown, diffs, the plot, safe text; called in the browser as tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.kit.browser import Chromium
from tests.kit.page_house import PageHouse

pytestmark = pytest.mark.full

Call = Callable[..., Any]
_SIZE = 100_000
_SLOWEST_MS = 1000


@pytest.fixture(scope="module")
def call(chromium: Chromium, house: PageHouse) -> Iterator[Call]:
    """Calls a function of a module: `call("markdown.parseMarkdown", "# a")`."""
    with chromium.tab() as tab:
        tab.page.goto(house.url)

        def called(name: str, *values: Any) -> Any:
            module, _, function = name.partition(".")
            script = "async ([path, name, values]) => (await import(path))[name](...values)"
            return tab.page.evaluate(script, [f"/page/text/{module}.js", function, list(values)])

        called.page = tab.page  # type: ignore[attr-defined]
        yield called


def test_text_is_safe_to_show_and_keeps_what_is_harmless(call: Call) -> None:
    table = {
        "a\tb\nc": "a\tb\nc",
        "a\r\nb\rc": "a\nb␍c",
        "\x1b[31m\x00\x7f\x9b": "␛[31m␀␡\\u009b",
        "\u202eabc\u202c \u2066x\u2069 \u200b": "\\u202eabc\\u202c \\u2066x\\u2069 \\u200b",
        "\U000e0041": "\\U000e0041",
        "日本語 👩‍💻 naïve é": "日本語 👩‍💻 naïve é",
    }
    assert {text: call("safe.safe", text) for text in table} == table
    assert call("safe.oneLine", "a\n b \t c", 10) == "a b c"
    assert call("safe.oneLine", "x" * 50, 10) == "x" * 9 + "…"


def test_markdown_is_read_as_models_write_it(call: Call) -> None:
    blocks = call("markdown.parseMarkdown", "# A #\n\nb\nc\n\n- [x] d\n- e\n  1. f\n\n> g\n\n---\n\n```py\nh\n")
    assert [block["kind"] for block in blocks] == ["heading", "paragraph", "list", "quote", "rule", "code"]
    assert (blocks[0]["level"], blocks[0]["text"], blocks[1]["text"]) == (1, "A", "b\nc")
    assert [item["checked"] for item in blocks[2]["items"]] == [True, None]
    assert blocks[2]["items"][1]["blocks"][1]["start"] == 1
    assert (blocks[5]["language"], blocks[5]["text"].strip()) == ("py", "h")  # it is not closed yet
    (table,) = call("markdown.parseMarkdown", "|a|b|c|\n|-|:-:|-:|\n|1|2\\|3|\n")
    assert table["align"] == ["left", "center", "right"]
    assert table["rows"] == [["1", "2|3", ""]]


def test_emphasis_code_and_links_are_found_within_a_line(call: Call) -> None:
    table: dict[str, list[str]] = {
        "a **b** *c* ~~d~~ `e`": ["text", "strong", "text", "em", "text", "del", "text", "code"],
        "snake_case_word, a_b_c`": ["text"],
        "2 * 3 * 4": ["text"],
        r"\*no\*": ["text"],
        "**open": ["text"],
        "see https://example.org/a.": ["text", "link", "text"],
        "[a](https://example.org) [b](javascript:x)": ["link", "text", "link"],
    }
    found = {text: [each["kind"] for each in call("inline.parseInline", text)] for text in table}
    assert found == table
    addresses = {
        "javascript:alert(1)": None,
        "JAVASCRIPT:alert(1)": None,
        "data:text/html,x": None,
        "//example.org": None,
        "https:///etc/passwd": None,
        "HTTPS://Example.org/x": "https://example.org/x",
    }
    assert {href: call("inline.webAddress", href) for href in addresses} == addresses


def test_no_text_keeps_the_page_busy(call: Call) -> None:
    texts = {
        "stars": "*a " * (_SIZE // 3),
        "double stars": "**a " * (_SIZE // 4),
        "tildes": "~~a " * (_SIZE // 4),
        "lines below": "_a_b " * (_SIZE // 5),
        "brackets": "[" * _SIZE,
        "links": "[a](" * (_SIZE // 4),
        "ticks": "`a``b" * (_SIZE // 5),
        "quotes": "> " * (_SIZE // 2),
        "heading": "# " + " " * _SIZE + "x",
        "fence": "```" + " " * _SIZE + "`",
        "table": "a|b\n" + "|-" * (_SIZE // 2) + "x",
        "rule": "* " * (_SIZE // 2) + "x",
        "items": "- " * (_SIZE // 2),
        "addresses": "http://a" * (_SIZE // 8),
    }
    script = """async texts => {
      const { parseMarkdown } = await import("/page/text/markdown.js");
      const { parseInline } = await import("/page/text/inline.js");
      const took = {};
      for (const [name, text] of Object.entries(texts)) {
        const began = performance.now();
        parseMarkdown(text);
        parseInline(text);
        took[name] = Math.round(performance.now() - began);
      }
      return took;
    }"""
    took = call.page.evaluate(script, texts)  # type: ignore[attr-defined]
    assert {name: ms for name, ms in took.items() if ms > _SLOWEST_MS} == {}


def test_each_line_of_a_diff_has_its_kind_also_one_that_looks_like_a_header(call: Call) -> None:
    head = "diff --git a/x b/x\nindex 1..2 100644\n--- a/x\n+++ b/x\n"
    diff = f"{head}@@ -1,2 +1,2 @@ f\n--- old\n+++ new\n same\n\\ No newline"
    kinds = [line["kind"] for line in call("diff.diffLines", diff)]
    assert kinds == ["file", "meta", "meta", "meta", "hunk", "remove", "add", "same", "meta"]
    assert call("diff.countsOf", call("diff.diffLines", diff)) == {"added": 1, "removed": 1}
    whole = call("diff.changeLines", {"kind": {"type": "add"}, "path": "x", "diff": "a\n-b\n"})
    assert [line["text"] for line in whole] == ["+a", "+-b"]


def test_the_plot_has_each_day_and_fits(call: Call) -> None:
    days = call("plot.daysOf", [{"day": "2026-11-29", "turns": 2, "total_tokens": 1500}], "2026-11-30", 3)
    assert [(day["day"], day["total"]) for day in days] == [("2026-11-28", 0), ("2026-11-29", 1500), ("2026-11-30", 0)]
    plot = call("plot.plotOf", days, 300, 100)
    assert [bar["height"] for bar in plot["bars"]] == [0, 75, 0]
    assert [tick["value"] for tick in plot["ticks"]] == [0, 1000, 2000]
    assert call("plot.plotOf", [], 300, 100)["bars"] == []
