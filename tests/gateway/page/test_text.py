"""What the page makes of text: markdown, diffs, commands, words, the plot, a turn's items. Pure modules, in node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.core.model.turn import Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.record.attach.attachment import REATTACH
from codex_server_cli.core.record.item_text import item_block, unwrapped
from codex_server_cli.render.approvals import question_text
from codex_server_cli.render.escape import neutralise
from codex_server_cli.render.style.when import age
from codex_server_cli.render.turns.states import state_words
from tests.kit.page_text import each, run
from tests.kit.support import Json

NASTY = "a\x00\x1b[31m\r\n\t\x7f\x9b\u202e\u2066\u200b\u200d\ufeff\u2028\U000e0041 é 漢 🏴"


def test_hostile_text_is_shown_as_on_a_terminal(modules: Path) -> None:
    assert each(modules, "safe", "safe", [NASTY]) == [neutralise(NASTY)]
    assert run(
        modules, "safe", "return [m.safe(null), m.safe(7), m.oneLine(' a\\n b ', 9), m.oneLine('abcdef', 4)]"
    ) == [
        "",
        "7",
        "a b",
        "abc…",
    ]


def test_ages_are_those_of_a_terminal(modules: Path) -> None:
    thens = [0, 4_000, 42_000, 180_000, 7_200_000, 432_000_000, 10**11]
    assert run(modules, "words", "return input.map((then) => m.age(0, then))", thens) == [
        age(0, then) for then in thens
    ]


def test_words_of_a_turn(modules: Path) -> None:
    turns: list[Json] = [
        {"turn_id": "t", "state": "running", "phase": "running_command", "name": "n", "prompt": "p"},
        {"turn_id": "t", "state": "running", "phase": "waiting_input", "prompt": " a\nb "},
        {"turn_id": "t", "state": "failed", "error": {"kind": "rate_limit"}},
        {"turn_id": "t", "state": "cancelled", "error": {"kind": "cancelled"}},
    ]
    views = [
        TurnView(
            "t", "", State(each["state"]), Phase(each["phase"]) if "phase" in each else None, error=each.get("error")
        )
        for each in turns
    ]
    assert run(modules, "words", "return input.map((each) => m.stateWords(each))", turns) == [
        state_words(view) for view in views
    ]
    assert each(modules, "words", "titleOf", turns) == ["n", "a b", "(no prompt)", "(no prompt)"]
    assert [look["glyph"] for look in each(modules, "words", "lookOf", turns)] == ["●", "!", "✗", "–"]
    assert each(modules, "words", "tokens", [None, 940, 12_345, 123_456, 4_100_000]) == [
        "",
        "940",
        "12.3k",
        "123k",
        "4.1M",
    ]
    assert each(modules, "words", "duration", [0.94, 12, 185, 7_440]) == ["0.9 s", "12 s", "3 min 5 s", "2 h 4 min"]
    assert each(modules, "words", "windowWords", [None, 300, 10_080, 90]) == ["", "5 hours", "7 days", "90 minutes"]


def test_a_command_is_shown_as_on_a_terminal_and_that_of_a_program_elsewhere_whole(modules: Path) -> None:
    commands = [
        "/bin/bash -lc 'ls -la'",
        "/usr/local/bin/zsh -c ls",
        "dash -c 'a b'",
        "/tmp/evil/bash -lc ls",
        "./sh -c ls",
        "ksh -c ls",
        "bash -lc 'echo '\"'\"'x'\"'\"''",
        "bash -lc ls -x",
        "bash -lc 'ls",
        "bash\xa0-lc x y",
        "bash -lc\xa0x y",
        "bash -lc a\xa0b",
        "",
    ]
    assert each(modules, "command", "unwrapped", commands) == [unwrapped(command) for command in commands]


def test_a_command_is_shown_whole_where_there_is_a_doubt(modules: Path) -> None:
    shown = {
        "/bin/bash -lc 'ls -la'": "ls -la",
        "/bin/bash -lc ls": "ls",
        "bash -lc 'echo '\"'\"'x'\"'\"''": "echo 'x'",
        'zsh -c "echo a"': "echo a",
        'bash -lc "echo $HOME"': 'bash -lc "echo $HOME"',
        "bash -lc 'ls' -x": "bash -lc 'ls' -x",
        "bash -lc 'ls": "bash -lc 'ls",
        "env bash -lc ls": "env bash -lc ls",
        "": "",
    }
    assert each(modules, "command", "unwrapped", list(shown)) == list(shown.values())
    assert each(modules, "command", "unwrapped", [["bash", "-lc", "a b"], ["ls", "-l"], None]) == ["a b", "ls -l", ""]


def test_markdown_in_blocks(modules: Path) -> None:
    text = """# Head **b** #
para one
goes on

1. one
2. two
   - inner
   - [x] done

     more of it
3) other

| a | b |
|---|--:|
| 1 | x \\| y |
| 2 |

> quote
lazy

---
~~~py
code `x`
"""
    blocks = run(modules, "markdown", "return m.parseMarkdown(input)", text)
    assert [block["kind"] for block in blocks] == ["heading", "paragraph", "list", "table", "quote", "rule", "code"]
    assert blocks[0] == {"kind": "heading", "level": 1, "text": "Head **b**"}
    assert blocks[1]["text"] == "para one\ngoes on"
    assert [len(item["blocks"]) for item in blocks[2]["items"]] == [1, 2, 1]
    inner = blocks[2]["items"][1]["blocks"][1]
    assert [item["checked"] for item in inner["items"]] == [None, True]
    assert blocks[3]["rows"] == [["1", "x | y"], ["2", ""]]
    assert blocks[3]["align"] == ["left", "right"]
    assert blocks[6] == {"kind": "code", "language": "py", "text": "code `x`\n"}


def test_markdown_within_a_line(modules: Path) -> None:
    def flat(parts: list[Json]) -> str:
        marks = {"strong": "S", "em": "E", "del": "D", "link": "L"}
        return "".join(
            part["text"]
            if part["kind"] == "text"
            else f"`{part['text']}`"
            if part["kind"] == "code"
            else "/"
            if part["kind"] == "break"
            else f"{marks[part['kind']]}({flat(part['children'])})"
            for part in parts
        )

    shown = {
        "a **b _c_** ~~d~~ *e*": "a S(b E(c)) D(d) E(e)",
        "snake_case_name and 2 * 3 * 4": "snake_case_name and 2 * 3 * 4",
        "`a*b*` and ``x`y``": "`a*b*` and `x`y`",
        "**open": "**open",
        r"\*not\* <img src=x onerror=alert(1)>": "*not* <img src=x onerror=alert(1)>",
        "a  \nb": "a  /b",
        "![alt](x.png)": "L(alt)",
        "(see https://a.example/b_c).": "(see L(https://a.example/b_c)).",
    }
    assert [flat(parts) for parts in each(modules, "inline", "parseInline", list(shown))] == list(shown.values())


def test_only_addresses_of_the_web_lead_anywhere(modules: Path) -> None:
    texts = [
        "[x](https://a.example/p)",
        "[x](javascript:alert(1))",
        "[x](JaVaScRiPt:alert(1))",
        "[x](data:text/html,x)",
        "[x](//evil.example)",
        "[x](app.py)",
        "[x](file:///etc/passwd)",
        "<https://a.example>",
    ]
    found = [parts[0].get("href") for parts in each(modules, "inline", "parseInline", texts)]
    assert found == ["https://a.example/p", *[None] * 6, "https://a.example/"]


@pytest.mark.full
def test_text_that_is_made_to_be_slow_is_not(modules: Path) -> None:
    pieces = [
        *("*", "*a ", "**a ", "~~a ", "_a_b ", "a_", "[", "[a](", "`", "`a``b", "![", "http://a", "\\"),
        *("> ", "> > a\n", "- ", "- a\n", "* ", "1. ", "|", "a\n", "# ", " #"),
    ]
    cases = [["", each, ""] for each in pieces]
    cases += [["```", " ", "`"], ["# ", " ", "x"], ["a|b\n", "|-", "x"], ["a|b\n", " ", "x"], ["*", " ", "x"]]
    body = """
        const { parseInline } = await import(input.inline);
        const took = (text) => {
          const began = process.cpuUsage().user; // not by the clock: other processes take their time, too
          m.parseMarkdown(text);
          parseInline(text);
          return (process.cpuUsage().user - began) / 1000;
        };
        const ofLength = ([head, piece, tail], length) => head + piece.repeat(length / piece.length) + tail;
        // What grows with the square takes a hundred times as long for ten times the text.
        const isSlow = (each) => took(ofLength(each, 100_000)) > 30 * Math.max(20, took(ofLength(each, 10_000)));
        return input.cases.filter(isSlow);"""
    assert run(modules, "markdown", body, {"cases": cases, "inline": (modules / "inline.js").as_uri()}) == []


def test_a_diff_line_by_line(modules: Path) -> None:
    diff = """diff --git a/x b/x
index 1..2 100644
--- a/x
+++ b/x
@@ -1,3 +1,2 @@ def f():
 same
--- removed, though it looks like a head
-gone
+new
\\ No newline at end of file
diff --git a/y b/y
new file mode 100644
"""
    lines = run(modules, "diff", "return m.diffLines(input)", diff)
    assert [line["kind"] for line in lines] == [
        *("file", "meta", "meta", "meta", "hunk", "same", "remove", "remove", "add", "meta", "file", "meta")
    ]
    assert run(modules, "diff", "return m.countsOf(m.diffLines(input))", diff) == {"added": 1, "removed": 2}
    made = {"path": "n", "kind": {"type": "add"}, "diff": "a\nb\n"}
    assert each(modules, "diff", "changeLines", [made]) == [
        [{"kind": "add", "text": "+a"}, {"kind": "add", "text": "+b"}]
    ]


def test_the_plot_has_every_day_also_those_without_a_turn(modules: Path) -> None:
    groups = [{"day": "2026-11-28", "turns": 2, "total_tokens": 900}, {"day": None, "turns": 1}]
    days = run(modules, "plot", "return m.daysOf(input, '2026-11-30', 3)", groups)
    assert [(day["day"], day["total"]) for day in days] == [("2026-11-28", 900), ("2026-11-29", 0), ("2026-11-30", 0)]
    plot = run(modules, "plot", "return m.plotOf(input, 300, 100)", days)
    assert [bar["height"] for bar in plot["bars"]] == [90, 0, 0]
    assert [tick["value"] for tick in plot["ticks"]] == [0, 500, 1000]
    assert run(modules, "plot", "return m.plotOf([], 300, 100).bars", None) == []


def test_items_are_what_is_complete_also_after_a_reconnect_and_a_retry(modules: Path) -> None:
    def event(seq: int, method: str | None, params: Json, **more: Any) -> Json:
        return {"seq": seq, "dir": "in", **({"method": method} if method else {}), "params": params, **more}

    said = {"id": "m", "type": "agentMessage", "text": ""}
    events = [
        event(0, "turn/start", {"threadId": "t", "input": []}, dir="out", id=1),
        event(
            1,
            "item/started",
            {"threadId": "t", "item": {"id": "u", "type": "userMessage", "content": [{"type": "text", "text": "hi"}]}},
        ),
        event(2, "item/started", {"threadId": "t", "item": said}),
        event(3, "item/agentMessage/delta", {"threadId": "t", "itemId": "m", "delta": "on"}),
        event(3, "item/agentMessage/delta", {"threadId": "t", "itemId": "m", "delta": "on"}),
        event(4, "item/agentMessage/delta", {"threadId": "other", "itemId": "m", "delta": "!"}),
        event(5, "item/started", {"threadId": "t", "item": said}),
        event(6, "item/agentMessage/delta", {"threadId": "t", "itemId": "m", "delta": "one"}),
        event(7, "thread/tokenUsage/updated", {"threadId": "t", "tokenUsage": {"last": {"totalTokens": 5}}}),
        event(8, "item/fileChange/requestApproval", {"threadId": "t"}, id=0),
    ]
    body = """const items = new m.Items(); for (const each of input) items.apply(each);
    return {items: [...items.items.values()].map((item) => [item.kind, item.text, item.isDone]),
            seq: items.seq, tokens: items.tokens, hasAsked: items.hasAsked};"""
    found = run(modules, "items", body, events)
    assert found == {
        "items": [["userMessage", "hi", False], ["agentMessage", "one", False]],
        "seq": 8,
        "tokens": 5,
        "hasAsked": True,
    }
    steered = {"id": "v", "type": "userMessage", "content": [{"type": "text", "text": "more"}]}
    done = event(9, "item/completed", {"threadId": "t", "item": {**said, "text": "one, two"}})
    late = event(10, "item/agentMessage/delta", {"threadId": "t", "itemId": "m", "delta": "x"})
    found = run(modules, "items", body, [*events, done, late, event(11, "item/completed", {"item": steered})])
    assert found["items"][1:] == [["agentMessage", "one, two", True], ["steer", "more", True]]
    restarted = event(12, "initialize", {}, dir="out", id=9)
    assert run(modules, "items", body, [*events, restarted])["items"] == []
    reattached = {**restarted, "why": REATTACH}
    assert run(modules, "items", body, [*events, reattached])["items"] == run(modules, "items", body, events)["items"]


def test_the_outcome_of_an_undecided_request_is_shown(modules: Path) -> None:
    ask = {"dir": "in", "method": "item/fileChange/requestApproval", "params": {}}
    gone = {"dir": "in", "method": "serverRequest/resolved", "params": {"requestId": 1}}
    events = [
        {"seq": 0, "id": 0, **ask},
        {"seq": 1, "id": 0, "dir": "out", "why": "timeout", "result": {"decision": "decline"}},
        {"seq": 2, **gone, "params": {"requestId": 0}},
        {"seq": 3, "id": 1, **ask},
        {"seq": 4, **gone},
        {"seq": 5, "id": 2, **ask},
        {"seq": 6, "id": 2, "dir": "out", "result": {"decision": "accept"}},
        {"seq": 7, **gone, "params": {"requestId": 2}},
    ]
    body = """const items = new m.Items(); for (const each of input) items.apply(each);
    return [...items.items.values()].map((item) => [item.kind, item.text]);"""
    assert run(modules, "items", body, events) == [
        ["warning", "The request timed out and was declined."],
        ["warning", "Codex took its request back: nothing was decided."],
    ]


def test_what_a_change_does_is_told_as_on_a_terminal(modules: Path) -> None:
    hunk = "@@ -1,2 +1,3 @@\n a\n-b\n+c\n+d\n"
    changes: list[Json] = [
        {"path": "x", "kind": {"type": "update", "move_path": None}, "diff": hunk},
        {"path": "x", "kind": {"type": "update", "move_path": "/tmp/.envrc"}, "diff": hunk},
        {"path": "x", "kind": {"type": "update", "move_path": "bin/x"}},
        {"path": "x", "kind": {"type": "add"}, "diff": "a\nb\n"},
        {"path": "x", "kind": {"type": "add"}, "diff": "a"},
        {"path": "x", "kind": {"type": "add"}, "diff": ""},
        {"path": "x", "kind": {"type": "delete"}, "diff": "a\n"},
        {"path": "x", "kind": "delete", "diff": ""},
    ]
    body = "return input.map((each) => m.changeWords(each).map(({ text }) => text).join(' '))"
    told = [item_block({"type": "fileChange", "status": "completed", "changes": [each]}) for each in changes]
    assert [f"± x {words}\n" for words in run(modules, "diff", body, changes)] == told
    moved = run(modules, "diff", "return m.changeWords(input, (path) => `<${path}>`).at(-1)", changes[1])
    assert moved == {"look": "moved", "text": "→ </tmp/.envrc>"}


def test_a_question_and_what_it_requires_are_told_as_on_a_terminal(modules: Path) -> None:
    questions: list[Json] = [
        {"id": "a", "header": "Count", "question": "How many?", "schema": {"type": "integer", "minimum": 1}},
        {"id": "a", "header": "a", "question": "a", "schema": {"type": "string", "maxLength": 4, "default": "é"}},
        {"id": "a", "question": "Where?", "type": "array", "schema": {"type": "array"}, "isRequired": False},
        {"id": "a", "header": "A", "question": "B?"},
    ]
    body = "return input.map((each) => [m.askedOf(each), m.limitsOf(each)])"
    told = [
        f"{asked}\n  ({limits})" if limits else asked for asked, limits in run(modules, "questions", body, questions)
    ]
    assert told == [question_text(each) for each in questions]


def test_what_answers_a_question(modules: Path) -> None:
    options = [{"label": "Red"}, {"label": "Blue"}]
    one, several = {"id": "q", "options": options}, {"id": "q", "options": options, "type": "array"}
    cases = [
        ([one, "", ["Red"]], "Red"),
        ([one, " own, words ", ["Red"]], "own, words"),
        ([one, " ", []], None),
        ([several, "", ["Red", "Blue"]], ["Red", "Blue"]),
        ([several, "a, b,", []], ["a", "b"]),
        ([several, "", []], None),
    ]
    assert run(
        modules, "questions", "return input.map((each) => m.answerOf(...each))", [each for each, _ in cases]
    ) == [answer for _, answer in cases]
    free = [{}, {"options": []}, {"options": options}, {"options": options, "isOther": True}]
    assert each(modules, "questions", "isFree", free) == [True, True, False, True]
    assert each(modules, "questions", "isRequired", [{}, {"isRequired": False}]) == [True, False]
