"""Checks before a turn exists; the messages that a user sees for a wrong value are in `tests/cli/test_bad_options`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.start import checks
from codex_server_cli.core.model.request import Sandbox, TurnRequest
from codex_server_cli.errors import BadInputError, UsageError
from codex_server_cli.settings.places import Settings
from tests.kit.cases import for_each
from tests.kit.turns_on_disk import TurnsOnDisk

TURN_ID = "20261120-165501-482-7f3a"


def test_a_directory_is_made_absolute_and_its_links_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    assert checks.check_cwd(None) == str(tmp_path)
    assert checks.check_cwd("link/../link") == str(tmp_path / "link")


def test_a_directory_that_cannot_be_entered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may enter everything
    with pytest.raises(BadInputError, match="cannot enter"):
        checks.check_cwd(str(tmp_path))


def test_a_directory_that_is_gone_or_has_no_name_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadInputError, match="no such directory: ''"):
        checks.check_cwd("")
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.raises(BadInputError, match="the current directory is gone"):
        checks.check_cwd(None)


@pytest.mark.parametrize(
    ("sandbox", "cwd", "roots", "is_warned"),
    [
        (Sandbox.WORKSPACE_WRITE, "user", (), True),
        (Sandbox.WORKSPACE_WRITE, "user/project", (), False),
        (Sandbox.WORKSPACE_WRITE, "user/project", ("user/home",), True),
        (Sandbox.WORKSPACE_WRITE, "user/ho", (), False),
        (Sandbox.READ_ONLY, "user", (), False),
        (Sandbox.DANGER_FULL_ACCESS, "user", (), False),
    ],
)
def test_a_turn_that_may_write_where_our_records_lie_is_warned_of(
    settings: Settings, tmp_path: Path, sandbox: Sandbox, cwd: str, roots: tuple[str, ...], is_warned: bool
) -> None:
    settings = settings._replace(home=tmp_path / "user" / "home")
    request = TurnRequest(
        "", cwd=str(tmp_path / cwd), sandbox=sandbox, writable_roots=tuple(str(tmp_path / root) for root in roots)
    )
    warnings = checks.warn_of_open_home(settings, request)
    assert [str(settings.home) in warning for warning in warnings] == ([True] if is_warned else [])


@for_each("name", ["a", "x" * 64, "Fix-1.2_b", "lastly", "LAST", "cafe"])
def test_a_name_is_a_name(settings: Settings, name: str) -> None:
    checks.check_name(settings, name)


def test_the_short_id_of_another_turn_is_no_name(settings: Settings) -> None:
    (settings.turns_path / "20261120-165501-482-cafe").mkdir(parents=True)
    with pytest.raises(BadInputError, match="cafe is the short id of 20261120-165501-482-cafe"):
        checks.check_name(settings, "cafe")
    checks.check_name(settings, "fade")


@for_each("name", ["", "1st", "-x", "a b", "a/b", "é", "last", TURN_ID, "x" * 65, "a\n"])
def test_what_could_be_taken_for_something_else_is_no_name(settings: Settings, name: str) -> None:
    with pytest.raises(BadInputError, match="not a turn name"):
        checks.check_name(settings, name)


@for_each(
    ("pairs", "overrides"),
    [
        ([], None),
        (
            ["a=1", "b=true", "c=1.5", "d=[1, 2]", 'e="x"', "f={g = 1}"],
            {"a": 1, "b": True, "c": 1.5, "d": [1, 2], "e": "x", "f": {"g": 1}},
        ),
        (["model=gpt-5.5"], {"model": "gpt-5.5"}),  # no TOML, so a plain string
        (["a.b.c=x=y"], {"a.b.c": "x=y"}),
        ([" key = value "], {"key": "value"}),
        (["a={b = 1,\n c = [2,],\n}"], {"a": {"b": 1, "c": [2]}}),
        (["a={b = 1,}", r'c="\x41\e"'], {"a": {"b": 1}, "c": "A\x1b"}),
        (['a="b" "c"', 'd="e', "f='"], {"a": 'b" "c', "d": "e", "f": ""}),  # no TOML: quotes around it go
        (["a=99999999999999999999"], {"a": "99999999999999999999"}),  # more than Codex's integers hold
        (["empty="], {"empty": ""}),
        (["a=1", "a=2"], {"a": 2}),
        (["a=2026-11-20", "b=[07:30:00]"], {"a": "2026-11-20", "b": ["07:30:00"]}),  # JSON has no dates
        (["modelling=1", "projectsx.y=1"], {"modelling": 1, "projectsx.y": 1}),
    ],
)
def test_overrides_are_toml_or_plain_strings(pairs: list[str], overrides: dict[str, Any] | None) -> None:
    assert checks.parse_overrides(tuple(pairs)) == overrides


@for_each(
    "key",
    [
        *("projects./x.trust_level", "model_provider", "model_providers.x.base_url"),
        *("sandbox_mode", "approval_policy", "approvals_reviewer", "default_permissions", "permissions.p.network"),
    ],
)
def test_no_override_decides_over_trust_payment_or_sandbox(key: str) -> None:
    with pytest.raises(UsageError, match=f"must not set {key}") as caught:
        checks.parse_overrides(("a=1", f"{key}=x"))
    assert caught.value.hint


@for_each("key", ['"model_provider"', "'projects'.x", "model_provider .x", '" sandbox_mode "', "permissions.p"])
def test_no_spelling_leads_around_that(key: str) -> None:
    with pytest.raises(UsageError, match="must not set"):
        checks.parse_overrides((f"{key}=x",))


def test_what_stands_on_further_lines_of_an_override_is_nothing_to_codex() -> None:
    assert checks.parse_overrides(("a=1\nsandbox_mode='x'",)) == {"a": 1}


@for_each("value", ["nan", "[1, inf]"])
def test_an_override_that_json_has_no_word_for_is_refused(value: str) -> None:
    with pytest.raises(BadInputError, match="--config x"):
        checks.parse_overrides((f"x={value}",))


@for_each("value", ["9" * 6000, "[" * 3000])
def test_an_override_that_is_no_value_is_text(value: str) -> None:
    assert checks.parse_overrides((f"x={value}",)) == {"x": value}


def test_further_directories_need_the_sandbox_that_they_widen(tmp_path: Path) -> None:
    folder = str(tmp_path)
    assert checks.check_add_dirs((folder,), Sandbox.WORKSPACE_WRITE) == (folder,)
    assert checks.check_add_dirs((), Sandbox.READ_ONLY) == ()
    for sandbox in (Sandbox.READ_ONLY, Sandbox.DANGER_FULL_ACCESS):
        with pytest.raises(UsageError):
            checks.check_add_dirs((folder,), sandbox)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b'{"type": "nothing"}'])
def test_a_schema_that_is_none_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "schema.json"
    path.write_bytes(data)
    with pytest.raises(BadInputError, match=r"schema\.json"):
        checks.read_schema(str(path))


def test_what_is_no_regular_file_is_no_schema_and_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path, Path("/dev/zero")):
        with pytest.raises(BadInputError, match=f"{path} is not a regular file"):
            checks.read_schema(str(path))


def test_a_schema_may_be_given_by_value() -> None:
    assert checks.read_schema(' {"type": "object", "additionalProperties": false}')["type"] == "object"
    for given, message in (("{", "the schema"), ('{"type": "array"}', "the schema"), ("{" + " " * (5 << 20), "larger")):
        with pytest.raises(BadInputError, match=message):
            checks.read_schema(given)


def test_a_request_in_utf_8_passes_and_any_other_is_named() -> None:
    checks.check_encodable(TurnRequest(TURN_ID, cwd="/naïve/🦀", config={"a": ["é"]}))
    with pytest.raises(BadInputError, match="config is not valid UTF-8"):
        checks.check_encodable(TurnRequest(TURN_ID, cwd="/", config={"a": ["\udcff"]}))


class TestNesting:
    """Nested agents: two levels, a third only with consent."""

    def test_outside_of_any_turn_there_is_no_parent(self, settings: Settings) -> None:
        assert checks.check_nesting(settings, may_nest=False) is None
        odd = settings._replace(parent_turn="../../etc")
        assert checks.check_nesting(odd, may_nest=False) is None

    def test_a_turn_inside_a_turn_records_its_parent(self, settings: Settings, turns: TurnsOnDisk) -> None:
        parent = turns.running(parent_turn=None).turn_id
        inside = settings._replace(parent_turn=parent)
        assert checks.check_nesting(inside, may_nest=False) == parent

    def test_a_third_level_needs_consent(self, settings: Settings, turns: TurnsOnDisk) -> None:
        child = turns.running(parent_turn=TURN_ID).turn_id
        inside = settings._replace(parent_turn=child)
        with pytest.raises(UsageError, match="third level") as caught:
            checks.check_nesting(inside, may_nest=False)
        assert "--allow-nested" in caught.value.hint
        assert checks.check_nesting(inside, may_nest=True) == child

    @pytest.mark.parametrize(
        "mark",
        ["", "server", "worker", "x" * 100_000, TURN_ID * 1000, f"{TURN_ID}\n", f"{TURN_ID}/..", "\udcff", "../.."],
    )
    def test_a_mark_that_is_no_id_is_no_parent(self, settings: Settings, mark: str) -> None:
        assert checks.check_nesting(settings._replace(parent_turn=mark), may_nest=False) is None

    def test_a_parent_in_another_home_counts_as_one_level(self, settings: Settings, tmp_path: Path) -> None:
        with TurnsOnDisk(tmp_path / "another" / "turns") as elsewhere:
            parent = elsewhere.running(parent_turn=TURN_ID).turn_id
            inside = settings._replace(parent_turn=parent)
            assert checks.check_nesting(inside, may_nest=False) == parent

    @pytest.mark.parametrize("content", ["", "[]", '{"parent_turn": null}', '{"parent_turn": '])
    def test_a_parent_whose_record_cannot_be_read_counts_as_one_level(
        self, settings: Settings, turns: TurnsOnDisk, content: str
    ) -> None:
        turn = turns.running(parent_turn=TURN_ID)
        turn.meta.write_text(content)
        inside = settings._replace(parent_turn=turn.turn_id)
        assert checks.check_nesting(inside, may_nest=False) == turn.turn_id

    def test_a_parent_that_was_deleted_is_still_a_parent(self, settings: Settings) -> None:
        inside = settings._replace(parent_turn=TURN_ID)
        assert checks.check_nesting(inside, may_nest=False) == TURN_ID
