"""The documents are correct: the examples run, the flags and links exist, the tables are those of the code."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from codex_server_cli import __version__
from codex_server_cli.cli.table import VERBS, verb_of
from codex_server_cli.cli.typer_parser import build
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.model.turn import EXIT_OF_STATE, Phase, State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.demo.codex_home import write_custom_provider
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import ReplyLike
from codex_server_cli.demo.replies import apply_patch, hold, pause, reply, run_command, say, usage_limit
from codex_server_cli.demo.request import Request
from codex_server_cli.disk.turn.layout import TurnDir
from codex_server_cli.errors import ErrorKind, Exit
from codex_server_cli.settings.config import read_config
from tests.kit import console
from tests.kit.cases import for_each
from tests.kit.failed import has_failed
from tests.kit.home import COMMAND, Home
from tests.kit.support import make_repository

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "SKILL.md", *sorted((ROOT / "references").glob("*.md"))]
NAMES = [path.relative_to(ROOT).as_posix() for path in DOCUMENTS]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
TEST_PATCH = "*** Begin Patch\n*** Add File: test_main.py\n+import main\n*** End Patch"
OTHER_FLAGS = {
    *("--version", "--install-completion"),  # codex-server without a verb
    "--write-readme",  # python -m bench
    *("--device-auth", "--with-api-key"),  # codex login
    "--session-source",  # codex app-server
    *("--prefix", "--serve", "--no-demo", "--no-skill", "--uninstall"),  # install.sh
}
ANSWERS = {
    "Which language": "It is written in Python.",
    "Which line": "Line 1: it trusts its input.",
    "Review main.py": "One finding: main.py, line 1, trusts its input.",
    "How would you fix": "Parse it first, and refuse what does not parse.",
    "Explain this repository": "One program, main.py: it prints what it is given.",
    "Explain main.py": "main.py prints what it is given.",
    "-m pytest": "It runs pytest as a module.",
    "print(input())": "That is a program, not a question.",
    "riskiest": "Line 1.",
    "another way": "Read a file instead.",
    "title": '"The program that prints".',
    "Judge": '{"verdict": "bad", "line": 1}',
    "What do you see": "A single pixel.",
    "Add a test": "I may not write here.",
    "hello": "Hello.",
}


def documented_model(request: Request, thought: Gate) -> ReplyLike:
    """The model of the examples; a prompt that no example has comes back as a failed turn."""
    prompt = request.prompt
    if request.is_follow_up:
        return say("Done." if "test" in prompt or "date" in prompt else ANSWERS["Which language"])
    if "Which language" in prompt:
        return run_command("ls")
    if "longer report" in prompt:
        return reply(say("Chapter one. ", pause(600), "The end."))
    if "Think long" in prompt:
        return reply(say("After long ", hold(thought), "thought: it is fine."))
    if "slow tests" in prompt:
        return reply(say("First the tests.", phase="commentary"), run_command("sleep 60"))
    if "too much" in prompt:
        return usage_limit()
    if "Write the date" in prompt:
        return run_command("date > today.txt", escalated=True)
    if "Now add the test" in prompt:
        return apply_patch(TEST_PATCH)
    return say(next(answer for words, answer in ANSWERS.items() if words in prompt))


@pytest.fixture
def thought() -> Gate:
    """The gate of the turn that thinks long, opened when an example waits for its end."""
    return Gate()


@pytest.fixture
def home(
    request: pytest.FixtureRequest, tmp_path: Path, one_codex: Path, codex_home: Path, thought: Gate
) -> Iterator[Home]:
    home = Home(tmp_path / "you", one_codex, codex_home)
    base_url = home.model(lambda request: documented_model(request, thought)).base_url
    write_custom_provider(home.codex_home, base_url, model="gpt-5.5")  # Codex warns of a name that it does not know
    home.env["PATH"] = f"{Path(COMMAND).parent}{os.pathsep}{home.env['PATH']}"
    make_repository(home.project)
    (home.project / "main.py").write_text("print(input())\n")
    (home.root / "screen.png").write_bytes(PIXEL)
    yield home
    failed = has_failed(request.node)
    assert home.close(has_failed=failed) == [] or failed


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


# --- the examples


@pytest.mark.timeout(900)  # some forty turns in one test
@pytest.mark.parametrize(
    "name",
    ["README.md", pytest.param("references/examples.md", marks=pytest.mark.full), "references/sdk-reference.md"],
)
def test_every_example_shows_what_its_document_says(name: str, home: Home, thought: Gate) -> None:
    text = _read(name)
    for info, body in console.fences(text):
        if "file=" in info:
            (home.project / info.partition("file=")[2]).write_text(body)
    found = console.examples(text)
    assert found
    wrong = []
    for example in found:
        if "wait long --timeout 100" in example.command:
            thought.open()
        run = console.pipe_out if example.is_piped else console.type_in
        shown = run(example.command, home.env, home.project)
        shown = shown.replace(str(home.path), "/home/you/.codex-server").replace(str(home.root), "/home/you")
        if not console.matches(example.shown, shown):
            wrong.append(f"$ {example.command}\n{shown}--- instead of\n{example.shown}")
    assert not wrong, "\n\n".join(wrong)


def test_the_program_of_the_sdk_reference_runs(home: Home) -> None:
    (program,) = [body for info, body in console.fences(_read("references/sdk-reference.md")) if info == "python"]
    run = subprocess.run(
        [sys.executable, "-c", program], env=home.env, cwd=home.project, capture_output=True, text=True, check=False
    )
    assert run.stdout == "complete It is written in Python. 240\n", run.stderr


def test_the_reader_of_examples_tells_a_true_output_from_a_false_one() -> None:
    text = "```console test\n$ codex-server x <<'E'\n> a\n> E\none …\n…\nlast\n$ ls\n```\n"
    (example,) = console.examples(text)
    assert example == console.Example("codex-server x <<'E'\na\nE", "one …\n…\nlast\n$ ls")
    assert console.matches(example.shown, "one and more\nanything\nat all\nlast\n$ ls\n")
    assert not console.matches(example.shown, "one\nlast\n$ ls\n")
    assert not console.matches(example.shown, "one and more\n$ ls\n")
    assert console.matches("20260101-000000-000-0000 in 1.0 s", "20261120-165501-482-7f3a in 12.5 s")


# --- commands, flags, links


def _code(text: str) -> list[str]:
    """Every inline code span and every line of a fenced block."""
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    lines = [line for _, body in console.fences(text) for line in body.replace("\\\n", " ").splitlines()]
    return [*re.findall(r"`([^`\n]+)`", outside), *lines]


def _flags_of(verb: str) -> set[str]:
    command: Any = typer.main.get_command(build(verb))
    for word in verb.split():
        command = command.commands[word]
    return {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}


ALL_FLAGS = {flag for verb in VERBS for flag in _flags_of(verb)} | OTHER_FLAGS


@for_each("name", NAMES)
def test_every_command_and_flag_that_is_named_exists(name: str) -> None:
    for code in (part for line in _code(_read(name)) for part in re.split(r"\$\(|\)", line)):
        for words in re.findall(r"codex-server ([a-z][a-z-]*[^|;&#,]*)", code):
            verb = verb_of(re.findall(r"[a-z-]+", words))
            assert verb is not None, code
            rest = words.removeprefix(verb)
            used = set(re.findall(r"(?<!\S)--?[a-z][a-z-]*", rest.partition(" -- ")[0].partition('"')[0]))
            assert used <= _flags_of(verb), code
        if re.match(r"--[a-z]", code):
            assert code.split()[0].rstrip(",") in ALL_FLAGS, code


@for_each("verb", VERBS)
def test_the_readme_names_every_verb_and_every_flag_of_it(verb: str) -> None:
    readme = _read("README.md")
    assert re.search(rf"`{verb}[ `]", readme)
    spans = " ".join(_code(readme))
    missing = {flag for flag in _flags_of(verb) if flag.startswith("--") and flag not in spans} - {"--help"}
    assert not missing


@for_each("name", NAMES)
def test_every_link_leads_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", _read(name)):
        path, _, anchor = target.partition("#")
        file = (ROOT / name).parent / path if path else ROOT / name
        assert "://" in target or file.exists(), target
        if anchor and not path.startswith("http"):
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, target


@for_each("name", [name for name in NAMES if name != "README.md"])
def test_the_skill_is_whole_without_the_rest_of_the_checkout(name: str) -> None:
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)]+)\)", _read(name))]
    skill = {ROOT / "SKILL.md", *(ROOT / "references").iterdir()}
    assert {((ROOT / name).parent / target).resolve() for target in targets if target and "://" not in target} <= skill


# --- the tables


def _table(name: str, heading: str) -> list[list[str]]:
    """The cells of the first table under a heading, without its head, without backticks."""
    section = re.split(rf"^##+ {re.escape(heading)}$", _read(name), flags=re.MULTILINE)[1]
    rows = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    assert rows is not None
    lines = rows.group().splitlines()[2:]
    return [[cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_exit_codes_are_those_of_the_code() -> None:
    codes = [int(row[0]) for row in _table("README.md", "Exit codes")]
    assert codes == [int(code) for code in Exit]
    handled = {int(row[0]) for row in _table("SKILL.md", "When a command fails")}
    assert handled == set(codes)


def test_the_states_are_those_of_the_code() -> None:
    rows = {row[0]: int(row[3]) for row in _table("README.md", "States")}
    assert rows == {str(state): int(EXIT_OF_STATE[state]) for state in State}


def test_the_phases_are_those_of_the_code() -> None:
    section = _read("README.md").partition("A running turn has a `phase`:")[2].partition("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", section)) == {str(phase) for phase in Phase}


def test_the_error_kinds_are_those_of_the_code() -> None:
    rows = _table("references/error-handling.md", "Kinds")
    assert {row[0]: row[2] for row in rows} == {str(kind): "yes" if kind.is_retryable else "no" for kind in ErrorKind}


def test_the_keys_of_json_are_those_of_the_code() -> None:
    view = TurnView("id", "/turns/id", State.COMPLETE)
    started, status = " ".join(turn_documents.started(view, is_full=True)), " ".join(turn_documents.full_status(view))
    readme = _read("README.md").replace("`", "")
    assert f"| new, continue | {started} |" in readme
    assert f"| status, cancel | {status} |" in readme
    reference = _read("references/sdk-reference.md").replace("`", "")
    assert f"| the start | {started} |" in reference
    assert f"| a status | {status} |" in reference


def test_the_tree_names_every_file_of_a_turn() -> None:
    tree = _read("README.md").partition("## The directory")[2].partition("## JSON")[0]
    files = {path.name for path in vars(TurnDir(Path("/turns/id"))).values() if isinstance(path, Path)} - {"id"}
    assert not [file for file in files if not re.search(rf"[─,] {re.escape(file)}\b", tree)]


def test_the_keys_of_the_configuration_are_understood(tmp_path: Path) -> None:
    keys = [row[0] for row in _table("README.md", "Configuration")]
    path = tmp_path / "config.json"
    path.write_text(json.dumps(dict.fromkeys(keys)))
    assert read_config(path).warnings == ()


# --- the skill


def _frontmatter() -> dict[str, str]:
    head = _read("SKILL.md").split("---\n")[1]
    return dict(line.split(": ", 1) for line in head.splitlines())


def test_the_skill_says_what_it_is_for_in_the_form_that_agents_read() -> None:
    head = _frontmatter()
    assert set(head) == {"name", "description", "version"}
    assert head["name"] == "codex-server"
    assert 0 < len(json.loads(head["description"])) <= 1024  # a JSON string is a YAML string


def test_the_skill_has_the_version_of_the_package() -> None:
    assert _frontmatter()["version"] == __version__
    assert f"**Skill Version**: {__version__}\n" in _read("SKILL.md")


def test_the_skill_stays_short() -> None:
    assert len(_read("SKILL.md")) <= 7_000  # about 1,900 tokens: an agent reads it whole, whatever it is there for
