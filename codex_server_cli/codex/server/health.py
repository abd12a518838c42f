"""Whether an app-server on a TCP port is there: its two pages, `/readyz` and `/healthz`. Owns what counts as ready.

Plain HTTP over a socket, within a second, without a token, which these pages never ask for, and without an `Origin`,
with which they answer 403 (transport notes, section 2).
"""

from __future__ import annotations

import re
import socket
import time
from typing import NamedTuple

TIMEOUT_S = 1.0
_REACHED = {"0.0.0.0": "127.0.0.1", "::": "::1"}
_MOST_BYTES = 16 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})\b")


class Health(NamedTuple):
    """What the two pages say.

    Attributes:
        is_ready: it takes connections.
        is_healthy: it is alive.
        problem: why it is not ready, for people; None where it is.
    """

    is_ready: bool
    is_healthy: bool
    problem: str | None = None


def read_health(host: str, port: int, timeout_s: float = TIMEOUT_S) -> Health:
    """Ask both pages, each within `timeout_s`.

    Args:
        host: an IP address, without brackets; that of all interfaces is asked on loopback.
    """
    host = _REACHED.get(host, host)
    problem = _problem_of(host, port, "/readyz", timeout_s)
    return Health(problem is None, _problem_of(host, port, "/healthz", timeout_s) is None, problem)


def _problem_of(host: str, port: int, page: str, timeout_s: float) -> str | None:
    """Why a page does not say that all is well; None where it does: 200, and nothing else."""
    try:
        answer = _get(host, port, page, timeout_s)
    except TimeoutError:
        return f"it does not answer {page} within {timeout_s:g} s"
    except OSError as error:
        return f"it cannot be reached: {error.strerror or error}"
    head, _, body = answer.partition(b"\r\n\r\n")
    status = _STATUS.match(head)
    if status is None:
        return "what listens there does not speak HTTP: it is no app-server"
    if status[1] != b"200" or body:
        return f"what listens there answers {page} with {status[1].decode()}: it is no app-server that is ready"
    return None


def _get(host: str, port: int, page: str, timeout_s: float) -> bytes:
    """What a server answers, up to the end of the connection or of its time, or as much as needs to be seen.

    Raises:
        OSError: it cannot be reached; `TimeoutError` where it says nothing in time.
    """
    deadline = time.monotonic() + timeout_s
    answer = b""
    with socket.create_connection((host, port), timeout_s) as connection:
        name = f"[{host}]" if ":" in host else host
        connection.sendall(f"GET {page} HTTP/1.1\r\nHost: {name}:{port}\r\nConnection: close\r\n\r\n".encode())
        while len(answer) < _MOST_BYTES:
            connection.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                piece = connection.recv(_MOST_BYTES)
            except TimeoutError:
                if not answer:
                    raise
                break  # it keeps the connection open
            if not piece:
                break
            answer += piece
    return answer
