"""Who may run a turn, and who pays: ChatGPT logins only, unless config.json says otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.replies import hold, reply, run_command, say
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.kit.home import Home

PROMPTLY_S = 10.0
"""Long before any wait would time out."""
KEYS = ("OPENAI_API_KEY", "CODEX_API_KEY", "CODEX_ACCESS_TOKEN")


def use_openai(home: Home, auth: dict[str, object] | None) -> ScriptedModel:
    """Make Codex ask its built-in provider, moved to a scripted model, with this `auth.json`."""
    model = home.chatgpt([say("paid for")])
    login = home.codex_home / "auth.json"
    if auth is None:
        login.unlink()
    else:
        login.write_text(json.dumps(json.loads(login.read_text()) | auth))
    return model


def drop_mode(home: Home) -> None:
    """Make `auth.json` one of the years before `auth_mode`."""
    login = home.codex_home / "auth.json"
    auth = json.loads(login.read_text())
    del auth["auth_mode"]
    login.write_text(json.dumps(auth))


def refused(home: Home, *words: str) -> None:
    """Assert that no turn starts, quickly, with a guide that holds this text."""
    run = home.run("new", "hi")
    assert (run.code, run.error["kind"]) == (2, "auth")
    assert run.duration_s < PROMPTLY_S
    assert run.stderr.startswith(f"codex-server: {run.error['message']}\n")
    for word in words:
        assert word in run.told
    assert home.turn_ids == []


def test_a_chatgpt_login_runs_a_turn_and_no_api_key_reaches_anyone_as_the_rest_of_the_environment_does(
    home: Home,
) -> None:
    home.env |= dict.fromkeys(KEYS, "sk-must-not-leak") | {"SOME_PROXY_SETTING": "kept"}
    gate = Gate()
    model = home.chatgpt([reply(hold(gate), say("done"))])
    turn = home.start("new", "hi")
    gate.wait_until_reached()
    environment = turn.app_server().environ()
    assert set(KEYS) & set(environment) == set()
    assert environment["SOME_PROXY_SETTING"] == "kept"
    assert environment["CODEX_SERVER_TURN_ID"] == turn.id
    gate.open()
    assert turn.wait()["state"] == "complete"
    token = json.loads((home.codex_home / "auth.json").read_text())["tokens"]["access_token"]
    assert model.model_requests[0].headers["authorization"] == f"Bearer {token}"
    assert "sk-must-not-leak" not in str([(request.headers, request.body) for request in model.requests])
    assert all(b"sk-must-not-leak" not in path.read_bytes() for path in turn.path.iterdir() if path.is_file())


def test_without_a_login_nothing_starts_and_the_guide_is_shown(home: Home) -> None:
    use_openai(home, None)
    refused(home, "codex-server login", "--device", "Plus, Pro", "codex-server demo")
    assert home.run("doctor").code == 2


def test_an_api_key_login_starts_nothing_unless_config_json_allows_it(home: Home) -> None:
    model = use_openai(home, {"auth_mode": "apikey", "OPENAI_API_KEY": "sk-paid", "tokens": None})
    refused(home, "API key", '"auth": "any"')
    home.configure(auth="any")
    run = home.run("new", "hi", "--wait")
    assert (run.code, run.json["answer"]) == (0, "paid for")
    assert model.model_requests[-1].headers["authorization"] == "Bearer sk-paid"


def test_a_legacy_login_with_a_key_beside_its_tokens_counts_as_a_key(home: Home) -> None:
    model = use_openai(home, {"OPENAI_API_KEY": "sk-paid"})
    drop_mode(home)
    refused(home, "API key")
    home.configure(auth="any")
    assert home.run("new", "hi", "--wait").json["answer"] == "paid for"
    assert model.model_requests[-1].headers["authorization"] == "Bearer sk-paid"


def test_a_legacy_login_with_tokens_alone_goes(home: Home) -> None:
    use_openai(home, {})
    drop_mode(home)
    assert home.run("new", "hi", "--wait").json["answer"] == "paid for"


def test_with_any_auth_the_environments_key_reaches_codex(one_home: Home) -> None:
    one_home.env["OPENAI_API_KEY"] = "sk-paid"
    one_home.configure(auth="any")
    turn, gate = one_home.start_held()
    assert turn.app_server().environ()["OPENAI_API_KEY"] == "sk-paid"
    gate.open()
    turn.wait()


def test_a_provider_that_takes_a_key_needs_the_same_word(one_home: Home) -> None:
    model = one_home.model([say("paid for")])
    config = one_home.codex_home / "config.toml"
    config.write_text(config.read_text().replace("wire_api", 'env_key = "PROVIDER_KEY"\nwire_api'))
    one_home.env["PROVIDER_KEY"] = "sk-paid"
    refused(one_home, "API key")
    one_home.configure(auth="any")
    assert one_home.run("new", "hi", "--wait").json["answer"] == "paid for"
    assert model.model_requests[-1].headers["authorization"] == "Bearer sk-paid"


def test_a_broken_config_of_codex_is_told_before_anything_starts(one_home: Home) -> None:
    one_home.model([say("never")])
    (one_home.codex_home / "config.toml").write_text("model = \n")
    run = one_home.run("new", "hi")
    assert (run.code, run.error["kind"]) == (65, "bad_input")
    assert "config.toml" in run.error["message"]
    assert one_home.turn_ids == []


def test_a_broken_config_json_names_its_fault(one_home: Home) -> None:
    for config, complaint in (
        ('{"codex": 5}', "codex must be"),
        ("{", "is not JSON"),
        ("[]", "JSON object"),
        ('{"auth": "all"}', "auth must be"),
    ):
        (one_home.path / "config.json").write_text(config)
        run = one_home.run("new", "hi")
        assert (run.code, complaint in run.error["message"]) == (65, True), run


def test_an_unknown_key_in_config_json_is_a_warning(one_home: Home) -> None:
    one_home.model([say("done")])
    one_home.configure(colour="blue")
    run = one_home.run("new", "hi", "--wait")
    assert run.code == 0
    assert "unknown key 'colour'" in run.stderr


def test_a_login_that_changes_before_the_turn_begins_is_seen_by_the_worker(home: Home) -> None:
    """The launcher sees a ChatGPT login; codex, started a moment later, an API key."""
    model = home.chatgpt([say("never")])
    key = json.dumps({"auth_mode": "apikey", "OPENAI_API_KEY": "sk-paid"})
    (home.root / "key.json").write_text(key)
    home.wrap_codex(f'cp "{home.root}/key.json" "$CODEX_HOME/auth.json"\nexec {home.codex} "$@"')
    run = home.run("new", "hi", "--wait")
    assert (run.code, run.json["state"], run.json["error"]["kind"]) == (1, "failed", "auth")
    assert "API key" in run.json["error"]["message"]
    assert model.model_requests == []


# --- a login file that is invalid, and a home that does not exist


@pytest.mark.full
@pytest.mark.version_free
def test_a_broken_login_file_is_told_for_what_it_is_everywhere(home: Home) -> None:
    use_openai(home, {})
    broken = ((b"", "is empty"), (b'{"auth_mode":"chat', "is damaged"), (b"{}", "holds no login"))
    for content, what in broken:
        (home.codex_home / "auth.json").write_bytes(content)
        refused(home, f"auth.json {what}", "codex-server login")
        for verb in ("account", "doctor"):
            run = home.run(verb)
            assert (run.code, f"auth.json {what}" in run.stdout + run.stderr) == (2, True), run
            assert "API key" not in run.stdout + run.stderr


def test_a_directory_in_its_place_is_to_be_moved_away(home: Home) -> None:
    use_openai(home, None)
    login = home.codex_home / "auth.json"
    login.mkdir()
    refused(home, "auth.json is a directory", f"`mv {login} {login}.old`")
    login.rename(f"{login}.old")
    refused(home, "Codex is not logged in")


@pytest.mark.full
def test_a_missing_home_of_codex_is_no_missing_login(one_home: Home) -> None:
    missing = one_home.root / "nowhere"
    one_home.env["CODEX_HOME"] = str(missing)
    looking = (
        ("list",),
        ("show", "a name"),
        ("show", "01a2"),
        ("continue", "--thread", "a name", "hi"),
        ("continue", "hi"),
    )
    listing = ("list-turns", "--thread", "a name")
    for verb in (("new", "hi"), ("account",), ("limits",), *looking, listing):
        run = one_home.run(*verb)
        assert (run.code, f"Codex's home {missing} does not exist" in run.stderr) == (65, True), run
    assert one_home.run("setup").code == 0  # the next step that is named; it makes the home
    refused(one_home, "Codex is not logged in")


def test_without_a_home_of_codex_there_is_no_login(one_home: Home) -> None:
    del one_home.env["CODEX_HOME"]
    refused(one_home, "Codex is not logged in")
    assert one_home.run("account").code == 2


# --- one home for every process of this program


@pytest.mark.full
@pytest.mark.version_free
def test_a_relative_home_of_codex_is_the_same_one_for_every_process(home: Home) -> None:
    model = home.chatgpt([say("first"), say("second")])
    home.env |= {"CODEX_HOME": "codex-home", "CODEX_SERVER_HOME": "home", "HOME": "user"}
    run = home.run("new", "hi", "--cwd", "project", "--wait", cwd=home.root)
    assert (run.code, run.json["answer"]) == (0, "first"), run
    assert Path(run.json["turn_dir"]).is_relative_to(home.path)
    again = home.run("continue", "--turn", run.json["turn_id"], "on", "--wait", cwd=home.root)
    assert (again.code, again.json["answer"]) == (0, "second")
    threads = json.loads(home.run("list", "--json", cwd=home.root).stdout)
    assert [thread["thread_id"] for thread in threads] == [run.json["thread_id"]]
    for verb in ("doctor", "account", "limits"):
        assert home.run(verb, cwd=home.root).code == 0, verb
    assert len(model.model_requests) == 2
    left = {path.name for path in (*home.project.iterdir(), *Path("/").glob("codex-home"))}
    assert left <= {".git", ".codex", ".agents"}


# --- TOML as Codex reads it


@pytest.mark.full
def test_a_configuration_in_newer_toml_is_codex_own_affair(home: Home) -> None:
    model = home.model([say("done")])
    provider = f'{{\n  name = "\\x61",\n  base_url = "{model.base_url}",\n  wire_api = "responses",\n}}'
    for bom in ("", "\ufeff"):
        text = f'{bom}model = "m"\nmodel_provider = "a"\n[model_providers]\na = {provider}\n'
        (home.codex_home / "config.toml").write_text(text)
        assert home.run("new", "hi", "--wait").json["answer"] == "done"
        assert home.run("doctor").code == 0


def test_an_override_is_what_codex_takes_it_for(home: Home) -> None:
    model = home.model([run_command('printf "%s" "$SAID"'), say("done")])
    override = 'shell_environment_policy={\n set = {SAID = "\\x71r\\x73t",},\n}'
    run = home.run("new", "hi", "--wait", "--config", override)
    assert run.code == 0
    assert "qrst" in json.dumps(model.model_requests[-1].body)


def test_a_key_inside_newer_toml_is_seen(one_home: Home) -> None:
    model = one_home.model([say("never")])
    provider = f'{{\n name = "p",\n base_url = "{model.base_url}",\n experimental_bearer_token = "sk",\n}}'
    (one_home.codex_home / "config.toml").write_text(f'\ufeffmodel_provider = "p"\nmodel_providers.p = {provider}\n')
    refused(one_home, "API key")
