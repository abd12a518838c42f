"""Declarations of flags and arguments: one `Parameter` each, and those that several verbs share.

Both parsers of the command line use them: `light_parser` and `typer_parser`. Must import next to nothing: it is loaded
at every start.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any, NamedTuple

from codex_server_cli.core.model.request import Approval, Sandbox
from codex_server_cli.core.model.turn import State


class Offer(StrEnum):
    """The kind of values for shell completion; `cli.completion.values` finds them."""

    TURNS = "turns"
    RUNNING = "running turns"
    WAITING = "turns that wait for an answer"
    ENDED = "ended turns"
    WORKTREES = "turns with a worktree"
    REQUESTS = "requests of the turn"
    THREADS = "threads"
    MODELS = "models"
    EFFORTS = "efforts"
    PROFILES = "profiles"
    SERVERS = "servers"
    SHARED = "the shared server"
    NOTIFY = "what needs no program to notify"
    FILES = "files"
    DIRECTORIES = "directories"


class Parameter(NamedTuple):
    """One flag or argument of a verb.

    Attributes:
        name: the keyword argument of the verb's function.
        flags: the flags, as typed; empty for a positional argument.
        help: one line for `--help`.
        type: the type of its value: `bool` for a flag without a value, `str`, `int`, or an enumeration of the possible
            values.
        metavar: its value in `--help`; None for the parser's own word.
        default: its value if it is not given; for a list always empty.
        minimum: the least value of an `int`.
        is_list: it may be given several times, and becomes a list.
        is_required: it must be given.
        offers: the values for shell completion, besides those of an enumeration; None for nothing.
    """

    name: str
    flags: tuple[str, ...] = ()
    help: str | None = None
    type: type[bool | int | str] = str
    metavar: str | None = None
    default: object = None
    minimum: int | None = None
    is_list: bool = False
    is_required: bool = False
    offers: Offer | None = None


def argument(name: str, *, help: str, **more: Any) -> Parameter:
    """A positional argument."""
    return Parameter(name, (), help, **more)


def option(name: str, *flags: str, help: str, **more: Any) -> Parameter:
    """A flag with a value."""
    return Parameter(name, flags, help, **more)


def number(
    name: str, *flags: str, help: str, metavar: str = "N", minimum: int = 0, default: int | None = None
) -> Parameter:
    """A flag with a whole number."""
    return Parameter(name, flags, help, int, metavar, default, minimum)


def switch(name: str, *flags: str, help: str) -> Parameter:
    """A flag without a value: False if it is not given."""
    return Parameter(name, flags, help, bool, default=False)


def defaults_of(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """The default values of parameters, by name."""
    return {each.name: [] if each.is_list else each.default for each in parameters}


class Until(StrEnum):
    """What `wait` waits for."""

    END = "end"
    ATTENTION = "attention"


class Printed(StrEnum):
    """What `wait` prints at the end."""

    OUT = "out"
    ANSWER = "answer"
    JSON = "json"
    NONE = "none"


class UsageKey(StrEnum):
    """What `usage` groups turns by."""

    DAY = "day"
    MODEL = "model"
    CWD = "cwd"
    STATE = "state"


UNTIL = option(
    "until",
    "--until",
    help="attention: come back (5) once a turn needs your answer, too.",
    type=Until,
    metavar="WHEN",
    default=Until.END,
)
PRINTED = option(
    "printed",
    "--print",
    help="What to print at the end: out; of several, a line of JSON for each.",
    type=Printed,
    metavar="WHAT",
)

# --- turns, directories, formats

_TURN_HELP = "An id, a unique prefix or end of one, a name, or last."
_TURNS_HELP = "Ids, unique prefixes or ends, names, patterns of names ('rev-*'), or last."
TURN = argument("turn", help=_TURN_HELP, metavar="TURN", is_required=True, offers=Offer.TURNS)
TURNS = argument("turns", help=_TURNS_HELP, metavar="TURN...", is_list=True, is_required=True, offers=Offer.TURNS)
SOME_TURNS = argument("turns", help=_TURNS_HELP, metavar="TURN...", is_list=True, offers=Offer.TURNS)
RUNNING_TURNS = SOME_TURNS._replace(offers=Offer.RUNNING)
RUNNING_TURN = TURN._replace(offers=Offer.RUNNING)
ENDED_TURN = TURN._replace(offers=Offer.ENDED)
WORKTREE_TURN = TURN._replace(offers=Offer.WORKTREES)
ASKING_TURN = TURN._replace(offers=Offer.WAITING)
ANY_TURNS = argument(
    "turns", help="As elsewhere; none: those that run now.", metavar="[TURN]...", is_list=True, offers=Offer.TURNS
)
WAITING_TURN = ASKING_TURN._replace(help="An id, a unique prefix or end of one, or a name.")
REQUEST = argument(
    "request",
    help="Its id; may be left out where the turn has asked only once.",
    metavar="[REQ]",
    offers=Offer.REQUESTS,
)
LAST_CWD = option(
    "cwd", "--cwd", "-C", help="The directory whose turn last means.", metavar="DIR", offers=Offer.DIRECTORIES
)
ONLY_CWD = option("cwd", "--cwd", "-C", help="Only those of this directory.", metavar="DIR", offers=Offer.DIRECTORIES)
LIMIT = number("limit", "--limit", help="How many at the most.", minimum=1, default=20)
STATE = option("state", "--state", help="Only those in this state.", type=State, metavar="STATE")
FULL = switch("full", "--full", help="In JSON: every key, empty ones too.")
RAW = switch("raw", "--raw", help="At a terminal: the text as it is, without layout.")
JSON = switch("json", "--json", help="One JSON object, on a terminal too.")
FIELDS = option("fields", "--fields", help="In JSON: only these keys.", metavar="A,B")
LONG = switch("is_long", "--long", help="Every column, and whole ids, however wide.")
TABLE_JSON = (switch("json", "--json", help="One JSON array instead of a table."), FULL, FIELDS)
TEXT_JSON = (switch("json", "--json", help="One JSON array instead of text."), FULL, FIELDS)
OBJECT_JSON = (switch("json", "--json", help="One JSON object instead of text."), FULL)

# --- the thread to go on with

_NEWEST = "Go on with the newest thread of this directory"
LAST = switch("last", "--last", help=f"{_NEWEST} (default).")
CHAT_LAST = switch("last", "--last", help=f"{_NEWEST}.")
THREAD = option(
    "thread", "--thread", help="Go on with this thread of Codex, or its name.", metavar="ID", offers=Offer.THREADS
)
RESUMED_TURN = option("turn", "--turn", help="Go on with this turn's thread.", metavar="TURN", offers=Offer.TURNS)

# --- what a turn may do, in the order of `--help`

PROMPT = argument("prompt", help="What to ask; what is piped in comes behind it, or is it all.")
STDIN = argument("stdin", help="Read stdin to its end, even if it stays open.", metavar="[-]")
_WHO_DECIDES = "Who decides over what the sandbox forbids"
_DECLINE = "Decline after S seconds, or 5m (default: 10m)."
_FILE = option("file", "--file", "-F", help="Read the prompt from a file.", metavar="FILE", offers=Offer.FILES)
_MODEL = option("model", "--model", "-m", help="The model to ask.", metavar="M", offers=Offer.MODELS)
_EFFORT = option("effort", "--effort", help="Reasoning effort: low, medium, high …", metavar="E", offers=Offer.EFFORTS)
_CWD = option("cwd", "--cwd", "-C", help="Work in this directory.", metavar="DIR", offers=Offer.DIRECTORIES)
_SCHEMA = option(
    "schema", "--schema", help="JSON Schema that the answer must match.", metavar="FILE", offers=Offer.FILES
)
_IMAGE = option(
    "image", "--image", "-i", help="Attach an image; repeatable.", metavar="P", is_list=True, offers=Offer.FILES
)
_SANDBOX = (
    option(
        "sandbox",
        "--sandbox",
        "-s",
        help="What commands may touch (default: read-only).",
        type=Sandbox,
        metavar="MODE",
    ),
    switch("write", "--write", "-w", help="The same as --sandbox workspace-write."),
    option(
        "add_dir",
        "--add-dir",
        help="A further writable directory.",
        metavar="D",
        is_list=True,
        offers=Offer.DIRECTORIES,
    ),
    switch("network", "--network", help="Let commands use the network."),
    switch("skip_git_check", "--skip-git-check", help="Allow writing outside of a git work tree."),
)
_CONFIG = (
    option("config", "--config", "-c", help="Override Codex's config.", metavar="K=V", is_list=True),
    option(
        "profile",
        "--profile",
        "-p",
        help="Use CODEX_HOME/P.config.toml over config.toml.",
        metavar="P",
        offers=Offer.PROFILES,
    ),
)
_APPROVAL = option(
    "approval",
    "--approval",
    help=f"{_WHO_DECIDES}; ask: you, by approve.",
    type=Approval,
    default=Approval.NEVER,
    metavar="WHO",
)
_CHAT_APPROVAL = option(
    "approval", "--approval", help=f"{_WHO_DECIDES}.", type=Approval, default=Approval.ASK, metavar="WHO"
)
_APPROVAL_TIMEOUT = option("approval_timeout", "--approval-timeout", help=_DECLINE, metavar="S")
_QUESTIONS = switch("questions", "--questions", help="Let Codex ask you mid-turn; answer with reply.")
_NO_QUESTIONS = switch("no_questions", "--no-questions", help="Codex may not ask you mid-turn, as it may by default.")
_PLAN = switch("plan", "--plan", help="Plan mode: Codex asks, and ends with a plan.")
_NESTED = switch("allow_nested", "--allow-nested", help="Allow it from inside a turn that a turn started.")
_SERVER_HELP = "The app-server: spawn, shared, unix://, unix:///PATH, ws://HOST:PORT, ssh://HOST."
_INSECURE_HELP = "Send the token unencrypted to another host."
SERVER_FLAGS = (
    option("server", "--server", help=_SERVER_HELP, metavar="URL", offers=Offer.SERVERS),
    option(
        "server_token_file",
        "--server-token-file",
        help="A file that holds its token.",
        metavar="FILE",
        offers=Offer.FILES,
    ),
    option("server_token_env", "--server-token-env", help="A variable that holds its token.", metavar="NAME"),
    switch("insecure", "--insecure", help=_INSECURE_HELP),
)
"""Which app-server a verb uses, and its authentication; `actions.start.options.server_of` reads them."""
_OF_ONE_TURN = (
    switch("ephemeral", "--ephemeral", help="Leave no Codex session; cannot be continued."),
    option("name", "--name", help="A name to call the turn by.", metavar="N"),
    option("once", "--once", help="The same key again: the same turn.", metavar="KEY"),
    option("once_for", "--once-for", help="How long it counts (default: 24h).", metavar="AGE"),
    option("deadline", "--deadline", help="End the turn after S seconds, or 5m.", metavar="S"),
    switch("after_reset", "--after-reset", help="Start once the usage limit has reset."),
    option(
        "notify",
        "--notify",
        help="Run it when the turn ends or needs you; or bell: ring.",
        metavar="CMD",
        offers=Offer.NOTIFY,
    ),
    _NESTED,
    switch("follow", "--follow", "-f", help="Show the turn as it runs, and end with it."),
    switch("wait", "--wait", help="Print one JSON object at the end, with the answer."),
    RAW,
    JSON,
    FULL,
)
_WORKTREE = (
    switch("worktree", "--worktree", help="Write in a git worktree of its own; apply brings it back."),
    option("worktree_name", "--worktree-name", help="The same, named N: branch codex/N.", metavar="N"),
)
START_FLAGS = (
    *(_FILE, _MODEL, _EFFORT, _CWD, _SCHEMA, _IMAGE, *_SANDBOX, *_WORKTREE, *_CONFIG),
    *(_APPROVAL, _APPROVAL_TIMEOUT, _QUESTIONS, _PLAN, *SERVER_FLAGS, *_OF_ONE_TURN),
)
"""The flags of a turn with a prompt."""
REVIEW_FLAGS = (_MODEL, _EFFORT, _CWD, *_CONFIG, *SERVER_FLAGS, *_OF_ONE_TURN)
"""The flags of a review: without those that Codex accepts only in `turn/start`."""
CHAT_FLAGS = (
    *(_MODEL, _EFFORT, _CWD, *_SANDBOX, *_CONFIG),
    *(_CHAT_APPROVAL, _APPROVAL_TIMEOUT, _QUESTIONS, _NO_QUESTIONS, _NESTED, *SERVER_FLAGS),
)
"""The flags of a chat, which has many turns with prompts from its editor, and shows them as they run."""
