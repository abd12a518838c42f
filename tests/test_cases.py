"""A test of many cases runs every one, and names the one that failed."""

from __future__ import annotations

import inspect

import pytest

from tests.kit.cases import for_each


def test_every_case_runs_with_every_case_of_another_list_and_the_rest_stays_for_pytest() -> None:
    seen: list[tuple[int, str, str, object]] = []

    @for_each("number", [1, 2])
    @for_each(("a", "b"), [("x", "y"), pytest.param("z", "w", id="last")])
    def run(number: int, a: str, b: str, fixture: object) -> None:
        seen.append((number, a, b, fixture))

    assert list(inspect.signature(run).parameters) == ["fixture"]
    run(fixture=None)
    assert seen == [(1, "x", "y", None), (1, "z", "w", None), (2, "x", "y", None), (2, "z", "w", None)]


def test_the_case_that_failed_is_named_by_its_values_or_by_its_words() -> None:
    @for_each("n", [0, 7])
    def by_value(n: int) -> None:
        assert n == 0

    @for_each("n", [pytest.param(7, id="seven")])
    def by_words(n: int) -> None:
        assert n == 0

    with pytest.raises(AssertionError) as failed:
        by_value()
    assert failed.value.__notes__ == ["in the case {'n': 7}"]
    with pytest.raises(AssertionError) as failed:
        by_words()
    assert failed.value.__notes__ == ["in the case seven"]


def test_a_list_without_a_case_and_a_name_that_the_test_does_not_have_are_mistakes() -> None:
    with pytest.raises(AssertionError, match="no case of n"):
        for_each("n", [])
    with pytest.raises(AssertionError, match="has not all of m"):
        for_each("m", [1])(lambda n: None)
