"""Parses TOML as Codex does. Owns the differences from Python's parser.

Codex accepts TOML 1.1 (multi-line inline tables, trailing commas, `\\e`, `\\xHH`), one byte order mark before a file,
and no integer beyond 64 bits. Observed on 0.163.0 and 0.171.0.
"""

from __future__ import annotations

from typing import Any

_BOM = "\ufeff"
_INTEGERS = range(-(2**63), 2**63)


def parse_file(data: bytes) -> dict[str, Any]:
    """The content of one of Codex's files.

    Raises:
        ValueError: it is not valid TOML.
    """
    return _parse(data.decode("utf-8").removeprefix(_BOM))


def parse_value(text: str) -> Any:
    """The value of a `key=value` override, as `codex -c` reads it: TOML, or else the text without its quotes."""
    text = text.strip()
    try:
        return _parse(f"value = {text}")["value"]  # Codex ignores further lines, too
    except ValueError:
        return text.strip("\"'")


def _parse(text: str) -> dict[str, Any]:
    import tomli  # 2 ms that a turn without a file or an override does not need

    try:
        values = tomli.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not _fits_64_bits(values):
        raise ValueError("an integer is too large")
    return values


def _fits_64_bits(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_fits_64_bits, value.values()))
    if isinstance(value, list):
        return all(map(_fits_64_bits, value))
    return not isinstance(value, int) or value in _INTEGERS


def text_value(text: str) -> str:
    """A text as the value of a `key=value` override."""
    import json

    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
