"""What each request passes on its way in and out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import httpx
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from codex_server_cli.core.openai.refusal import ApiError
from codex_server_cli.gateway.access_log import AccessLog
from codex_server_cli.gateway.app import app_of
from codex_server_cli.gateway.http_answers import EventStream, json_answer, read_json
from codex_server_cli.gateway.middleware import RequestMiddleware
from codex_server_cli.gateway.options import ServeOptions
from codex_server_cli.gateway.state import Gateway
from codex_server_cli.gateway.upstream.wire import UpstreamGone
from codex_server_cli.settings.places import Settings
from tests.kit.loops import drain_loop, until


class MiddlewareLog(AccessLog):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def say(self, event: str, **facts: Any) -> None:
        """See `AccessLog`."""
        self.lines.append({"event": event, **facts})


class BareGateway:
    """A gateway without an app-server, whose application does what the path says.

    Attributes:
        gateway, log: of it.
        middleware, client: its application, and what asks it.
        ends: of what outlives its request.
        defects: of that.
    """

    def __init__(self) -> None:
        self.defects: list[BaseException] = []
        self.gateway = Gateway(Settings.load(), ServeOptions(allowed_origins=("http://page",)), self.defects.append)
        self.log = MiddlewareLog()
        self.ends: list[str] = []
        names = ("refused", "gone", "defect", "late", "stream", "left", "slow", "read")
        fine = [Route(path, self._fine) for path in ("/v1/fine", "/fine", "/healthz", "/v1/{rest:path}")]
        routes = [Route(f"/{name}", getattr(self, f"_{name}"), methods=["GET", "POST"]) for name in names]
        app = app_of([*fine, *routes])
        self.middleware = RequestMiddleware(self.gateway, app, self.log)
        transport = httpx.ASGITransport(app=self.middleware)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    async def _fine(self, request: Request) -> Response:
        request.scope["log"]["turn"] = "t1"
        return json_answer({})

    async def _refused(self, _: Request) -> Response:
        raise ApiError(429, "no", code="gateway_busy", headers=(("Retry-After", "1"),))

    async def _gone(self, _: Request) -> Response:
        raise UpstreamGone("no app-server")

    async def _defect(self, _: Request) -> Response:
        raise RuntimeError("a prompt")

    async def _left(self, _: Request) -> Response:
        raise ClientDisconnect

    async def _read(self, request: Request) -> Response:
        return json_answer([await read_json(request), request.scope["body_room"].size])

    async def _slow(self, _: Request) -> Response:
        self.ends.append("begun")
        await asyncio.Event().wait()
        raise AssertionError

    async def _late(self, _: Request) -> Response:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"1"
            raise RuntimeError("a prompt")

        return StreamingResponse(pieces())

    async def _stream(self, _: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            yield b"data: 1\n\n"
            raise RuntimeError("a prompt")

        return EventStream(events())

    @property
    def metrics(self) -> str:
        """What is counted."""
        return self.gateway.metrics.text().decode()


def run(use: Callable[[BareGateway], Awaitable[None]]) -> None:
    """Have a place used."""

    async def begin() -> None:
        place = BareGateway()
        async with place.client:
            await use(place)
        await place.gateway.close()

    asyncio.run(begin())


def test_each_answer_has_an_id_a_line_in_the_log_and_a_count() -> None:
    async def use(place: BareGateway) -> None:
        answer = await place.client.get("/fine?secret=1", headers={"origin": "http://page"})
        (line,) = place.log.lines
        assert answer.headers["x-request-id"] == line["id"]
        assert answer.headers["access-control-allow-origin"] == "http://page"
        assert (line["path"], line["status"], line["turn"], line["error"]) == ("/fine", 200, "t1", None)
        assert 'requests_total{method="GET",route="/fine",status="200"} 1.0' in place.metrics
        for path in ("/v1/fine", "/v1/other"):
            await place.client.get(path)
        assert 'requests_total{method="GET",route="/v1/fine",status="200"} 1.0' in place.metrics
        assert 'requests_total{method="GET",route="/v1/{rest:path}",status="200"} 1.0' in place.metrics
        await place.client.request("BREW", "/nowhere")
        assert 'requests_total{method="other",route="none",status="404"} 1.0' in place.metrics

    run(use)


def test_each_error_is_answered_in_json_and_told_in_the_log_without_its_words() -> None:
    async def use(place: BareGateway) -> None:
        refused, gone, defect = [await place.client.get(f"/{name}") for name in ("refused", "gone", "defect")]
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "gateway_busy")
        assert refused.headers["retry-after"] == "1"
        assert (gone.status_code, gone.json()["error"]["code"]) == (503, "codex_unavailable")
        assert (defect.status_code, defect.json()["error"]["code"]) == (500, "internal")
        assert "prompt" not in defect.text + str(place.log.lines)
        requests = [line for line in place.log.lines if line["event"] == "request"]
        assert [line["error"] for line in requests] == ["gateway_busy", "codex_unavailable", "internal"]
        (told,) = (line for line in place.log.lines if line["event"] == "defect")
        assert told["id"] == requests[2]["id"]

    run(use)


def test_a_defect_behind_the_beginning_of_an_answer_is_told_in_the_log() -> None:
    async def use(place: BareGateway) -> None:
        for path in ("/late", "/stream"):
            with suppress(AssertionError):  # httpx's word for an answer that breaks off
                assert (await place.client.get(path)).status_code == 200
        assert [line["event"] for line in place.log.lines] == ["defect", "request"] * 2

    run(use)


def test_the_path_is_found_however_its_client_writes_it() -> None:
    async def use(place: BareGateway) -> None:
        middleware = place.middleware
        for path in ("/fine", "//fine/", "http://localhost/fine", "HTTP://localhost:1//fine"):
            sent: list[Any] = []

            async def send(message: Any, sent: list[Any] = sent) -> None:
                sent.append(message)

            async def receive() -> Any:
                return {"type": "http.request"}

            headers = [(b"host", b"localhost")]
            scope = {"type": "http", "method": "GET", "path": path, "headers": headers, "query_string": b""}
            await middleware(scope, receive, send)
            assert sent[0]["status"] == 200

    run(use)


def test_what_a_body_takes_is_counted_for_all_requests_until_its_own_is_answered() -> None:
    async def use(place: BareGateway) -> None:
        sizes = [(await place.client.post("/read", content=b"1" * 20)).json()[1] for _ in range(2)]
        assert sizes == [20, 20]

    run(use)


def test_a_client_that_leaves_is_no_defect() -> None:
    async def use(place: BareGateway) -> None:
        assert (await place.client.get("/left")).status_code == 499  # where it closed its sending side alone
        (line,) = place.log.lines
        assert (line["event"], line["error"]) == ("request", "client_gone")

    run(use)


def test_what_the_end_of_the_gateway_cuts_before_its_answer_gets_the_error_of_the_end() -> None:
    async def use(place: BareGateway) -> None:
        asking = asyncio.ensure_future(place.client.get("/slow"))
        await until(lambda: place.ends)
        asking.cancel()  # as the server does it: it is the task of the request, too
        answer = await asking
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gateway_stopping")
        assert answer.headers["retry-after"] == "2"
        (line,) = place.log.lines
        assert (line["status"], line["error"]) == (503, "gateway_stopping")

    run(use)


def test_while_it_stops_it_takes_no_new_work_and_ends_what_was_asked_to_end() -> None:
    async def use(place: BareGateway) -> None:
        async def interrupt() -> None:
            place.ends.append("interrupted")

        async def fail() -> None:
            raise RuntimeError

        place.gateway.on_stop(interrupt)
        place.gateway.on_stop(fail)
        place.gateway.begin_to_stop()
        place.gateway.begin_to_stop()
        answer = await place.client.get("/fine")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "gateway_stopping")
        assert (await place.client.get("/healthz")).status_code == 200
        assert place.gateway.is_stopping
        await until(lambda: "background_errors_total 1.0" in place.metrics)
        assert place.ends == ["interrupted"]
        assert list(map(type, place.defects)) == [RuntimeError]

    run(use)


def test_what_closes_its_connection_is_refused_behind_its_body_for_else_the_answer_may_be_lost() -> None:
    async def use(place: BareGateway) -> None:
        order: list[str] = []

        async def body() -> AsyncIterator[bytes]:
            for piece in (b"1", b"2"):
                await drain_loop()
                order.append("piece")
                yield piece

        async def note(response: httpx.Response) -> None:
            order.append(f"answer {response.status_code}")

        place.client.event_hooks = {"response": [note]}
        place.gateway.begin_to_stop()
        answer = await place.client.post("/read", content=body())
        assert order == ["piece", "piece", "answer 503"]
        assert answer.headers["connection"] == "close"

    run(use)


def test_a_failure_that_is_answered_or_no_fault_of_ours_is_no_defect_of_the_background() -> None:
    async def use(place: BareGateway) -> None:
        async def fail(error: Exception) -> None:
            raise error

        with suppress(ApiError):
            await place.gateway.awaited_task(fail(ApiError(404, "no such model")))
        await drain_loop()
        assert "background_errors_total 0.0" in place.metrics
        place.gateway.task(fail(UpstreamGone("killed")))
        await until(lambda: "background_errors_total 1.0" in place.metrics)
        assert place.defects == []

    run(use)


def test_a_task_that_outlives_its_request_is_waited_for_at_the_end() -> None:
    ends: list[str] = []

    async def use(place: BareGateway) -> None:
        async def interrupt() -> None:
            await drain_loop()
            ends.append("interrupted")

        place.gateway.task(interrupt())

    run(use)
    assert ends == ["interrupted"]
