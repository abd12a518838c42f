"""An app-server's facts about itself and its configuration that a turn's end depends on. Owns only these facts.

Fed with the replies to `initialize` and `config/read`, whose members are those of 0.163.0 and 0.171.0.
"""

from __future__ import annotations

from codex_server_cli.core.protocol.query import version_of
from codex_server_cli.core.protocol.rpc import Message, object_at, text_in


class CodexFacts:
    """The facts so far.

    Attributes:
        version: its version, from its user agent.
        home: the home directory of this Codex.
        has_program: whether the user has a `notify` program, which Codex starts when a turn ends.
        has_farewell: whether the user has `SessionEnd` hooks, which Codex runs before it exits.
    """

    def __init__(self) -> None:
        self.version: str | None = None
        self.home: str | None = None
        self.has_program = False
        self.has_farewell = False

    def learn(self, method: str | None, result: Message) -> None:
        """Take the result of any request."""
        if method == "initialize":
            self.version = version_of(text_in(result.get("userAgent")))
            self.home = text_in(result.get("codexHome")) or None
        elif method == "config/read":
            self.has_program = bool(object_at(result, "config").get("notify"))
            self.has_farewell = bool(object_at(result, "config.hooks").get("SessionEnd"))
