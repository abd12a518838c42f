"""What the page's list of turns holds, and how far back it looks for what passes the filter. A pure module, in node."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.kit.page_text import run
from tests.kit.support import Json

_PRELUDE = """
const make = (most) => new m.Listing(most);
const id = (number) => `t${String(number).padStart(4, "0")}`;
const turn = (number, more) => ({ turn_id: id(number), state: "complete", prompt: `work ${number}`, ...more });
const page = (from, to, hasMore, more) => {
  const turns = [];
  for (let number = from; number >= to; number -= 1) turns.push(turn(number, more));
  return { turns, ...(hasMore ? { before: turns.at(-1).turn_id } : {}) };
};
const ids = (turns) => turns.map((each) => Number(each.turn_id.slice(1)));
const range = (turns) => turns.length ? [ids(turns)[0], ids(turns).at(-1), turns.length] : [];
"""


def _run(modules: Path, body: str, given: Any = None) -> Any:
    return run(modules, "listing", _PRELUDE + body, given)


def test_pages_are_put_together_without_a_gap_and_without_one_twice(modules: Path) -> None:
    found = _run(
        modules,
        """
        const list = make();
        const seen = [];
        const look = () => seen.push([range(list.turns), list.isWhole]);
        list.take(page(100, 51, true), ""); look();
        list.take(page(50, 21, true), "t0051"); look();
        list.take(page(103, 54, true), ""); look();   // three new ones
        list.take(page(20, 1, false), "t0021"); look();
        list.take(page(103, 54, true), ""); look();
        const { turns, before } = page(60, 41, true);
        list.take({ turns: turns.filter((each) => each.turn_id !== "t0050"), before }, "t0061"); look();
        list.take(page(300, 251, true), ""); look();  // so many new ones that there may be others between
        list.take(page(3, 1, false), ""); look();
        list.take({ turns: [] }, ""); look();
        return seen;
        """,
    )
    assert found == [
        [[100, 51, 50], False],
        [[100, 21, 80], False],
        [[103, 21, 83], False],
        [[103, 1, 103], True],
        [[103, 1, 103], True],
        [[103, 1, 102], True],
        [[300, 251, 50], False],
        [[3, 1, 3], True],
        [[], True],
    ]


def test_a_turn_is_found_by_its_name_prompt_id_state_and_directory_in_any_case(modules: Path) -> None:
    found = _run(
        modules,
        """
        const list = make();
        const asked = { name: "Rev-1", prompt: "Read\\n the  FILES", cwd: "/Home/me" };
        const odd = turn(1, { ...asked, state: "failed", error: { kind: "rate_limit" } });
        list.take({ turns: [turn(2), odd] }, "");
        return input.map((words) => { list.find(words); return ids(list.shown); });
        """,
        ["rev-1", " the files ", "T0001", "failed (rate", "home/ME", "work", "", "none of it"],
    )
    assert found == [[1], [1], [1], [1], [1], [2], [2, 1], []]


def test_older_turns_are_asked_for_until_as_many_are_shown_as_are_wanted_or_all_were_seen(modules: Path) -> None:
    found = _run(
        modules,
        """
        const list = make();
        const seen = [];
        const look = () => seen.push([list.isSeeking, list.hasMore, list.shown.length, list.next, list.words]);
        look();
        list.take(page(1000, 951, true), ""); look();
        list.find("work"); look();
        list.find("work 77"); look();
        list.take(page(950, 751, true), "t0951"); look();
        list.take(page(750, 551, true), "t0751"); look();
        list.take(page(550, 1, false), "t0551"); look();
        list.find("nothing"); look();
        list.find("work"); look();
        list.more(); look();
        list.find(""); look();
        return seen;
        """,
    )

    def state(is_seeking: bool, has_more: bool, shown: int, after: int, limit: int, words: str) -> list[Any]:
        query: Json = {"after": f"t{after:04}" if after else "", "limit": limit}
        return [is_seeking, has_more, shown, query, words]

    many = "The newest 50 that match. There may be more: “Older turns”."
    assert found == [
        state(False, True, 0, 0, 50, "Loading…"),
        state(False, True, 50, 951, 50, ""),
        state(False, True, 50, 951, 200, many),
        state(True, True, 0, 951, 200, "Searching older turns… So far 0 turns match, of 50."),
        state(True, True, 10, 751, 200, "Searching older turns… So far 10 turns match, of 250."),
        state(True, True, 10, 551, 200, "Searching older turns… So far 10 turns match, of 450."),
        state(False, False, 11, 1, 200, "11 turns match, of 1000."),
        state(False, False, 0, 1, 200, "None of 1000 turns matches."),
        state(False, True, 50, 1, 200, many),
        state(False, True, 100, 1, 200, many.replace("50", "100")),
        state(False, True, 50, 1, 50, ""),
    ]


def test_there_is_a_bound_to_what_is_held_and_it_is_said(modules: Path) -> None:
    found = _run(
        modules,
        """
        const list = make(120);
        const seen = [];
        const look = () => seen.push([list.turns.length, list.isSeeking, list.hasMore, list.words]);
        list.take(page(1000, 951, true), "");
        list.more(); look();
        list.take(page(950, 901, true), "t0951"); look();
        list.find("work 99"); look();
        list.take(page(900, 701, true), "t0901"); look();
        list.find("work 4"); look();
        list.find(""); list.more(); list.more(); look();
        list.take(page(1001, 952, true), ""); look();
        return seen;
        """,
    )
    further = "Further back: codex-server list-turns"
    assert found == [
        [50, True, True, "Loading older turns…"],
        [100, False, True, ""],
        [100, True, True, "Searching older turns… So far 10 turns match, of 100."],
        [120, False, False, f"10 turns match, of the newest 120. {further} --search"],
        [120, False, False, f"None matches, of the newest 120. {further} --search"],
        [120, False, False, further],
        [120, False, False, further],
    ]


def test_what_still_runs_behind_the_newest_page_is_looked_at_page_by_page(modules: Path) -> None:
    found = _run(
        modules,
        """
        const list = make();
        list.take(page(300, 251, true), "");
        const none = list.nextRunning();
        list.take(page(250, 231, true, { state: "running" }), "t0251");
        list.take(page(230, 101, true), "t0231");
        list.take(page(100, 99, true, { state: "running" }), "t0101");
        const asked = [none, list.nextRunning(), list.nextRunning(), list.nextRunning()];
        list.take(page(250, 201, true), "t0251");
        asked.push(list.nextRunning());
        list.take(page(100, 99, false), "t0101");
        asked.push(list.nextRunning());
        return [asked, list.drop("t0099"), list.drop("t0099"), range(list.turns)];
        """,
    )
    first, second = {"after": "t0251", "limit": 50}, {"after": "t0101", "limit": 50}
    assert found == [[None, first, second, first, second, None], True, False, [300, 100, 201]]
