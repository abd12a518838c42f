"""The types of parameters that pass the bridge. The allow-list (`core.protocol`) owns which ones pass.

They are Codex's own, repeated here for readers of the document: `codex app-server generate-json-schema` has them all.
"""

from __future__ import annotations

from collections.abc import Mapping

from codex_server_cli.core.protocol.allow_list import DATA_URL, INPUTS, PARAMETERS, ClientRights, set_rights
from codex_server_cli.gateway.openapi.schema import (
    ANY,
    SWITCH,
    TEXT,
    Schema,
    any_of,
    described,
    list_of,
    object_of,
    one_of,
    or_null,
)

_LIST: Schema = list_of(TEXT)
_OTHERS_NULL: Schema = {"additionalProperties": {"type": "null"}}
"""Only null passes for parameters without a meaning here."""


def _input(kind: str) -> Schema:
    members: dict[str, Schema] = {name: ANY for name in sorted(INPUTS[kind])} | {"type": {"const": kind}}
    if "url" in members:
        return {**object_of({**members, "url": {**TEXT, "pattern": f"^{DATA_URL}"}}, ("type", "url")), **_OTHERS_NULL}
    return {**object_of({**members, "text": TEXT}, ("type", "text")), **_OTHERS_NULL}


TYPES: Mapping[str, Schema] = {
    "clientInfo": object_of({"name": TEXT, "version": TEXT, "title": or_null(TEXT)}, ("name", "version")),
    "capabilities": {
        **or_null(object_of({"experimentalApi": SWITCH, "optOutNotificationMethods": or_null(_LIST)})),
        **_OTHERS_NULL,
    },
    "refreshToken": SWITCH,
    "excludeResetCreditDetails": SWITCH,
    "supportsLunaReserve": SWITCH,
    "cursor": or_null(TEXT),
    "limit": {"type": ["integer", "null"], "minimum": 0, "maximum": 2**32 - 1},
    "includeHidden": or_null(SWITCH),
    "sortKey": or_null(one_of(("created_at", "updated_at"))),
    "sortDirection": or_null(one_of(("asc", "desc"))),
    "archived": or_null(SWITCH),
    "cwd": or_null(any_of(TEXT, _LIST)),
    "searchTerm": or_null(TEXT),
    "modelProviders": or_null(_LIST),
    "sourceKinds": or_null(list_of(one_of(("cli", "vscode", "exec", "appServer", "subAgent", "unknown")))),
    "useStateDbOnly": SWITCH,
    "threadId": TEXT,
    "includeTurns": SWITCH,
    "itemsView": or_null(TEXT),
    "turnId": or_null(TEXT),
    "deferOutput": ANY,
    "model": or_null(TEXT),
    "ephemeral": or_null(SWITCH),
    "effort": or_null(TEXT),
    "outputSchema": ANY,
    "expectedTurnId": TEXT,
    "input": list_of(any_of(*map(_input, INPUTS))),
}
"""By name."""
_TYPES_OF: Mapping[tuple[str, str], Schema] = {
    ("thread/start", "cwd"): {**or_null(TEXT), "pattern": "^/"},
    ("turn/interrupt", "turnId"): TEXT,
}
"""Where a name has another type in one method."""
_NEEDED = frozenset({"clientInfo", "threadId", "expectedTurnId", "input"})


def params_of_method(method: str, rights: ClientRights) -> Schema:
    """The parameters of a method that pass the bridge."""
    names = sorted(PARAMETERS[method])
    ours = dict.fromkeys(set_rights(method, {}, rights), described(ANY, "Set here; may have the value it gets anyway."))
    types = {name: _TYPES_OF.get((method, name), TYPES[name]) for name in names}
    needed = [name for name in names if name in _NEEDED or types[name] is TEXT]
    return {**object_of({**types, **ours}, needed), **_OTHERS_NULL}
