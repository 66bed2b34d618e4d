"""HTTP API of the Prometheus metrics."""

from typing import Any, ClassVar

from litestar import Controller, Request, Response, get
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from prometheus_client import CONTENT_TYPE_LATEST

from videoflix.metrics.service import metrics_text
from videoflix.platform.auth.scrapers import is_scraper, metrics_enabled
from videoflix.platform.problems import Forbidden, Unauthorized, problems
from videoflix.platform.rate_limit.middleware import UNLIMITED


class MetricsTokenRequired(Unauthorized):
    """Send METRICS_TOKEN as a bearer token."""

    slug: ClassVar[str] = "metrics-token-needed"


class MetricsClosed(Forbidden):
    """Metrics are off; set METRICS_TOKEN to turn them on."""


async def scrapers_only(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Guard: require METRICS_TOKEN.

    Client addresses are not checked: behind a local proxy all requests come from this machine.
    """
    if not metrics_enabled():
        raise MetricsClosed
    if not is_scraper(connection):
        raise MetricsTokenRequired


class MetricsController(Controller):
    path = "/metrics"
    tags = ("Health",)
    opt = UNLIMITED

    @get(
        summary="Prometheus metrics",
        guards=[scrapers_only],
        media_type="text/plain",
        responses=problems(MetricsTokenRequired, MetricsClosed),
    )
    async def show(self, request: Request[Any, Any, Any]) -> Response[bytes]:
        """Get metrics of requests, queues, streams and connections in the text format."""
        return Response(
            await metrics_text.text(),
            media_type=CONTENT_TYPE_LATEST,
            headers={"Cache-Control": "no-store"},
        )
