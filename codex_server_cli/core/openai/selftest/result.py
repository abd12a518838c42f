"""The result of one check of the self-test, for a line and as JSON."""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.openai.selftest.probe import ProbeReply, quoted, tokens_text, usage_of
from codex_server_cli.core.protocol.rpc import at


class CheckResult(NamedTuple):
    """The result of one check.

    Attributes:
        name: of the check.
        problem: what was wrong; None if it passed.
        answer: the model's last text; empty if there was a problem.
        replies: to its requests, in order.
    """

    name: str
    problem: str | None
    answer: str
    replies: tuple[ProbeReply, ...] = ()

    @property
    def is_login(self) -> bool:
        """Whether it failed because of the login."""
        return self.problem is not None and any(reply.status == 401 for reply in self.replies)

    @property
    def ms(self) -> int:
        """Milliseconds that its requests took."""
        return sum(reply.ms for reply in self.replies)

    @property
    def usage(self) -> dict[str, int]:
        """The tokens of its requests; empty if none reported them."""
        found = [usage for reply in self.replies if (usage := usage_of(reply.document)) is not None]
        return {name: sum(usage[name] for usage in found) for name in found[0]} if found else {}

    @property
    def detail(self) -> str:
        """The facts shown in its line."""
        first_ms = [reply.first_ms for reply in self.replies if reply.first_ms is not None]
        facts = [
            self.problem or quoted(self.answer),
            *(f"first word after {each} ms" for each in first_ms),
            tokens_text(self.usage),
            *(f"HTTP {reply.status}" for reply in self.replies if reply.status != 200),
            " ".join(reply.request_id for reply in self.replies if reply.request_id),
        ]
        return " · ".join(filter(None, facts))

    def document(self) -> dict[str, Any]:
        """The result as JSON; `version` as everywhere."""
        last = self.replies[-1].document if self.replies else None
        return {
            "version": 2,
            "name": self.name,
            "ok": self.problem is None,
            "detail": self.problem,
            "answer": self.answer,
            "ms": self.ms,
            "first_ms": next((each.first_ms for each in self.replies if each.first_ms is not None), None),
            "model": at(last, "model", str),
            "usage": self.usage,
            "threads": [reply.thread for reply in self.replies if reply.thread],
            "request_ids": [reply.request_id for reply in self.replies if reply.request_id],
        }
