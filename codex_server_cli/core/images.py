"""Which pictures Codex can show to a model, told by their first bytes. Must never open a file or trust a name.

Tried with 0.163.0 and 0.171.0: png, jpeg, gif (its first frame, sent as png) and webp reach the model, whatever
the file is called. bmp, tiff, ico, avif and svg are silently replaced by the words "image content omitted
because it could not be processed", and the turn runs on without them: so they are refused before it starts.
"""

from __future__ import annotations

HEAD_BYTES = 32
"""How much of a file `image_type` wants to see."""

_MAGIC = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))


def image_type(head: bytes) -> str | None:
    """`png`, `jpeg`, `gif` or `webp` by the magic number in a file's first bytes; None for anything else."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), None)
