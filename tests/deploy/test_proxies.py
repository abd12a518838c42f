"""nginx and Caddy, as the examples configure them, in front of a gateway: streams come as they are made."""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from socket import create_connection

import httpx
import pytest
from websockets.sync.client import connect

from tests.kit.chat_model import ChatModel
from tests.kit.deployment import Proxy, changed, free_port
from tests.kit.home import Home
from tests.kit.serving import Serving
from tests.kit.support import DEADLINE_S

pytestmark = pytest.mark.full

NAME = "codex.example.org"
_GATEWAY = "127.0.0.1:8787"


def _command(name: str) -> str:
    found = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None:
        pytest.skip(f"{name} is not installed, and its example can only be run with it")
    return found


@contextmanager
def _nginx(root: Path, port: int, gateway: Serving) -> Iterator[str]:
    command = _command("nginx")
    _make_certificate(root)
    site = changed(
        "nginx.conf",
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ssl/codex.example.org.pem", str(root / "cert.pem")),
        ("/etc/ssl/codex.example.org.key", str(root / "cert.key")),
        (_GATEWAY, f"127.0.0.1:{gateway.port}"),
    )
    places = "".join(
        f"{kind}_temp_path {root / kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (root / "nginx.conf").write_text(
        f"{user} pid {root / 'pid'}; error_log stderr; daemon off; master_process off; events {{}}\n"
        f"http {{ access_log off; {places}\n{site} }}\n"
    )
    with Proxy([command, "-c", str(root / "nginx.conf")], port, dict(os.environ)):
        yield f"https://127.0.0.1:{port}"


@contextmanager
def _caddy(root: Path, port: int, gateway: Serving) -> Iterator[str]:
    command = _command("caddy")
    # Plain HTTP: Caddy would ask a certificate authority for the name.
    site = changed(
        "Caddyfile",
        (f"{NAME} {{", f"http://{NAME}:{port} {{\n\tbind 127.0.0.1"),
        (_GATEWAY, f"127.0.0.1:{gateway.port}"),
    )
    (root / "Caddyfile").write_text(f"{{\n\tadmin off\n}}\n{site}")
    env = os.environ | {"HOME": str(root), "XDG_DATA_HOME": str(root), "XDG_CONFIG_HOME": str(root)}
    with Proxy([command, "run", "--adapter", "caddyfile", "--config", str(root / "Caddyfile")], port, env):
        yield f"http://127.0.0.1:{port}"


def _make_certificate(root: Path) -> None:
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-days", "1", "-subj", f"/CN={NAME}", "-keyout", "cert.key", "-out", "cert.pem"]
    subprocess.run(words, cwd=root, check=True, capture_output=True)


@pytest.mark.parametrize("proxy", [_nginx, _caddy], ids=["nginx", "caddy"])
def test_a_stream_a_websocket_and_the_token_pass_the_proxy_of_the_example(
    proxy: Callable[[Path, int, Serving], AbstractContextManager[str]], one_home: Home, tmp_path: Path
) -> None:
    model = ChatModel()
    one_home.model(model)
    assert one_home.run("server", "token", "token").code == 0
    token = (one_home.project / "token").read_text().strip()
    gateway = Serving(one_home, "--token-file", "token", "--allow-host", NAME)
    headers = {"Authorization": f"Bearer {token}", "Host": NAME}
    chat = {"model": "gpt-5.5", "messages": [{"role": "user", "content": "hold"}], "stream": True}
    untrusting = ssl.create_default_context()
    untrusting.check_hostname, untrusting.verify_mode = False, ssl.CERT_NONE  # the certificate is its own authority

    with (
        proxy(tmp_path, free_port(), gateway) as url,
        httpx.Client(base_url=url, headers=headers, verify=untrusting, timeout=DEADLINE_S) as client,
    ):
        assert client.get("/v1/models", headers={"Authorization": "Bearer wrong"}).status_code == 401
        with client.stream("POST", "/v1/chat/completions", json=chat) as answer:
            lines = answer.iter_lines()
            assert any("begin" in line for line in lines), "the first word came before the model went on"
            model.gate.open()
            assert list(lines)[-2:] == ["data: [DONE]", ""]
        own = {
            "Host": f"{NAME}:{httpx.URL(url).port}",
            "Origin": f"{httpx.URL(url).scheme}://{NAME}:{httpx.URL(url).port}",
        }
        assert client.post("/page/session", json={"token": token}, headers=own).status_code == 200, (
            "it is the page's own"
        )
        scheme, port = ("wss" if url.startswith("https") else "ws"), httpx.URL(url).port
        with connect(
            f"{scheme}://{NAME}:{port}/ws",
            sock=create_connection(("127.0.0.1", port or 0)),
            additional_headers={"Authorization": headers["Authorization"]},
            ssl=untrusting if scheme == "wss" else None,
            proxy=None,
        ) as bridge:
            bridge.send('{"id": 1, "method": "model/list", "params": {}}')
            assert '"id":1' in str(bridge.recv(DEADLINE_S)).replace(" ", "")
