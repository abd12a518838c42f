"""Which methods a path takes, by the routes of an application."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute, Route, WebSocketRoute


def methods_of(routes: Iterable[BaseRoute], path: str) -> frozenset[str]:
    """The methods of a path; empty where there is none. Of several routes the first one says which path it is."""
    found = [each for each in routes if isinstance(each, Route | WebSocketRoute) and each.path_regex.match(path)]
    same = [each for each in found if each.path == found[0].path and isinstance(each, Route)]
    return frozenset().union(*(each.methods or () for each in same))
