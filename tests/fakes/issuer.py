"""An OAuth issuer on loopback to log in with: opening its page means consent, or refusal.

Codex goes there instead of to OpenAI where `CODEX_APP_SERVER_LOGIN_ISSUER` names it (0.163.0 and 0.171.0). Owns what it
answers and the lock on the login page's ports. Must never own the tokens, which are those of a scripted login.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import tempfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from codex_server_cli.demo.codex_home import write_chatgpt_login

ISSUER_ENV = "CODEX_APP_SERVER_LOGIN_ISSUER"
LOGIN_PORTS = (1455, 1457)
"""Where Codex serves the page that a browser returns to; the second if the first is taken."""
USER_CODE = "ABCD-1234"


@contextlib.contextmanager
def login_ports() -> Iterator[None]:
    """Keep every other test run of this machine from a login page meanwhile: a new one ends the one before."""
    with (Path(tempfile.gettempdir()) / "codex-server-tests-login-ports.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


class Issuer:
    """Serve on 127.0.0.1 at a free port, as a context manager.

    Attributes:
        tokens: what it issues.
        refuses: whether the user at the browser refuses.
        has_agreed: set it to let logins that wait with a code go on.
    """

    def __init__(self, tokens: dict[str, Any]) -> None:
        self.tokens = tokens
        self.refuses = False
        self.has_agreed = Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("_Bound", (_IssuerHandler,), {"issuer": self}))
        self._thread = Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @classmethod
    def of_login(cls, codex_home: Path, origin: str) -> Issuer:
        """Make `codex_home` one of ChatGPT mode without a login; a login here is the scripted user's.

        Args:
            origin: the URL of every other service.
        """
        write_chatgpt_login(codex_home, origin)
        login = codex_home / "auth.json"
        tokens = json.loads(login.read_bytes())["tokens"]
        login.unlink()
        return cls(tokens)

    @property
    def url(self) -> str:
        """For `ISSUER_ENV`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Issuer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _IssuerHandler(BaseHTTPRequestHandler):
    issuer: Issuer

    def do_GET(self) -> None:
        """The consent page: it sends the browser back to Codex at once."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}
        verdict = {"error": "access_denied", "error_description": "no"} if self.issuer.refuses else {"code": "a-code"}
        self.send_response(302)
        self.send_header("Location", f"{asked['redirect_uri']}?{urlencode({**verdict, 'state': asked['state']})}")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        match self.path:
            case "/oauth/token":
                self._send(200, self.issuer.tokens)
            case "/api/accounts/deviceauth/usercode":
                self._send(200, {"device_auth_id": "device", "user_code": USER_CODE, "interval": "1"})
            case "/api/accounts/deviceauth/token" if self.issuer.has_agreed.is_set():
                self._send(200, {"authorization_code": "a-code", "code_challenge": "c", "code_verifier": "v"})
            case "/api/accounts/deviceauth/token":
                self._send(403, {})
            case _:
                self._send(404, {})

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""
