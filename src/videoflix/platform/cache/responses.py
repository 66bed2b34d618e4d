"""Cache of encoded responses that are the same for many users, invalidated on change.

Changes are published on commit (notify.py), so every replica invalidates at once. Frequent changes
do not: counts of votes in lists may be COUNTS_SECONDS stale, encoding progress one second. While
the event connection is down, every entry lives DISCONNECTED_SECONDS. Responses carry an ETag and
are revalidated with If-None-Match (304, RFC 9110).
"""

import hashlib
import math
import time
from collections.abc import Callable
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED
from litestar.types import Receive, Scope, Send

from videoflix.platform.cache.ttl import LruCache
from videoflix.platform.observability.metrics import answers_found, answers_missed
from videoflix.platform.postgres.notify import event_bus

MAX_ENTRIES = 2_000
DISCONNECTED_SECONDS = 1.0
COUNTS_SECONDS = 5.0

Key = tuple[str, str, tuple[tuple[str, str], ...]]

HEADERS = {
    "Cache-Control": "private, no-cache",  # store, but revalidate each time
    "Vary": "Authorization, Cookie, X-Profile",
}


class CachedResponse(Response[bytes]):
    """An encoded response, sent without Litestar's costly building of responses.

    It expires at `until` while notifications are down, and always if it `is_moving`.
    """

    def __init__(
        self, body: bytes, etag: str, until: float, status: int = 200, *, is_moving: bool = False
    ) -> None:
        headers = {**HEADERS, "ETag": etag}
        if status == HTTP_200_OK:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        super().__init__(body, status_code=status, headers=headers)
        self.body, self.etag, self.until, self.is_moving = body, etag, until, is_moving
        encoded = [
            (name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()
        ]
        self._start: Any = {
            "type": "http.response.start",
            "status": status,
            "headers": encoded,
        }
        self._body: Any = {"type": "http.response.body", "body": body, "more_body": False}

    def to_asgi_response(self, *_: Any, **__: Any) -> Any:
        """Litestar hook: return the ASGI app that sends the response."""
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Any = {**self._start, "headers": [*self._start["headers"]]}
        await send(start)
        await send(self._body)


class ResponseCache:
    """Responses by request and `audience`, a key shared by all users who get the same response.

    A topic that starts with one of `prefixes` clears the cache. One that starts with `counts`
    invalidates the path that `path_of` returns at once, and the rest after COUNTS_SECONDS. Only the
    query parameters in `parameters` are part of the key.
    """

    def __init__(
        self,
        name: str,
        *prefixes: str,
        parameters: frozenset[str],
        counts: str,
        path_of: Callable[[str], str],
    ) -> None:
        self._entries: LruCache[Key, CachedResponse] = LruCache(name, MAX_ENTRIES)
        self._parameters = parameters
        self._path_of = path_of
        self._counts_old_at = math.inf
        self.generation = 0
        for prefix in prefixes:
            event_bus.subscribe_prefix(prefix, self.clear)
        event_bus.subscribe_prefix(counts, self._counted)
        event_bus.on_connect(self._clear_missed)

    def clear(self, _: str = "") -> None:
        self.generation += 1
        self._counts_old_at = math.inf
        self._entries.clear()

    def get(self, request: Request[Any, Any, Any], audience: str) -> CachedResponse | None:
        """Return the cached response if it is fresh, or its 304."""
        now = time.monotonic()
        if self._counts_old_at <= now:
            self.clear()
        response = self._entries.get(self._key(request, audience))
        if response is None or (
            response.until < now and (response.is_moving or not event_bus.hears)
        ):
            answers_missed.inc()
            return None
        answers_found.inc()
        return _respond(request, response)

    def put(
        self,
        request: Request[Any, Any, Any],
        audience: str,
        found: Any,
        since: int,
        is_moving: Callable[[bytes], bool] = lambda _: False,
    ) -> CachedResponse:
        """Encode a response; cache it unless the cache was cleared after generation `since`."""
        body = msgspec.json.encode(found)
        digest = hashlib.sha256(body).hexdigest()[:32]
        until = time.monotonic() + DISCONNECTED_SECONDS
        response = CachedResponse(body, f'"{digest}"', until, is_moving=is_moving(body))
        if since == self.generation:
            self._entries[self._key(request, audience)] = response
        return _respond(request, response)

    def _counted(self, topic: str) -> None:
        """Invalidate one path at once, and all others after COUNTS_SECONDS."""
        self._counts_old_at = min(self._counts_old_at, time.monotonic() + COUNTS_SECONDS)
        path = self._path_of(topic)
        for key in [key for key in self._entries if key[1] == path]:
            del self._entries[key]

    async def _clear_missed(self) -> None:
        self.clear()

    def _key(self, request: Request[Any, Any, Any], audience: str) -> Key:
        """Build the cache key; the last value of a repeated parameter counts, as for handlers."""
        asked: dict[str, str] = {}
        if request.scope["query_string"]:
            asked = dict(request.query_params.multi_items())
        known = sorted(self._parameters.intersection(asked))
        return audience, request.scope["path"], tuple((name, asked[name]) for name in known)


def _respond(request: Request[Any, Any, Any], response: CachedResponse) -> CachedResponse:
    """Return the response, or 304 if the client's ETag matches."""
    for name, value in request.scope["headers"]:
        if name == b"if-none-match" and response.etag.encode() in value:
            return CachedResponse(b"", response.etag, response.until, HTTP_304_NOT_MODIFIED)
    return response
