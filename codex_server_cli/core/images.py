"""Which pictures Codex can show to a model, told by their first bytes, and what their copies are called.

Must never open a file or trust a name. Tried with 0.163.0 and 0.171.0: png, jpeg, gif (its first frame, sent as png)
and webp reach the model, whatever the file is called; what is larger than 2048 pixels is made smaller on its way.
bmp, tiff, ico, avif and svg, and what does not decode, are silently replaced by the words "image content omitted
because it could not be processed", and the turn runs on without them: so they are refused before it starts. The model
is told the path of each picture, so that a copy keeps what it was called.
"""

from __future__ import annotations

HEAD_BYTES = 32
"""How much of a file `image_type` wants to see."""

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))
_STEM_CHARS = 48  # a name may have 255 bytes


def image_type(head: bytes) -> str | None:
    """`png`, `jpeg`, `gif` or `webp` by the magic number in a file's first bytes; None for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)


def kept_name(number: int, stem: str, kind: str) -> str:
    """The path of a picture's copy, within the turn's directory.

    Args:
        number: which of the turn's pictures it is, from 1.
        stem: what its file was called, less the suffix; what is no letter, digit, `-`, `_` or `.` becomes `_`.
        kind: as `image_type` tells it.
    """
    stem = stem.removeprefix(f"{number}-")  # a copy that is given once more keeps its name
    plain = "".join(char if char.isalnum() or char in "-_." else "_" for char in stem[:_STEM_CHARS])
    return f"images/{number}{f'-{plain}' if plain.strip('_.') else ''}.{kind}"


def has_right_checksums(png: bytes) -> bool:
    """Whether each chunk of a PNG is as its checksum says, up to its end; decoders look at some of them alone."""
    from zlib import crc32  # only where there is a picture

    at = 8
    while at + 12 <= len(png):
        end = at + 8 + int.from_bytes(png[at : at + 4])
        if crc32(png[at + 4 : end]).to_bytes(4) != png[end : end + 4]:
            return False
        if png[at + 4 : at + 8] == b"IEND":
            return True
        at = end + 4
    return False
