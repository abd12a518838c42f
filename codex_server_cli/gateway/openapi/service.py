"""The operations of the service: health, metrics, index."""

from __future__ import annotations

from codex_server_cli.gateway.openapi.operation import HTML, JSON, PLAIN, DocumentedAnswer, Operation, json_of
from codex_server_cli.gateway.openapi.schema import TEXT, Schema, list_of, object_of, one_of, ref

FACE = "service"

SCHEMAS: dict[str, Schema] = {
    "Health": object_of({"status": one_of(("ok", "unavailable", "stopping")), "reason": TEXT}, ("status",)),
}


def operations() -> dict[tuple[str, str], Operation]:
    """By method and path."""
    health = {200: json_of(ref("Health"), "It works."), 503: json_of(ref("Health"), "It does not.")}
    index = object_of({"name": TEXT, "version": TEXT, "routes": list_of(TEXT)}, ("name", "version", "routes"))
    figures = DocumentedAnswer("In the text format of Prometheus.", {PLAIN: TEXT})
    root = DocumentedAnswer(
        "The paths with their methods; where HTML is asked for, the page.", {JSON: index, HTML: TEXT}
    )
    return {
        ("GET", "/"): Operation(FACE, {200: root}),
        ("GET", "/healthz"): Operation(FACE, health, is_open=True),
        ("GET", "/readyz"): Operation(FACE, health, is_open=True),
        ("GET", "/metrics"): Operation(FACE, {200: figures}),
        ("GET", "/openapi.json"): Operation(FACE, {200: json_of({"type": "object"}, "This document.")}),
    }
