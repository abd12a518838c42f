"""Pictures are told by their first bytes, and only those that Codex shows to a model are accepted."""

from __future__ import annotations

import pytest

from codex_server_cli.core.images import image_type


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "png"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00", "jpeg"),
        (b"\xff\xd8\xff\xe1\x00\x18Exif\x00", "jpeg"),
        (b"GIF87a(\x00\x1e\x00", "gif"),
        (b"GIF89a(\x00\x1e\x00", "gif"),
        (b"RIFFL\x00\x00\x00WEBPVP8 ", "webp"),
        (b"RIFF\x1e\x00\x00\x00WEBPVP8L", "webp"),
    ],
)
def test_what_codex_can_show_is_recognised(head: bytes, name: str) -> None:
    assert image_type(head.ljust(32, b"\x00")) == name


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x89PNG",
        b"BMF\x0e\x00\x00",
        b"II*\x00\x08\x00",
        b"\x00\x00\x01\x00\x02\x00",
        b"\x00\x00\x00 ftypavif",
        b"RIFF\x24\x00\x00\x00WAVEfmt ",
        b'<svg xmlns="http',
        b"GIF88a",
        b"plain text",
    ],
)
def test_what_codex_would_drop_is_not_an_image(head: bytes) -> None:
    assert image_type(head) is None
