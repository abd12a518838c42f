"""Pictures are read whole and decoded before a turn exists: what a model could not see is refused."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from base64 import b64encode
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from codex_server_cli.actions.start import pictures
from codex_server_cli.actions.start.pictures import read_pictures
from codex_server_cli.errors import BadInputError

SIZE = (60, 40)


def encoded(kind: str, frames: int = 1, **options: object) -> bytes:
    """A picture that does not compress well, in this format."""
    images = [Image.frombytes("RGB", SIZE, os.urandom(SIZE[0] * SIZE[1] * 3)) for _ in range(frames)]
    more = {"save_all": True, "append_images": images[1:]} if frames > 1 else {}
    file = BytesIO()
    images[0].save(file, kind, **more, **options)
    return file.getvalue()


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be large."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


def put(folder: Path, data: bytes, name: str = "picture.png") -> str:
    """A file with these bytes."""
    (folder / name).write_bytes(data)
    return str(folder / name)


WHOLE = {
    "png": encoded("PNG"),
    "jpeg": encoded("JPEG"),
    "jpeg progressive": encoded("JPEG", progressive=True),
    "jpeg of two, as phones make": encoded("MPO", frames=2),
    "gif": encoded("GIF"),
    "gif animated": encoded("GIF", frames=3),
    "webp": encoded("WEBP"),
    "webp lossless": encoded("WEBP", lossless=True),
    "webp animated": encoded("WEBP", frames=3),
    "png animated": encoded("PNG", frames=3),
}


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
def test_what_codex_can_show_is_taken_byte_by_byte_whatever_it_is_called(tmp_path: Path, data: bytes) -> None:
    ((name, taken),) = read_pictures((put(tmp_path, data, "a picture.doc"),))
    assert taken == data
    assert name.startswith("images/1-a_picture.")
    assert name.endswith((".png", ".jpeg", ".gif", ".webp"))


@pytest.mark.parametrize("data", WHOLE.values(), ids=WHOLE)
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_picture_that_is_cut_short_is_refused(tmp_path: Path, data: bytes, part: float) -> None:
    if data is WHOLE["jpeg of two, as phones make"] and part > 0.4:
        data = WHOLE["jpeg"]  # its first picture would be whole, and that is what is shown
    path = put(tmp_path, data[: int(len(data) * part)])
    with pytest.raises(BadInputError, match=f"the image {path} is broken or cut short: it does not decode as"):
        read_pictures((path,))


@pytest.mark.parametrize(
    "data",
    [
        WHOLE["png"][:-20] + bytes([WHOLE["png"][-20] ^ 1]) + WHOLE["png"][-19:],
        WHOLE["png"][:-13] + bytes([WHOLE["png"][-13] ^ 1]) + WHOLE["png"][-12:],  # in the checksum itself
        WHOLE["png"][:-1] + b"!",
        b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
        b"\xff\xd8\xff\xd9",
        b"GIF89a",
        b"GIF89a" + bytes(20),
        b"RIFF\x1e\x00\x00\x00WEBPVP8L",
        bomb(0, 0),
        bomb(40, 0),
        bomb(4000, 4000),
    ],
    ids=[
        *(
            "bad pixels",
            "bad checksum",
            "bad end",
            "stub jpeg",
            "empty jpeg",
            "stub gif",
            "gif of nothing",
            "stub webp",
        ),
        *("no size", "no height", "fewer pixels than it says"),
    ],
)
def test_a_broken_picture_is_refused_with_one_clear_line(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadInputError, match="is broken or cut short: it does not decode as") as caught:
        read_pictures((put(tmp_path, data),))
    assert "\n" not in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("size", [(20_000, 20_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, size: tuple[int, int]) -> None:
    with pytest.raises(BadInputError, match=f"{size[0]} × {size[1]} pixels, more than 100 million"):
        read_pictures((put(tmp_path, bomb(*size)),))


def test_a_film_is_tried_as_far_as_that_takes_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = encoded("GIF", frames=9)
    path = put(tmp_path, film[: len(film) * 3 // 4])
    monkeypatch.setattr(pictures, "MAX_PIXELS", 4 * SIZE[0] * SIZE[1])
    assert read_pictures((path,))


@pytest.mark.parametrize("data", [b"", b"<svg/>", b"BM" + bytes(60), b"II*\x00" + bytes(60), b"no picture"])
def test_what_is_no_picture_is_refused(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BadInputError, match="is no PNG, JPEG, GIF or WebP image"):
        read_pictures((put(tmp_path, WHOLE["png"], "good.png"), put(tmp_path, data)))


@pytest.mark.parametrize("kind", ["directory", "fifo", "device", "fifo behind a link"])
def test_only_regular_files_are_read_and_none_is_waited_for(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "picture.png"
    if kind == "directory":
        path.mkdir()
    elif kind == "device":
        path = Path(os.devnull)
    else:
        os.mkfifo(tmp_path / "fifo")
        path = tmp_path / "fifo"
    if kind == "fifo behind a link":
        path = tmp_path / "link.png"
        path.symlink_to("fifo")
    with pytest.raises(BadInputError, match="is not a regular file"):
        read_pictures((str(path),))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("missing.png", "No such file or directory"),
        ("x" * 300, "File name too long"),
        ("loop", "Too many levels of symbolic links"),
    ],
)
def test_a_name_that_leads_to_no_picture_is_told(tmp_path: Path, name: str, expected: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(BadInputError, match=f"cannot read the image .*{expected}"):
        read_pictures((str(tmp_path / name),))


def test_names_are_meant_from_here_links_are_followed_and_one_may_come_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, WHOLE["png"], "real.png")
    (tmp_path / "link").symlink_to("real.png")
    (tmp_path / os.fsdecode(b"\xff.png")).symlink_to("real.png")
    monkeypatch.chdir(tmp_path)
    found = read_pictures(("real.png", "link", "real.png", os.fsdecode(b"\xff.png")))
    names = ["images/1-real.png", "images/2-link.png", "images/3-real.png", "images/4.png"]
    assert found == tuple((name, WHOLE["png"]) for name in names)


def test_pictures_have_a_limit_each_and_in_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, WHOLE["png"])
    size = len(WHOLE["png"])
    monkeypatch.setattr(pictures, "MAX_BYTES", size)
    monkeypatch.setattr(pictures, "MAX_BYTES_IN_ALL", 2 * size)
    assert len(read_pictures((path, path))) == 2
    with pytest.raises(BadInputError, match="the images have more than"):
        read_pictures((path,) * 3)
    monkeypatch.setattr(pictures, "MAX_BYTES", size - 1)
    with pytest.raises(BadInputError, match=f"{path} has more than"):
        read_pictures((path,))


def test_one_picture_takes_the_decoder_of_its_kind_alone(tmp_path: Path) -> None:
    path = put(tmp_path, WHOLE["png"])
    code = (
        "import sys; from codex_server_cli.actions.start.pictures import read_pictures; read_pictures((sys.argv[1],)); "
        "print(*[name for name in sys.modules if name.startswith('PIL.') and name.endswith('Plugin')])"
    )
    run = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["PIL.PngImagePlugin"]


def data_url(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{b64encode(data).decode()}"


@pytest.mark.parametrize("data", [WHOLE["png"], WHOLE["jpeg"], WHOLE["webp"]])
def test_a_picture_may_be_given_by_value_and_its_bytes_say_what_it_is(tmp_path: Path, data: bytes) -> None:
    ((name, kept),) = read_pictures((data_url(data, "svg+xml"),))
    assert kept == data
    assert name.startswith("images/1-image_1.")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("data:image/png,abc", "image 1 is no data URL in base64"),
        ("data:image/png;base64,ab!c", "image 1 is not valid base64"),
        ("data:image/png;base64,é", "image 1 is not valid base64"),
        (data_url(b"<svg/>"), "is no PNG, JPEG, GIF or WebP image"),
        (data_url(WHOLE["png"][:-20]), "is broken or cut short"),
    ],
)
def test_a_value_that_is_no_picture_is_refused(given: str, message: str) -> None:
    with pytest.raises(BadInputError, match=message):
        read_pictures((given,))


def test_a_value_has_the_limits_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "MAX_BYTES", 100)
    with pytest.raises(BadInputError, match="image 1 has more than"):
        read_pictures((data_url(bytes(1000)),))
