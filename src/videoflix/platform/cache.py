"""Answers that are equal for many people: encoded once, kept in the process, forgotten on change.

Whatever changes them is announced on commit (events.py), so every replica forgets at once. While
the connection for news is down an answer lives for a second only. Each answer has an ETag, and who
has it already is told so (304, RFC 9110).
"""

import hashlib
import time
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.status_codes import HTTP_200_OK, HTTP_304_NOT_MODIFIED
from litestar.types import Receive, Scope, Send

from videoflix.platform.events import newsroom
from videoflix.platform.metrics import answers_found, answers_missed

KEPT = 2_000
UNHEARD_SECONDS = 1.0

HEADERS = {
    "Cache-Control": "private, no-cache",  # keep it, but ask each time
    "Vary": "Authorization, Cookie, X-Profile",
}


class Answer(Response[bytes]):
    """An encoded answer, sent as it is: most of a small request is else building its response.

    `until` limits it while nobody would tell us of changes.
    """

    def __init__(self, body: bytes, etag: str, until: float, status: int = 200) -> None:
        headers = {**HEADERS, "ETag": etag}
        if status == HTTP_200_OK:
            headers |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
        super().__init__(body, status_code=status, headers=headers)
        self.body, self.etag, self.until = body, etag, until
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


class AnswerCache:
    """Answers by request and by `audience`: a word that is equal for all who get the same.

    Every topic that begins with one of `prefixes` empties it.
    """

    def __init__(self, *prefixes: str) -> None:
        self._kept: dict[tuple[str, str, bytes], Answer] = {}
        self.generation = 0
        for prefix in prefixes:
            newsroom.pass_on(prefix, self.forget)
        newsroom.on_connect(self._forget_missed)

    def forget(self, _: str = "") -> None:
        self.generation += 1
        self._kept.clear()

    def find(self, request: Request[Any, Any, Any], audience: str) -> Answer | None:
        """The answer this process has, if it is still true."""
        answer = self._kept.get(_key(request, audience))
        if answer is None or (answer.until < time.monotonic() and not newsroom.hears):
            answers_missed.inc()
            return None
        answers_found.inc()
        return _respond(request, answer)

    def keep(
        self, request: Request[Any, Any, Any], audience: str, found: Any, since: int
    ) -> Answer:
        """Encode an answer, and keep it unless something changed after generation `since`."""
        body = msgspec.json.encode(found)
        digest = hashlib.sha256(body).hexdigest()[:32]
        answer = Answer(body, f'"{digest}"', time.monotonic() + UNHEARD_SECONDS)
        if since == self.generation:
            self._kept[_key(request, audience)] = answer
            if len(self._kept) > KEPT:
                del self._kept[next(iter(self._kept))]
        return _respond(request, answer)

    async def _forget_missed(self) -> None:
        self.forget()


def _key(request: Request[Any, Any, Any], audience: str) -> tuple[str, str, bytes]:
    return audience, request.scope["path"], request.scope["query_string"]


def _respond(request: Request[Any, Any, Any], answer: Answer) -> Answer:
    """The answer, or only that it is the one they know."""
    for name, value in request.scope["headers"]:
        if name == b"if-none-match" and answer.etag.encode() in value:
            return Answer(b"", answer.etag, answer.until, HTTP_304_NOT_MODIFIED)
    return answer
