"""Answers that are equal for many people: encoded once, kept in the process, forgotten on change.

Whatever changes them is announced on commit (notify.py), so every replica forgets at once. What
changes all the time does not empty the memory: counts of votes in lists may be COUNTS_SECONDS old,
the progress of encoding a second. While the connection for news is down every answer lives for a
second only. Each answer has an ETag, and who has it already is told so (304, RFC 9110).
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
    "Cache-Control": "private, no-cache",  # keep it, but ask each time
    "Vary": "Authorization, Cookie, X-Profile",
}


class CachedResponse(Response[bytes]):
    """An encoded answer, sent as it is: most of a small request is else building its response.

    `until` limits it while nobody would tell us of changes, and always if it `is_moving`.
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
        """Litestar's hook: what sends the response."""
        return self._send

    async def _send(self, scope: Scope, receive: Receive, send: Send) -> None:
        start: Any = {**self._start, "headers": [*self._start["headers"]]}
        await send(start)
        await send(self._body)


class ResponseCache:
    """Answers by request and by `audience`: a word that is equal for all who get the same.

    Every topic that begins with one of `prefixes` empties it. One that begins with `counts` does
    so only after COUNTS_SECONDS, but for the answer under the path that `path_of` makes of it. Of
    the query, `parameters` alone tell requests apart: invented ones are nobody's.
    """

    def __init__(
        self,
        name: str,
        *prefixes: str,
        parameters: frozenset[str],
        counts: str,
        path_of: Callable[[str], str],
    ) -> None:
        self._kept: LruCache[Key, CachedResponse] = LruCache(name, MAX_ENTRIES)
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
        self._kept.clear()

    def get(self, request: Request[Any, Any, Any], audience: str) -> CachedResponse | None:
        """The answer this process has, if it is still true."""
        now = time.monotonic()
        if self._counts_old_at <= now:
            self.clear()
        answer = self._kept.get(self._key(request, audience))
        if answer is None or (answer.until < now and (answer.is_moving or not event_bus.hears)):
            answers_missed.inc()
            return None
        answers_found.inc()
        return _respond(request, answer)

    def put(
        self,
        request: Request[Any, Any, Any],
        audience: str,
        found: Any,
        since: int,
        is_moving: Callable[[bytes], bool] = lambda _: False,
    ) -> CachedResponse:
        """Encode an answer, and keep it unless something changed after generation `since`."""
        body = msgspec.json.encode(found)
        digest = hashlib.sha256(body).hexdigest()[:32]
        until = time.monotonic() + DISCONNECTED_SECONDS
        answer = CachedResponse(body, f'"{digest}"', until, is_moving=is_moving(body))
        if since == self.generation:
            self._kept[self._key(request, audience)] = answer
        return _respond(request, answer)

    def _counted(self, topic: str) -> None:
        """Something was counted that many answers show: they may show it a little later."""
        self._counts_old_at = min(self._counts_old_at, time.monotonic() + COUNTS_SECONDS)
        path = self._path_of(topic)
        for key in [key for key in self._kept if key[1] == path]:
            del self._kept[key]

    async def _clear_missed(self) -> None:
        self.clear()

    def _key(self, request: Request[Any, Any, Any], audience: str) -> Key:
        """Of a parameter that is given twice the last one counts, as for the handlers."""
        asked: dict[str, str] = {}
        if request.scope["query_string"]:
            asked = dict(request.query_params.multi_items())
        known = sorted(self._parameters.intersection(asked))
        return audience, request.scope["path"], tuple((name, asked[name]) for name in known)


def _respond(request: Request[Any, Any, Any], answer: CachedResponse) -> CachedResponse:
    """The answer, or only that it is the one they know."""
    for name, value in request.scope["headers"]:
        if name == b"if-none-match" and answer.etag.encode() in value:
            return CachedResponse(b"", answer.etag, answer.until, HTTP_304_NOT_MODIFIED)
    return answer
