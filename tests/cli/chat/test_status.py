"""What `/status` of a chat tells."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from codex_server_cli.actions.conversation import ChatTarget
from codex_server_cli.actions.start.options import StartOptions, ThreadChoice
from codex_server_cli.cli.chat.status import status_facts
from codex_server_cli.cli.chat.tasks import TurnStart
from codex_server_cli.core.model.request import Sandbox
from codex_server_cli.core.model.turn import State
from codex_server_cli.core.model.view import TurnView
from codex_server_cli.render.chat_blocks import ChatBlocks

LAST = TurnView(
    "20261120-165501-482-7f3a",
    "/",
    State.COMPLETE,
    meta={"model": "gpt-5.5", "effort": "high", "cwd": "/srv", "thread_id": "t1"},
    result={"usage": {"total_tokens": 1200}},
)


def facts(last: TurnView | None, **more: Any) -> dict[str, str]:
    options = StartOptions("", sandbox=Sandbox.READ_ONLY)
    state: dict[str, Any] = {"options": options, "target": ChatTarget(), "chat_turn": None, "view": None, "meta": {}}
    state |= {"tokens": 0, "limits": None, "turn_start": TurnStart(), "dialog": None, "chat_blocks": ChatBlocks()}
    chat: Any = SimpleNamespace(**(state | more))
    return status_facts(chat, last)


def test_of_a_conversation_that_was_resumed_its_last_turn_is_told() -> None:
    assert facts(LAST, target=ChatTarget(ThreadChoice("t1", "/srv"))) == {
        "thread": "t1",
        "turn": "20261120-165501-482-7f3a complete",
        "directory": "/srv",
        "model": "gpt-5.5",
        "effort": "high",
        "sandbox": "read-only",
        "approval": "never",
        "tokens": "0 in this chat · 1.2k in the last turn",
    }


def test_of_a_new_one_there_is_what_was_chosen_and_the_rest_is_left_to_codex() -> None:
    told = facts(None)
    assert (told["thread"], told["turn"], told["tokens"]) == ("none yet", "none yet", "0 in this chat")
    assert (told["model"], told["effort"], told["directory"]) == (*["what Codex chooses"] * 2, "this one")
    chosen = StartOptions("", model="m", effort="low", sandbox=Sandbox.WORKSPACE_WRITE)
    told = facts(LAST, options=chosen, tokens=50)
    assert [told[name] for name in ("model", "effort", "sandbox")] == ["m", "low", "workspace-write"]
    assert told["tokens"] == "50 in this chat · 1.2k in the last turn"


def test_a_thread_of_codex_that_has_no_turn_of_ours_says_so() -> None:
    told = facts(None, target=ChatTarget(ThreadChoice("t1", "/srv")))
    assert (told["thread"], told["turn"]) == ("t1", "none of codex-server")
