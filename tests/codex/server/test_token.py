"""A token's file: made once, private, and refused where others could read or guess what is in it."""

from __future__ import annotations

import errno
import hashlib
import os
from pathlib import Path

import pytest

from codex_server_cli.codex.server import token
from codex_server_cli.core.model.server.listen import ListenFlags
from codex_server_cli.core.model.server.ws_auth import WsAuth
from codex_server_cli.errors import BadInputError, HomeError
from tests.kit.capabilities import IS_ROOT

SECRET = "0123456789abcdef" * 2


def private(path: Path, content: bytes | str = SECRET) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o600)
    return path


def test_a_new_token_is_random_private_and_long_enough(tmp_path: Path) -> None:
    old_umask = os.umask(0o277)
    try:
        made = token.make_token(tmp_path / "a")
    finally:
        os.umask(old_umask)
    other = token.make_token(tmp_path / "b")
    assert made.path.stat().st_mode & 0o777 == 0o600
    text = made.path.read_text().strip()
    assert len(text) >= 43
    assert made.sha256 == hashlib.sha256(text.encode()).hexdigest()
    assert made.sha256 != other.sha256
    token.check_token_file(made.path, is_sent=True)
    token.check_token_file(made.path, is_sent=False)


def test_what_exists_is_not_overwritten_and_not_followed(tmp_path: Path) -> None:
    taken = private(tmp_path / "taken", "mine")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    for path in (taken, tmp_path / "link"):
        with pytest.raises(BadInputError, match="exists, and is not overwritten"):
            token.make_token(path)
    assert taken.read_text() == "mine"
    assert not (tmp_path / "elsewhere").exists()


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match=r"cannot make .*: No such file or directory"):
        token.make_token(tmp_path / "none" / "a")


def test_a_full_disk_leaves_no_half_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_fd: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HomeError, match="No space left"):
        token.make_token(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_an_interruption_leaves_no_half_a_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_fd: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        token.make_token(tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_both_files_of_the_flags_are_looked_at_from_the_directory_of_the_user(tmp_path: Path) -> None:
    private(tmp_path / "good")
    private(tmp_path / "short", "abc")
    good = ListenFlags("ws://127.0.0.1:1", WsAuth.CAPABILITY_TOKEN, "good", None, str(tmp_path / "good"))
    token.check_listen_files(good, str(tmp_path))
    token.check_listen_files(ListenFlags("ws://127.0.0.1:1"), str(tmp_path))
    for bad in (good._replace(ws_token_file="short"), good._replace(ws_shared_secret_file="short")):
        with pytest.raises(BadInputError, match="holds 3 bytes"):
            token.check_listen_files(bad, str(tmp_path))


def test_a_link_to_a_private_file_is_followed(tmp_path: Path) -> None:
    private(tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    token.check_token_file(tmp_path / "link", is_sent=True)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_read_or_change_is_refused_with_the_fix(tmp_path: Path, mode: int) -> None:
    path = private(tmp_path / "my token")
    path.chmod(mode)
    with pytest.raises(BadInputError, match=f"mode {mode:04o}") as caught:
        token.check_token_file(path, is_sent=True)
    assert f"chmod 600 '{path}'" in caught.value.hint


@pytest.mark.parametrize(
    ("content", "is_sent", "message"),
    [
        (" " * 40 + "abc\n", True, "holds 3 bytes"),
        ("", False, "holds 0 bytes"),
        ("two words of thirty-two bytes or more", True, "one line of plain ASCII"),
        ("ä" * 32, True, "one line of plain ASCII"),
        (b"\xff" * 40, True, "or no text"),
        ("x" * (64 * 1024 + 1), True, "is longer than"),
    ],
)
def test_what_is_no_token_is_refused_and_not_repeated(
    tmp_path: Path, content: bytes | str, is_sent: bool, message: str
) -> None:
    with pytest.raises(BadInputError, match=message) as caught:
        token.check_token_file(private(tmp_path / "t", content), is_sent=is_sent)
    assert "words of" not in caught.value.message
    assert "server token FILE" in caught.value.hint


def test_a_secret_that_is_never_sent_may_be_any_text(tmp_path: Path) -> None:
    token.check_token_file(private(tmp_path / "t", "a secret of several words: äöü äöü\n"), is_sent=False)


def test_what_is_no_file_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="there is no file"):
        token.check_token_file(tmp_path / "none", is_sent=True)
    with pytest.raises(BadInputError, match="is not a regular file"):
        token.check_token_file(tmp_path, is_sent=True)
    os.mkfifo(tmp_path / "fifo", 0o600)
    with pytest.raises(BadInputError, match="is not a regular file"):
        token.check_token_file(tmp_path / "fifo", is_sent=True)
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BadInputError, match="cannot read"):
        token.check_token_file(tmp_path / "loop", is_sent=True)


@pytest.mark.skipif(not IS_ROOT, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = private(tmp_path / "t")
    os.chown(path, 12345, -1)
    with pytest.raises(BadInputError, match="belongs to another user"):
        token.check_token_file(path, is_sent=True)
