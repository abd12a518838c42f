"""The error response of the OpenAI-compatible API. Owns its fields, not its serialisation."""

from __future__ import annotations

from collections.abc import Iterable


class ApiError(Exception):
    """One error response: an HTTP status and the fields of the body's `error` object.

    Not a `CodexServerError`: that hierarchy is about exit codes of the command line.

    Attributes:
        status: the HTTP status.
        message: one or more whole sentences for the person who reads the client's log.
        type: the kind of error in OpenAI's words, e.g. `invalid_request_error`.
        code: a stable identifier, e.g. `model_not_found`; None if the type suffices.
        param: the parameter that is wrong, as a path like `messages[2].content`.
        headers: HTTP headers of the response, e.g. `Retry-After`.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.headers = tuple(headers)


def invalid(message: str, param: str | None = None, code: str | None = None) -> ApiError:
    """The 400 for a request that is wrong in `param`."""
    return ApiError(400, message, param=param, code=code)
