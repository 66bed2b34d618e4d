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
from litestar.enums import MediaType

from videoflix.platform.events import newsroom

KEPT = 2_000
UNHEARD_SECONDS = 1.0

HEADERS = {
    "Cache-Control": "private, no-cache",  # keep it, but ask each time
    "Vary": "Authorization, Cookie, X-Profile",
}


class Answer(msgspec.Struct, frozen=True):
    """An encoded answer; `until` limits it while nobody would tell us of changes."""

    body: bytes
    etag: str
    until: float


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

    def find(self, request: Request[Any, Any, Any], audience: str) -> Response[bytes] | None:
        """The answer this process has, if it is still true."""
        answer = self._kept.get(_key(request, audience))
        if answer is None or (answer.until < time.monotonic() and not newsroom.hears):
            return None
        return _respond(request, answer)

    def keep(
        self, request: Request[Any, Any, Any], audience: str, found: Any, since: int
    ) -> Response[bytes]:
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


def _respond(request: Request[Any, Any, Any], answer: Answer) -> Response[bytes]:
    headers = {**HEADERS, "ETag": answer.etag}
    known = request.headers.get("if-none-match", "")
    if answer.etag in known:
        return Response(b"", status_code=304, headers=headers)
    return Response(answer.body, media_type=MediaType.JSON, headers=headers)
