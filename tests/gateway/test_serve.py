"""`serve` as a process: what it prints, whom it lets in, what it survives, how it ends."""

from __future__ import annotations

import os
import signal
import socket
import stat
from pathlib import Path

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

from codex_server_cli.codex.server.token import make_token
from tests.gateway.conftest import Serve
from tests.kit.home import Home
from tests.kit.processes import stopped
from tests.kit.serving import Serving
from tests.kit.support import wait_until


def is_well(serving: Serving) -> bool:
    """Whether it becomes healthy; it is not while its app-server needs more than a second for an answer."""
    wait_until(lambda: serving.client.get("/readyz").json() == {"status": "ok"}, what="its health")
    return True


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """A file with a token."""
    path = tmp_path / "token"
    make_token(path)
    return path


def test_it_prints_one_line_once_it_is_ready_and_ends_with_0_at_sigterm(serve_each: Serve) -> None:
    serving = serve_each()
    assert is_well(serving)
    assert serving.client.get("/").headers["x-request-id"].startswith("req_")
    assert serving.stop() == 0
    assert serving.process.stdout is not None
    assert serving.process.stdout.read() == ""
    assert {line["event"] for line in serving.log} == {"started", "request", "stopping"}


@pytest.mark.full
def test_ctrl_c_ends_it_with_130(serve: Serve) -> None:
    assert serve().stop(signal.SIGINT) == 130


@pytest.mark.full
def test_the_app_server_outlives_its_idle_time_while_it_serves_and_goes_afterwards(
    serve: Serve, one_home: Home
) -> None:
    serving = serve()
    generation = serving.generation()
    log = Path(generation.directory) / "server.log"
    wait_until(lambda: _seconds_since(generation.pid) > 2, what="more than its idle time")
    assert "idle" not in log.read_text()
    assert is_well(serving)
    assert serving.generation().pid == generation.pid
    serving.stop()
    wait_until(lambda: not generation.is_alive(), what="the end of the app-server")
    assert "idle" in log.read_text()


def _seconds_since(pid: int) -> float:
    import time

    import psutil

    return time.time() - psutil.Process(pid).create_time()


@pytest.mark.full
@pytest.mark.measured
def test_after_a_kill_of_the_app_server_or_its_keeper_the_next_request_works(serve_each: Serve) -> None:
    serving = serve_each()
    first = serving.generation()
    os.kill(first.pid, signal.SIGKILL)
    assert is_well(serving)
    second = serving.generation()
    os.kill(second.keeper_pid, signal.SIGKILL)
    wait_until(lambda: not second.is_alive(), what="the end of the one without a keeper")
    assert is_well(serving)
    assert (first.number, second.number, serving.generation().number) == (1, 2, 3)
    assert serving.metric("upstream_starts_total") == 3


@pytest.mark.full
def test_it_is_unhealthy_within_a_second_while_the_app_server_hangs(serve: Serve) -> None:
    serving = serve()
    with stopped(serving.generation().pid):
        answer = serving.client.get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"status": "unavailable", "reason": "the app-server does not answer within 1 s"}
    assert is_well(serving)


@pytest.mark.measured
@pytest.mark.full
def test_it_is_not_ready_while_codex_cannot_read_its_configuration(serve: Serve, one_home: Home) -> None:
    serving = serve()
    path = one_home.codex_home / "config.toml"
    path.write_text("= broken")
    answer = serving.client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert str(path) in answer.json()["reason"]
    assert serving.client.get("/healthz").status_code == 200
    second = one_home.run("serve", "--listen", "127.0.0.1:0")
    assert (second.code, second.stdout) == (65, "")
    assert str(path) in second.stderr
    path.unlink()
    assert is_well(serving)


def test_without_the_token_only_health_answers_and_tells_no_reason(serve: Serve, token_file: Path) -> None:
    serving = serve("--token-file", str(token_file))
    secret = token_file.read_text().strip()
    for headers in ({}, {"authorization": f"Bearer {secret}x"}, {"authorization": secret}):
        answer = serving.client.get("/", headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert serving.client.get("/metrics", headers=headers).status_code == 401
    assert serving.client.get("/", headers={"authorization": f"Bearer {secret}"}).status_code == 200
    assert is_well(serving)
    with stopped(serving.generation().pid):
        assert serving.client.get("/healthz").json() == {"status": "unavailable"}
    serving.stop()
    assert secret not in str(serving.log)


def test_a_foreign_host_and_a_foreign_page_are_refused_with_the_flag_that_lets_them_in(serve: Serve) -> None:
    serving = serve()
    by_host = serving.client.get("/", headers={"host": "evil.example"})
    by_page = serving.client.get("/", headers={"origin": "https://evil.example"})
    assert (by_host.status_code, by_page.status_code) == (403, 403)
    assert "--allow-host evil.example" in by_host.json()["error"]["message"]
    assert "--allow-origin https://evil.example" in by_page.json()["error"]["message"]
    assert "access-control-allow-origin" not in by_page.headers
    with pytest.raises(InvalidStatus) as refusal, connect(f"ws://127.0.0.1:{serving.port}/ws", origin=Origin("null")):
        pass
    assert refusal.value.response.status_code == 403
    assert b"--allow-origin null" in refusal.value.response.body


def test_a_page_that_is_let_in_is_answered_before_it_shows_a_token(serve: Serve, token_file: Path) -> None:
    serving = serve("--token-file", str(token_file), "--allow-origin", "http://localhost:3000")
    origin = {"origin": "http://localhost:3000"}
    wanted = "authorization,x-stainless-os"
    asked = serving.client.options("/v1/models", headers={**origin, "access-control-request-headers": wanted})
    assert asked.status_code == 204
    assert asked.headers["access-control-allow-headers"] == wanted
    assert asked.headers["access-control-allow-origin"] == origin["origin"]
    refused = serving.client.get("/v1/models", headers=origin)
    assert refused.status_code == 401
    assert refused.headers["access-control-allow-origin"] == origin["origin"]


@pytest.mark.full
def test_a_tunnel_needs_its_name_and_the_token(serve: Serve, token_file: Path) -> None:
    serving = serve("--token-file", str(token_file), "--allow-host", "*.trycloudflare.com")
    through = {"host": "random-slug.trycloudflare.com"}
    assert serving.client.get("/", headers=through).status_code == 401
    authorised = {"authorization": f"Bearer {token_file.read_text().strip()}"}
    assert serving.client.get("/", headers=through | authorised).status_code == 200


def test_it_listens_on_a_unix_socket_that_only_its_user_can_open(serve: Serve, one_home: Home) -> None:
    path = one_home.root / "s"
    serving = serve(listen=f"unix:{path}")
    assert serving.address == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert serving.client.get("/").status_code == 200
    second = one_home.run("serve", "--listen", f"unix:{path}")
    assert (second.code, second.stdout) == (75, "")
    serving.stop()
    assert not path.exists()


@pytest.mark.full
def test_the_socket_of_one_that_was_killed_is_taken_over(serve: Serve, one_home: Home) -> None:
    path = one_home.root / "s"
    first = serve(listen=f"unix:{path}")
    first.process.kill()
    first.process.wait()
    assert path.exists()
    assert serve(listen=f"unix:{path}").client.get("/").status_code == 200


@pytest.mark.measured
def test_slashes_too_many_are_put_right_and_what_is_not_there_is_told_in_json(serve: Serve) -> None:
    serving = serve()
    assert serving.client.get("//metrics/").status_code == 200
    assert serving.client.head("/").status_code == 200
    missing = serving.client.post("/v1/embeddings")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "unknown_url")
    with pytest.raises(InvalidStatus) as refusal, connect(f"ws://127.0.0.1:{serving.port}/nowhere"):
        pass
    assert refusal.value.response.status_code == 404
    assert b'"code":"unknown_url"' in refusal.value.response.body
    wrong = serving.client.post("/readyz")
    assert (wrong.status_code, wrong.json()["error"]["code"]) == (405, "method_not_allowed")


def test_the_log_has_no_query_string_and_no_header(serve: Serve) -> None:
    serving = serve()
    serving.client.get("/metrics?token=hidden-1", headers={"authorization": "Bearer hidden-2"})
    line = serving.logged(path="/metrics")
    assert {"time", "id", "ms", "bytes"} < line.keys()
    assert (line["method"], line["status"]) == ("GET", 200)
    serving.stop()
    assert "hidden" not in str(serving.log)


def test_metrics_tell_of_requests_and_of_the_app_server(serve: Serve) -> None:
    serving = serve()
    serving.client.get("/")
    assert serving.metric('requests_total{method="GET",route="/",status="200"}') == 1
    assert serving.metric("app_server_resident_bytes") > 1 << 20
    assert serving.metric("codex_log_database_bytes") > 0


def test_what_is_no_http_gets_a_json_error(serve: Serve) -> None:
    serving = serve()
    with socket.create_connection(("127.0.0.1", serving.port)) as connection:
        connection.sendall(b"GET\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "invalid_http"' in answer


@pytest.mark.full
def test_slow_and_idle_clients_disturb_no_other_and_are_disconnected(serve: Serve) -> None:
    serving = serve()
    slow = [socket.create_connection(("127.0.0.1", serving.port)) for _ in range(300)]
    try:
        for each in slow[::2]:
            each.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        assert serving.client.get("/", timeout=10).status_code == 200
        for each in slow:
            each.settimeout(60)
            assert _end_of(each) == b""
    finally:
        for each in slow:
            each.close()
    assert serving.client.get("/").status_code == 200
    assert serving.memory_bytes < 120 << 20


def _end_of(connection: socket.socket) -> bytes:
    try:
        return connection.recv(1)
    except ConnectionResetError:
        return b""
