"""Who pays is what Codex reports of the thread's own provider, judged before the prompt is sent.

Real codex, scripted model. The user is logged in with ChatGPT in most of these, and has another provider beside it.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from codex_server_cli.demo.replies import say
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.kit.command_run import Run
from tests.kit.home import Home
from tests.kit.machine import Machine, needs_root
from tests.kit.support import DEADLINE_S, StdioAppServer, wait_until

HEADERS = '[model_providers.p.http_headers]\nX-Api-Key = "sk-paid"'
KEYS = {
    "env_key": 'env_key = "PROVIDER_KEY"',
    "bearer": 'experimental_bearer_token = "sk-paid"',
    "header": HEADERS,
    "env header": '[model_providers.p.env_http_headers]\nX-Team = "PROVIDER_KEY"',
    "query": '[model_providers.p.query_params]\nkey = "sk-paid"',
    "command": '[model_providers.p.auth]\ncommand = "/bin/echo"\nargs = ["sk-paid"]',
}
KEYLESS = ""


def provider(model: ScriptedModel, keys: str, name: str = "p") -> str:
    """The definition of a provider of the user's own, served by this model."""
    head = f'\n[model_providers.{name}]\nname = "{name}"\nbase_url = "{model.origin}/v1"\nwire_api = "responses"\n'
    return f"{head}{keys.replace('.p.', f'.{name}.')}\n"


def with_chatgpt(home: Home, keys: str, answers: int = 4) -> ScriptedModel:
    """A ChatGPT login, and a provider p beside it."""
    model = home.chatgpt([say("answered")] * answers)
    config = home.codex_home / "config.toml"
    config.write_text(config.read_text() + provider(model, keys))
    home.env["PROVIDER_KEY"] = "sk-paid"
    return model


def configure_provider(home: Home, name: str) -> None:
    """Have Codex's own configuration name this provider from now on."""
    config = home.codex_home / "config.toml"
    config.write_text(f'model_provider = "{name}"\n{config.read_text()}')


def made_by_codex(home: Home, name: str) -> str:
    """A thread that Codex's own `exec` made with this provider; its id."""
    command = [str(home.codex), "exec", "--json", "--skip-git-repo-check", "-c", f'model_provider="{name}"', "first"]
    run = subprocess.run(
        command,
        cwd=home.project,
        env=home.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=DEADLINE_S,
        check=True,
    )
    events = [json.loads(line) for line in run.stdout.decode().splitlines()]
    return str(next(event["thread_id"] for event in events if event["type"] == "thread.started"))


def threads_of(home: Home, providers: list[str]) -> dict[str, str]:
    """A thread with one turn for each of these providers, made by one codex; their ids."""
    with StdioAppServer(home.codex, home.codex_home, env=home.env) as server:
        threads = {name: server.start_thread(home.project, modelProvider=name) for name in providers}
        for thread in threads.values():
            assert server.run_turn(thread)["status"] == "completed"
    return threads


def meta_of(home: Home, run: Run) -> dict[str, object]:
    meta: dict[str, object] = json.loads((home.path / "turns" / run.json["turn_id"] / "meta.json").read_text())
    return meta


def commands_in(hint: str) -> list[str]:
    return re.findall(r"`(codex-server [^`]+)`", hint)


def run_hint(home: Home, command: str) -> Run:
    """Run the command of a hint as it stands, from another directory, to its end."""
    words = shlex.split(command)
    assert words[0] == "codex-server"
    return home.run(*words[1:], "--wait", cwd=Path("/"))


@pytest.mark.full
def test_a_thread_that_was_made_with_a_key_is_not_gone_on_with_and_a_fork_is(home: Home) -> None:
    names = [f"p{number}" for number in range(len(KEYS))]
    model = with_chatgpt(home, KEYLESS, answers=len(names) + 1)
    config = home.codex_home / "config.toml"
    providers = [provider(model, keys, name) for name, keys in zip(names, KEYS.values(), strict=True)]
    config.write_text(config.read_text() + "".join(providers))
    for name, thread in threads_of(home, names).items():
        asked = len(model.model_requests)
        run = home.run("continue", "--thread", thread, "go on", "--wait", "--full")
        error = run.json["error"]
        assert (run.code, run.json["state"], error["kind"]) == (1, "failed", "auth"), name
        assert f"'{name}' has credentials of its own" in error["message"]
        assert len(model.model_requests) == asked
        assert meta_of(home, run)["payer"] == "provider"
    fork = run_hint(home, commands_in(error["hint"])[0])
    assert (fork.code, fork.json["answer"], meta_of(home, fork)["payer"]) == (0, "answered", "chatgpt")
    assert "sk-paid" not in str(model.model_requests[-1].headers)


def test_with_any_auth_it_goes_on_and_the_record_says_who_paid(home: Home) -> None:
    model = with_chatgpt(home, KEYS["env_key"])
    thread = made_by_codex(home, "p")
    home.configure(auth="any")
    run = home.run("continue", "--thread", thread, "go on", "--wait", "--full")
    assert (run.code, meta_of(home, run)["payer"]) == (0, "provider")
    assert model.model_requests[-1].headers["authorization"] == "Bearer sk-paid"


@pytest.mark.full
def test_a_thread_of_a_keyless_provider_goes_on_without_a_login(home: Home) -> None:
    with_chatgpt(home, KEYLESS)
    thread = made_by_codex(home, "p")
    run = home.run("continue", "--thread", thread, "go on", "--wait", "--full")
    assert (run.code, meta_of(home, run)["payer"]) == (0, "none")
    (home.codex_home / "auth.json").unlink()
    run = home.run("continue", "--thread", thread, "go on", "--wait", "--full")
    assert (run.code, meta_of(home, run)["payer"]) == (0, "none")
    assert home.call("new", "hi").code == 2


@pytest.mark.full
def test_a_thread_whose_provider_nothing_defines_any_more_is_forked_as_the_hint_says(home: Home) -> None:
    model = home.chatgpt([say("answered")] * 2)
    config = home.codex_home / "config.toml"
    before = config.read_text()
    config.write_text(before + provider(model, KEYLESS, "gone"))
    thread = made_by_codex(home, "gone")
    config.write_text(before)
    run = home.run("continue", "--thread", thread, "go on", "--wait", "--full")
    assert (run.code, run.json["error"]["kind"]) == (1, "bad_input")
    fork = run_hint(home, commands_in(run.json["error"]["hint"])[0])
    assert (fork.code, meta_of(home, fork)["payer"]) == (0, "chatgpt")


def test_a_profile_with_a_provider_that_there_is_not_is_told_for_what_it_is(one_home: Home) -> None:
    one_home.chatgpt([say("never")])
    (one_home.codex_home / "odd.config.toml").write_text('model_provider = "nowhere"\n')
    run = one_home.run("new", "hi", "--profile", "odd", "--wait", "--full")
    assert (run.code, run.json["error"]["kind"]) == (1, "bad_input")
    assert "Model provider `nowhere` not found" in run.json["error"]["message"]


@pytest.mark.full
def test_a_thread_of_the_chatgpt_plan_goes_on_whatever_is_configured_now(home: Home) -> None:
    """Codex, configured with another provider, does not report the login: another app-server is asked."""
    model = with_chatgpt(home, KEYLESS, answers=5)
    first = home.run("new", "hi", "--wait", "--full")
    assert meta_of(home, first)["payer"] == "chatgpt"
    configure_provider(home, "p")
    run = home.run("continue", "--turn", first.json["turn_id"], "go on", "--wait", "--full")
    assert (run.code, meta_of(home, run)["payer"]) == (0, "chatgpt")
    assert model.model_requests[-1].headers["authorization"].startswith("Bearer ey")
    key = {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-paid"}
    (home.codex_home / "auth.json").write_text(json.dumps(key))
    asked = len(model.model_requests)
    run = home.run("continue", "--turn", first.json["turn_id"], "go on", "--wait", "--full")
    assert (run.code, run.json["error"]["kind"], meta_of(home, run)["payer"]) == (1, "auth", "api_key")
    assert len(model.model_requests) == asked
    fork = run_hint(home, commands_in(run.json["error"]["hint"])[0])
    assert (fork.code, meta_of(home, fork)["payer"]) == (0, "none")


def test_a_configured_key_is_refused_at_once_but_not_for_a_thread_that_does_not_use_it(home: Home) -> None:
    with_chatgpt(home, KEYS["env_key"])
    first = home.run("new", "hi", "--wait", "--full").json["turn_id"]
    configure_provider(home, "p")
    before = home.turn_ids
    for refused in (("new", "hi"), ("continue", "--turn", first, "x", "--fork"), ("review", "--instructions", "x")):
        run = home.call(*refused)
        assert (run.code, run.error["kind"]) == (2, "auth"), refused
    assert home.turn_ids == before
    run = home.run("continue", "--turn", first, "go on", "--wait", "--full")
    assert (run.code, meta_of(home, run)["payer"]) == (0, "chatgpt")


@pytest.mark.parametrize(("keys", "payer"), [(KEYLESS, "none"), ("requires_openai_auth = true", "chatgpt")])
def test_a_profile_chooses_its_provider(home: Home, keys: str, payer: str) -> None:
    model = home.chatgpt([say("answered")])
    profile = f'model_provider = "q"\n{provider(model, keys, "q")}'
    (home.codex_home / "quick.config.toml").write_text(profile)
    run = home.run("new", "hi", "--profile", "quick", "--wait", "--full")
    assert (run.code, meta_of(home, run)["payer"]) == (0, payer)


@pytest.mark.full
def test_a_fork_with_the_provider_of_a_profile_is_made_once(home: Home) -> None:
    model = home.chatgpt([say("answered")])
    first = home.run("new", "hi", "--wait", "--full").json["turn_id"]
    config = home.codex_home / "config.toml"
    config.write_text(f'model_provider = "k"\n{config.read_text()}{provider(model, KEYLESS, "k")}')
    profile = f'model_provider = "q"\n{provider(model, "requires_openai_auth = true", "q")}'
    (home.codex_home / "quick.config.toml").write_text(profile)
    run = home.run("continue", "--turn", first, "--fork", "--profile", "quick", "hi", "--wait", "--full")
    assert (run.code, meta_of(home, run)["payer"]) == (0, "chatgpt")
    assert len(list((home.codex_home / "sessions").rglob("*.jsonl"))) == 2


@pytest.mark.full
def test_a_profile_that_names_one_of_codex_own_is_judged_by_what_codex_says_of_it(home: Home) -> None:
    model = home.chatgpt([say("never")])
    (home.codex_home / "cloud.config.toml").write_text('model_provider = "amazon-bedrock"\n')
    run = home.run("new", "hi", "--profile", "cloud", "--wait", "--full")
    assert (run.code, run.json["error"]["kind"], meta_of(home, run)["payer"]) == (1, "auth", "provider")
    assert model.model_requests == []
    (home.codex_home / "local.config.toml").write_text('model_provider = "ollama"\n')
    home.env["CODEX_OSS_BASE_URL"] = f"{model.origin}/v1"  # where nothing listens, Codex tries again for 6 s
    turn = home.start("new", "hi", "--profile", "local")
    wait_until(lambda: turn.meta["payer"] == "none", what="the judgement")
    assert home.run("cancel", turn.id).code == 0


# --- configuration beside the user's own


@needs_root
def test_a_key_in_the_system_wide_configuration_is_no_consent(home: Home) -> None:
    model = home.chatgpt([say("never")])
    machine = Machine(home, f'model_provider = "p"\n{provider(model, KEYS["bearer"])}')
    run = machine.run("new", "hi", "--wait", "--full")
    assert (run.code, run.json["error"]["kind"], meta_of(home, run)["payer"]) == (1, "auth", "provider")
    assert model.model_requests == []
    assert machine.run("doctor").code == 2


@needs_root
@pytest.mark.full
def test_a_keyless_provider_in_the_system_wide_configuration_needs_no_login(home: Home) -> None:
    model = home.chatgpt([say("answered")])
    (home.codex_home / "auth.json").unlink()
    machine = Machine(home, f'model_provider = "p"\n{provider(model, KEYLESS)}')
    run = machine.run("new", "hi", "--wait", "--full")
    assert (run.code, meta_of(home, run)["payer"]) == (0, "none")
    for verb in ("doctor", "account"):
        assert machine.run(verb).code == 0
    assert home.call("new", "hi").code == 2
