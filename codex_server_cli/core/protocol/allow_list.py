"""Which messages of a stranger reach the app-server. Owns the methods and the parameters that pass by default.

Most of the protocol is the right to run commands: `thread/shellCommand`, `command/exec`, `fs/*`, a `config` that names
another model provider. So a method passes by its name, a parameter by its name, an input by its type, and what decides
about rights (sandbox, approvals) is set here. Must never do I/O: directories are resolved by the caller.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.places import is_within
from codex_server_cli.core.protocol.rpc import Message, MessageType, message_type, text_or_none

FLAG = "--allow-raw-rpc"
"""The flag of `serve` that lets everything pass."""

READ_ONLY: Message = {"type": "readOnly", "networkAccess": False}
WORKSPACE_WRITE: Message = {
    "type": "workspaceWrite",
    "writableRoots": [],
    "networkAccess": False,
    "excludeTmpdirEnvVar": False,
    "excludeSlashTmp": False,
}

PARAMETERS: dict[str, frozenset[str]] = {
    "initialize": frozenset({"clientInfo", "capabilities"}),
    "account/read": frozenset({"refreshToken"}),
    "account/rateLimits/read": frozenset({"excludeResetCreditDetails", "supportsLunaReserve"}),
    "model/list": frozenset({"cursor", "limit", "includeHidden"}),
    "thread/list": frozenset(
        {
            *("cursor", "limit", "sortKey", "sortDirection", "archived", "cwd", "searchTerm"),
            *("modelProviders", "sourceKinds", "useStateDbOnly"),
        }
    ),
    "thread/read": frozenset({"threadId", "includeTurns"}),
    "thread/turns/list": frozenset({"threadId", "cursor", "limit", "sortDirection", "itemsView"}),
    "thread/items/list": frozenset({"threadId", "turnId", "cursor", "limit", "sortDirection", "deferOutput"}),
    "thread/start": frozenset({"cwd", "model", "ephemeral"}),
    "thread/unsubscribe": frozenset({"threadId"}),
    "turn/start": frozenset({"threadId", "input", "effort", "outputSchema"}),
    "turn/steer": frozenset({"threadId", "expectedTurnId", "input"}),
    "turn/interrupt": frozenset({"threadId", "turnId"}),
}
METHODS = tuple(PARAMETERS)
"""The methods that pass by default."""

_WITHOUT_PARAMETERS = frozenset({"account/rateLimits/read"})
"""Whose `params` may be absent; every other method is sent `{}` then, as the app-server asks for one."""
NOTIFICATIONS = frozenset({"initialized"})
_CAPABILITIES = frozenset({"experimentalApi", "optOutNotificationMethods"})
INPUTS = {"text": frozenset({"type", "text", "text_elements"}), "image": frozenset({"type", "url", "detail"})}
DATA_URL = "data:image/"


class ClientRights(NamedTuple):
    """What a client may do on this machine: what the server was started with.

    Attributes:
        cwd: where threads work; absolute, links resolved.
        may_write: whether turns may write there that ask to. Then no thread works in a directory within: a turn could
            have made a repository or a `.codex` of it, from which Codex would run programs outside of the sandbox.
    """

    cwd: str
    may_write: bool = False

    def has(self, directory: str) -> bool:
        """Whether threads may work in a directory, which is absolute and has its links resolved."""
        return directory == self.cwd if self.may_write else is_within(directory, self.cwd)


class Refused(NamedTuple):
    """Why a message does not pass.

    Attributes:
        message: a sentence; it names the flag where that would help.
        is_malformed: it would not pass with the flag either: no such message can be meant.
    """

    message: str
    is_malformed: bool = False


def admit(message: Message, rights: ClientRights) -> Message | Refused:
    """The message as it may be sent, with the rights that the server grants; or why not.

    Args:
        message: a request, a notification or a reply of a client. The `cwd` of a `thread/start`, where it names one,
            has its links resolved already.
        rights: the server's.
    """
    kind = message_type(message)
    if kind is MessageType.RESPONSE:
        return message  # to a request that was sent to this very client
    if kind is MessageType.INVALID:
        return Refused("a message has a `method` (text), or is a reply with the `id` of a request", is_malformed=True)
    method = message["method"]
    known = PARAMETERS if kind is MessageType.REQUEST else NOTIFICATIONS
    if method not in known:
        return _not_let_through(f"the {'method' if kind is MessageType.REQUEST else 'notification'} `{method}`")
    if kind is MessageType.NOTIFICATION:
        return {"method": method}
    given = message.get("params")
    if given is not None and not isinstance(given, dict):
        return Refused(f"the params of {method} are an object", is_malformed=True)
    params = _admitted(method, given or {}, rights)
    if isinstance(params, Refused):
        return params
    is_bare = given is None and method in _WITHOUT_PARAMETERS
    return {"id": message["id"], "method": method, **({} if is_bare else {"params": params})}


def _not_let_through(what: str) -> Refused:
    return Refused(f"{what} is not let through by default; `codex-server serve {FLAG}` lets everything through")


def _admitted(method: str, params: Message, rights: ClientRights) -> Message | Refused:
    """The parameters with those that we set; a client may name these too, with the value that they get anyway."""
    ours = set_rights(method, params, rights)
    passing = {}
    for name, value in params.items():
        if name in PARAMETERS[method]:
            passing[name] = value
        elif value is not None and (name not in ours or not _is_as(value, ours[name])):
            return _not_let_through(f"`{name}` of {method}" if name not in ours else f"another `{name}` of {method}")
    if method == "initialize":
        refused = _refuse_capabilities(passing.get("capabilities"))
    elif "input" in passing:
        refused = _refuse_input(method, passing["input"])
    else:
        refused = _refuse_directory(passing, rights) if method == "thread/start" else None
    return refused or {**passing, **ours}


def set_rights(method: str, params: Message, rights: ClientRights) -> Message:
    """A thread is opened read-only: with more, Codex would mark its directory as trusted (see `model.request`). A turn
    writes where it asks to and may.
    """
    if method == "thread/start":
        return {"sandbox": "read-only", "approvalPolicy": "never"}
    if method == "turn/start":
        writes = rights.may_write and _is_as(params.get("sandboxPolicy"), WORKSPACE_WRITE)
        return {"sandboxPolicy": WORKSPACE_WRITE if writes else READ_ONLY, "approvalPolicy": "never"}
    return {}


def _is_as(given: Any, ours: Any) -> bool:
    """Whether a value is ours; of an object the type is enough, and what stands beside it is ours."""
    if not isinstance(given, dict) or not isinstance(ours, dict):
        return bool(given == ours)
    return given.get("type") == ours["type"] and {**ours, **given} == ours


def _refuse_capabilities(capabilities: Any) -> Refused | None:
    """Some hold for the whole app-server, and no later connection can take them back."""
    if not isinstance(capabilities, dict):
        return None  # none, or the app-server says what is wrong
    more = [name for name, value in capabilities.items() if name not in _CAPABILITIES and value not in (None, False)]
    return _not_let_through(f"the capability `{more[0]}`") if more else None


def _refuse_directory(params: Message, rights: ClientRights) -> Refused | None:
    """Codex takes any text for a directory, and a relative one from its own."""
    cwd = params.get("cwd")
    if cwd is None:
        params["cwd"] = rights.cwd
        return None
    if text_or_none(cwd) is None or not cwd.startswith("/"):
        return Refused("the `cwd` of thread/start is an absolute path", is_malformed=True)
    if rights.has(cwd):
        return None
    where = f"{rights.cwd} alone, as turns may write there" if rights.may_write else f"{rights.cwd} or within it"
    message = f"threads work in {where}; `cwd` is another directory"
    return Refused(f"{message}. `codex-server serve --cwd DIR` serves another directory, {FLAG} every one")


def _refuse_input(method: str, items: Any) -> Refused | None:
    """Inputs that name a path would have Codex read a file of this machine."""
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        return Refused(f"the `input` of {method} is a list of objects", is_malformed=True)
    for item in items:
        kind = item.get("type")
        known = INPUTS.get(kind) if isinstance(kind, str) else None
        if known is None:
            return _not_let_through(f"an input of type {kind!r} of {method}")
        more = [name for name, value in item.items() if name not in known and value is not None]
        if more:
            return _not_let_through(f"`{more[0]}` in an input of {method}")
        if kind == "image" and not str(item.get("url")).startswith(DATA_URL):
            return _not_let_through(f"an image of {method} whose `url` is no data URL ({DATA_URL}…)")
    return None
