"""Pages of somebody else, on a port of their own: those that are hostile, and those that the browser kit is tried on.

Never here: assertions about the product.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


class OtherSite:
    """Serves pages on loopback, as a context manager.

    Attributes:
        url: of its root. To a browser it is another site than `http://127.0.0.1`.
    """

    def __init__(self, pages: Mapping[str, str], headers: Mapping[str, str] | None = None) -> None:
        """Make it.

        Args:
            pages: path to HTML, or to JavaScript where the path ends so; all else is 404.
            headers: of every answer.
        """

        class Answers(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                text = pages.get(self.path)
                body = (text or "").encode()
                self.send_response(404 if text is None else 200)
                kind = "text/javascript" if self.path.endswith(".js") else "text/html"
                for name, value in {"Content-Type": f"{kind}; charset=utf-8", **(headers or {})}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Log nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self.url = f"http://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> OtherSite:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
