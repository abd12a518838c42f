"""The metrics of `/metrics`, in a separate registry. Owns the names; no label value comes from a user."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

_PREFIX = "codex_server"
_SECONDS = (0.005, 0.025, 0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)


class Metrics:
    """The counters and gauges of one gateway.

    Attributes:
        requests: by route, method and status. `seconds`: duration until the end of the response, by route.
        streams, waiting: streams that run now, and that wait for a slot.
        upstream_starts: generations of the app-server, including the first.
        upstream_connections: open ones.
        tokens: by kind (`input`, `cached_input`, `output`, `reasoning_output`).
        background_errors: background tasks (interrupts, say) that failed.
        app_server_bytes: its resident memory. `log_database_bytes`: `logs_2.sqlite` of Codex's home.
    """

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, namespace=_PREFIX, registry=registry)

        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, namespace=_PREFIX, registry=registry)

        self.requests = counter("requests", "Requests answered.", "route", "method", "status")
        self.seconds = Histogram(
            "request_seconds",
            "Time to the end of the answer.",
            ("route",),
            namespace=_PREFIX,
            registry=registry,
            buckets=_SECONDS,
        )
        self.streams = gauge("streams", "Streams that run.")
        self.waiting = gauge("streams_waiting", "Streams that wait for a place.")
        self.upstream_starts = counter("upstream_starts", "App-servers so far; the first one counts.")
        self.upstream_connections = gauge("upstream_connections", "Open connections to the app-server.")
        self.tokens = counter("tokens", "Tokens used, as the model's service counts them.", "kind")
        self.background_errors = counter("background_errors", "Background tasks that failed.")
        self.app_server_bytes = gauge("app_server_resident_bytes", "Memory of the app-server.")
        self.log_database_bytes = gauge("codex_log_database_bytes", "Size of logs_2.sqlite in Codex's home.")

    def text(self) -> bytes:
        """All metrics, in the text format of Prometheus."""
        return generate_latest(self._registry)
