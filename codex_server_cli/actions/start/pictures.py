"""The pictures of a prompt. Owns reading and decoding them before the turn exists: the model must see the right ones.

Codex opens a picture only when the turn begins, and does not fail if it is missing, replaced or broken: the model
would get an error text, or another picture. So the turn keeps a copy (`images/` of its directory). Must never be
imported where no picture is given: importing pillow takes 30 ms.
"""

from __future__ import annotations

import os
import stat
import warnings
from base64 import b64decode
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from codex_server_cli.actions.start.options import is_path
from codex_server_cli.core.images import HEAD_BYTES, has_right_checksums, image_type, kept_name
from codex_server_cli.errors import BadInputError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MAX_BYTES, MAX_BYTES_IN_ALL = 50 * 1024 * 1024, 100 * 1024 * 1024
MAX_PIXELS = 100_000_000
"""More is a decompression bomb, or a picture that Codex shrinks anyway; decoding takes up to 400 MB."""

_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # opening a FIFO would block


def read_pictures(paths: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """The pictures in these files, or in these data URLs, in this order, duplicates included.

    Returns:
        For each the path of its copy within the turn's directory, and its bytes.

    Raises:
        BadInputError: one cannot be read, has a format that Codex does not take, is broken, or they are too large.
    """
    pictures = []
    left = MAX_BYTES_IN_ALL
    for number, given in enumerate(paths, 1):
        path = Path(os.path.abspath(given) if is_path(given) else f"image {number}")  # noqa: PTH100 — links and all
        data = _read(path, left) if is_path(given) else _decoded(given, path, left)
        left -= len(data)
        kind = image_type(data[:HEAD_BYTES])
        if kind is None:
            raise BadInputError(f"{path} is no PNG, JPEG, GIF or WebP image", hint="Convert it to one of these.")
        _try(path, data, kind)
        pictures.append((kept_name(number, path.stem, kind), data))
    return tuple(pictures)


def _read(path: Path, left: int) -> bytes:
    """All of a regular file.

    Args:
        left: the maximum size of this and all further pictures, in bytes.
    """
    try:
        with open(os.open(path, _OPEN), "rb") as file:  # noqa: PTH123 — a descriptor, not a path
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BadInputError(f"{path} is not a regular file", hint="Check --image.")
            data = file.read(min(MAX_BYTES, left) + 1)
    except IsADirectoryError as error:
        raise BadInputError(f"{path} is not a regular file", hint="Check --image.") from error
    except OSError as error:
        raise BadInputError(f"cannot read the image {path}: {error.strerror}", hint="Check --image.") from error
    if len(data) > MAX_BYTES:
        raise _too_large(f"{path} has more than {MAX_BYTES >> 20} MB")
    if len(data) > left:
        raise _too_large(f"the images have more than {MAX_BYTES_IN_ALL >> 20} MB in all")
    return data


def _decoded(url: str, name: Path, left: int) -> bytes:
    """The bytes of a data URL; its media type is not trusted."""
    head, _, text = url.partition(",")
    if not head.endswith(";base64"):
        raise BadInputError(f"{name} is no data URL in base64", hint="Give data:image/png;base64,…")
    if len(text) // 4 * 3 > min(MAX_BYTES, left) + 2:
        raise _too_large(f"{name} has more than {min(MAX_BYTES, left) >> 20} MB")
    try:
        return b64decode(text, validate=True)
    except ValueError as error:
        raise BadInputError(f"{name} is not valid base64", hint="Give data:image/png;base64,…") from error


def _try(path: Path, data: bytes, kind: str) -> None:
    """Decode a picture as far as the model may see it, as Codex's own decoder would."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about metadata, which no model sees
        try:
            size = _decode(data, kind)
        except Exception as error:  # pillow raises any kind for untrusted bytes
            message = f"the image {path} is broken or cut short: it does not decode as {kind.upper()}"
            raise BadInputError(message, hint="Save or export it anew.") from error
    if size[0] * size[1] > MAX_PIXELS:
        raise _too_large(f"{path} has {size[0]} × {size[1]} pixels, more than {MAX_PIXELS // 1_000_000} million")


def _decode(data: bytes, kind: str) -> tuple[int, int]:
    """The size of a picture, which is also decoded unless it is too large.

    Raises:
        Exception: it does not decode; of any kind that pillow or a codec raises.
    """
    if kind == "png" and not has_right_checksums(data):
        raise ValueError(kind)
    image = _open(data, kind)
    if image.width * image.height > MAX_PIXELS:
        return image.size
    if kind == "jpeg":
        image.draft(None, (1, 1))  # reads all data at an eighth of the size: faster, less memory
    image.load()
    left = MAX_PIXELS
    for frame in range(1, getattr(image, "n_frames", 1)):
        left -= image.width * image.height
        if left < 0:
            break  # decoding all of a long animation would delay the start
        image.seek(frame)
        image.load()
    return image.size


def _open(data: bytes, kind: str) -> ImageFile:
    """Open a picture with the decoder of its kind: pillow's detection takes as long again."""
    file = BytesIO(data)
    if kind == "png":
        from PIL.PngImagePlugin import PngImageFile

        return PngImageFile(file)
    if kind == "jpeg":
        from PIL.JpegImagePlugin import JpegImageFile

        return JpegImageFile(file)
    if kind == "gif":
        from PIL.GifImagePlugin import GifImageFile

        return GifImageFile(file)
    from PIL.WebPImagePlugin import WebPImageFile

    return WebPImageFile(file)


def _too_large(message: str) -> BadInputError:
    return BadInputError(message, hint="Make it smaller: Codex shows a model at most 2048 pixels a side.")
