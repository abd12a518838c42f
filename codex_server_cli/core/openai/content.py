"""The content of one message: text and pictures, as parts of a Responses item. Never opens a file or fetches a URL.

Codex passes an image URL that is not a data URL to the model unchanged, and replaces a picture that it cannot decode by
a text without an error, so both are refused here.
"""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Any, Literal

from codex_server_cli.core.images import HEAD_BYTES, has_right_checksums, image_type
from codex_server_cli.core.openai.refusal import invalid

_KEY_OF_TEXT = {"text": "text", "input_text": "text", "output_text": "text", "refusal": "refusal"}
_THOUGHTS = ("thinking", "redacted_thinking", "reasoning")  # how other providers' clients keep reasoning
_PICTURES = ("image_url", "input_image")
_DATA_URL = re.compile(r"(?i)data:image/(?:png|jpe?g|gif|webp);base64,")


def content_parts(
    content: Any, param: str, *, kind: Literal["input_text", "output_text"] = "input_text", may_show: bool = False
) -> list[dict[str, Any]]:
    """The parts of a message's content that are not empty.

    Args:
        content: null, text, or a list of parts.
        param: its path, for the error.
        kind: the type of a text part.
        may_show: whether pictures are allowed.

    Raises:
        ApiError: 400, naming the part.
    """
    listed = [content] if isinstance(content, str) else content
    if not isinstance(listed, list | None):
        raise invalid(f"`{param}` must be text, or a list of parts.", param)
    parts = [_part(part, f"{param}[{index}]", kind, may_show) for index, part in enumerate(listed or [])]
    return [part for part in parts if part.get("text") != ""]


def output_of(parts: list[dict[str, Any]]) -> Any:
    """The `output` of a `function_call_output`: text, or a list if there are several parts or a picture."""
    if not parts:
        return ""
    return parts[0]["text"] if len(parts) == 1 and "text" in parts[0] else parts


def _part(part: Any, param: str, kind: str, may_show: bool) -> dict[str, Any]:
    if isinstance(part, str):
        return {"type": kind, "text": part}
    if not isinstance(part, dict):
        raise invalid(f"`{param}` must be text, or an object with `type`.", param)
    name = part.get("type") or "text"
    if name in _THOUGHTS:
        return {"type": kind, "text": ""}
    if may_show and name in _PICTURES:
        return _picture(part.get("image_url"), f"{param}.image_url")
    key = _KEY_OF_TEXT.get(name) if isinstance(name, str) else None
    if key is None:
        possible = "text and pictures (`image_url`) are" if may_show else "only text is"
        message = f"`{param}` has a type that is not possible here: {possible}."
        raise invalid(message, f"{param}.type", "unsupported_content")
    text = part.get(key)
    if not isinstance(text, str | None):
        raise invalid(f"`{param}.{key}` must be text.", f"{param}.{key}")
    return {"type": kind, "text": text or ""}


def _picture(value: Any, param: str) -> dict[str, Any]:
    url = value.get("url") if isinstance(value, dict) else value
    match = _DATA_URL.match(url) if isinstance(url, str) else None
    if match is None:
        message = (
            "A picture must be a data URL (data:image/png;base64,… or jpeg, gif, webp). No address is fetched here."
        )
        raise invalid(message, param, "invalid_image_url")
    encoded = match.string[match.end() :]
    try:
        data = b64decode(encoded, validate=True)
    except ValueError as error:
        raise invalid("The picture is not valid base64.", param, "invalid_base64") from error
    found = image_type(data[:HEAD_BYTES])
    if found is None or (found == "png" and not has_right_checksums(data)):
        raise invalid("The picture is damaged, or no png, jpeg, gif or webp.", param, "invalid_image_format")
    return {"type": "input_image", "image_url": f"data:image/{found};base64,{encoded}"}
