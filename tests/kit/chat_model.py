"""A scripted model for chats: answers by rules, and says what it should never have been sent.

Owns: the rules, and the laws that every request of the gateway keeps. Never here: the gateway, HTTP clients.

The newest user message says what comes: the first line is a rule, `say hello`, and its words are the deltas.

    say TEXT            the text
    think TEXT          a reasoning summary, then the text `done`
    call NAME JSON      a call of a client's tool; several lines, several calls. A text before them: `note TEXT`
    json JSON           this, where a schema is asked for; else as text
    fail NAME           a failure of `replies`, e.g. `fail usage_limit`
    refuse              a 400 of the service, with the words of `refusal`
    cut TEXT            the text, and then the connection is closed; `drop`: without any
    count N             so many words, w0 w1 …
    hold                the word `begin`, then nothing until `gate` opens, then the word `end`
    wait                nothing until `gate` opens, then `at last`
    try                 the parts that are in `attempts`

After results of tools the model says `results: …`. Any other text comes back as `echo: TEXT`.
"""

from __future__ import annotations

import base64
import io
import itertools
import json
import threading
from typing import Any

from PIL import Image

from codex_server_cli.demo import replies
from codex_server_cli.demo.gates import Gate
from codex_server_cli.demo.parts import Part, Reply, Usage
from codex_server_cli.demo.request import Request

USAGE = Usage(input=100, cached=40, output=20, reasoning=5)
_IMAGES = ("data:image/png;base64,", "data:image/jpeg;base64,", "data:image/webp;base64,", "data:image/gif;base64,")


class ChatModel:
    """See above; an instance is a script.

    Attributes:
        seen: the body of each model request, in order.
        problems: what was wrong with them; a test fails where there is any.
        gate: what `hold` waits for; a fresh one is put in place by `close_gate`.
        attempts, refusal: what the model says to `try`, and to `refuse`.
    """

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []
        self.problems: list[str] = []
        self.gate = Gate()
        self.attempts: list[Part] = []
        self.refusal = ""
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()

    def forget(self) -> None:
        """Forget what was seen."""
        with self._lock:
            self.seen, self.problems = [], []

    def close_gate(self) -> Gate:
        """The gate that the next `hold` waits for."""
        self.gate = Gate()
        return self.gate

    def __call__(self, request: Request) -> Reply:
        """The reply to one request."""
        body = request.body
        with self._lock:
            self.seen.append(body)
            self.problems += self.problems_of(body)
        said = [item for item in body["input"] if item.get("role") != "developer"]
        last = said[-1] if said else body["input"][-1]
        if last["type"].endswith("_output"):
            return replies.reply(*_after_results(body["input"]), usage=USAGE)
        return self._by_rule(text_of(last), body)

    def problems_of(self, body: dict[str, Any]) -> list[str]:
        """See the function; a script may know better for some requests."""
        return problems_of(body)

    def _by_rule(self, text: str, body: dict[str, Any]) -> Reply:
        rule, _, rest = text.partition(" ")
        match rule:
            case "fail":
                failure: Reply = replies.as_reply(getattr(replies, rest)())
                return failure
            case "refuse":
                return replies.bad_request(self.refusal)
            case "drop":
                return replies.reply(replies.cut())
            case "cut":
                return replies.reply(replies.cut_after(*_words(rest)), usage=USAGE)
            case "try":
                return replies.reply(*self.attempts, usage=USAGE)
            case "hold":
                return replies.reply(replies.say("begin", replies.hold(self.gate), " end"), usage=USAGE)
            case "wait":
                return replies.reply(replies.hold(self.gate), replies.say("at", " last"), usage=USAGE)
            case "think":
                return replies.reply(replies.reason(rest), replies.say("done"), usage=USAGE)
            case "call" | "note":
                return replies.reply(*self._calls(text.splitlines()), usage=USAGE)
            case _:
                return replies.reply(_said(rule, rest, text), usage=USAGE)

    def _calls(self, lines: list[str]) -> list[Part]:
        parts: list[Part] = [replies.reason("which tool?", encrypted="c2VjcmV0")]
        for line in lines:
            rule, _, rest = line.partition(" ")
            name, _, arguments = rest.partition(" ")
            if rule == "note":
                parts.append(replies.say(rest, phase="commentary"))
            else:
                call_id = f"call_{next(self._numbers)}"
                parts.append(replies.call(name, json.loads(arguments or "{}"), call_id=call_id, namespace="client"))
        return parts


def _said(rule: str, rest: str, text: str) -> Part:
    match rule:
        case "say":
            return replies.say(*_words(rest))
        case "json":
            return replies.say(rest, chunks=3)
        case "count":
            return replies.say(*(f"w{number} " for number in range(int(rest))))
        case _:
            return replies.say(*_words(f"echo: {text}"))


def _words(text: str) -> list[str]:
    first, *others = text.split(" ")
    return [first, *(f" {word}" for word in others)]


def _after_results(items: list[dict[str, Any]]) -> list[Part]:
    """The answer to the outputs at the end."""
    outputs = list(itertools.takewhile(lambda item: item["type"].endswith("_output"), reversed(items)))
    texts = [text_of(item) for item in reversed(outputs)]
    return [replies.say(*_words(f"results: {', '.join(texts)}"))]


def text_of(item: dict[str, Any]) -> str:
    """The text of a message, or of the output of a tool."""
    content = item.get("content", item.get("output"))
    if isinstance(content, str):
        return content
    return "".join(part.get("text", "") for part in content or ())


def problems_of(body: dict[str, Any]) -> list[str]:
    """What the gateway must never send to a model, found in a request."""
    problems = []
    for item in body["input"]:
        if item.get("role") == "system":
            problems.append("a system message")
        for part in item.get("content") or ():
            url = part.get("image_url") if isinstance(part, dict) else None
            if url is not None and not _is_whole(url):
                problems.append(f"a picture by address, or not whole: {url[:40]}")
    text = json.dumps(body["input"])
    if "CONTEXT CHECKPOINT COMPACTION" in text:
        problems.append("a compaction")
    if "content omitted because" in text:
        problems.append("a picture that Codex left out")
    if "<environment_context>" in text or "AGENTS.md" in text:
        problems.append("words of Codex itself")
    # `apply_patch` of one model cannot be switched off; without an environment it can do nothing.
    stray = {name for space, name in tools_of(body) if space not in ("client", "functions") and name != "apply_patch"}
    return problems + [f"a tool that is no client's: {name}" for name in sorted(stray)]


def _is_whole(url: str) -> bool:
    """Whether this is a picture in itself, to its last byte."""
    if not url.startswith(_IMAGES):
        return False
    try:
        with Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))) as image:
            image.load()
    except (OSError, ValueError):  # a picture that ends early, and base64 that does
        return False
    return True


def tools_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    """The tools that a request offers, each with its namespace."""
    added = [tool for item in body["input"] if item["type"] == "additional_tools" for tool in item["tools"]]
    found = []
    for tool in [*(body.get("tools") or ()), *added]:
        if tool["type"] == "namespace":
            found += [(tool["name"], each["name"]) for each in tool["tools"]]
        else:
            found.append(("", tool.get("name", tool["type"])))
    return found


def client_tools_of(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The tools of the client that a request offers, whole."""
    added = [tool for item in body["input"] if item["type"] == "additional_tools" for tool in item["tools"]]
    spaces = [tool for tool in [*(body.get("tools") or ()), *added] if tool.get("name") == "client"]
    return [tool for space in spaces for tool in space["tools"]]


def conversation_of(body: dict[str, Any]) -> list[tuple[str, str]]:
    """What a request holds of the conversation: role or type, and text."""
    return [
        (item.get("role") or item["type"], text_of(item) or item.get("arguments", ""))
        for item in body["input"]
        if item["type"] != "additional_tools"
    ]
