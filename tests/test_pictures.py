"""README's pictures are there, small, told in words to who does not see them, and tell nothing of who made them."""

from __future__ import annotations

import re
from pathlib import Path

from tests.kit.pictures import FOLDER, PICTURES

_LARGEST = 150_000
_README = Path(__file__).parents[1] / "README.md"


def test_each_picture_is_in_the_readme_small_and_told_in_words() -> None:
    readme = _README.read_text(encoding="utf-8")
    assert sorted(PICTURES) == sorted(path.name for path in FOLDER.iterdir())
    for name in PICTURES:
        assert f"references/pictures/{name}" in readme
        assert (FOLDER / name).stat().st_size <= _LARGEST
    told = re.findall(r"!\[([^]]+)\]\(references/pictures/|alt=\"([^\"]+)\"", readme)
    assert [len(words or other) > 40 for words, other in told] == [True] * 3


def test_a_picture_of_a_terminal_fetches_nothing_and_names_no_path_of_a_machine() -> None:
    for path in FOLDER.glob("*.svg"):
        picture = path.read_text(encoding="utf-8")
        assert not re.search(r"/tmp|/root|/home|/work|@font-face|@import|<script", picture)
        assert set(re.findall(r"https?://[^\s\"'<]+", picture)) == {"http://www.w3.org/2000/svg"}
