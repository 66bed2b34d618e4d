"""Prometheus metrics of this process."""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
)

registry = CollectorRegistry()
ProcessCollector(registry=registry)
PlatformCollector(registry=registry)
GCCollector(registry=registry)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

requests = Counter(
    "videoflix_http_requests",
    "Requests by route template.",
    ["method", "route", "status"],
    registry=registry,
)
latency = Histogram(
    "videoflix_http_request_seconds",
    "Time until the response was sent completely, by route template.",
    ["method", "route"],
    buckets=SECONDS,
    registry=registry,
)
answers = Counter(
    "videoflix_answer_cache",
    "Lookups in the in-process response cache.",
    ["result"],
    registry=registry,
)
answers_found = answers.labels("hit")
answers_missed = answers.labels("miss")
