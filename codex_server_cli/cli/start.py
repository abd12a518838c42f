"""The verbs that start turns: `new` and `continue`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from codex_server_cli.actions import start
from codex_server_cli.actions.start import Started, StartOptions
from codex_server_cli.cli import output
from codex_server_cli.cli.parameters import complete_turn
from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.request import Sandbox
from codex_server_cli.errors import BadInputError, UsageError
from codex_server_cli.render import documents
from codex_server_cli.settings.places import Settings

Prompt = Annotated[str | None, typer.Argument(help="What to ask; - reads it from stdin.", show_default=False)]
PromptFile = Annotated[str | None, typer.Option("--file", "-F", metavar="FILE", help="Read the prompt from a file.")]
Model = Annotated[str | None, typer.Option("--model", "-m", metavar="M", help="The model to ask.")]
Effort = Annotated[str | None, typer.Option("--effort", metavar="E", help="Reasoning effort: low, medium, high …")]
Cwd = Annotated[str | None, typer.Option("--cwd", "-C", metavar="DIR", help="Work in this directory.")]
Schema = Annotated[str | None, typer.Option("--schema", metavar="FILE", help="JSON Schema that the answer must match.")]
Images = Annotated[list[str] | None, typer.Option("--image", "-i", metavar="P", help="Attach an image; repeatable.")]
SandboxOption = Annotated[
    Sandbox | None, typer.Option("--sandbox", "-s", help="What commands may touch (default: read-only).")
]
Write = Annotated[bool, typer.Option("--write", "-w", help="The same as --sandbox workspace-write.")]
AddDirs = Annotated[list[str] | None, typer.Option("--add-dir", metavar="D", help="A further writable directory.")]
Network = Annotated[bool, typer.Option("--network", help="Let commands use the network.")]
SkipGit = Annotated[bool, typer.Option("--skip-git-check", help="Allow writing outside of a git work tree.")]
Overrides = Annotated[list[str] | None, typer.Option("--config", "-c", metavar="K=V", help="Override Codex's config.")]
Ephemeral = Annotated[bool, typer.Option("--ephemeral", help="Leave no Codex session; cannot be continued.")]
Name = Annotated[str | None, typer.Option("--name", metavar="N", help="A name to call the turn by.")]
Deadline = Annotated[str | None, typer.Option("--deadline", metavar="S", help="End the turn after S seconds, or 5m.")]
Approval = Annotated[str, typer.Option("--approval", metavar="never", hidden=True)]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show the turn as it runs, and end with it.")]
Wait = Annotated[bool, typer.Option("--wait", help="Print one JSON object at the end, with the answer.")]
Nested = Annotated[bool, typer.Option("--allow-nested", help="Allow it from inside a turn that a turn started.")]


def new(
    context: typer.Context,
    prompt: Prompt = None,
    file: PromptFile = None,
    model: Model = None,
    effort: Effort = None,
    cwd: Cwd = None,
    schema: Schema = None,
    image: Images = None,
    sandbox: SandboxOption = None,
    write: Write = False,
    add_dir: AddDirs = None,
    network: Network = False,
    skip_git_check: SkipGit = False,
    config: Overrides = None,
    approval: Approval = "never",
    ephemeral: Ephemeral = False,
    name: Name = None,
    deadline: Deadline = None,
    allow_nested: Nested = False,
    follow: Follow = False,
    wait: Wait = False,
) -> None:
    """Start a turn on a new thread and print its id."""
    options = _options(locals())
    _check_exclusive(follow, wait)
    _report(start.new(Settings.load(), options, context.obj), is_follow=follow, is_wait=wait)


def continue_(
    context: typer.Context,
    prompt: Prompt = None,
    last: Annotated[bool, typer.Option("--last", help="The newest thread of this directory (default).")] = False,
    thread: Annotated[str | None, typer.Option("--thread", metavar="ID", help="This thread of Codex.")] = None,
    turn: Annotated[
        str | None,
        typer.Option("--turn", metavar="TURN", help="The thread of this turn.", autocompletion=complete_turn),
    ] = None,
    fork: Annotated[bool, typer.Option("--fork", help="Go on from a copy; with --turn, as it was after it.")] = False,
    fork_if_busy: Annotated[bool, typer.Option("--fork-if-busy", help="Fork only while the thread is busy.")] = False,
    file: PromptFile = None,
    model: Model = None,
    effort: Effort = None,
    cwd: Cwd = None,
    schema: Schema = None,
    image: Images = None,
    sandbox: SandboxOption = None,
    write: Write = False,
    add_dir: AddDirs = None,
    network: Network = False,
    skip_git_check: SkipGit = False,
    config: Overrides = None,
    approval: Approval = "never",
    ephemeral: Ephemeral = False,
    name: Name = None,
    deadline: Deadline = None,
    allow_nested: Nested = False,
    follow: Follow = False,
    wait: Wait = False,
) -> None:
    """Start the next turn of a thread. Keeps its directory and model, never its sandbox."""
    from codex_server_cli.actions import threads

    options = _options(locals())
    _check_exclusive(follow, wait)
    if sum((last, thread is not None, turn is not None)) > 1:
        raise UsageError("--last, --thread and --turn exclude each other")
    if ephemeral and not (fork or fork_if_busy):
        raise UsageError("--ephemeral needs --fork", hint="An existing thread stays what it is.")
    settings = Settings.load()
    if thread is not None:
        choice = threads.choose_by_id(settings, thread)
    elif turn is not None:
        choice = threads.choose_by_turn(settings, turn, cwd)
    else:
        choice = threads.choose_last(settings, cwd)
    started = start.go_on(settings, options, context.obj, choice, is_fork=fork, may_fork_if_busy=fork_if_busy)
    _report(started, is_follow=follow, is_wait=wait)


def _options(given: dict[str, Any]) -> StartOptions:
    """The parsed flags as the action takes them."""
    if given["approval"] != "never":
        raise UsageError(f"--approval can only be never, not {given['approval']!r}")
    if given["write"] and given["sandbox"] not in (None, Sandbox.WORKSPACE_WRITE):
        raise UsageError(f"--write and --sandbox {given['sandbox']} exclude each other")
    return StartOptions(
        prompt=_read_prompt(given["prompt"], given["file"]),
        cwd=given["cwd"],
        model=given["model"],
        effort=given["effort"],
        schema=given["schema"],
        images=tuple(given["image"] or ()),
        sandbox=Sandbox.WORKSPACE_WRITE if given["write"] else given["sandbox"],
        add_dirs=tuple(given["add_dir"] or ()),
        has_network=given["network"],
        config=tuple(given["config"] or ()),
        is_ephemeral=given["ephemeral"],
        name=given["name"],
        deadline_s=parse_duration_s(given["deadline"]) if given["deadline"] is not None else None,
        may_skip_git_check=given["skip_git_check"],
        may_nest=given["allow_nested"],
    )


def _read_prompt(argument: str | None, file: str | None) -> str:
    """The prompt from the argument, from stdin (only for `-`) or from a file."""
    if (argument is None) == (file is None):
        what = "Give either a prompt or --file, not both" if file is not None else "a prompt is missing"
        raise UsageError(
            what, hint="As an argument, as --file FILE, or as - to read stdin. After --, it may begin with -."
        )
    try:
        if file is not None:
            return Path(file).read_bytes().decode("utf-8")
        return sys.stdin.buffer.read().decode("utf-8") if argument == "-" else str(argument)
    except UnicodeDecodeError as error:
        raise BadInputError(f"the prompt is not valid UTF-8: {error}", hint="Convert it to UTF-8 first.") from error
    except OSError as error:
        raise BadInputError(f"cannot read {file}: {error.strerror}", hint="Check --file.") from error


def _check_exclusive(follow: bool, wait: bool) -> None:
    if follow and wait:
        raise UsageError("--follow and --wait exclude each other")


def _report(started: Started, *, is_follow: bool, is_wait: bool) -> None:
    for warning in started.warnings:
        output.note(f"codex-server: {warning}")
    view = started.view
    if not (is_follow or is_wait):
        output.show_json(documents.started(view))
        return
    from codex_server_cli.cli.following import follow_text, report_end, wait_for_end

    output.note(f"turn {view.turn_id}")
    if is_follow:
        raise typer.Exit(follow_text(Settings.load(), view.turn_id))
    ended = wait_for_end(Settings.load(), view.turn_id)
    output.show_json(documents.status_with_answer(ended))
    raise typer.Exit(report_end(ended))
