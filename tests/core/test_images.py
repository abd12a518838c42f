"""Pictures are recognised by their first bytes, and only those that Codex shows to a model are accepted."""

from __future__ import annotations

from zlib import crc32

from codex_server_cli.core.images import has_right_checksums, image_type, kept_name
from tests.kit.cases import for_each


@for_each(
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


@for_each(
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


@for_each(
    ("number", "stem", "name"),
    [
        (1, "before", "images/1-before.png"),
        (2, "Bildschirmfoto 2026-11-29 (größer)", "images/2-Bildschirmfoto_2026-11-29__größer_.png"),
        (3, "日本", "images/3-日本.png"),
        (1, "a/../b\nc", "images/1-a_.._b_c.png"),
        (1, "\udcff\u202e", "images/1.png"),
        (1, "..", "images/1.png"),
        (1, "", "images/1.png"),
        (2, "2-b", "images/2-b.png"),  # what a hint names is already a copy
        (1, "x" * 300, f"images/1-{'x' * 48}.png"),
    ],
)
def test_a_copy_keeps_what_its_file_was_called_as_far_as_that_is_plain(number: int, stem: str, name: str) -> None:
    assert kept_name(number, stem, "png") == name


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """A chunk of a PNG."""
    return len(content).to_bytes(4) + kind + content + crc32(kind + content).to_bytes(4)


WHOLE = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", b"size") + chunk(b"IDAT", b"pixels") + chunk(b"IEND")


def test_a_png_is_whole_where_each_chunk_is() -> None:
    assert has_right_checksums(WHOLE)
    assert has_right_checksums(WHOLE + b"what some program left behind it")
    for length in range(len(WHOLE)):
        assert not has_right_checksums(WHOLE[:length])
    for at in range(8, len(WHOLE)):
        assert not has_right_checksums(WHOLE[:at] + bytes([WHOLE[at] ^ 1]) + WHOLE[at + 1 :]), at
