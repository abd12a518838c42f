"""What callers may have turns do on this machine: never more than the owner allowed with the flags of `serve`.

A caller is not the owner. Without `--write` turns read, in `--cwd` or below; with it they write, and work in `--cwd`
itself only. There Codex's sandbox protects `.git` and `.codex` from being written or created; in a subdirectory a turn
can create both, and the git filters and MCP servers that they define run outside every sandbox as soon as another turn,
even a read-only one, works there. Whatever escapes the sandbox, or runs a program outside it, is remote code execution:
so it needs `--allow-raw-rpc`, which lets the bridge do that already. The same limits hold for turns that others
started: a turn with more permissions cannot be steered, answered or continued from here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, NoReturn

from codex_server_cli.actions.start.options import StartOptions, ThreadChoice, is_path
from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.model.server.record import is_foreign, url_of
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.places import is_within
from codex_server_cli.gateway.options import ServeOptions

_RAW, _WRITE = "--allow-raw-rpc", "--write"


class Consent(NamedTuple):
    """The owner's permissions.

    Attributes:
        cwd: the working directory of turns, absolute; with symlinks resolved if they may write.
        may_write: they may write there.
        may_do_all: callers may run any code on this machine.
    """

    cwd: str
    may_write: bool = False
    may_do_all: bool = False

    @classmethod
    def of(cls, options: ServeOptions) -> Consent:
        """The permissions that `serve` was started with."""
        is_bound = options.may_write and not options.has_raw_rpc
        cwd = os.path.realpath(options.cwd) if is_bound else options.cwd  # once: a turn might change a link
        return cls(cwd, options.may_write, options.has_raw_rpc)

    def checked(self, options: StartOptions) -> StartOptions:
        """The options of a start with absolute paths, and the requested sandbox, by default read-only: a wider default
        in `config.json` is meant for the owner's own turns.

        Raises:
            ApiError: they exceed the permissions.
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
        if options.has_worktree and not os.path.lexists(os.path.join(self.cwd, ".git")):  # noqa: PTH118 — text
            message = (
                f"`worktree` is not allowed: {self.cwd}, the directory of this gateway, is not the top of a work tree"
            )
            raise _refusal("worktree", message)
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
        """Check the thread that a turn is to continue.

        Args:
            started_in: the working directory of its turns, as the user sees it.
            options: of the new turn.
            url: the app-server that config.json names.

        Raises:
            ApiError: it works in another directory, or on an app-server that someone else chose.
        """
        if self.may_do_all:
            return
        if options.cwd is None and not self._may_work_in(started_in):
            self._refuse_place("cwd", f"the thread works in {started_in}, which")
        if is_foreign(choice.server) and url_of(choice.server) != url:
            _refuse("server", "to go on with a turn of that app-server", _RAW)

    def check_turn(self, turn_id: str, meta: Mapping[str, Any]) -> None:
        """Check that a turn of any origin may do no more than one started here.

        Raises:
            ApiError: it may.
        """
        if self.may_do_all:
            return
        request = meta.get("request") or {}
        what = f"turn {turn_id}"
        has_more = request.get("sandbox") not in (Sandbox.READ_ONLY, Sandbox.WORKSPACE_WRITE)
        if has_more or request.get("has_network") or request.get("approval") == Approval.AUTO:
            _refuse(None, f"{what} may do more than turns of this gateway: to tell it what to do", _RAW)
        writes = request.get("sandbox") == Sandbox.WORKSPACE_WRITE
        if writes and not self.may_write:
            _refuse(None, f"{what} may write: to tell it what to do", _WRITE)
        record = meta.get("worktree") or {}
        places = (record.get("started_in") or meta.get("cwd"), *(request.get("writable_roots") or ()))
        for place in places:
            if not self._may_work_in(place):
                self._refuse_place(None, f"{what} works in {place}, which")

    def check_approval(self) -> None:
        """Check that a turn's request may be approved from here: what is approved runs outside the sandbox.

        Raises:
            ApiError: it may not.
        """
        if not self.may_do_all:
            _refuse(None, "to approve what a turn asks for, which then runs outside of its sandbox,", _RAW)

    def _place(self, name: str, given: str | None) -> str | None:
        """A directory with symlinks resolved: the checked directory is the one that is used."""
        path = self._absolute(given)
        if self.may_do_all or not path:
            return path
        if not self._may_work_in(path):
            self._refuse_place(name, f"`{name}` {given}")
        return os.path.realpath(path)

    def _file(self, name: str, given: str | None) -> str | None:
        """A file to read, with symlinks resolved."""
        if given is None or not is_path(given):
            return given
        path = self._absolute(given)
        if self.may_do_all or not path:
            return path
        if not self._is_inside(path):
            message = f"`{name}` {given} is outside of {self.cwd}, whose files turns of this gateway are given"
            raise _refusal(name, f"{message}: `serve --cwd DIR` names it")
        return os.path.realpath(path)

    def _absolute(self, given: str | None) -> str | None:
        return os.path.join(self.cwd, given) if given else given  # noqa: PTH118 — text; an empty one is refused later

    def _is_inside(self, path: str | None) -> bool:
        return path is not None and is_within(os.path.realpath(path), os.path.realpath(self.cwd))

    def _may_work_in(self, path: str | None) -> bool:
        if path is None or not self.may_write:
            return self._is_inside(path)
        return os.path.realpath(path) == self.cwd

    def _refuse_place(self, param: str | None, what: str) -> NoReturn:
        if self.may_write:
            why = f"{what} is not {self.cwd}: where turns may write they work in no other directory"
        else:
            why = f"{what} is outside of {self.cwd}, in which turns of this gateway work"
        raise _refusal(param, f"{why}: `serve --cwd DIR` names it")


def _refuse_any(found: Mapping[str, bool], flag: str) -> None:
    names: Iterable[str] = (name for name, is_asked in found.items() if is_asked)
    for name in names:
        _refuse(name, f"`{name}`", flag)


def _refuse(param: str | None, what: str, flag: str) -> NoReturn:
    raise _refusal(param, f"{what} is not allowed: this gateway was started without {flag}")


def _refusal(param: str | None, message: str) -> ApiError:
    return ApiError(403, message, type="permission_error", code="not_allowed", param=param)
