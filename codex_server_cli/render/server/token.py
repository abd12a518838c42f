"""A new token's file for people: its path, and how to use it. Never the token itself."""

from __future__ import annotations

from shlex import quote

_URL = "ws://127.0.0.1:4500"


def token_text(path: str, sha256: str) -> str:
    """The path of the token file, and the commands that use it."""
    file = quote(path)
    facts = (
        ("token file", f"{path}: for you alone to read; the token is printed nowhere"),
        ("serve", f"codex-server server start --listen {_URL} --ws-auth capability-token --ws-token-file {file}"),
        ("connect", f"codex-server new --server {_URL} --server-token-file {file} --cwd /PATH/THERE 'your prompt'"),
        ("sha256", f"{sha256}: for --ws-token-sha256, where the server need not have the token"),
    )
    return "".join(f"{label.ljust(10)}  {text}\n" for label, text in facts)
