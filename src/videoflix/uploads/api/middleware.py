"""What the tus protocol demands of every request and response, before routing."""

from http import HTTPStatus
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Send

from videoflix.uploads.api.responses import capabilities
from videoflix.uploads.tus import VERSION

PREFLIGHT = b"access-control-request-method"
OVERRIDE = b"x-http-method-override"
METHODS = {b"PATCH", b"DELETE", b"HEAD"}


class TusMiddleware:
    """ASGI middleware for the paths below `prefix`.

    Answers OPTIONS, except preflight requests of CORS, without a sign-in. Adds Tus-Resumable to
    responses, errors included. POST requests may name another method in
    X-HTTP-Method-Override, for environments that cannot send PATCH.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_below(scope["path"], self._prefix):
            await self._app(scope, receive, send)
            return
        sent = dict(scope["headers"])
        if scope["method"] == "OPTIONS" and PREFLIGHT not in sent:
            await _send_capabilities(send)
            return
        if scope["method"] == "POST" and sent.get(OVERRIDE, b"").upper() in METHODS:
            scope["method"] = sent[OVERRIDE].decode().upper()

        async def send_with_version(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["method"] != "OPTIONS":
                message["headers"] = [
                    *message["headers"],
                    (b"tus-resumable", VERSION.encode()),
                ]
            await send(message)

        await self._app(scope, receive, send_with_version)


async def _send_capabilities(send: Send) -> None:
    headers = [(name.lower().encode(), value.encode()) for name, value in capabilities().items()]
    status = HTTPStatus.NO_CONTENT.value
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")
