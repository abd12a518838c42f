"""A model that Codex does not list and an effort that the model does not have are refused with the valid choices."""

from __future__ import annotations

from pathlib import Path

import pytest

from codex_server_cli.actions.start import model_check
from codex_server_cli.actions.start.model_check import check_model
from codex_server_cli.core.account.account import Model
from codex_server_cli.disk.model_cache import write_models
from codex_server_cli.errors import BadInputError, CodexMissingError
from codex_server_cli.settings.places import Settings


def model(name: str, *efforts: str, is_default: bool = False) -> Model:
    """A model with these efforts."""
    return Model(name, name, "", is_default, False, efforts, None, ())


BIG, SMALL, PLAIN = model("big", "low", "high", is_default=True), model("small", "none", "low"), model("plain")
HIDDEN = BIG._replace(name="big-hidden", is_default=False, is_hidden=True)
LISTED = [BIG, SMALL, PLAIN, HIDDEN]
THREAD = "01a1f9ff-9cbc-76c1-b5ee-b92ff9d7aa40"


class Codex:
    """A codex that lists models and counts how often it is asked."""

    def __init__(self, path: Path) -> None:
        self.path, self.models, self.times_asked, self.is_silent = path, LISTED, 0, False
        self.thread_id: str | None = None
        path.write_bytes(b"binary")

    def ask(self, _settings: Settings, thread_id: str | None) -> list[Model]:
        """Replaces the client."""
        self.times_asked += 1
        self.thread_id = thread_id
        if self.is_silent:
            raise CodexMissingError("codex app-server does not answer")
        return self.models


@pytest.fixture
def codex(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Codex:
    """Answers in place of an app-server."""
    settings.home.mkdir()
    codex = Codex(settings.home / "codex")
    monkeypatch.setattr(model_check, "ask_codex", codex.ask)
    return codex


def check(
    settings: Settings, codex: Codex, name: str | None, effort: str | None, *, is_new_thread: bool = True
) -> None:
    """The check of one turn."""
    check_model(settings, codex.path, model=name, effort=effort, thread_id=None if is_new_thread else THREAD)


@pytest.mark.parametrize(
    ("name", "effort"), [("big", None), ("big", "high"), ("small", "none"), (None, "high"), ("big-hidden", "low")]
)
def test_what_codex_lists_is_right(settings: Settings, codex: Codex, name: str | None, effort: str | None) -> None:
    check(settings, codex, name, effort)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("bigg", "Did you mean big? "),
        ("big-hiden", "Did you mean big-hidden? "),
        ("BIG", "Did you mean big? "),
        ("gpt-99", ""),
    ],
)
@pytest.mark.parametrize("effort", [None, "low"])
def test_a_model_that_is_not_listed_is_refused_with_those_that_are(
    settings: Settings, codex: Codex, name: str, meant: str, effort: str | None
) -> None:
    with pytest.raises(BadInputError) as caught:
        check(settings, codex, name, effort)
    assert caught.value.message == f"Codex lists no model {name!r}"
    assert caught.value.hint == f"{meant}Give one of: big, small, plain."


def test_where_the_model_stands_is_said(settings: Settings, codex: Codex) -> None:
    with pytest.raises(BadInputError, match=r"no model 'x' \(model in /there\)"):
        check_model(settings, codex.path, model="x", effort=None, source=" (model in /there)")


@pytest.mark.parametrize("effort", [None, "low", "whatever"])
def test_a_model_that_was_not_asked_for_is_not_checked(settings: Settings, codex: Codex, effort: str | None) -> None:
    for thread_id in (None, THREAD):
        check_model(settings, codex.path, model=None, effort=effort, thread_id=thread_id, kept_model="of-the-thread")


def test_a_model_without_efforts_of_its_own_is_not_judged(settings: Settings, codex: Codex) -> None:
    check(settings, codex, "plain", "high")


@pytest.mark.parametrize(
    ("name", "is_new_thread", "message", "hint"),
    [
        ("small", True, "small has no effort 'ultra'", "Give one of: none, low."),
        (None, True, "big has no effort 'ultra'", "Give one of: low, high."),
        (None, False, "no model has an effort 'ultra'", "Give one of: low, high, none."),
    ],
)
def test_an_effort_that_the_model_does_not_have_is_refused_with_those_it_has(
    settings: Settings, codex: Codex, name: str | None, is_new_thread: bool, message: str, hint: str
) -> None:
    with pytest.raises(BadInputError) as caught:
        check(settings, codex, name, "ultra", is_new_thread=is_new_thread)
    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_on_a_thread_whose_model_is_not_known_any_models_effort_may_be_right(settings: Settings, codex: Codex) -> None:
    check(settings, codex, None, "none", is_new_thread=False)
    assert codex.thread_id == THREAD


def test_codex_is_not_asked_for_what_is_kept(settings: Settings, codex: Codex) -> None:
    write_models(settings.home, codex.path, LISTED)
    check(settings, codex, "big", "high")
    assert codex.times_asked == 0


@pytest.mark.parametrize(("name", "effort"), [("newer", None), ("newer", "high"), ("big", "new")])
def test_nothing_is_refused_for_the_sake_of_an_old_list(
    settings: Settings, codex: Codex, name: str, effort: str | None
) -> None:
    write_models(settings.home, codex.path, LISTED)
    codex.models = [model("big", "low", "new"), model("newer", "high")]
    check(settings, codex, name, effort)
    assert codex.times_asked == 1


@pytest.mark.parametrize("is_silent", [True, False])
def test_a_codex_that_does_not_tell_leaves_it_to_the_turn(settings: Settings, codex: Codex, is_silent: bool) -> None:
    write_models(settings.home, codex.path, LISTED)
    codex.is_silent, codex.models = is_silent, []
    check(settings, codex, "biggest", "bogus")
    assert codex.times_asked == 1
