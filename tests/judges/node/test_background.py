"""The official client for node and responses in the background, which are turns: asked again, followed, cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Initialised
from tests.kit.chat_model import ChatModel
from tests.kit.home import Home
from tests.kit.node_clients import NodeClient, NodeClients
from tests.kit.serving import Serving
from tests.kit.support import codex_binaries

pytestmark = pytest.mark.judge

MODEL = "gpt-5.5"
_BINARIES = codex_binaries()


class BackgroundClient:
    """A gateway, as it is installed, and a client of it.

    Attributes:
        home: of its turns.
        client: plays.
        model: answers.
    """

    def __init__(self, home: Home, node: NodeClients) -> None:
        self.home, self.model, self._node = home, ChatModel(), node
        home.model(self.model)
        self.serve()

    def serve(self) -> None:
        """Start the gateway, or another one in its place."""
        self.serving = Serving(self.home)
        self.client = NodeClient(self._node, self.serving.address, "openai_responses", model=MODEL)


@pytest.fixture
def background(over_codex: BackgroundClient) -> BackgroundClient:
    """A gateway that runs, also after a test that failed."""
    if over_codex.serving.process.poll() is not None:
        over_codex.serve()
    return over_codex


@pytest.fixture(scope="module", params=[path for _, path in _BINARIES], ids=[label for label, _ in _BINARIES])
def over_codex(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    node: NodeClients,
    initialised: Initialised,
) -> Iterator[BackgroundClient]:
    """Over each real codex."""
    codex: Path = request.param
    home = Home(tmp_path_factory.mktemp("background"), codex, initialised(codex))
    try:
        yield BackgroundClient(home, node)
    finally:
        left = home.close(has_failed=request.session.testsfailed > 0)
    assert left == [], "the gateway left processes behind"


def text_of(events: list[dict[str, Any]]) -> str:
    """What the deltas say."""
    return "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta")


def test_a_response_is_begun_and_asked_for_until_it_has_ended(background: BackgroundClient) -> None:
    begun = background.client("begin", "say hello you")
    assert begun["status"] in ("queued", "in_progress")
    assert begun["background"] is True
    ended = background.client("wait", id=begun["id"])
    assert (ended["status"], ended["output_text"]) == ("completed", "hello you")
    turn = background.home.turn(begun["id"].removeprefix("resp_")).status()
    assert turn["state"] == "complete"


def test_a_stream_is_read_on_from_any_place_also_after_the_gateways_end(background: BackgroundClient) -> None:
    begun = background.client("begin", "count 30")
    whole = background.client("follow", id=begun["id"])["events"]
    assert whole[-1]["type"] == "response.completed"
    said = text_of(whole)
    assert said.split() == [f"w{number}" for number in range(30)]
    background.serving.stop()
    background.serve()
    n_events = len(background.client("follow", id=begun["id"])["events"])  # old pieces of a text are told as one
    for most in (1, 5, n_events - 2):
        first = background.client("follow", id=begun["id"], most=most)["events"]
        rest = background.client("follow", id=begun["id"], after=first[-1]["sequence_number"])["events"]
        assert text_of(first) + text_of(rest) == said
        assert rest[-1] == whole[-1]


def test_a_stream_that_began_with_the_request_is_read_on_elsewhere(background: BackgroundClient) -> None:
    gate = background.model.close_gate()
    first = background.client("beginStreamed", "hold", most=4)["events"]
    gate.wait_until_reached()
    gate.open()
    rest = background.client("follow", id=first[0]["response"]["id"], after=first[-1]["sequence_number"])["events"]
    assert text_of(first) + text_of(rest) == "begin end"
    assert rest[-1]["type"] == "response.completed"


def test_the_clients_own_reader_of_streams_follows(background: BackgroundClient) -> None:
    begun = background.client("begin", "think a b c")
    heard = background.client("followHelper", id=begun["id"])
    assert heard["output_text"] == "done"
    later = background.client("followHelper", id=begun["id"], after=heard["numbers"][3])
    assert later["numbers"] == heard["numbers"][4:]
    assert later["final"]["output"] == heard["final"]["output"]


def test_a_client_that_leaves_ends_nothing_and_a_cancel_does(background: BackgroundClient) -> None:
    gate = background.model.close_gate()
    begun = background.client("begin", "hold")
    gate.wait_until_reached()
    background.client("follow", id=begun["id"], most=2)
    assert background.client("retrieve", id=begun["id"])["status"] == "in_progress"
    background.client("cancel", id=begun["id"])
    assert background.client("wait", id=begun["id"])["status"] == "cancelled"
    assert background.client("cancel", id=begun["id"])["status"] == "cancelled"
    gate.open()


def test_a_response_goes_on_with_the_one_before(background: BackgroundClient) -> None:
    first = background.client("begin", "say one")
    background.client("wait", id=first["id"])
    background.model.forget()
    second = background.client("begin", "say two", more={"previous_response_id": first["id"]})
    ended = background.client("wait", id=second["id"])
    assert (ended["output_text"], ended["previous_response_id"]) == ("two", first["id"])
    said = [part["text"] for item in background.model.seen[0]["input"] for part in item.get("content") or ()]
    assert [text for text in said if text.startswith("say ")] == ["say one", "say two"]


def test_what_is_deleted_is_not_found(background: BackgroundClient) -> None:
    begun = background.client("begin", "say gone")
    background.client("wait", id=begun["id"])
    background.client("remove", id=begun["id"])
    error = background.client.failure("retrieve", id=begun["id"])
    assert (error["name"], error["status"]) == ("NotFoundError", 404)
