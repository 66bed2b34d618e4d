"""What Prometheus scrapes."""

import hmac
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST

from videoflix.metrics.service import figures
from videoflix.platform.client import is_this_machine
from videoflix.platform.problems import Forbidden, SignInNeeded, problems
from videoflix.platform.throttling import UNLIMITED
from videoflix.settings import settings


class MetricsTokenNeeded(SignInNeeded):
    """Send METRICS_TOKEN as a bearer token."""


class MetricsClosed(Forbidden):
    """Metrics are shown to this machine only; elsewhere set METRICS_TOKEN, and send it."""


async def scrapers_only(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Guard: whoever knows METRICS_TOKEN; without one, programs on this machine."""
    if settings.metrics_token:
        expected = f"Bearer {settings.metrics_token}"
        sent = connection.headers.get("authorization", "")
        if not hmac.compare_digest(sent.encode(), expected.encode()):
            raise MetricsTokenNeeded
    elif not is_this_machine(connection):
        raise MetricsClosed


class MetricsController(Controller):
    path = "/metrics"
    tags = ("Health",)
    opt = UNLIMITED

    @get(
        summary="Figures for Prometheus",
        guards=[scrapers_only],
        media_type="text/plain",
        responses=problems(MetricsTokenNeeded, MetricsClosed),
    )
    async def show(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Requests, latencies, queues, streams and connections, in Prometheus's text format."""
        return Response(
            await figures.text(),
            media_type=CONTENT_TYPE_LATEST,
            headers={"Cache-Control": "no-store"},
        )
