"""Which model serves, with which effort and which settings: profiles, overrides, and the errors for wrong ones."""

from __future__ import annotations

import functools
import json
from pathlib import Path

import pytest

from codex_server_cli.actions.start import model_check
from codex_server_cli.demo.replies import say
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.kit.home import Home, Turn
from tests.kit.support import Json


def _put_profile(home: Home, name: str, text: str) -> None:
    (home.codex_home / f"{name}.config.toml").write_text(text)


def _asked_of(model: ScriptedModel) -> tuple[str, str | None]:
    """Model and effort of the last request."""
    body: Json = model.model_requests[-1].body
    return body["model"], (body.get("reasoning") or {}).get("effort")


# --- profiles


def test_a_profile_is_merged_and_its_wide_policy_is_not(home: Home) -> None:
    model = home.model([say("base")] * 4)
    before = (home.codex_home / "config.toml").read_bytes()
    with ScriptedModel([say("other")] * 4) as other:
        _put_profile(
            home,
            "quick",
            f"""
model = "of-the-profile"
model_reasoning_effort = "high"
developer_instructions = "Speak Latin."
sandbox_mode = "danger-full-access"
approval_policy = "on-request"
model_provider = "other"
[model_providers.other]
name = "other"
base_url = "{other.base_url}"
wire_api = "responses"
""",
        )
        run = home.run("new", "hi", "--profile", "quick", "--config", 'model="overridden"')
        turn = home.turn(run.json["turn_id"])
        assert turn.wait()["answer"] == "other"
        assert _asked_of(other) == ("overridden", "high")
        assert "Speak Latin." in json.dumps(other.model_requests[-1].body)
        assert model.model_requests == []
        assert "sandbox_mode has no effect" in run.stderr
        assert "approval_policy has no effect" in run.stderr
        effective = turn.meta["effective"]
        assert (effective["sandbox_policy"]["type"], effective["approval_policy"]) == ("readOnly", "never")
        assert (effective["model"], effective["model_provider"]) == ("overridden", "other")
        resumed = home.start("continue", "--turn", turn.id, "again", "--profile", "quick")
        assert resumed.wait()["answer"] == "other"
        assert _asked_of(other) == ("of-the-profile", "high")
    assert (home.codex_home / "config.toml").read_bytes() == before


def test_a_profile_whose_provider_bills_a_key_is_refused(one_home: Home) -> None:
    one_home.model([])
    provider = '[model_providers.paid]\nname = "paid"\nbase_url = "http://127.0.0.1:9/v1"\nenv_key = "PAID_KEY"\n'
    _put_profile(one_home, "paid", f'model_provider = "paid"\n{provider}')
    run = one_home.call("new", "hi", "--profile", "paid")
    assert (run.code, run.error["kind"]) == (2, "auth")
    assert one_home.turn_ids == []


def test_a_profile_that_is_not_there_is_refused_with_those_that_are(one_home: Home) -> None:
    one_home.model([])
    _put_profile(one_home, "quick", "")
    run = one_home.call("new", "hi", "--profile", "quack")
    assert (run.code, run.error["hint"]) == (65, "There are: quick.")
    assert one_home.turn_ids == []


# --- models and efforts


def test_an_effort_that_the_model_does_not_have_is_refused_before_anything_is_made(home: Home) -> None:
    model = home.chatgpt([say("Hello")] * 2)
    listed = {entry["model"]: entry["efforts"] for entry in json.loads(home.call("models", "--json").stdout)}
    name, efforts = next((name, efforts) for name, efforts in listed.items() if efforts)
    run = home.call("new", "hi", "--model", name, "--effort", "bogus")
    assert (run.code, run.error["message"]) == (65, f"{name} has no effort 'bogus'")
    assert all(effort in run.error["hint"] for effort in efforts)
    assert home.call("new", "hi", "--effort", "bogus").code == 65
    assert home.turn_ids == []
    right = home.run("new", "hi", "--model", name, "--effort", efforts[0], "--wait")
    assert (right.code, right.json["answer"]) == (0, "Hello")
    assert "does not list" not in right.stderr
    assert _asked_of(model) == (name, efforts[0])


def _listed(home: Home) -> tuple[str, str]:
    """The name of a model that Codex lists, and of one that it hides."""
    models = json.loads(home.call("models", "--all", "--json").stdout)
    names = [next(each["model"] for each in models if each["hidden"] is is_hidden) for is_hidden in (False, True)]
    return names[0], names[1]


def test_a_model_that_codex_does_not_list_is_refused_however_it_is_named(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_check, "ask_codex", functools.cache(model_check.ask_codex))  # it says the same each time
    model = home.chatgpt([say("Hello")] * 3)
    listed, hidden = _listed(home)
    earlier = home.start("new", "hi", "--model", hidden)
    assert earlier.wait()["answer"] == "Hello"
    assert _asked_of(model)[0] == hidden
    _put_profile(home, "odd", 'model = "gpt-99-nope"\n')
    (home.project / "main.py").write_text("pass\n")
    for words in (
        ["new", "hi", "--model", "gpt-99-nope"],
        ["new", "hi", "--config", "model=gpt-99-nope"],
        ["new", "hi", "--profile", "odd"],
        ["continue", "hi", "--turn", earlier.id, "--model", "gpt-99-nope"],
        ["continue", "hi", "--turn", earlier.id, "--fork", "-c", 'model="gpt-99-nope"'],
        ["review", "--instructions", "main.py", "--model", "gpt-99-nope"],
    ):
        run = home.call(*words)
        assert (run.code, run.error["message"]) == (65, "Codex lists no model 'gpt-99-nope'"), words
        assert f"{listed}," in run.error["hint"]
    assert f"Did you mean {listed}? " in home.call("new", "hi", "--model", f"{listed}x").error["hint"]
    assert home.call("new", "hi", "--config", "model_reasoning_effort=bogus").code == 65
    home.configure(model="gpt-98-nope")
    run = home.call("new", "hi")
    assert (run.code, run.error["message"]) == (
        65,
        f"Codex lists no model 'gpt-98-nope' (model in {home.path}/config.json)",
    )
    assert home.turn_ids == [earlier.id]
    for words in (["continue", "hi", "--turn", earlier.id], ["new", "hi", "--model", listed]):
        assert home.start(*words).wait()["answer"] == "Hello"


@pytest.mark.full
def test_a_thread_keeps_its_provider_and_so_has_models_that_codex_does_not_know(home: Home) -> None:
    home.model([say("Hello")])
    earlier = home.start("new", "hi")
    assert earlier.wait()["state"] == "complete"
    home.chatgpt([])
    assert home.call("new", "hi", "--model", "mine").code == 65
    run = home.run("continue", "hi", "--turn", earlier.id, "--model", "mine", "--effort", "bogus")
    assert run.code == 0  # whether that provider may serve is checked elsewhere
    home.turn(run.json["turn_id"]).wait()


@pytest.mark.full
def test_where_codex_cannot_tell_no_model_is_refused(one_home: Home) -> None:
    model = one_home.chatgpt([say("Hello")])
    one_home.wrap_codex(f'''[ -e "$0.told" ] || {{ touch "$0.told"; exit 1; }}; exec {one_home.codex} "$@"''')
    run = one_home.run("new", "hi", "--model", "of-tomorrow", "--wait")
    assert (run.code, run.json["answer"]) == (0, "Hello")
    assert _asked_of(model)[0] == "of-tomorrow"


def test_a_provider_of_the_users_own_has_models_of_its_own(one_home: Home) -> None:
    model = one_home.model([say("Hello")])
    run = one_home.run("new", "hi", "--model", "mine", "--effort", "bogus", "--wait")
    assert (run.code, run.json["answer"]) == (0, "Hello")
    assert "does not list" not in run.stderr
    assert _asked_of(model) == ("mine", "bogus")
    assert not (one_home.path / "models.json").exists()


# --- `continue` with everything that it takes


@pytest.mark.full
def test_a_fork_takes_every_flag_and_leaves_its_thread_as_it_was(home: Home) -> None:
    model = home.model([say("one"), say("two"), say("three")])
    _put_profile(home, "terse", 'model_verbosity = "low"\n')
    first = home.start("new", "first")
    first.wait()
    more = home.root / "more"
    more.mkdir()
    fork = home.start(
        *("continue", "--turn", first.id, "second", "--fork", "--ephemeral", "--skip-git-check"),
        *("--model", "another", "--effort", "high", "--profile", "terse", "--config", "hide_agent_reasoning=true"),
        *("--write", "--add-dir", str(more), "--network"),
    )
    assert fork.wait()["answer"] == "two"
    assert _asked_of(model) == ("another", "high")
    _assert_effective(fork, more)
    assert fork.meta["forked_from"] == first.meta["thread_id"]
    assert fork.meta["thread_id"] not in (None, first.meta["thread_id"])
    sessions = [path.name for path in (home.codex_home / "sessions").rglob("*.jsonl*")]
    assert len([name for name in sessions if first.meta["thread_id"] in name]) == 1
    assert [name for name in sessions if fork.meta["thread_id"] in name] == []
    assert home.call("continue", "--turn", fork.id, "third").code == 65
    third = home.start("continue", "--turn", first.id, "third")
    assert third.wait()["answer"] == "three"
    assert _asked_of(model)[0] == "scripted"
    assert "second" not in json.dumps(model.model_requests[-1].body["input"])
    assert third.meta["effective"]["sandbox_policy"]["type"] == "readOnly"


def _assert_effective(turn: Turn, more: Path) -> None:
    effective = turn.meta["effective"]
    policy = effective["sandbox_policy"]
    assert (policy["type"], policy["networkAccess"]) == ("workspaceWrite", True)
    assert policy["writableRoots"] == [str(more)]
    assert (effective["model"], effective["effort"]) == ("another", "high")
    assert (turn.meta["model"], turn.meta["effort"]) == ("another", "high")
    config = turn.sent("thread/fork")["config"]
    assert (config["model_verbosity"], config["hide_agent_reasoning"]) == ("low", True)


def test_a_flag_without_a_value_is_refused(one_home: Home) -> None:
    one_home.model([])
    for flag in ("--model", "--effort", "--profile"):
        run = one_home.call("new", "hi", flag, "")
        assert (run.code, run.error["message"]) == (64, f"{flag} is empty")
    assert one_home.turn_ids == []
