"""HEAD for every path that answers GET (RFC 9110, 9.3.2)."""

from http import HTTPStatus
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Send


class HeadMiddleware:
    """ASGI middleware: a HEAD request that no handler accepts is answered as GET, without the body.

    Handlers of large files accept HEAD themselves, so that they do not open the file. A handler
    that streams without end sees the client disconnect after the headers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        as_get: Any = {**scope, "method": "GET"}
        accepted = True

        async def send_if_accepted(message: Message) -> None:
            nonlocal accepted
            if message["type"] == "http.response.start":
                accepted = message["status"] != HTTPStatus.METHOD_NOT_ALLOWED
            if accepted:
                await send(message)

        await self._app(scope, receive, send_if_accepted)
        if not accepted:
            await self._app(as_get, receive, _headers_only(send))
            # What the application learnt about the request, for the access log.
            scope.update(as_get, method="HEAD")


def _headers_only(send: Send) -> Send:
    async def send_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_headers
