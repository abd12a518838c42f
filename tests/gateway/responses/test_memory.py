"""What is remembered of responses: for how many, for how much, and what goes on from what is forgotten."""

from __future__ import annotations

from typing import Any

from codex_server_cli.core.openai.responses.document import ResponseHead, message_item, response_document
from codex_server_cli.gateway.responses.memory import RememberedResponse, ResponseMemory
from tests.core.openai.bodies import message


def response(name: str, before: RememberedResponse | None = None, text: str = "") -> RememberedResponse:
    output = [message_item(f"msg_{name}", f"answer {name}{text}")]
    document = response_document(ResponseHead(f"resp_{name}", 1, "m"), status="completed", output=output, usage=None)
    return RememberedResponse(document, [message("user", f"question {name}")], output, before)


def texts(response: RememberedResponse | None) -> list[str]:
    assert response is not None
    items: Any = response.conversation()
    return [item["content"][0]["text"] for item in items]


def test_a_conversation_is_what_all_its_responses_added() -> None:
    memory = ResponseMemory()
    memory.remember(response("1"))
    memory.remember(response("2", memory.get("resp_1")))
    assert texts(memory.get("resp_2")) == ["question 1", "answer 1", "question 2", "answer 2"]
    assert texts(memory.get("resp_1")) == ["question 1", "answer 1"]
    assert memory.get("resp_3") is None


def test_the_one_that_was_used_longest_ago_is_forgotten_first() -> None:
    memory = ResponseMemory(size=2)
    for name in ("1", "2"):
        memory.remember(response(name))
    assert memory.get("resp_1") is not None
    memory.remember(response("3"))
    assert [memory.get(f"resp_{name}") is not None for name in "123"] == [True, False, True]
    assert [memory.find_item(f"msg_{name}") is not None for name in "123"] == [True, False, True]
    assert memory.find_item("msg_3i0") == {"id": "msg_3i0", "status": "completed", **message("user", "question 3")}


def test_what_goes_on_from_a_forgotten_response_still_knows_its_conversation() -> None:
    memory = ResponseMemory()
    memory.remember(response("1"))
    memory.remember(response("2", memory.get("resp_1")))
    assert memory.forget("resp_1")
    assert not memory.forget("resp_1")
    assert texts(memory.get("resp_2"))[0] == "question 1"


def test_memory_is_bounded_by_all_that_is_kept_alive() -> None:
    one = response("0", text="x" * 1000).characters
    memory = ResponseMemory(most_characters=int(2.5 * one))
    memory.remember(response("1", text="x" * 1000))
    memory.remember(response("2", memory.get("resp_1"), text="x" * 1000))
    assert len(memory) == 2
    # Forgetting the first one frees nothing: the second goes on from it.
    memory.remember(response("3", text="x" * 1000))
    assert [memory.get(f"resp_{name}") is not None for name in "123"] == [False, False, True]
    memory.remember(response("4", text="x" * 1000))
    assert len(memory) == 2
    memory.remember(response("5", text="x" * 9000))
    memory.remember(response("6", memory.get("resp_4"), text="x" * int(1.6 * one)))
    assert [memory.get(f"resp_{name}") is not None for name in "3456"] == [True, True, False, False]


def test_what_a_response_goes_on_from_is_counted_also_where_it_was_never_remembered() -> None:
    one = response("0", text="x" * 1000).characters
    memory = ResponseMemory(most_characters=int(5.5 * one))
    for name in "123456":
        memory.remember(response(name, response(f"turn{name}", text="x" * 1000)))
    sizes = [each.all_characters for each in map(memory.get, (f"resp_{name}" for name in "123456")) if each is not None]
    assert 0 < sum(sizes) <= 5.5 * one
    for name in "78":  # what they go on from is counted once
        memory.remember(response(name, memory.get("resp_6")))
    assert all(memory.get(f"resp_{name}") is not None for name in "5678")
