"""What callers may have turns do on this machine: never more than its owner allowed by the flags of `serve`.

Whoever reaches the gateway is not its owner. Without `--write` their turns read; with it they write, below `--cwd`
alone. All that leads out of the sandbox, or runs a program outside of it, is remote code execution: so it needs
`--allow-raw-rpc`, with which the bridge allows that already. The same bounds hold for turns that somebody else started:
a turn that may do more is not to be steered, answered or continued from here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from codex_server_cli.actions.start.options import StartOptions, ThreadChoice, is_path
from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.model.server.record import is_foreign, url_of
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.options import ServeOptions

_RAW, _WRITE = "--allow-raw-rpc", "--write"


class Consent(NamedTuple):
    """What the owner allowed.

    Attributes:
        cwd: the directory in which turns work, absolute.
        may_write: they may write there.
        may_do_all: their callers may run any code on this machine.
    """

    cwd: str
    may_write: bool = False
    may_do_all: bool = False

    @classmethod
    def of(cls, options: ServeOptions) -> Consent:
        """As `serve` was started."""
        return cls(options.cwd, options.may_write, options.has_raw_rpc)

    def checked(self, options: StartOptions) -> StartOptions:
        """The options of a start with their paths made absolute, and the sandbox that was asked for, else read-only:
        a wider default in `config.json` is meant for its owner's own turns.

        Raises:
            ApiError: they go beyond what was allowed.
        """
        options = options._replace(
            cwd=self._place("cwd", options.cwd),
            sandbox=options.sandbox or Sandbox.READ_ONLY,
            add_dirs=tuple(str(self._place("add_dir", each)) for each in options.add_dirs),
            schema=self._file("schema", options.schema),
            images=tuple(str(self._file("image", each)) for each in options.images),
        )
        if self.may_do_all:
            return options
        if options.sandbox is Sandbox.DANGER_FULL_ACCESS:
            _refuse("sandbox", "`sandbox` danger-full-access", _RAW)
        writes = {
            "write": options.sandbox is Sandbox.WORKSPACE_WRITE,
            "worktree": options.has_worktree,
            "add_dir": bool(options.add_dirs),
        }
        if not self.may_write:
            _refuse_any(writes, _WRITE)
        _refuse_any(
            {
                "network": options.has_network,
                "skip_git_check": options.may_skip_git_check,
                "config": bool(options.config),
                "profile": options.profile is not None,
                "approval": options.approval is Approval.AUTO,
                "notify": options.notify is not None,
                "server": options.server is not None,
                "allow_nested": options.may_nest,
            },
            _RAW,
        )
        return options

    def check_choice(
        self, choice: ThreadChoice, started_in: str | None, options: StartOptions, url: str | None
    ) -> None:
        """Check the thread that a turn is to go on with.

        Args:
            started_in: the directory that its turns work in, as their user sees it.
            options: those of the new turn.
            url: the app-server that config.json names.

        Raises:
            ApiError: it works somewhere else, or on an app-server of somebody else's choice.
        """
        if self.may_do_all:
            return
        if options.cwd is None and not self._is_inside(started_in):
            _refuse_outside("cwd", f"the thread works in {started_in}, which", self.cwd)
        if is_foreign(choice.server) and url_of(choice.server) != url:
            _refuse("server", "to go on with a turn of that app-server", _RAW)

    def check_turn(self, turn_id: str, meta: Mapping[str, Any]) -> None:
        """Check that a turn of anybody's may do no more than one that is started here.

        Raises:
            ApiError: it may.
        """
        if self.may_do_all:
            return
        request = meta.get("request") or {}
        what = f"turn {turn_id}"
        has_more = request.get("sandbox") not in (Sandbox.READ_ONLY, Sandbox.WORKSPACE_WRITE)
        if has_more or request.get("has_network") or request.get("approval") == Approval.AUTO:
            _refuse(None, f"{what} may do more than turns of this gateway: to steer or answer it", _RAW)
        writes = request.get("sandbox") == Sandbox.WORKSPACE_WRITE
        if writes and not self.may_write:
            _refuse(None, f"{what} may write: to steer or answer it", _WRITE)
        record = meta.get("worktree") or {}
        places = (record.get("started_in") or meta.get("cwd"), *(request.get("writable_roots") or ()))
        if not all(self._is_inside(place) for place in places):
            _refuse_outside(None, f"{what} works in {places[0]}, which", self.cwd)

    def check_approval(self) -> None:
        """Check that what a turn asks for may be granted from here: it runs outside of the sandbox.

        Raises:
            ApiError: it may not.
        """
        if not self.may_do_all:
            _refuse(None, "to approve what a turn asks for, which then runs outside of its sandbox,", _RAW)

    def _place(self, name: str, given: str | None) -> str | None:
        """A directory, of which links are followed: the one that was judged is the one that is used."""
        if given is None:
            return None
        path = os.path.join(self.cwd, given) if given else given  # noqa: PTH118 — text; an empty one is refused later
        if self.may_do_all or not path:
            return path
        if not self._is_inside(path):
            _refuse_outside(name, f"`{name}` {given}", self.cwd)
        return os.path.realpath(path)

    def _file(self, name: str, given: str | None) -> str | None:
        return self._place(name, given) if given is not None and is_path(given) else given

    def _is_inside(self, path: str | None) -> bool:
        if path is None:
            return False
        real, root = os.path.realpath(path), os.path.realpath(self.cwd)
        return real == root or real.startswith(root.rstrip("/") + "/")


def _refuse_any(found: Mapping[str, bool], flag: str) -> None:
    names: Iterable[str] = (name for name, is_asked in found.items() if is_asked)
    for name in names:
        _refuse(name, f"`{name}`", flag)


def _refuse(param: str | None, what: str, flag: str) -> NoReturn:
    message = f"{what} is not allowed: this gateway was started without {flag}"
    raise ApiError(403, message, type="permission_error", code="not_allowed", param=param)


def _refuse_outside(param: str | None, what: str, cwd: str) -> NoReturn:
    message = f"{what} is outside of {cwd}, in which turns of this gateway work: `serve --cwd DIR` names it"
    raise ApiError(403, message, type="permission_error", code="not_allowed", param=param)
