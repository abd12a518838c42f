"""Which messages of an untrusted client reach the app-server. Owns the methods and parameters allowed by default.

Most of the protocol can run commands: `thread/shellCommand`, `command/exec`, `fs/*`, a `config` that names another
model provider. So methods and parameters are allowed by name, inputs by type, and the parameters that grant rights
(sandbox, approvals) are set here. Must never do I/O: the caller resolves directories.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from codex_server_cli.core.places import is_within
from codex_server_cli.core.protocol.rpc import Message, MessageType, message_type, text_or_none

FLAG = "--allow-raw-rpc"
"""The flag of `serve` that allows everything."""

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
"""The methods that are allowed by default."""

_WITHOUT_PARAMETERS = frozenset({"account/rateLimits/read"})
"""Methods whose `params` may be absent; for any other `{}` is sent then, because the app-server requires an object."""
NOTIFICATIONS = frozenset({"initialized"})
_CAPABILITIES = frozenset({"experimentalApi", "optOutNotificationMethods"})
INPUTS = {"text": frozenset({"type", "text", "text_elements"}), "image": frozenset({"type", "url", "detail"})}
DATA_URL = "data:image/"


class ClientRights(NamedTuple):
    """What a client may do on this machine, as set at the server's start.

    Attributes:
        cwd: where threads work; absolute, links resolved.
        may_write: whether turns may write there on request. Then no thread may work in a subdirectory: a turn could
            have created a repository or a `.codex` there, from which Codex would run programs outside of the sandbox.
    """

    cwd: str
    may_write: bool = False

    def has(self, directory: str) -> bool:
        """Whether threads may work in a directory (absolute, links resolved)."""
        return directory == self.cwd if self.may_write else is_within(directory, self.cwd)


class Refused(NamedTuple):
    """Why a message is not allowed.

    Attributes:
        message: a sentence; it names the flag if that would help.
        is_malformed: it would not be allowed with the flag either, because it is invalid.
    """

    message: str
    is_malformed: bool = False


def admit(message: Message, rights: ClientRights) -> Message | Refused:
    """The message to send, with the rights that the server grants; or why it is refused.

    Args:
        message: a request, a notification or a reply of a client. The links in the `cwd` of a `thread/start`, if any,
            are already resolved.
        rights: the server's.
    """
    kind = message_type(message)
    if kind is MessageType.RESPONSE:
        return message  # the reply to a request that was sent to this client
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
    """The parameters with those that we set; a client may pass these too, with the same value."""
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
    """A thread is opened read-only: otherwise Codex would mark its directory as trusted (see `model.request`). A turn
    may write if it requests that and the rights allow it.
    """
    if method == "thread/start":
        return {"sandbox": "read-only", "approvalPolicy": "never"}
    if method == "turn/start":
        writes = rights.may_write and _is_as(params.get("sandboxPolicy"), WORKSPACE_WRITE)
        return {"sandboxPolicy": WORKSPACE_WRITE if writes else READ_ONLY, "approvalPolicy": "never"}
    return {}


def _is_as(given: Any, ours: Any) -> bool:
    """Whether a value equals ours; an object needs only the same type, and may omit other members."""
    if not isinstance(given, dict) or not isinstance(ours, dict):
        return bool(given == ours)
    return given.get("type") == ours["type"] and {**ours, **given} == ours


def _refuse_capabilities(capabilities: Any) -> Refused | None:
    """Some capabilities apply to the whole app-server, and no later connection can undo them."""
    if not isinstance(capabilities, dict):
        return None  # none, or the app-server reports the error
    more = [name for name, value in capabilities.items() if name not in _CAPABILITIES and value not in (None, False)]
    return _not_let_through(f"the capability `{more[0]}`") if more else None


def _refuse_directory(params: Message, rights: ClientRights) -> Refused | None:
    """Codex accepts any text as a directory, and resolves a relative one against its own."""
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
    """Inputs that name a path would make Codex read a file of this machine."""
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
