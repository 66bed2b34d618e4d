"""Monitoring programs, which send METRICS_TOKEN instead of signing in."""

import hmac
from typing import Any

from litestar.connection import ASGIConnection

from videoflix.settings import settings


def metrics_enabled() -> bool:
    """Whether METRICS_TOKEN is set."""
    return bool(settings.metrics_token)


def is_scraper(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the request has `Authorization: Bearer METRICS_TOKEN`, compared in constant time."""
    sent = connection.headers.get("authorization", "").encode()
    expected = f"Bearer {settings.metrics_token}".encode()
    return metrics_enabled() and hmac.compare_digest(sent, expected)
