"""A Codex profile: which file it is, which of its settings count, and the error where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.actions.start.profile import Profile, read_profile
from codex_server_cli.errors import BadInputError


def put(codex_home: Path, name: str, text: str) -> None:
    """Write a profile."""
    codex_home.mkdir(exist_ok=True)
    (codex_home / f"{name}.config.toml").write_text(text)


def test_a_profile_is_all_that_its_file_sets(tmp_path: Path) -> None:
    put(tmp_path, "quick", 'model = "m"\nmodel_reasoning_effort = "low"\n[mcp_servers.a]\ncommand = "b"\n')
    config = {"model": "m", "model_reasoning_effort": "low", "mcp_servers": {"a": {"command": "b"}}}
    assert read_profile(tmp_path, "quick") == Profile(config)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffmodel = 'm'\n",
        'model = "\\x6d"\n',
        "model = 'm'\ntui = {\n a = 1,\n b = 2,\n}\n",
    ],
)
def test_it_is_read_as_codex_reads_it(tmp_path: Path, text: str) -> None:
    put(tmp_path, "new", text)
    assert read_profile(tmp_path, "new").config["model"] == "m"


def test_a_date_is_handed_over_as_text(tmp_path: Path) -> None:
    put(tmp_path, "dated", "since = 2026-11-20\n")
    assert read_profile(tmp_path, "dated").config == {"since": "2026-11-20"}


def test_its_provider_is_the_users_own_choice(tmp_path: Path) -> None:
    put(tmp_path, "own", 'model_provider = "x"\n[model_providers.x]\nbase_url = "http://localhost"\n')
    assert read_profile(tmp_path, "own").config["model_provider"] == "x"


@pytest.mark.parametrize(
    ("line", "flag"),
    [
        ('sandbox_mode = "danger-full-access"', "--sandbox"),
        ("sandbox_workspace_write = { network_access = true }", "--network"),
        ('default_permissions = ":workspace"', "--sandbox"),
        ('approval_policy = "on-request"', "--approval"),
        ('approvals_reviewer = "auto_review"', "--approval"),
        ('projects = { "/p" = { trust_level = "trusted" } }', "trust"),
        ('profile = "other"', "no other"),
    ],
)
def test_what_a_turns_own_flags_decide_is_left_out_with_a_word(tmp_path: Path, line: str, flag: str) -> None:
    put(tmp_path, "wide", f'model = "m"\n{line}\n')
    profile = read_profile(tmp_path, "wide")
    assert profile.config == {"model": "m"}
    (warning,) = profile.warnings
    assert warning.startswith(f"profile wide: {line.partition(' ')[0]} has no effect: ")
    assert flag in warning


def test_what_it_denies_counts(tmp_path: Path) -> None:
    put(tmp_path, "locked", 'default_permissions = "mine"\n[permissions.mine.filesystem]\n"/x" = "deny"\n')
    config = {"default_permissions": "mine", "permissions": {"mine": {"filesystem": {"/x": "deny"}}}}
    assert read_profile(tmp_path, "locked") == Profile(config)


@pytest.mark.parametrize(
    "key", ["projects./repo.trust_level", "sandbox_workspace_write.writable_roots", "permissions.x"]
)
def test_a_quoted_key_leads_around_nothing(tmp_path: Path, key: str) -> None:
    put(tmp_path, "sly", f"model = 'm'\n'{key}' = 'trusted'\n")
    profile = read_profile(tmp_path, "sly")
    assert profile.config == {"model": "m"}
    assert len(profile.warnings) == 1


@pytest.mark.parametrize("text", ["x = nan", "x = [1, -inf]", f"x = {'9' * 6000}", f"x = {'[' * 3000}"])
def test_what_codex_could_not_be_told_is_bad_input(tmp_path: Path, text: str) -> None:
    put(tmp_path, "odd", text)
    with pytest.raises(BadInputError, match=r"odd\.config\.toml"):
        read_profile(tmp_path, "odd")


def test_a_name_that_no_file_can_have_is_no_profile(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no such profile"):
        read_profile(tmp_path, "x" * 5000)


def test_a_profile_may_be_a_link_to_where_its_user_keeps_it(tmp_path: Path) -> None:
    (tmp_path / "dotfiles").write_text('model = "m"')
    (tmp_path / "linked.config.toml").symlink_to(tmp_path / "dotfiles")
    assert read_profile(tmp_path, "linked").config == {"model": "m"}


@pytest.mark.parametrize(
    "name", ["none", "", ".", "..", "../quick", "sub/quick", "/quick", "quick.config.toml", "a\0b"]
)
def test_a_name_that_is_no_profile_is_refused_with_those_there_are(tmp_path: Path, name: str) -> None:
    codex_home = tmp_path / "codex"
    put(codex_home, "quick", "")
    put(codex_home, "deep", "")
    put(tmp_path, "quick", "")
    (codex_home / "sub").mkdir()
    put(codex_home / "sub", "quick", "")
    with pytest.raises(BadInputError, match=r"^no such profile: ") as caught:
        read_profile(codex_home, name)
    assert caught.value.hint == "There are: deep, quick."


def test_where_there_is_no_profile_at_all_it_is_told_what_one_is(tmp_path: Path) -> None:
    with pytest.raises(BadInputError) as caught:
        read_profile(tmp_path, "quick")
    assert caught.value.hint == f"There is none: a profile P is a file {tmp_path}/P.config.toml."


@pytest.mark.parametrize("content", [b"model = ", b"\xff", b"a = " + b"[" * 5000], ids=["torn", "no-utf-8", "too-deep"])
def test_a_broken_profile_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.config.toml").write_bytes(content)
    with pytest.raises(BadInputError, match=r"the profile .*bad\.config\.toml is broken: "):
        read_profile(tmp_path, "bad")


def test_a_profile_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put(tmp_path, "shut", "")

    def refuse(*_: object, **__: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)  # root may read everything
    with pytest.raises(BadInputError, match=r"cannot read .*shut\.config\.toml: Permission denied"):
        read_profile(tmp_path, "shut")
