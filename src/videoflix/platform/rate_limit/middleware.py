"""Rate limits on all requests, per user, or per client address for anonymous requests.

A request with an invalid token is anonymous. So is, once a minute, one with an API token that this
process has not cached: a flood of made-up tokens must not cause queries. Routes opt out with
`opt=UNLIMITED`, or into the limit on uploads with `opt=UPLOAD`. Client errors and unknown tokens
are limited on unlimited routes, too.
"""

import math
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, ClassVar

from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.middleware import ASGIMiddleware
from litestar.openapi.datastructures import ResponseSpec
from litestar.openapi.spec import Operation
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ASGIApp, Message, Receive, Send

from videoflix.platform.auth.identity import Identity, identify, read_credential, sent_headers
from videoflix.platform.http.openapi import DescribedOperation
from videoflix.platform.problems import PROBLEM_JSON, InvalidInput, Problem, ProblemBody, problems
from videoflix.platform.rate_limit.batching import BatchedLimiter, RateLimited, RateLimitStatus
from videoflix.platform.rate_limit.local_buckets import LocalBuckets, RateLimit
from videoflix.platform.server.client_address import client_address
from videoflix.setting_types import Rate
from videoflix.settings import settings

OPTION = "throttle"
# Responses of the HTTP server itself, before any route.
TOO_LONG: dict[int, ResponseSpec] = {
    status.value: ResponseSpec(
        ProblemBody, description=sentence, media_type=PROBLEM_JSON, generate_examples=False
    )
    for status, sentence in (
        (HTTPStatus.REQUEST_URI_TOO_LONG, "The URL is too long."),
        (HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, "The headers are too large or too many."),
    )
}
NO_CONTENT = ResponseSpec(None, description="Success; the response has no body.")
# For media segments and health checks, which are requested frequently by design.
UNLIMITED = {OPTION: "unlimited"}
UPLOAD = {OPTION: "upload"}

limiter = BatchedLimiter()
# Client errors per address on unlimited routes: a burst of 300, then five per second.
FAILURES = RateLimit("failures", 300, 0.2)
failures = LocalBuckets(50_000)


class TooManyRequests(Problem):
    """Too many requests; slow down."""

    status: ClassVar = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, refused: RateLimited) -> None:
        self._status = refused.status
        self._seconds = max(1, math.ceil(refused.wait))
        super().__init__(f"Try again in {self._seconds} seconds.")

    def response_headers(self) -> dict[str, str]:
        return {"Retry-After": str(self._seconds), **headers_of(self._status)}


class RateLimitMiddleware(ASGIMiddleware):
    """Enforce the rate limits and add the RateLimit headers to responses.

    `known_api_token` resolves a cached API token to its identity, without a query.
    """

    scopes = (ScopeType.HTTP,)

    def __init__(self, known_api_token: Callable[[str], Identity | None]) -> None:
        self._known_api_token = known_api_token
        self._anonymous = rate_limit("anon", settings.throttle_anon)
        self._person = rate_limit("user", settings.throttle_user)
        self._upload = rate_limit("upload", settings.throttle_upload)

    async def handle(self, scope: Any, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        if scope["route_handler"].opt.get(OPTION) == UNLIMITED[OPTION]:
            await self._count_failures(scope, receive, send, next_app)
            return
        found, who = self._limit_of(scope)
        if found is None:
            await next_app(scope, receive, send)
            return
        try:
            status = await limiter.acquire(found, who)
        except RateLimited as refused:
            raise TooManyRequests(refused) from refused
        added = [
            (name.lower().encode(), value.encode()) for name, value in headers_of(status).items()
        ]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await next_app(scope, receive, send_with_headers)

    async def _count_failures(
        self, scope: Any, receive: Receive, send: Send, next_app: ASGIApp
    ) -> None:
        """Limit the client errors of an address, in memory and per process."""
        if self._anonymous is None:
            await next_app(scope, receive, send)
            return
        address = client_address(ASGIConnection(scope))
        if wait := failures.wait(address, FAILURES):
            status = RateLimitStatus(FAILURES.size, 0, math.ceil(failures.full_in(address)))
            raise TooManyRequests(RateLimited(status, wait))
        _, credential = read_credential(sent_headers(scope), scope)
        if credential and identify(scope, self._known_api_token) is None:
            failures.acquire(address, FAILURES)  # looking up the token may cost a query

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start" and 400 <= message["status"] < 500:
                failures.acquire(address, FAILURES)
            await send(message)

        try:
            await next_app(scope, receive, counting)
        except Problem as problem:
            if problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
                failures.acquire(address, FAILURES)
            raise

    def _limit_of(self, scope: Any) -> tuple[RateLimit | None, str]:
        """Return the limit of a request, if any, and the key of its client."""
        kind = scope["route_handler"].opt.get(OPTION)
        person = identify(scope, self._known_api_token)
        if person is None:
            address = client_address(ASGIConnection(scope)) if self._anonymous else ""
            return self._anonymous, address
        return self._upload if kind == UPLOAD[OPTION] else self._person, str(person.user_id)


class RateLimitDocs(ReceiveRoutePlugin):
    """Litestar plugin: document the responses of middleware and server on every route.

    Adds 414, 422, 429, 431 and a description of 204, and marks routes that need no sign-in.
    """

    def receive_route(self, route: BaseRoute) -> None:
        """Litestar hook, called for every route."""
        if not isinstance(route, HTTPRoute):
            return
        for handler in route.route_handlers:
            known = problems(InvalidInput) | TOO_LONG
            if handler.opt.get(OPTION) != UNLIMITED[OPTION]:
                known |= problems(TooManyRequests)
            if handler.status_code == HTTPStatus.NO_CONTENT:
                known |= {HTTPStatus.NO_CONTENT: NO_CONTENT}
            handler.responses = {**known, **(handler.responses or {})}
            if handler.operation_class is Operation:
                handler.operation_class = DescribedOperation
            if not handler.resolve_guards() and not handler.security:
                handler.security = [{}]


def rate_limit(name: str, rate: Rate) -> RateLimit | None:
    """Convert a rate to a bucket; None if the limit is off."""
    return None if rate.is_off else RateLimit(name, rate.count, rate.span_seconds / rate.count)


def headers_of(status: RateLimitStatus) -> dict[str, str]:
    """Return the RateLimit headers of draft-ietf-httpapi-ratelimit-headers-07."""
    return {
        "RateLimit-Limit": str(status.limit),
        "RateLimit-Remaining": str(status.remaining),
        "RateLimit-Reset": str(status.reset),
    }
