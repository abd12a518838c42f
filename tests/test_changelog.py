"""CHANGELOG.md matches the package."""

from __future__ import annotations

import re
from pathlib import Path

from codex_server_cli import __version__

_CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"


def test_the_newest_entry_of_the_changelog_is_this_version() -> None:
    versions = re.findall(r"^## \[(.+?)\] - \d{4}-\d{2}-\d{2}$", _CHANGELOG.read_text(encoding="utf-8"), re.MULTILINE)
    assert versions[0] == __version__
