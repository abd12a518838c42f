"""Whether a resumed thread of a shared app-server is free for our turn. Owns what is compared.

Codex resumes a thread for any number of clients. While another one is subscribed it silently ignores our parameters,
and while a turn runs ours would be merged into it (transport notes, sections 3.1 and 3.2).
"""

from __future__ import annotations

import posixpath

from codex_server_cli.core.protocol.rpc import Message, at

_COMPARED = ("model", "approvalPolicy", "approvalsReviewer")


def why_busy(asked: Message, reply: Message) -> str | None:
    """Why another client has the thread, by the reply to `thread/resume`; None if nothing shows it.

    Args:
        asked: the parameters of the request.
    """
    if at(reply, "thread.status.type", str) == "active":  # after a failed turn it is "systemError" for a while
        return "another client's turn runs in it"
    for name in _COMPARED:
        if name in asked and name in reply and reply[name] != asked[name]:
            return f"another client has it open: {name} stayed {reply[name]}, not {asked[name]}"
    cwd = reply.get("cwd")
    if isinstance(cwd, str) and posixpath.basename(cwd) != posixpath.basename(str(asked["cwd"]).rstrip("/")):
        return f"another client has it open: it stayed in {cwd}"  # the names before it may be links
    sandbox = at(reply, "sandbox.type", str)
    if sandbox not in (None, "readOnly") and not reply.get("activePermissionProfile"):
        return f"another client has it open: its sandbox stayed {sandbox}"
    return None
