"""Hints for errors whose text is more specific than their kind. Owns their templates; `hints` fills them in.

Sources: the error texts of both binaries (0.163.0 and 0.171.0) with damaged files, and `codexErrorInfo`.
"""

from __future__ import annotations

import re
from typing import Any

DATABASE = (
    "Codex cannot use its databases (*.sqlite in its home): see that its disk has room and that they are files which "
    "you may write; a damaged one, moved away with its -wal and -shm, it makes anew. Then: {go_on}"
)
SESSION_FILE = (
    "The session file of this thread is damaged: Codex cannot go on with it unless you restore the file. "
    "In a new thread: {anew}"
)
POLICY = "The service, or your workspace, does not allow this, nor will it the next time: ask for less, or differently."
NO_ROOM = (
    "There is no room for another file, process or more memory: end something, or raise the limit (ulimit -n for "
    "files, ulimit -u for processes). Then: {go_on}"
)
NO_MODEL = "Those that there are: {models}; with the usual one: {usual}"

_ARCHIVED = "Take it out of Codex's archive with `codex unarchive {thread_id}`, then: {{again}}"
_OF_POLICY = frozenset({"cyberPolicy", "bioPolicy", "misalignmentPolicyViolation", "inferenceHookDenied"})
_ARCHIVED_THREAD = r"session (?P<thread_id>[0-9a-fA-F-]+) is archived"
_DATABASE = (
    r"failed to initialize sqlite state runtime|database disk image is malformed|file is not a database"
    r"|unable to open database file|attempt to write a readonly database|disk I/O error"
)
_SESSION_FILE = r"failed to read session metadata|does not start with session metadata|rollout at .+ is empty"

_NO_ROOM = (
    r"\(os error (?:11|12|23|24)\)|Too many open files|No file descriptors available"
    r"|Resource temporarily unavailable|Cannot allocate memory"
)


def is_without_room(text: str) -> bool:
    """Whether this reports a limit of the system: files, processes, memory."""
    return re.search(_NO_ROOM, text) is not None


def is_of_database(text: str) -> bool:
    """Whether Codex says that it cannot use its databases, for a permanent reason."""
    return re.search(_DATABASE, text) is not None


def is_of_session_file(text: str) -> bool:
    """Whether Codex says that it cannot read the beginning of a thread's session file."""
    return re.search(_SESSION_FILE, text) is not None


def words_for(message: str, info: Any) -> str | None:
    """The template for an error, with command names in braces (`hints`); None if the kind's own suffices.

    Args:
        message: Codex's text, or ours.
        info: its `codexErrorInfo`, if any.
    """
    if info == "modelNotFound":
        return NO_MODEL
    if isinstance(info, str) and info in _OF_POLICY:
        return POLICY
    if is_without_room(message):
        return NO_ROOM
    archived = re.search(_ARCHIVED_THREAD, message)
    if archived is not None:
        return _ARCHIVED.format(thread_id=archived["thread_id"])
    if is_of_database(message):
        return DATABASE
    return SESSION_FILE if is_of_session_file(message) else None
