"""Which image formats Codex can pass to a model, detected by their first bytes, and how copies are named.

Must never open a file or trust a name. Tried with 0.163.0 and 0.171.0: png, jpeg, gif (its first frame, sent as png)
and webp reach the model under any file name; an image larger than 2048 pixels is scaled down.
Codex silently replaces bmp, tiff, ico, avif, svg and undecodable images by the text "image content omitted because it
could not be processed", and the turn continues without them: so they are refused before it starts. The model is given
the path of each image, so a copy keeps its name.
"""

from __future__ import annotations

HEAD_BYTES = 32
"""How much of a file `image_type` needs."""

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
_STEM_CHARS = 48  # a name may have 255 bytes


def image_type(head: bytes) -> str | None:
    """`png`, `jpeg`, `gif` or `webp` by the magic number in a file's first bytes; None for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def kept_name(number: int, stem: str, kind: str) -> str:
    """The path of an image's copy, within the turn's directory.

    Args:
        number: which of the turn's images it is, from 1.
        stem: its file name without the suffix; anything but letters, digits, `-`, `_` and `.` becomes `_`.
        kind: as `image_type` returns it.
    """
    stem = stem.removeprefix(f"{number}-")  # a copy that is passed again keeps its name
    plain = "".join(char if char.isalnum() or char in "-_." else "_" for char in stem[:_STEM_CHARS])
    return f"images/{number}{f'-{plain}' if plain.strip('_.') else ''}.{kind}"


def has_right_checksums(png: bytes) -> bool:
    """Whether each chunk of a PNG up to its end matches its checksum; decoders check only some of them."""
    from zlib import crc32  # only where there is an image

    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4])
        if crc32(png[at + 4 : end]).to_bytes(4) != png[end : end + 4]:
            return False
        if png[at + 4 : at + 8] == b"IEND":
            return True
        at = end + 4
    return False
