"""Tools of a client: what the model is offered, and how a `tool_choice` that forces a call is emulated.

Codex always sends `tool_choice: "auto"`. A named or required tool is therefore requested in words; if strict mode can
express its parameters, they are also the output schema, so that the model's text is the call.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from codex_server_cli.core.openai.refusal import invalid
from codex_server_cli.core.openai.strict_schema import (
    strict_choice,
    to_strict,
    with_constraints_told,
    without_added_nulls,
)
from codex_server_cli.core.result.schema import document_in

NAMESPACE = "client"
"""The namespace of all tools of clients, named in `direct_only_tool_namespaces` of the thread's config."""

TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NO_PARAMETERS: Mapping[str, Any] = {"type": "object", "properties": {}}
_CHOICES = "`none`, `auto`, `required` or a tool that is offered"


class ClientCall(NamedTuple):
    """One call of a tool by the model: `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str
    arguments: str


class ForcedTool(NamedTuple):
    """An emulated `tool_choice`: the model's text, by the output schema, is the call. See `forced_call`.

    Attributes:
        schemas: the tools that may be called, name → the client's own parameter schema.
        is_single: there is one tool, and the text is its arguments; else it is `{"call": {"name", "arguments"}}`.
    """

    schemas: Mapping[str, Any]
    is_single: bool


class Toolbox(NamedTuple):
    """The parsed tool parameters of a request.

    Attributes:
        tools: the tools offered to the model.
        is_forced: whether the model must call one of them.
        wish: the instruction for a forced call; else empty.
        forced, schema: how its text is read as a call, and the schema of that text; None if no schema enforces it.
        uses_functions: the tools came as legacy `functions`.
    """

    tools: tuple[dict[str, Any], ...] = ()
    is_forced: bool = False
    wish: str = ""
    forced: ForcedTool | None = None
    schema: dict[str, Any] | None = None
    uses_functions: bool = False


def parse_tools(body: Mapping[str, Any]) -> Toolbox:
    """The tools in `tools`, `tool_choice`, and the legacy `functions` and `function_call`.

    Raises:
        ApiError: 400, naming the tool.
    """
    listed = [_tool_in(entry, f"tools[{index}]") for index, entry in _entries(body, "tools")]
    functions = [_tool(entry, f"functions[{index}]") for index, entry in _entries(body, "functions")]
    tools = [*listed, *functions]
    names = [tool["name"] for tool in tools]
    for name, count in Counter(names).items():
        if count > 1:
            raise invalid(f"Two tools have the name {name}.", "tools")
    choice, param = body.get("tool_choice"), "tool_choice"
    if choice is None:
        choice, param = body.get("function_call"), "function_call"
    chosen, is_forced = _chosen(choice, names, param)
    wanted = set(chosen)
    schemas = {tool["name"]: tool["inputSchema"] for tool in tools if tool["name"] in wanted}
    offered = ({**tool, "inputSchema": with_constraints_told(tool["inputSchema"])} for tool in tools)
    box = Toolbox(
        tuple(tool for tool in offered if tool["name"] in wanted), uses_functions=bool(functions) and not listed
    )
    return _forced(box, schemas) if is_forced and schemas else box


def forced_call(forced: ForcedTool, answer: str) -> tuple[str, str] | None:
    """Name and arguments (JSON text) of the call in an answer; None if the answer is plain text.

    Arguments that are null only because strict mode has no optional ones are removed.
    """
    try:
        text = document_in(answer)
        value = json.loads(text)
        name, arguments = (next(iter(forced.schemas)), value) if forced.is_single else _call_in(value)
        cleared = without_added_nulls(arguments, forced.schemas[name])
        if not forced.is_single or cleared != arguments:
            text = json.dumps(cleared, ensure_ascii=False)
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return (name, text) if isinstance(arguments, dict) else None


def _forced(box: Toolbox, schemas: Mapping[str, Any]) -> Toolbox:
    is_single = len(schemas) == 1
    schema = to_strict(*schemas.values()) if is_single else strict_choice(schemas)
    wish = f"Call the tool {next(iter(schemas))}." if is_single else "Call one of the tools."
    if schema is None:
        return box._replace(is_forced=True, wish=wish)
    shape = "its arguments as JSON" if is_single else 'JSON like {"call": {"name": …, "arguments": {…}}}'
    wish = f"{wish} Text in place of the call must be {shape}."
    return box._replace(is_forced=True, wish=wish, forced=ForcedTool(schemas, is_single), schema=schema)


def _call_in(value: Any) -> tuple[str, Any]:
    return value["call"]["name"], value["call"]["arguments"]


def _entries(body: Mapping[str, Any], key: str) -> list[tuple[int, Any]]:
    value = body.get(key)
    if not isinstance(value, list | None):
        raise invalid(f"`{key}` must be a list.", key)
    return list(enumerate(value or []))


def _tool_in(entry: Any, param: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise invalid(f"`{param}` must be an object with `type` and `function`.", param)
    if entry.get("type") not in (None, "function"):
        shown = json.dumps(entry["type"])[:80]
        message = f"`{param}.type` is {shown}, but only tools of type `function` are possible: no other is run here."
        raise invalid(message, f"{param}.type", "unsupported_tool")
    if entry.get("function") is None and "name" in entry:  # the Responses API's form
        return _tool(entry, param)
    return _tool(entry.get("function"), f"{param}.function")


def _tool(function: Any, param: str) -> dict[str, Any]:
    if not isinstance(function, dict):
        raise invalid(f"`{param}` must be an object with `name`, `description` and `parameters`.", param)
    name, description = function.get("name"), function.get("description")
    if not isinstance(name, str) or not TOOL_NAME.fullmatch(name) or name.startswith("mcp__"):
        message = f"The tool name {json.dumps(name)[:80]} must be 1 to 64 letters, digits, `_`, `-`, and no `mcp__…`."
        raise invalid(message, f"{param}.name")
    if not isinstance(description, str | None):
        raise invalid(f"`{param}.description` must be text.", f"{param}.description")
    schema = _schema(function.get("parameters"), name, f"{param}.parameters")
    return {"name": name, "description": description or "", "inputSchema": schema}


def _schema(parameters: Any, name: str, param: str) -> dict[str, Any]:
    if not parameters and isinstance(parameters, dict | None):
        return dict(_NO_PARAMETERS)
    kind = parameters.get("type") if isinstance(parameters, dict) else "other"
    if kind not in (None, "object") and not (isinstance(kind, list) and "object" in kind):
        raise invalid(f"The parameters of the tool {name} must be a JSON Schema of type `object`.", param)
    return {**parameters, "type": "object"} if isinstance(kind, list) else parameters


def _chosen(choice: Any, names: list[str], param: str) -> tuple[list[str], bool]:
    """Which tools to offer, and whether one of them must be called."""
    if choice is None or choice == "auto":
        return names, False
    if choice == "none":
        return [], False
    if choice == "required":
        return names, True
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        return _allowed(choice.get("allowed_tools") or choice, names, param)
    if (name := _name_in(choice)) in names:
        return [name], True
    raise invalid(f"`{param}` must be {_CHOICES}.", param)


def _allowed(allowed: Any, names: list[str], param: str) -> tuple[list[str], bool]:
    tools = allowed.get("tools") if isinstance(allowed, dict) else None
    chosen = [_name_in(tool) for tool in tools] if isinstance(tools, list) else [""]
    if not set(chosen) <= set(names) or allowed.get("mode") not in ("auto", "required"):
        raise invalid(f"`{param}` must have a `mode` (`auto` or `required`) and `tools` that are offered.", param)
    return chosen, allowed["mode"] == "required"


def _name_in(choice: Any) -> str:
    """The tool that a choice names, in any form that clients use."""
    function = choice.get("function", choice) if isinstance(choice, dict) else None
    name = function.get("name") if isinstance(function, dict) else None
    return name if isinstance(name, str) else ""
