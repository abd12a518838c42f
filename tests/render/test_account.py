"""An account and its models as people and programs read them."""

from __future__ import annotations

from codex_server_cli.core.account.account import Account, Model
from codex_server_cli.core.documents.account import account_document, limits_document, model_document
from codex_server_cli.core.record.rate_limits import Credits, Limits, Window
from codex_server_cli.render.account import account_text, account_view, models_table, models_view
from codex_server_cli.render.style.ink import Ink
from codex_server_cli.render.style.wrap import Display
from tests.kit.cases import for_each

COLOURED = Display(80, Ink(is_coloured=True))
PRO = Account("chatgpt", "user@example.com", "pro", "Ours")


def model(name: str, *, is_default: bool = False, is_hidden: bool = False) -> Model:
    return Model(name, name.upper(), "Good.", is_default, is_hidden, ("low", "high"), "low", ("text", "image"))


def test_an_account_is_one_fact_a_line() -> None:
    assert account_text(PRO, has_refreshed=True) == (
        "logged in  ChatGPT\nemail      user@example.com\nplan       pro\nworkspace  Ours\ntoken      renewed\n"
    )


@for_each(
    ("account", "text"),
    [
        (Account(), "logged in  no\n"),
        (Account("api_key"), "logged in  an API key\n"),
        (Account("new\x1b[31m"), "logged in  new␛[31m\n"),
        (Account(requires_login=False), "logged in  no; the configured provider needs no login\n"),
        (Account("chatgpt", unavailable="no network"), "logged in  ChatGPT\ndetails    unavailable: no network\n"),
        (Account(unavailable="no network"), "logged in  unknown\ndetails    unavailable: no network\n"),
    ],
)
def test_what_is_not_known_is_left_out(account: Account, text: str) -> None:
    assert account_text(account) == text


def test_a_token_that_could_not_be_renewed_is_said() -> None:
    assert account_text(Account("chatgpt"), has_refreshed=False).endswith("token      could not be renewed\n")


def test_an_account_is_one_document() -> None:
    assert account_document(PRO, "why", has_refreshed=False) == {
        "version": 2,
        "mode": "chatgpt",
        "email": "user@example.com",
        "plan": "pro",
        "workspace": "Ours",
        "requires_login": True,
        "login_needed": False,
        "details": None,
        "refreshed": False,
        "problem": "why",
    }


def test_limits_are_documents_with_times_in_utc() -> None:
    limits = Limits("codex", None, "pro", (Window("primary", 25, 300, 2_000_000_000),), Credits(False, "5"), None)
    document = limits_document(limits)
    assert document["windows"] == [
        {"name": "primary", "used_percent": 25, "window_minutes": 300, "resets_at": "2033-05-18T03:33:20.000Z"}
    ]
    assert (document["limit_id"], document["credits"]) == ("codex", {"unlimited": False, "balance": "5"})
    bare = limits_document(Limits(None, None, None, (Window("primary", 1),), None, "rate_limit_reached"))
    assert (bare["credits"], bare["reached"], bare["windows"][0]["resets_at"]) == (None, "rate_limit_reached", None)


def test_models_are_a_table_with_the_default_effort_starred() -> None:
    table = models_table([model("one", is_default=True), model("two", is_hidden=True), model("three")], 80)
    assert table == (
        "MODEL           EFFORTS (* DEFAULT)  INPUT\n"
        "one    default  low* high            text, image\n"
        "two    hidden   low* high            text, image\n"
        "three           low* high            text, image\n"
    )
    assert models_table([], 80) == "No models.\n"


def test_a_model_is_one_document() -> None:
    assert model_document(model("one", is_default=True)) == {
        "version": 2,
        "model": "one",
        "display_name": "ONE",
        "description": "Good.",
        "default": True,
        "hidden": False,
        "efforts": ["low", "high"],
        "default_effort": "low",
        "modalities": ["text", "image"],
    }


@for_each(
    ("account", "shown"),
    [
        (PRO, "\x1b[32m✓ ChatGPT\x1b[0m"),
        (Account(), "\x1b[31m✗ no\x1b[0m"),
        (Account(unavailable="no network"), "\x1b[33m! unknown\x1b[0m"),
        (Account(requires_login=False), "\x1b[2m– no; the configured provider needs no login\x1b[0m"),
    ],
)
def test_on_a_terminal_a_mark_says_whether_turns_can_run(account: Account, shown: str) -> None:
    assert account_view(account, COLOURED).splitlines()[0].endswith(shown)


def test_on_a_terminal_a_token_that_was_renewed_is_green() -> None:
    assert account_view(PRO, COLOURED, has_refreshed=True).endswith("\x1b[32mrenewed\x1b[0m\n")
    assert account_view(PRO, COLOURED, has_refreshed=False).endswith("\x1b[33mcould not be renewed\x1b[0m\n")


def test_models_are_a_table_where_one_has_room_and_else_stand_above_their_efforts() -> None:
    models = [model("gpt-6", is_default=True), model("old", is_hidden=True), model("a\nb")]
    assert models_view(models, Display(80)).splitlines() == [
        "MODEL           EFFORTS (* DEFAULT)  INPUT",
        "gpt-6  default  low* high            text, image",
        "old    hidden   low* high            text, image",
        "a b             low* high            text, image",
    ]
    assert models_view(models, Display(12)).splitlines() == [
        *("gpt-6  default", "  low* high"),
        *("old  hidden", "  low* high"),
        *("a b", "  low* high"),
    ]
    assert models_view([], Display(80)) == "No models.\n"
