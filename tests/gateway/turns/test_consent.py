"""What callers of the gateway may have turns do: never more than the flags of `serve` allow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from codex_server_cli.actions.start.options import GivenServer, StartOptions, ThreadChoice
from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.turns.consent import Consent

WRITE, RAW = "--write", "--allow-raw-rpc"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directory of the gateway, the top of a work tree, with one below it, and a link that leads out of it."""
    place = tmp_path / "place"
    (place / "below").mkdir(parents=True)
    (place / ".git").mkdir()
    (place / "out").symlink_to(tmp_path)
    return place


def refusal(consent: Consent, **options: Any) -> ApiError:
    with pytest.raises(ApiError) as refused:
        consent.checked(StartOptions("hi", **options))
    assert (refused.value.status, refused.value.code) == (403, "not_allowed")
    return refused.value


def test_what_serve_was_started_with_is_what_is_allowed() -> None:
    assert Consent.of(ServeOptions(cwd="/w", may_write=True)) == Consent("/w", may_write=True)
    assert Consent.of(ServeOptions(has_raw_rpc=True)) == Consent("/", may_do_all=True)


def test_a_turn_that_asks_for_nothing_reads_whatever_the_configuration_says(place: Path) -> None:
    for consent in (Consent(str(place)), Consent(str(place), may_write=True), Consent(str(place), may_do_all=True)):
        assert consent.checked(StartOptions("hi")).sandbox is Sandbox.READ_ONLY


@pytest.mark.parametrize(
    ("options", "param", "flag"),
    [
        ({"sandbox": Sandbox.WORKSPACE_WRITE}, "write", WRITE),
        ({"has_worktree": True, "worktree_name": "n"}, "worktree", WRITE),
        ({"add_dirs": (".",)}, "add_dir", WRITE),
        ({"sandbox": Sandbox.DANGER_FULL_ACCESS}, "sandbox", RAW),
        ({"has_network": True}, "network", RAW),
        ({"may_skip_git_check": True}, "skip_git_check", RAW),
        ({"config": ('mcp_servers.x.command="sh"',)}, "config", RAW),
        ({"profile": "p"}, "profile", RAW),
        ({"approval": Approval.AUTO}, "approval", RAW),
        ({"notify": "sh"}, "notify", RAW),
        ({"server": GivenServer("ssh://host")}, "server", RAW),
        ({"server": GivenServer(token_file="/etc/passwd")}, "server", RAW),
        ({"may_nest": True}, "allow_nested", RAW),
    ],
)
def test_what_widens_a_turn_needs_the_flag_of_serve_that_is_named(
    place: Path, options: dict[str, Any], param: str, flag: str
) -> None:
    refused = refusal(Consent(str(place)), **options)
    assert refused.param == param
    assert refused.message.endswith(f"is not allowed: this gateway was started without {flag}")
    consent = Consent(str(place), may_write=True)
    if flag == WRITE:
        consent.checked(StartOptions("hi", **options))
    else:
        refusal(consent, **options)
    Consent(str(place), may_do_all=True).checked(StartOptions("hi", **options))


@pytest.mark.parametrize("name", ["cwd", "add_dirs", "schema", "images"])
@pytest.mark.parametrize("given", ["/", "..", "out", "below/../..", "/place-and-more", "below/../out"])
def test_no_path_leads_out_of_the_directory_of_the_gateway(place: Path, name: str, given: str) -> None:
    value: Any = (given,) if name in ("add_dirs", "images") else given
    assert f"is outside of {place}" in refusal(Consent(str(place)), **{name: value}).message
    refusal(Consent(str(place), may_write=True), **{name: value})
    Consent(str(place), may_do_all=True).checked(StartOptions("hi", **{name: value}))


def test_paths_count_from_the_directory_of_the_gateway_and_links_are_followed_at_once(place: Path) -> None:
    (place / "link").symlink_to("below")
    consent = Consent(str(place))
    found = consent.checked(StartOptions("hi", cwd="link", schema="s.json", images=("data:image/png;base64,AA==",)))
    assert (found.cwd, found.schema) == (str(place / "below"), str(place / "s.json"))
    assert found.images == ("data:image/png;base64,AA==",)
    assert consent.checked(StartOptions("hi", cwd="")).cwd == ""  # which is refused as no directory
    assert consent.checked(StartOptions("hi", schema='{"type": "object"}')).schema == '{"type": "object"}'


@pytest.mark.parametrize("given", ["below", "link", "place", ".git"])
def test_where_turns_may_write_they_work_in_the_directory_itself_alone(tmp_path: Path, place: Path, given: str) -> None:
    (place / "link").symlink_to("below")
    (place / "place").symlink_to(place / "below")
    consent = Consent(str(place), may_write=True)
    for name, value in (("cwd", given), ("add_dirs", (given,))):
        refused = refusal(consent, sandbox=Sandbox.WORKSPACE_WRITE, **{name: value})
        assert f"is not {place}: where turns may write" in refused.message
    with pytest.raises(ApiError, match="where turns may write"):
        consent.check_choice(ThreadChoice("t", None), str(place / given), StartOptions("hi"), None)
    with pytest.raises(ApiError, match="where turns may write"):
        consent.check_turn("t", meta(place / given))
    (tmp_path / "other").symlink_to(place)
    for itself in (".", "below/..", str(place), f"{place}/", str(tmp_path / "other")):
        assert consent.checked(StartOptions("hi", cwd=itself, add_dirs=(itself,))).cwd == str(place)


def test_a_directory_that_is_named_by_a_link_is_the_one_that_it_was_at_the_start(tmp_path: Path, place: Path) -> None:
    (tmp_path / "name").symlink_to(place)
    consent = Consent.of(ServeOptions(cwd=str(tmp_path / "name"), may_write=True))
    (tmp_path / "name").unlink()
    (tmp_path / "name").symlink_to(place / "below")
    assert consent.checked(StartOptions("hi", cwd=".")).cwd == str(place)
    refusal(consent, cwd=str(tmp_path / "name"))


def test_a_worktree_is_made_only_of_a_repository_that_no_turn_can_have_made(place: Path) -> None:
    (place / ".git").rmdir()
    refused = refusal(Consent(str(place), may_write=True), has_worktree=True)
    assert refused.param == "worktree"
    assert refused.message.endswith("is not the top of a work tree")
    Consent(str(place), may_do_all=True).checked(StartOptions("hi", has_worktree=True))


def meta(place: Path | str, **request: Any) -> dict[str, Any]:
    return {"cwd": str(place), "request": {"sandbox": "read-only", "approval": "never", **request}}


@pytest.mark.parametrize(
    ("request_terms", "needed"),
    [
        ({}, None),
        ({"approval": "ask", "may_ask_questions": True}, None),
        ({"sandbox": "workspace-write"}, WRITE),
        ({"sandbox": "danger-full-access"}, RAW),
        ({"sandbox": "of-a-newer-version"}, RAW),
        ({"has_network": True}, RAW),
        ({"approval": "auto"}, RAW),
        ({"sandbox": "workspace-write", "writable_roots": ["/"]}, WRITE),
    ],
)
def test_somebody_elses_turn_is_told_what_to_do_only_where_it_may_do_no_more(
    place: Path, request_terms: dict[str, Any], needed: str | None
) -> None:
    record = meta(place, **request_terms)
    Consent("/", may_do_all=True).check_turn("t", record)
    if needed is None:
        Consent(str(place)).check_turn("t", record)
        return
    with pytest.raises(ApiError, match=needed):
        Consent(str(place)).check_turn("t", record)


@pytest.mark.parametrize("record", [{}, meta("/"), {**meta("/nowhere"), "worktree": {"started_in": "/"}}])
def test_a_turn_that_works_elsewhere_is_not_told_what_to_do(place: Path, record: dict[str, Any]) -> None:
    with pytest.raises(ApiError) as refused:
        Consent(str(place), may_write=True).check_turn("t", record)
    assert refused.value.status == 403


def test_a_turn_in_a_worktree_counts_as_where_it_was_started(place: Path) -> None:
    record = {**meta("/home/worktrees/x"), "worktree": {"started_in": str(place)}}
    Consent(str(place)).check_turn("t", record)


def test_a_thread_is_gone_on_with_only_in_the_directory_and_on_the_app_server_of_the_owner(place: Path) -> None:
    consent, options = Consent(str(place)), StartOptions("hi")
    here, ssh = ThreadChoice("t", str(place)), {"url": "ssh://host"}
    consent.check_choice(here, here.cwd, options, None)
    consent.check_choice(here._replace(server={"url": "shared"}), here.cwd, options, None)
    consent.check_choice(here._replace(server=ssh), here.cwd, options, "ssh://host")
    consent.check_choice(here, "/", options._replace(cwd=str(place)), None)
    for choice, started_in in ((here._replace(server=ssh), here.cwd), (here, "/"), (here, None)):
        with pytest.raises(ApiError):
            consent.check_choice(choice, started_in, options, None)
        consent._replace(may_do_all=True).check_choice(choice, started_in, options, None)


def test_nothing_is_approved_from_here_unless_anything_may_be_run(place: Path) -> None:
    with pytest.raises(ApiError, match=RAW):
        Consent(str(place), may_write=True).check_approval()
    Consent(str(place), may_do_all=True).check_approval()
