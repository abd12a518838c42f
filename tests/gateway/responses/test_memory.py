"""What is remembered of responses: for how many, for how much, and what goes on from what is forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.core.openai.responses.document import ResponseHead, message_item, response_document
from codex_server_cli.gateway.responses.memory import ReferredItems, RememberedResponse, ResponseMemory
from tests.core.openai.bodies import message


def response(name: str, before: RememberedResponse | None = None, text: str = "") -> RememberedResponse:
    output = [message_item(f"msg_{name:0>32}1", f"answer {name}{text}")]
    document = response_document(
        ResponseHead(f"resp_{name:0>32}", 1, "m"), status="completed", output=output, usage=None
    )
    return RememberedResponse(document, [message("user", f"question {name}")], output, before)


def id_of(name: str) -> str:
    return f"resp_{name:0>32}"


def texts(response: RememberedResponse | None) -> list[str]:
    assert response is not None
    items: Any = response.conversation()
    return [item["content"][0]["text"] for item in items]


def test_a_conversation_is_what_all_its_responses_added() -> None:
    memory = ResponseMemory()
    memory.remember(response("1"))
    memory.remember(response("2", memory.get(id_of("1"))))
    assert texts(memory.get(id_of("2"))) == ["question 1", "answer 1", "question 2", "answer 2"]
    assert texts(memory.get(id_of("1"))) == ["question 1", "answer 1"]
    assert memory.get(id_of("3")) is None


def test_the_one_that_was_used_longest_ago_is_forgotten_first() -> None:
    memory = ResponseMemory(size=2)
    for name in ("1", "2"):
        memory.remember(response(name))
    assert memory.get(id_of("1")) is not None
    memory.remember(response("3"))
    assert [memory.get(id_of(name)) is not None for name in "123"] == [True, False, True]
    ids = [f"msg_{name:0>32}" for name in "123"]
    assert [memory.find_item(f"{id_}1") is not None for id_ in ids] == [True, False, True]
    assert memory.find_item(f"{ids[2]}i0") == {
        "id": f"{ids[2]}i0",
        "status": "completed",
        **message("user", "question 3"),
    }
    for unknown in (f"{ids[2]}i1", f"{ids[2]}2", f"{ids[2]}i", f"fc_{'3':0>32}i0", f"{ids[2]}i{'1' * 5000}", "msg", ""):
        assert memory.find_item(unknown) is None


def test_what_goes_on_from_a_forgotten_response_still_knows_its_conversation() -> None:
    memory = ResponseMemory()
    memory.remember(response("1"))
    memory.remember(response("2", memory.get(id_of("1"))))
    assert memory.forget(id_of("1"))
    assert not memory.forget(id_of("1"))
    assert texts(memory.get(id_of("2")))[0] == "question 1"


def test_memory_is_bounded_by_all_that_is_kept_alive() -> None:
    one = response("0", text="x" * 100_000).characters
    memory = ResponseMemory(most_characters=int(2.5 * one))
    memory.remember(response("1", text="x" * 100_000))
    memory.remember(response("2", memory.get(id_of("1")), text="x" * 100_000))
    assert len(memory) == 2
    # Forgetting the first one frees nothing: the second goes on from it.
    memory.remember(response("3", text="x" * 100_000))
    assert [memory.get(id_of(name)) is not None for name in "123"] == [False, False, True]
    memory.remember(response("4", text="x" * 100_000))
    assert len(memory) == 2
    memory.remember(response("5", text="x" * 900_000))
    memory.remember(response("6", memory.get(id_of("4")), text="x" * int(1.6 * one)))
    assert [memory.get(id_of(name)) is not None for name in "3456"] == [True, True, False, False]


def test_what_a_response_goes_on_from_is_counted_also_where_it_was_never_remembered() -> None:
    one = response("0", text="x" * 100_000).characters
    memory = ResponseMemory(most_characters=int(5.5 * one))
    for name in "123456":
        memory.remember(response(name, response(f"turn{name}", text="x" * 100_000)))
    sizes = [each.all_characters for each in map(memory.get, map(id_of, "123456")) if each is not None]
    assert 0 < sum(sizes) <= 5.5 * one
    for name in "78":  # what they go on from is counted once
        memory.remember(response(name, memory.get(id_of("6"))))
    assert all(memory.get(id_of(name)) is not None for name in "5678")


def test_a_value_counts_for_what_it_takes_beside_its_text() -> None:
    empty = response("0").characters
    document = response_document(ResponseHead("resp_1", 1, "m"), status="completed", output=[], usage=None)
    many = RememberedResponse(document, [message("user", "") for _ in range(1000)], [], None)
    assert many.characters > 500_000 > empty


def test_a_request_refers_to_no_more_than_a_body_could_have() -> None:
    memory, before = ResponseMemory(), response("1", text="x" * 100_000)
    memory.remember(before)
    item_id = before.output[0]["id"]
    referred = ReferredItems(memory, before, most_characters=before.all_characters + 250_000)
    assert [referred.find(item_id) for _ in range(2)] == [before.output[0]] * 2
    assert referred.find("msg_unknown") is None
    for refused, param in (
        (lambda: referred.find(item_id), "input"),
        (lambda: ReferredItems(memory, before, most_characters=100_000), "previous_response_id"),
    ):
        with pytest.raises(ApiError) as raised:
            refused()
        assert (raised.value.status, raised.value.code, raised.value.param) == (413, "request_too_large", param)
