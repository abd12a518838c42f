"""The command line parsed by typer, made from the table: help, completion, errors, and everything unusual.

Must never run a verb: it returns the verb and its parameters, like `light_parser`.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from codex_server_cli import __version__
from codex_server_cli.cli import output
from codex_server_cli.cli.parameters import Parameter
from codex_server_cli.cli.table import GROUPS, VERBS
from codex_server_cli.cli.verb import Verb
from codex_server_cli.errors import CodexServerError, UsageError
from codex_server_cli.settings.places import Settings

_PROMPT_VERBS = ("new", "continue", "chat", "steer")
_PROMPT_HINTS = {  # by the beginning of click's message
    "Got unexpected extra argument": "Quote the prompt, so that your shell hands it over as one word. ",
    "No such option": "A prompt that begins with - comes after --. ",
}
_NUMBERS = (  # click's words for them → ours
    (re.compile(r"is not in the range x>=(\S+?)\.?$"), r"is less than \1"),
    (re.compile(r"is not a valid int(eger)?( range)?\.?$"), "is no whole number"),
)
_REVIEW_HINT = "A review has no prompt, schema, images, sandbox or approvals; --instructions says what to look at. "
_CONTEXT = {"help_option_names": ["-h", "--help"]}


class _HelpPage:
    """Replaces typer's help of a command or a group by ours: see `cli.help`."""

    def format_help(self, context: Any, formatter: Any) -> None:
        """Write the page into typer's formatter; called for `--help`, and for a group without a verb."""
        from codex_server_cli.cli.help import page

        formatter.write(page(context.command_path.split()[1:]))


class _HelpfulCommand(_HelpPage, TyperCommand):
    """A verb."""


class _HelpfulGroup(_HelpPage, TyperGroup):
    """The program, or a group of verbs."""


def parse(arguments: list[str], verb: str | None) -> tuple[str, dict[str, Any]] | None:
    """Read a command line.

    Args:
        arguments: those after the program's name.
        verb: the verb that they begin with, if any.

    Returns:
        The verb and the values of its parameters, by name; None if typer has done everything: help, the version,
        completion.

    Raises:
        UsageError: the command line is invalid.
        KeyboardInterrupt: Ctrl-C.
    """
    if not arguments or (len(arguments) == 1 and arguments[0] in GROUPS):
        arguments = [*arguments, "--help"]
    try:
        command: Any = typer.main.get_command(build(verb))
        result = command.main(arguments, prog_name="codex-server", standalone_mode=False)
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except typer.TyperException as error:
        raise _usage_error(error) from error
    return result if isinstance(result, tuple) else None


def build(verb: str | None) -> typer.Typer:
    """The typer application with one verb, or with all of them."""
    app = typer.Typer(
        cls=_HelpfulGroup,
        invoke_without_command=True,
        add_completion=False,  # ours: `cli.completion`
        pretty_exceptions_enable=False,
        context_settings=_CONTEXT,
    )
    app.callback()(_global_options)  # also keeps it a group when only one verb is loaded
    groups: dict[str, typer.Typer] = {}
    for name in VERBS if verb is None else (verb,):
        declaration = VERBS[name]
        first, _, second = name.partition(" ")
        if not second:
            app.command(name, cls=_HelpfulCommand)(_command(name, declaration))
            continue
        if first not in groups:
            groups[first] = typer.Typer(cls=_HelpfulGroup, context_settings=_CONTEXT, no_args_is_help=True)
            groups[first].callback()(_no_options)  # keeps it a group, too
            app.add_typer(groups[first], name=first)
        groups[first].command(second, cls=_HelpfulCommand)(_command(name, declaration))
    return app


def _command(name: str, verb: Verb) -> Callable[..., tuple[str, dict[str, Any]]]:
    """The function that typer calls for a verb. Typer reads the parameters from its signature."""

    def command(**given: Any) -> tuple[str, dict[str, Any]]:
        return name, {
            each.name: list(given[each.name] or ()) if each.is_list else given[each.name] for each in verb.parameters
        }

    signature = [_signature_of(each) for each in verb.parameters]
    command.__signature__ = inspect.Signature(signature)  # type: ignore[attr-defined]
    command.__annotations__ = {each.name: each.annotation for each in signature}
    return command


def _signature_of(parameter: Parameter) -> inspect.Parameter:
    settings: dict[str, Any] = {"help": parameter.help, "metavar": parameter.metavar}
    if parameter.minimum is not None:
        settings["min"] = parameter.minimum
    read_as: Any = list[str] if parameter.is_list else parameter.type
    default: Any = inspect.Parameter.empty if parameter.is_required else parameter.default
    if default is None:
        read_as = read_as | None
    info = typer.Option(*parameter.flags, **settings) if parameter.flags else typer.Argument(**settings)
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(parameter.name, kind, default=default, annotation=Annotated[read_as, info])


def _global_options(
    version: Annotated[bool, typer.Option("--version", "-V", is_eager=True)] = False,
    install_completion: Annotated[bool, typer.Option("--install-completion")] = False,
    show_completion: Annotated[bool, typer.Option("--show-completion")] = False,
) -> None:
    if version:
        output.show(f"codex-server {__version__}\n")
    elif install_completion or show_completion:
        from codex_server_cli.cli.completion import scripts
        from codex_server_cli.settings.tab import shell_folders

        shell = scripts.current_shell()
        if show_completion:
            output.show(scripts.script(shell))
        else:
            path = scripts.install(shell, shell_folders(Settings.load().user_home))
            output.say(f"Installed {path}. {shell} completes codex-server once it is started anew.\n")
    else:
        return
    raise typer.Exit


def _no_options() -> None:
    pass


def _usage_error(error: typer.TyperException) -> CodexServerError:
    message = getattr(error, "format_message", lambda: str(error))()
    for words, ours in _NUMBERS:
        message = words.sub(ours, message)
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else "codex-server"
    hints = [hint for beginning, hint in _PROMPT_HINTS.items() if message.startswith(beginning)]
    about_prompt = hints[0] if hints and path.split()[-1] in _PROMPT_VERBS else ""
    if hints and path.split()[-1] == "review":
        about_prompt = _REVIEW_HINT
        message = message.partition(" (Possible options")[0]  # click suggests unrelated options
    return UsageError(message.rstrip("."), hint=f"{about_prompt}Try: {path} --help")
