"""Outermost ASGI layer: request IDs, the access log, request metrics and security headers.

It wraps the whole application, so that unknown paths and preflight requests are included.
"""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from litestar.types import ASGIApp, Message, Receive, Send
from structlog.contextvars import bound_contextvars

from videoflix.platform.http.security_headers import Headers, with_security_headers
from videoflix.platform.observability import metrics
from videoflix.platform.observability.logs import READY
from videoflix.platform.observability.masking import masked_text
from videoflix.platform.problems import PROBLEM_JSON, Problem, Unavailable, problem_body
from videoflix.platform.server.shutdown import shutdown

REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
# Route label of unmatched paths, which clients can make up: keeps the number of labels bounded.
UNMATCHED = "unmatched"
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
CLOSE = (b"connection", b"close")
CLIENT_CLOSED_REQUEST = 499  # nginx

access = logging.getLogger("videoflix.access")


class ServerStopping(Unavailable):
    """The server stopped before your request was complete; send it again."""

    slug: ClassVar[str] = "stopping"
    headers: ClassVar = {"Retry-After": "5"}


class AccessLogMiddleware:
    """ASGI middleware around the application."""

    def __init__(self, app: ASGIApp, methods: Mapping[str, set[str]] | None = None) -> None:
        """`methods` holds the methods of each path template, for OPTIONS."""
        self._app = app
        self._methods = methods or {}

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = request_id_of(scope)
        started = time.perf_counter()
        status = CLIENT_CLOSED_REQUEST

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                own = (b"x-request-id", request_id.encode())
                last = [CLOSE] if shutdown.draining else []
                headers = with_security_headers(message["headers"])
                message["headers"] = [*self._with_allow(scope, headers), own, *last]
            await send(message)

        with bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, send_with_headers)
            except asyncio.CancelledError:  # the server stops, and its grace period is over
                if status == CLIENT_CLOSED_REQUEST:
                    await send_problem(send_with_headers, ServerStopping())
            finally:
                log_request(scope, status, time.perf_counter() - started, request_id)

    def _with_allow(self, scope: Any, headers: Headers) -> Headers:
        """Replace Allow: Litestar lists the methods of only one of a path's controllers."""
        methods = self._methods.get(scope.get("path_template", ""))
        if scope["method"] != "OPTIONS" or not methods:
            return headers
        allow = ", ".join(sorted(methods)).encode()
        return [(name, allow if name == b"allow" else value) for name, value in headers]


async def send_problem(send: Send, problem: Problem) -> None:
    """Send a problem response without Litestar, and close the connection."""
    body = msgspec.json.encode(problem_body(problem))
    headers = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", b"%d" % len(body)),
        *((k.lower().encode(), v.encode()) for k, v in problem.response_headers().items()),
        CLOSE,
    ]
    await send({"type": "http.response.start", "status": problem.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def request_id_of(scope: Any) -> str:
    """Return the X-Request-ID of the proxy or client if it is well formed, otherwise a new ID."""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and REQUEST_ID.fullmatch(value):
            return str(value.decode())
    return uuid.uuid4().hex


def log_request(scope: Any, status: int, seconds: float, request_id: str) -> None:
    """Write the access log line, without the query string, and update the metrics."""
    route = scope.get("path_template") or UNMATCHED
    method = scope["method"] if scope["method"] in METHODS else "OTHER"
    metrics.requests.labels(method, route, status).inc()
    metrics.latency.labels(method, route).observe(seconds)
    if access.isEnabledFor(logging.INFO):
        line = {
            "method": method,
            "path": masked_text(scope["path"]),
            "status": status,
            "ms": round(seconds * 1000, 1),
            "request_id": masked_text(request_id),
        }
        if scope.get("user") is not None:
            line["user_id"] = scope["user"].user_id
        access.info("request", extra={READY: line})
