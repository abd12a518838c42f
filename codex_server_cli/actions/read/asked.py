"""The input of a turn: its whole prompt and pictures. Must never decide how they are shown."""

from __future__ import annotations

from contextlib import suppress
from typing import NamedTuple

from codex_server_cli.core.model.view import TurnView
from codex_server_cli.core.protocol.rpc import at, text_in
from codex_server_cli.disk.files import read_bytes
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.disk.turn.refusal import refusal_of
from codex_server_cli.worker.server.attach import data_url


class AskedOfTurn(NamedTuple):
    """The input of a turn; the pictures are data URLs."""

    prompt: str
    pictures: tuple[str, ...] = ()


def asked_of(directory: TurnDir, view: TurnView) -> AskedOfTurn:
    """The input of a turn, as far as it still exists: it may have been deleted meanwhile.

    Raises:
        HomeError: it is another user's, and not readable.
    """
    names = [text_in(name) for name in at(view.meta, "request.images", list) or []]
    prompt, pictures = "", []
    try:
        with suppress(FileNotFoundError):
            prompt = read_bytes(directory.prompt).decode("utf-8", "replace")
        for name in names:
            with suppress(FileNotFoundError):
                pictures.append(data_url(str(directory.path / name)))
    except PermissionError as error:
        raise refusal_of(directory, error) from error
    return AskedOfTurn(prompt, tuple(pictures))
