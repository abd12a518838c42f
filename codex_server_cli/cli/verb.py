"""The declaration of a verb. Must import next to nothing: it is loaded at every start."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import NamedTuple

from codex_server_cli.cli.parameters import Parameter


class Verb(NamedTuple):
    """One verb of the command line.

    Attributes:
        target: its function, as `module:function` below `codex_server_cli.cli`; it takes the `parameters` as keyword
            arguments, and returns an exit code, or None for 0.
        panel: the heading under which `--help` lists it.
        help: what it does, in one or two sentences.
        parameters: its flags and arguments, in the order of `--help`.
    """

    target: str
    panel: str
    help: str
    parameters: tuple[Parameter, ...] = ()

    def load(self) -> Callable[..., int | None]:
        """Import its module, and return its function."""
        module, _, function = self.target.partition(":")
        found: Callable[..., int | None] = getattr(import_module(f"codex_server_cli.cli.{module}"), function)
        return found
