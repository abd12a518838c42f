"""Unified diffs: what Codex and git write is read, and what is written git applies."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codex_server_cli.core.model.unified_diff import (
    LEFT_OUT,
    NOT_APPLIED,
    FileDiff,
    diff_text,
    encoded,
    moved,
    parse_diff,
    parse_listing,
    quoted,
)
from tests.kit.cases import for_each

HASHES = "index 4cb29ea..ddc897f"
HUNK = "@@ -1,2 +1,2 @@\n one\n-two\n+TWO\n"
UPDATE = f"diff --git a/a.txt b/a.txt\n{HASHES} 100644\n--- a/a.txt\n+++ b/a.txt\n{HUNK}"
ADDED = f"diff --git a/n.txt b/n.txt\nnew file mode 100644\n{HASHES}\n--- /dev/null\n+++ b/n.txt\n@@ -0,0 +1 @@\n+n\n"
DELETED = (
    f"diff --git a/d.txt b/d.txt\ndeleted file mode 100644\n{HASHES}\n--- a/d.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-d\n"
)
EMPTY = f"diff --git a/e b/e\nnew file mode 100644\n{HASHES}\n"
EMPTIED = f"diff --git a/e b/e\ndeleted file mode 100644\n{HASHES}\n"
MODE = "diff --git a/x.sh b/x.sh\nold mode 100644\nnew mode 100755\n"
MOVED = (
    "diff --git a/c.txt b/sub/d.txt\nsimilarity index 66%\nrename from c.txt\nrename to sub/d.txt\n"
    f"{HASHES} 100644\n--- a/c.txt\n+++ b/sub/d.txt\n{HUNK}"
)
ONLY_MOVED = "diff --git a/old name b/new name\nsimilarity index 100%\nrename from old name\nrename to new name\n"
BINARY = f"diff --git a/b.bin b/b.bin\n{HASHES} 100644\nGIT binary patch\nliteral 4\nLcmZQb%FF`*0%`#|\n\n"
SPACED = f"diff --git a/ü b.txt b/ü b.txt\n{HASHES} 100644\n--- a/ü b.txt\t\n+++ b/ü b.txt\t\n{HUNK}"
ODD = (
    f'diff --git "a/e\\tn\\"l\\nx\\\\y\\001" "b/e\\tn\\"l\\nx\\\\y\\001"\n{HASHES} 100644\n'
    f'--- "a/e\\tn\\"l\\nx\\\\y\\001"\n+++ "b/e\\tn\\"l\\nx\\\\y\\001"\n{HUNK}'
)
WHOLE = [
    ("update", UPDATE, FileDiff("a.txt", None, "update", 1, 1)),
    ("add", ADDED, FileDiff("n.txt", None, "add", 1, 0)),
    ("delete", DELETED, FileDiff("d.txt", None, "delete", 0, 1)),
    ("empty", EMPTY, FileDiff("e", None, "add", 0, 0)),
    ("emptied", EMPTIED, FileDiff("e", None, "delete", 0, 0)),
    ("mode", MODE, FileDiff("x.sh", None, "update", 0, 0)),
    ("move", MOVED, FileDiff("sub/d.txt", "c.txt", "move", 1, 1)),
    ("only moved", ONLY_MOVED, FileDiff("new name", "old name", "move", 0, 0)),
    ("binary", BINARY, FileDiff("b.bin", None, "update", None, None)),
    ("spaces", SPACED, FileDiff("ü b.txt", None, "update", 1, 1)),
    ("odd", ODD, FileDiff('e\tn"l\nx\\y\x01', None, "update", 1, 1)),
]


def bare(file: FileDiff) -> FileDiff:
    return file._replace(head=(), body="")


@for_each("name, text, expected", WHOLE)
def test_what_git_writes_is_read_and_written_as_it_was(name: str, text: str, expected: FileDiff) -> None:
    (file,) = parse_diff(text)
    assert bare(file) == expected
    assert diff_text([file], 10_000) == text


def test_a_diff_of_many_files_is_read_in_its_order() -> None:
    text = "".join(text for _, text, _ in WHOLE)
    assert [bare(file) for file in parse_diff(f"some words\n{text}")] == [expected for _, _, expected in WHOLE]
    assert diff_text(parse_diff(text), 10_000) == text
    assert parse_diff("") == []


@for_each(
    "text, expected",
    [
        # Codex writes no `rename` lines, and every name as it is.
        (f"diff --git a/c.txt b/d.txt\n--- a/c.txt\n+++ b/d.txt\n{HUNK}", ("d.txt", "c.txt", "move")),
        (f'diff --git a/q"x.txt b/q"x.txt\n--- a/q"x.txt\n+++ b/q"x.txt\n{HUNK}', ('q"x.txt', None, "update")),
        (f"diff --git a/x b/y b/x b/y\n{HASHES}\nnew file mode 100644\n", ("x b/y", None, "add")),
        ("diff --git a/one two b/three\nold mode 100644\n", ("three", "one two", "move")),
        # Git writes bytes beyond ASCII as octal escapes, unless it is told otherwise; and quotes one name alone.
        ('diff --git "a/\\303\\274" "b/\\303\\274"\nnew file mode 100644\n', ("ü", None, "add")),
        ('diff --git a/x "b/\\303\\274"\nrename from x\nrename to "\\303\\274"\n', ("ü", "x", "move")),
        ('diff --git "a/\\377" "b/\\377"\nnew file mode 100644\n', ("\udcff", None, "add")),
        ('diff --git "a/unended b/x\n', ("x", '"a/unended', "move")),
    ],
)
def test_names_are_read_however_they_are_written(text: str, expected: tuple[str, str | None, str]) -> None:
    (file,) = parse_diff(text)
    assert (file.path, file.old_path, file.kind) == expected


def test_a_line_that_looks_like_a_header_counts_where_it_is_content() -> None:
    (file,) = parse_diff("diff --git a/a b/a\n--- a/a\n+++ b/a\n@@ -1,2 +1,2 @@\n--- x\n+++ y\n-diff --git a/b b/b\n")
    assert (file.path, file.added, file.removed) == ("a", 1, 2)


def test_a_diff_that_was_cut_still_ends_its_last_line() -> None:
    assert diff_text(parse_diff(UPDATE.removesuffix("\n")), 10_000) == UPDATE


def test_what_has_no_place_below_the_directory_is_a_comment_and_what_is_too_long_a_name() -> None:
    outside = parse_diff(ADDED)[0]._replace(path="/tmp/n.txt")
    gone = moved("/tmp/o", "p")
    long = parse_diff(UPDATE)[0]._replace(path="long\n.txt", body=HUNK + "+x\n" * 1000)
    text = diff_text([outside, long, gone, parse_diff(UPDATE)[0]], 1500)
    assert text.startswith(UPDATE + NOT_APPLIED)
    assert text.endswith(f'# rename to p\n{LEFT_OUT}"long\\n.txt"\n')
    assert all(line.startswith("# ") for line in text.removeprefix(UPDATE).splitlines())
    assert "# +n\n" in text


def test_a_listing_has_the_files_without_their_text() -> None:
    zeros, hash_ = "0" * 40, "4" * 40
    raw = [
        f":000000 100644 {zeros} {hash_} A\0a\tb\0",
        f":100644 100644 {hash_} {hash_} R100\0old\0new\0",
        f":100644 000000 {hash_} {zeros} D\0d\0",
        f":100644 100644 {hash_} {hash_} M\0m\0",
    ]
    numbers = ["3\t0\ta\tb\0", "0\t0\t\0old\0new\0", "0\t2\td\0", "-\t-\tm\0", "9"]
    files = parse_listing("".join(raw + numbers))
    assert [file._replace(is_cut=False) for file in files] == [
        FileDiff("a\tb", None, "add", 3, 0),
        FileDiff("new", "old", "move", 0, 0),
        FileDiff("d", None, "delete", 0, 2),
        FileDiff("m", None, "update", None, None),
        FileDiff("", "", "update", 9, None),
    ]
    assert diff_text(files[:1], 1000) == f'{LEFT_OUT}"a\\tb"\n'


def test_a_file_may_be_renamed_in_its_diff() -> None:
    (file,) = parse_diff(MOVED)
    assert file.renamed(lambda name: f"in/{name}").text.startswith("diff --git a/in/c.txt b/in/sub/d.txt\n")
    assert parse_diff(UPDATE)[0].renamed(str.upper).path == "A.TXT"


def test_bytes_of_no_encoding_come_back_as_they_were() -> None:
    assert encoded(b"\xff\xc3\xbc".decode("utf-8", "surrogateescape")) == b"\xff\xc3\xbc"
    assert encoded("\ud800") == b"?"


@given(st.text(min_size=1).filter(lambda name: name[0] != "/" and "\0" not in name))
def test_any_name_is_read_back(name: str) -> None:
    file = FileDiff(name, None, "update", 1, 1, (HASHES,), HUNK)
    assert parse_diff(file.text) == [file]
    assert "\n" not in quoted(name)


@given(st.text(alphabet='diff -gtab/"\\\n+@0\t'))
def test_nothing_that_comes_makes_it_fail(text: str) -> None:
    diff_text(parse_diff(f"diff --git {text}\n"), 1000)
