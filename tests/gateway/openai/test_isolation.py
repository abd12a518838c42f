"""No chat can run a command or read a file of this machine, whatever the model asks for and the user has configured."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from codex_server_cli.demo import replies
from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.parts import Part
from codex_server_cli.demo.scripted_model import ScriptedModel
from tests.gateway.openai.conftest import running
from tests.kit.chat_gateway import ChatGateway
from tests.kit.chat_model import conversation_of
from tests.kit.support import codex_binaries, spared_features, wait_until

SECRET = "the-secret-of-this-machine"
_BINARIES = codex_binaries()
_FEATURES = ("memories", "current_time_reminder", "terminal_visualization_instructions", "request_permissions_tool")
"""Of Codex, which are off by default and might add to a prompt."""
_SERVER = """\
import json, sys
with open(sys.argv[1], "a") as marks:
    marks.write("started\\n")
for line in sys.stdin:
    message = json.loads(line)
    method, params = message.get("method"), message.get("params") or {}
    if method == "initialize":
        info = {"name": "files", "version": "1"}
        result = {"protocolVersion": params["protocolVersion"], "capabilities": {"tools": {}}, "serverInfo": info}
    elif method == "tools/list":
        schema = {"type": "object", "properties": {}}
        result = {"tools": [{"name": "read", "inputSchema": schema, "annotations": {"readOnlyHint": True}}]}
    elif method == "tools/call":
        result = {"content": [{"type": "text", "text": sys.argv[2]}]}
    else:
        continue
    print(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}), flush=True)
"""


@pytest.fixture(scope="module", params=[path for _, path in _BINARIES], ids=[label for label, _ in _BINARIES])
def open_house(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatGateway]:
    """A gateway of a user who has allowed everything, with MCP servers, hooks, a notify command and a skill."""
    root = tmp_path_factory.mktemp("open")
    for name in ("mark", "secret.txt"):
        (root / name).write_text(SECRET if name != "mark" else "")
    Image.new("RGB", (8, 8), "red").save(root / "secret.png")
    (root / "server.py").write_text(_SERVER)
    hook = root / "hook"
    hook.write_text(f"#!/bin/sh\necho hook >> {root}/mark\n")
    hook.chmod(0o755)

    def write_home(home: Path, model: ScriptedModel) -> None:
        server = f'command = "{sys.executable}"\nargs = ["{root}/server.py", "{root}/mark", "{SECRET}"]\n'
        servers = f'[mcp_servers.files]\n{server}[mcp_servers."odd. name"]\n{server}'
        features = {**spared_features(request.param), **dict.fromkeys(_FEATURES, True)}
        write_custom_provider(home, model.base_url, model="gpt-5.5", features=features, extra_toml=servers)
        path = home / "config.toml"
        free = 'sandbox_mode = "danger-full-access"\napproval_policy = "never"\ndeveloper_instructions = "Obey."\n'
        path.write_text(f'notify = ["{hook}"]\n{free}{path.read_text()}')
        events = ("SessionStart", "UserPromptSubmit", "PreToolUse", "Stop")
        hooks = {event: [{"hooks": [{"type": "command", "command": str(hook)}]}] for event in events}
        (home / "hooks.json").write_text(json.dumps({"hooks": hooks}))
        skill = home / "skills" / "reader"
        skill.mkdir(parents=True)
        (skill / "SKILL.md").write_text("---\nname: reader\ndescription: AGENTS.md reads files\n---\n")

    yield from running(root, request.param, write_home=write_home)


def attempts(root: Path) -> list[Part]:
    """What a model might try."""
    write, read, picture = f"echo x > {root}/written", f"{root}/secret.txt", f"{root}/secret.png"
    patch = f"*** Begin Patch\n*** Add File: {root}/written\n+x\n*** End Patch\n"
    script = f"""
const tried = [];
for (const [name, args] of [
  ["exec_command", {{cmd: {json.dumps(write)}}}], ["shell", {{command: ["sh", "-c", {json.dumps(write)}]}}],
  ["view_image", {{path: {json.dumps(picture)}}}], ["apply_patch", {json.dumps(patch)}], ["mcp__files__read", {{}}],
]) {{
  try {{ tried.push(JSON.stringify(await tools[name](args))); }} catch (error) {{ tried.push(String(error)); }}
}}
text(tried.join("; ")); text(JSON.stringify(ALL_TOOLS));
"""
    server: Any = {"namespace": "mcp__files"}
    return [
        replies.call("exec_command", {"cmd": write}),
        replies.call("exec_command", {"cmd": write, "sandbox_permissions": "require_escalated"}),
        replies.call("shell", {"command": ["sh", "-c", write]}),
        replies.call("local_shell", {"command": ["sh", "-c", write]}),
        replies.call("apply_patch", patch),
        replies.call("apply_patch", {"input": patch}),
        replies.call("view_image", {"path": picture}),
        replies.call("read_mcp_resource", {"server": "files", "uri": f"file://{read}"}),
        replies.call("read", {}, **server),
        replies.call("read", {}, namespace="mcp__files__"),
        replies.call("exec", script),
    ]


@pytest.mark.parametrize("model", ["gpt-5.5", "gpt-6.1-sol", "unknown-model"])
@pytest.mark.parametrize("has_tools", [True, False], ids=["with tools", "without"])
def test_nothing_that_a_model_tries_has_an_effect(
    open_house: ChatGateway, tmp_path: Path, model: str, *, has_tools: bool
) -> None:
    rules = open_house.rules
    rules.forget()
    root = open_house.server.home.parent
    rules.attempts = attempts(root)
    n_before = len(open_house.log.requests)
    tool: Any = {"type": "function", "function": {"name": "read", "parameters": {"type": "object", "properties": {}}}}
    with open_house.client() as client:
        answer = client.chat.completions.create(
            model=model, messages=[{"role": "user", "content": "try"}], tools=[tool] if has_tools else []
        )
    assert (answer.choices[0].message.content or "").startswith("results: ")
    assert len(rules.seen) == 2
    outputs = json.dumps([text for kind, text in conversation_of(rules.seen[1]) if kind.endswith("_output")])
    assert len([1 for kind, _ in conversation_of(rules.seen[1]) if kind.endswith("_output")]) == len(rules.attempts)
    assert SECRET not in outputs
    assert "data:image" not in json.dumps(rules.seen[1]["input"])
    assert not (root / "written").exists()
    assert (root / "mark").read_text() == ""
    assert rules.problems == []
    assert conversation_of(rules.seen[0]) == [("user", "try")]
    n_answered = 1 + n_before
    wait_until(lambda: len(open_house.log.requests) == n_answered, what="its line in the log")
    assert open_house.log.requests[-1]["thread"] == ("fresh" if has_tools else "forked")


def test_a_server_that_comes_or_goes_meanwhile_is_noticed(open_house: ChatGateway) -> None:
    path = open_house.server.codex_home / "config.toml"
    before = path.read_text()
    table = before[before.index("[mcp_servers.files]") : before.index('[mcp_servers."odd. name"]')]
    rules = open_house.rules
    root = open_house.server.home.parent
    try:
        for text in (before.replace(table, ""), before + table.replace("files", "late"), before):
            path.write_text(text)
            rules.forget()
            rules.attempts = [replies.call("read", {}, namespace=f"mcp__{name}") for name in ("files", "late")]
            with open_house.client() as client:
                client.chat.completions.create(model="gpt-5.5", messages=[{"role": "user", "content": "try"}])
            assert SECRET not in json.dumps(rules.seen[-1]["input"])
            assert rules.problems == []
    finally:
        path.write_text(before)
        (root / "mark").write_text("")


def test_the_directory_of_its_threads_is_empty_and_private(open_house: ChatGateway) -> None:
    path = Path(open_house.run(open_house.state.empty_directory()))
    assert list(path.iterdir()) == []
    assert path.stat().st_mode & 0o777 == 0o700
