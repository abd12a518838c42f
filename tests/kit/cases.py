"""One test for many cases: a loop that names the case that failed.

For a pure function, where a test of its own for each case would cost more in pytest (collected by every worker of
pytest-xdist, set up, reported) than in the test, and prove no more. Never for a test that has a fixture, or may skip:
the cases share both. And what a full run tries more than an everyday one: cases, and
examples of properties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import wraps
from inspect import signature
from typing import Any

import pytest
from hypothesis import settings

Test = Callable[..., None]
_LONGEST = 1000  # characters of a case in the report of a failure


def for_each(names: str | Sequence[str], cases: Iterable[Any], *, ids: object = None) -> Callable[[Test], Test]:
    """Run a test with every case in turn; to be used like `pytest.mark.parametrize`, and above or below another one.

    Args:
        names: of the parameters, as pytest takes them.
        cases: a value for each run, or a tuple where there are several names; `pytest.param` may wrap it.
        ids: what each case is, in words; a function is taken too, and not needed: the values are reported.
    """
    words = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    listed = [_case(case, len(words)) for case in cases]
    labels = ids if isinstance(ids, list) else [label for _, label in listed]
    assert listed, f"no case of {names}"

    def decorate(test: Test) -> Test:
        @wraps(test)
        def run(**others: Any) -> None:
            for (values, _), label in zip(listed, labels, strict=True):
                case = dict(zip(words, values, strict=True))
                try:
                    test(**case, **others)
                except BaseException as error:
                    error.add_note(f"in the case {label or repr(case)[:_LONGEST]}")
                    raise

        rest = [parameter for name, parameter in signature(test).parameters.items() if name not in words]
        assert len(rest) == len(signature(test).parameters) - len(words), f"{test.__name__} has not all of {names}"
        run.__dict__["__signature__"] = signature(test).replace(parameters=rest)
        return run

    return decorate


def in_full(*values: Any) -> Any:
    """A case of `pytest.mark.parametrize` for full runs alone: another one shows the same kind of fault everyday."""
    return pytest.param(*values, marks=pytest.mark.full)


def examples(count: int) -> settings:
    """Try so many examples in a full run, and the same share of them as every other test in an everyday one."""
    return settings(max_examples=max(1, count * settings().max_examples // 100))


def _case(case: Any, count: int) -> tuple[Sequence[Any], str | None]:
    """The values of a case, for so many names; and what it is, where that is said."""
    if hasattr(case, "marks"):  # a `pytest.param`
        assert not case.marks, "the cases share a test, and its marks"
        return case.values, case.id
    return [case] if count == 1 else case, None
