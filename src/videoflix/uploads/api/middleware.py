"""What the tus protocol demands of every request and response, before routing."""

from http import HTTPStatus
from typing import Any

from litestar.types import ASGIApp, Message, Receive, Send

from videoflix.platform.http.security_headers import Headers
from videoflix.uploads.api.responses import capabilities
from videoflix.uploads.tus import VERSION

PREFLIGHT = b"access-control-request-method"
OVERRIDE = b"x-http-method-override"
METHODS = {b"PATCH", b"DELETE", b"HEAD"}
# Credentials of the browser, and what marks a request of another site's page.
IGNORED = {b"authorization", b"cookie", b"origin", b"sec-fetch-site"}
ALLOWED = (
    b"content-disposition, content-type, tus-resumable, upload-checksum, upload-complete,"
    b" upload-length, upload-metadata, upload-offset, x-http-method-override, x-request-id"
)
EXPOSED = (
    b"location, retry-after, tus-checksum-algorithm, tus-extension, tus-max-size, tus-resumable,"
    b" tus-version, upload-complete, upload-expires, upload-length, upload-limit, upload-metadata,"
    b" upload-offset"
)
ANY_ORIGIN: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-expose-headers", EXPOSED),
]
PREFLIGHT_HEADERS: Headers = [
    (b"access-control-allow-origin", b"*"),
    (b"access-control-allow-methods", b"GET, HEAD, POST, PATCH, DELETE"),
    (b"access-control-allow-headers", ALLOWED),
    (b"access-control-max-age", b"600"),
]


class TusMiddleware:
    """ASGI middleware for the paths below `prefix`.

    Answers OPTIONS, except preflight requests of CORS, without a sign-in. Adds Tus-Resumable to
    responses, errors included. POST requests may name another method in
    X-HTTP-Method-Override, for environments that cannot send PATCH. Pages of all sites may use
    URLs that carry the token of an upload link; cookies and other credentials are ignored there.
    """

    def __init__(self, app: ASGIApp, prefix: str) -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _is_below(scope["path"], self._prefix):
            await self._app(scope, receive, send)
            return
        by_link = scope["path"].startswith(f"{self._prefix}/by-link/")
        if scope["method"] == "OPTIONS":
            await self._answer_options(scope, receive, send, by_link=by_link)
            return
        overridden = dict(scope["headers"]).get(OVERRIDE, b"").upper()
        if scope["method"] == "POST" and overridden in METHODS:
            scope["method"] = overridden.decode()
        if by_link:
            scope["headers"] = [one for one in scope["headers"] if one[0] not in IGNORED]
        added = [(b"tus-resumable", VERSION.encode()), *(ANY_ORIGIN if by_link else ())]

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                too_large = message["status"] == HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                limit = capabilities()["Upload-Limit"].encode()
                told = [(b"upload-limit", limit)] if too_large and not by_link else []
                message["headers"] = [*message["headers"], *added, *told]
            await send(message)

        await self._app(scope, receive, send_with_headers)

    async def _answer_options(
        self, scope: Any, receive: Receive, send: Send, *, by_link: bool
    ) -> None:
        if PREFLIGHT not in dict(scope["headers"]):
            found = [(name.lower().encode(), one.encode()) for name, one in capabilities().items()]
            await _send_headers(send, [*found, *(ANY_ORIGIN if by_link else ())])
        elif by_link:
            await _send_headers(send, PREFLIGHT_HEADERS)
        else:
            await self._app(scope, receive, send)


async def _send_headers(send: Send, headers: Headers) -> None:
    status = HTTPStatus.NO_CONTENT.value
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _is_below(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(f"{prefix}/")
