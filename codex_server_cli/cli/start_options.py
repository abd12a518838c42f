"""What the verbs that start a turn share: one table of flags, and how the turn is shown."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from codex_server_cli.actions.start.options import StartOptions
from codex_server_cli.actions.start.start import Started
from codex_server_cli.cli import output
from codex_server_cli.cli.parameters import complete_turn
from codex_server_cli.cli.prompts import read_prompt
from codex_server_cli.core.documents import turn as turn_documents
from codex_server_cli.core.duration import parse_duration_s
from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.errors import UsageError
from codex_server_cli.settings.places import Settings

_NEWEST = "Go on with the newest thread of this directory"
_WHO_DECIDES = "Who decides over what the sandbox forbids"

Last = Annotated[bool, typer.Option("--last", help=f"{_NEWEST} (default).")]
ChatLast = Annotated[bool, typer.Option("--last", help=f"{_NEWEST}.")]
Thread = Annotated[
    str | None, typer.Option("--thread", metavar="ID", help="Go on with this thread of Codex, or its name.")
]
Turn = Annotated[
    str | None,
    typer.Option("--turn", metavar="TURN", help="Go on with this turn's thread.", autocompletion=complete_turn),
]
Prompt = Annotated[
    str | None,
    typer.Argument(help="What to ask; what is piped in comes behind it, or is it all.", show_default=False),
]
Stdin = Annotated[
    str | None, typer.Argument(metavar="[-]", help="Read stdin to its end, whoever holds it open.", show_default=False)
]
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
ApprovalOption = Annotated[Approval, typer.Option("--approval", help=f"{_WHO_DECIDES}; ask: you, by approve.")]
ChatApproval = Annotated[Approval, typer.Option("--approval", help=f"{_WHO_DECIDES}.")]
ApprovalTimeout = Annotated[
    str | None, typer.Option("--approval-timeout", metavar="S", help="Decline after S seconds, or 5m (default: 10m).")
]
Questions = Annotated[bool, typer.Option("--questions", help="Let Codex ask you mid-turn; answer with reply.")]
Plan = Annotated[bool, typer.Option("--plan", help="Plan mode: Codex asks, and ends with a plan.")]
Profile = Annotated[
    str | None, typer.Option("--profile", "-p", metavar="P", help="Use CODEX_HOME/P.config.toml over config.toml.")
]
AfterReset = Annotated[bool, typer.Option("--after-reset", help="Wait in line until the usage limit has reset.")]
Notify = Annotated[
    str | None, typer.Option("--notify", metavar="CMD", help="Run it when the turn ends or needs you; JSON on stdin.")
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show the turn as it runs, and end with it.")]
Wait = Annotated[bool, typer.Option("--wait", help="Print one JSON object at the end, with the answer.")]
Nested = Annotated[bool, typer.Option("--allow-nested", help="Allow it from inside a turn that a turn started.")]


def _flags(
    prompt: Prompt = None,
    stdin: Stdin = None,
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
    profile: Profile = None,
    approval: ApprovalOption = Approval.NEVER,
    approval_timeout: ApprovalTimeout = None,
    questions: Questions = False,
    plan: Plan = False,
    ephemeral: Ephemeral = False,
    name: Name = None,
    deadline: Deadline = None,
    after_reset: AfterReset = False,
    notify: Notify = None,
    allow_nested: Nested = False,
    follow: Follow = False,
    wait: Wait = False,
) -> None:
    """The flags of every starting verb, in the order in which `--help` shows them."""


_UNKNOWN_TO_REVIEWS = frozenset(
    {"prompt", "stdin", "file", "schema", "image", "sandbox", "write", "add_dir", "network", "skip_git_check"}
    | {"approval", "approval_timeout", "questions", "plan"}
)
"""What Codex accepts in `turn/start` only."""
_OF_ONE_TURN = frozenset(
    {"prompt", "stdin", "file", "schema", "image", "plan", "ephemeral", "name", "deadline", "after_reset", "notify"}
    | {"follow", "wait"}
)
"""Flags without a use in a chat: it has many turns, whose prompts come from its editor, and shows them as they run."""


def starts_a_turn(verb: Callable[..., Started]) -> Callable[..., None]:
    """Make a typer command from a function `(options, context, …its own flags) -> Started`.

    The command also takes the flags of `_flags`, passes them as `StartOptions`, and shows the turn as requested.
    """
    return _command(verb, _flags_but(frozenset()))


def starts_a_review(verb: Callable[..., Started]) -> Callable[..., None]:
    """The same for a review, without the flags that Codex ignores in reviews; the verb provides the prompt."""
    return _command(verb, _flags_but(_UNKNOWN_TO_REVIEWS))


def starts_a_chat(verb: Callable[..., None]) -> Callable[..., None]:
    """The same for a chat `(options, prompt, …its own flags)`: it shows its turns and asks for approvals itself."""
    shared = _flags_but(_OF_ONE_TURN)
    shared["approval"] = shared["approval"].replace(annotation=ChatApproval, default=Approval.ASK)

    def run(flags: dict[str, Any], own: dict[str, Any]) -> None:
        verb(options=options_of(flags, ""), **own)

    return _joined(verb, shared, run)


def _command(verb: Callable[..., Started], shared: dict[str, inspect.Parameter]) -> Callable[..., None]:
    def run(flags: dict[str, Any], own: dict[str, Any]) -> None:
        if flags["follow"] and flags["wait"]:
            raise UsageError("--follow and --wait exclude each other")
        options = options_of(flags, _read_prompt(flags) if "prompt" in shared else "")
        started = verb(options=options, **own)
        _report(started, is_follow=flags["follow"], is_wait=flags["wait"], may_ask=options.may_ask)

    return _joined(verb, shared, run)


def _flags_but(left_out: frozenset[str]) -> dict[str, inspect.Parameter]:
    flags_of_all = inspect.signature(_flags, eval_str=True).parameters
    return {name: each for name, each in flags_of_all.items() if name not in left_out}


def _joined(
    verb: Callable[..., Any],
    shared: dict[str, inspect.Parameter],
    run: Callable[[dict[str, Any], dict[str, Any]], None],
) -> Callable[..., None]:
    """Build the signature that typer reads a command's flags from: the verb's own and the shared ones.

    Args:
        run: called with the given shared flags and the verb's own.
    """
    own = [each for each in inspect.signature(verb, eval_str=True).parameters.values() if each.name != "options"]
    first, *selectors = own
    prompts = [each for name, each in shared.items() if name in ("prompt", "stdin")]
    others = [each for name, each in shared.items() if name not in ("prompt", "stdin")]

    @functools.wraps(verb)
    def command(**given: Any) -> None:
        run({name: given.pop(name) for name in shared}, given)

    parameters = [first, *prompts, *selectors, *others]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in parameters}
    return command


def _read_prompt(given: dict[str, Any]) -> str:
    return read_prompt((given["prompt"], given["stdin"]), given["file"], (given["schema"], *(given["image"] or ())))


def options_of(given: dict[str, Any], prompt: str) -> StartOptions:
    """Convert the parsed flags for the action; a flag that the verb does not have gets its default."""
    given = {name: each.default for name, each in inspect.signature(_flags).parameters.items()} | given
    for name in ("model", "effort", "schema", "profile", "notify"):
        if given[name] is not None and not given[name].strip():  # an unset variable of a script
            raise UsageError(f"--{name} is empty")
    if given["write"] and given["sandbox"] not in (None, Sandbox.WORKSPACE_WRITE):
        raise UsageError(f"--write and --sandbox {given['sandbox']} exclude each other")
    options = StartOptions(
        prompt=prompt,
        cwd=given["cwd"],
        model=given["model"],
        effort=given["effort"],
        schema=given["schema"],
        images=tuple(given["image"] or ()),
        sandbox=Sandbox.WORKSPACE_WRITE if given["write"] else given["sandbox"],
        add_dirs=tuple(given["add_dir"] or ()),
        has_network=given["network"],
        config=tuple(given["config"] or ()),
        profile=given["profile"],
        approval=given["approval"],
        approval_timeout_s=_seconds(given["approval_timeout"], "--approval-timeout"),
        may_ask_questions=given["questions"],
        is_plan=given["plan"],
        is_ephemeral=given["ephemeral"],
        name=given["name"],
        deadline_s=_seconds(given["deadline"], "--deadline"),
        is_after_reset=given["after_reset"],
        notify=given["notify"],
        may_skip_git_check=given["skip_git_check"],
        may_nest=given["allow_nested"],
    )
    if given["approval_timeout"] is not None and not options.may_ask:
        raise UsageError("--approval-timeout needs --approval ask, --questions or --plan", hint="Nothing else waits.")
    return options


def check_one_thread(*, last: bool, thread: str | None, turn: str | None) -> None:
    """Check that at most one flag selects the thread.

    Raises:
        UsageError: several do.
    """
    if sum((last, thread is not None, turn is not None)) > 1:
        raise UsageError("--last, --thread and --turn exclude each other")


def _seconds(text: str | None, flag: str) -> float | None:
    return parse_duration_s(text, flag) if text is not None else None


def _report(started: Started, *, is_follow: bool, is_wait: bool, may_ask: bool) -> None:
    for warning in started.warnings:
        output.note(f"codex-server: {warning}")
    view = started.view
    if not (is_follow or is_wait):
        output.show_json(turn_documents.started(view))
        return
    from codex_server_cli.cli.show_turn import follow_text, report_end, wait_for_end, wait_for_end_or_request

    output.note(f"turn {view.turn_id}")
    if is_follow:
        raise typer.Exit(follow_text(Settings.load(), view.turn_id))
    wait = wait_for_end_or_request if may_ask else wait_for_end
    ended = wait(Settings.load(), view.turn_id)
    output.show_json(turn_documents.status_with_answer(ended))
    raise typer.Exit(report_end(ended))
