"""Text and pictures of a message: each form that clients use, and nothing that is fetched, read or silently lost."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from codex_server_cli.core.openai.content import content_parts, output_of
from codex_server_cli.core.openai.refusal import ApiError
from tests.core.openai.bodies import PIXEL, PNG
from tests.kit.cases import for_each

RAW = base64.b64decode(PIXEL)
TEXT = {"type": "input_text", "text": "q"}
SHOWN = {"type": "input_image", "image_url": PNG}


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


@for_each(
    "content", ["q", ["q"], [{"type": "text", "text": "q"}], [{"type": "input_text", "text": "q"}], [{"text": "q"}]]
)
def test_each_form_of_text_is_the_same(content: Any) -> None:
    assert content_parts(content, "content") == [TEXT]


@for_each(
    "part",
    [
        {"type": "image_url", "image_url": {"url": PNG, "detail": "high"}},
        {"type": "image_url", "image_url": PNG},
        {"type": "input_image", "image_url": PNG},
        {"type": "image_url", "image_url": PNG.replace("image/png", "IMAGE/PNG")},
        {"type": "image_url", "image_url": PNG.replace("image/png", "image/jpg")},
    ],
)
def test_each_form_of_a_picture_is_the_same(part: Any) -> None:
    assert content_parts([part, "q"], "content", may_show=True) == [SHOWN, TEXT]


@for_each(
    ("head", "kind"),
    [(b"\xff\xd8\xff\xe0", "jpeg"), (b"GIF89a", "gif"), (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "webp")],
)
def test_every_kind_of_picture_that_codex_can_show_is_taken(head: bytes, kind: str) -> None:
    url = f"data:image/{kind};base64,{encoded(head)}"
    assert content_parts([{"type": "image_url", "image_url": url}], "content", may_show=True)[0]["image_url"] == url


@for_each(
    ("url", "code"),
    [
        ("https://example.com/a.png", "invalid_image_url"),
        ("http://127.0.0.1/a.png", "invalid_image_url"),
        ("file:///etc/passwd", "invalid_image_url"),
        ("/etc/passwd", "invalid_image_url"),
        ("notaurl", "invalid_image_url"),
        ("", "invalid_image_url"),
        ("data:image/svg+xml;base64,PHN2Zy8+", "invalid_image_url"),
        ("data:text/plain;base64,aGVsbG8=", "invalid_image_url"),
        ("data:image/png,raw", "invalid_image_url"),
        ("data:image/png;charset=utf-8;base64,AAAA", "invalid_image_url"),
        (None, "invalid_image_url"),
        ({"uri": PNG}, "invalid_image_url"),
        ({"url": None}, "invalid_image_url"),
        ([PNG], "invalid_image_url"),
        ("data:image/png;base64,%%%", "invalid_base64"),
        ("data:image/png;base64,é", "invalid_base64"),
        ("data:image/png;base64,A", "invalid_base64"),
        ("data:image/png;base64,", "invalid_image_format"),
        (f"data:image/png;base64,{encoded(b'plain text')}", "invalid_image_format"),
        (f"data:image/png;base64,{encoded(RAW[:40])}", "invalid_image_format"),
        (f"data:image/png;base64,{encoded(RAW[:50] + b'x' + RAW[51:])}", "invalid_image_format"),
    ],
)
def test_what_is_no_whole_picture_in_a_data_url_is_refused(url: Any, code: str) -> None:
    with pytest.raises(ApiError) as refused:
        content_parts([{"type": "image_url", "image_url": url}], "content", may_show=True)
    assert (refused.value.status, refused.value.code, refused.value.param) == (400, code, "content[0].image_url")


@for_each(
    ("part", "param"),
    [
        (5, "content[0]"),
        (None, "content[0]"),
        ({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}, "content[0].type"),
        ({"type": "file", "file": {"file_id": "f"}}, "content[0].type"),
        ({"type": "video_url", "video_url": "x"}, "content[0].type"),
        ({"type": ["text"], "text": "q"}, "content[0].type"),
        ({"type": "text", "text": 5}, "content[0].text"),
        ({"type": "refusal", "refusal": {}}, "content[0].refusal"),
    ],
)
def test_another_kind_of_part_is_refused_by_its_path(part: Any, param: str) -> None:
    with pytest.raises(ApiError) as refused:
        content_parts([part], "content", may_show=True)
    assert (refused.value.status, refused.value.param) == (400, param)


def test_a_picture_is_refused_where_a_model_takes_none() -> None:
    with pytest.raises(ApiError, match="only text is"):
        content_parts([{"type": "image_url", "image_url": PNG}], "content")


@for_each(
    ("parts", "output"),
    [([], ""), ([TEXT], "q"), ([SHOWN], [SHOWN]), ([TEXT, TEXT], [TEXT, TEXT]), ([TEXT, SHOWN], [TEXT, SHOWN])],
)
def test_the_output_of_a_call_is_text_where_it_can_be(parts: Any, output: Any) -> None:
    assert output_of(parts) == output
