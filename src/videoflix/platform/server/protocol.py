"""uvicorn's HTTP/1.1 protocol with bounds on what a client may send, and deadlines for it.

uvicorn and httptools keep every header a client sends, however large, and wait for its next byte
for ever. Here a request's head is bounded while it is read (431, 414), heads and bodies have to
make progress (408), and a client that stops reading its response is cut off. It is the server
that has to do it: when the application sees a request, its head is in memory already.
"""

import asyncio
import logging
import time
from http import HTTPStatus
from typing import Any, cast

import msgspec
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from videoflix.platform.server.connections import (
    Connections,
    client_key,
    raise_descriptor_limit,
)
from videoflix.settings import settings

HEAD_MAX_BYTES = 32 * 1024
HEADERS_MAX = 100
URL_MAX_BYTES = 8 * 1024
# Requests that may wait on a connection for the response to an earlier one.
PIPELINE_MAX = 8
# Chunked bodies (RFC 9112, 7.1): tolerated besides the body's own bytes, a chunk and in all.
CHUNK_OVERHEAD_BYTES = 16
FRAMING_MAX_BYTES = 512 * 1024
# Clients have to send and to read at least this fast, over STALL seconds.
BYTES_PER_SECOND = 500
# How long a client may go on sending after its request was answered or refused.
LINGER_SECONDS = 2.0

SENTENCES = {
    HTTPStatus.BAD_REQUEST: "This is no valid HTTP/1.1 request.",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive in time; send it again.",
    HTTPStatus.REQUEST_URI_TOO_LONG: f"An address may have {URL_MAX_BYTES} bytes.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"All headers together may have {HEAD_MAX_BYTES} bytes, and be {HEADERS_MAX} at most."
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many connections are open; try again shortly.",
}

MALFORMED_LOG_SECONDS = 10.0

_descriptors = raise_descriptor_limit()
connections = Connections(
    most=lambda: min(settings.http_connections, _descriptors),
    most_per_client=lambda: settings.http_connections_per_client,
)


class Refused(Exception):
    """Stops the parser; the status is kept in the protocol."""


class MalformedRequests(logging.Filter):
    """Log uvicorn's warning at most once in MALFORMED_LOG_SECONDS, with a count."""

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._logged_at = -MALFORMED_LOG_SECONDS

    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg != "Invalid HTTP request received.":
            return True
        self._count += 1
        now = time.monotonic()
        if now - self._logged_at < MALFORMED_LOG_SECONDS:
            return False
        record.msg, record.args = "refused %d invalid HTTP requests", (self._count,)
        self._count, self._logged_at = 0, now
        return True


logging.getLogger("uvicorn.error").addFilter(MalformedRequests())


class BoundedHttpProtocol(HttpToolsProtocol):
    """One connection. `uvicorn --http videoflix.platform.server.protocol:BoundedHttpProtocol`."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.address = ""
        self._refusal: HTTPStatus | None = None
        self._close_at: float | None = None
        self._pipeline_is_full = False
        self._served = 0
        # The head that is being read: how much of it came, and since when.
        self._head_bytes = 0
        self._head_since = 0.0
        # The body that is being read.
        self._in_body = False
        self._framed_bytes = 0
        self._tolerated_bytes = 0
        # Progress of the client's sending and reading.
        self._received = Window()
        self._sent = Window()
        self._unsent = 0

    # --- connections ---

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self.address = client_key(self.client)
        self._head_since = self.loop.time()
        if not connections.add(self):
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE)
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        connections.discard(self)
        super().connection_lost(exc)

    def evict(self) -> None:
        """Close an idle connection to make room for another one."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    # --- bounds while reading ---

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return  # the rest of what was refused
        self._received.add(len(data))
        offset = 0
        while offset < len(data) and self._refusal is None and not self.transport.is_closing():
            offset += self._feed(data, offset)

    def _feed(self, data: bytes, offset: int) -> int:
        """Parse what may be parsed at once; how many bytes that was."""
        if self._in_body:
            piece = data[offset:] if offset else data
            self._framed_bytes += len(piece)
        else:
            if self._head_bytes == 0:
                self._head_since = self.loop.time()
            piece = data[offset : offset + HEAD_MAX_BYTES - self._head_bytes]
            self._head_bytes += len(piece)
        super().data_received(piece)
        if self._in_body and self._framed_bytes > self._tolerated_bytes + FRAMING_MAX_BYTES:
            self._refuse(HTTPStatus.BAD_REQUEST)
        if self._head_bytes >= HEAD_MAX_BYTES:
            self._refuse(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
        return len(piece)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > URL_MAX_BYTES:
            self._stop(HTTPStatus.REQUEST_URI_TOO_LONG)

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            return  # a trailer (RFC 9110, 6.5): it must not become a header afterwards
        super().on_header(name, value)
        if len(self.headers) > HEADERS_MAX:
            self._stop(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)

    def on_headers_complete(self) -> None:
        if len(self.pipeline) >= PIPELINE_MAX:
            self._pipeline_is_full = True
            self._stop(HTTPStatus.BAD_REQUEST)
        if not self._has_one_host():
            self._stop(HTTPStatus.BAD_REQUEST)
        self._head_bytes = 0
        self._in_body = True
        self._framed_bytes = self._tolerated_bytes = 0
        self._received.restart()
        self._served += 1
        super().on_headers_complete()
        connections.mark_busy(self)

    def on_body(self, body: bytes) -> None:
        self._tolerated_bytes += 2 * len(body)
        super().on_body(body)

    def on_chunk_header(self) -> None:
        """The parser's hook: a chunk begins."""
        self._tolerated_bytes += CHUNK_OVERHEAD_BYTES

    def on_message_complete(self) -> None:
        self._in_body = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._head_since = self.loop.time()
        if not self._is_answering():
            connections.mark_idle(self)
            if self._in_body:  # answered before the request was complete
                self._close_at = self.loop.time() + LINGER_SECONDS

    def _has_one_host(self) -> bool:
        """RFC 9112, 3.2: one Host, or a proxy and we may disagree about whom a request is for."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        return hosts == 1 or (hosts == 0 and self.parser.get_http_version() == "1.0")

    # --- refusals ---

    def _stop(self, status: HTTPStatus) -> None:
        """Leave the parser; uvicorn calls send_400_response then."""
        self._stopped_for = status
        raise Refused

    _stopped_for = HTTPStatus.BAD_REQUEST

    def send_400_response(self, msg: str) -> None:
        if self._pipeline_is_full:
            self._refusal = self._stopped_for  # read nothing more
            self.cycle.keep_alive = False  # close after the response to the last request kept
        else:
            self._refuse(self._stopped_for)

    def _refuse(self, status: HTTPStatus) -> None:
        """Answer, unless an answer is under way already, and close."""
        if self._refusal is not None or self.transport.is_closing():
            return
        self._refusal = status
        answerable = True
        if self._is_answering():
            answerable = self._in_body and not self.pipeline and not self.cycle.response_started
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.pipeline.clear()
        self._close_at = self.loop.time() + LINGER_SECONDS
        if not answerable:
            self.transport.close()
            return
        self.transport.write(refusal(status, self.server_state.default_headers))
        if self.transport.can_write_eof():
            self.transport.write_eof()  # closing at once would discard what we wrote

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # --- deadlines ---

    def resume_writing(self) -> None:
        self._sent.restart()
        super().resume_writing()

    def sweep(self, now: float) -> None:
        """Called twice a second."""
        is_over = self._close_at is not None and now > self._close_at
        if is_over or self._reads_too_slowly(now):
            self.transport.abort()
        elif self.transport.is_closing() or self._refusal is not None:
            return
        elif self._is_answering():
            if self._in_body and self._sends_too_slowly(now):
                self._refuse(HTTPStatus.REQUEST_TIMEOUT)
        elif self._head_is_late(now):
            self._refuse(HTTPStatus.REQUEST_TIMEOUT)

    def _head_is_late(self, now: float) -> bool:
        """Between requests uvicorn's own timer counts."""
        expects_head = self._head_bytes > 0 or self._served == 0
        return expects_head and now - self._head_since > settings.http_header_seconds

    def _sends_too_slowly(self, now: float) -> bool:
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._received.restart()  # it is us who do not read
        return self._received.is_stalled(now)

    def _reads_too_slowly(self, now: float) -> bool:
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        if self._unsent == 0:
            self._sent.restart()
            return False
        self._sent.add(max(0, before - self._unsent))
        return self._sent.is_stalled(now)


class Window:
    """Bytes that moved since the window began; it restarts each time it is over."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._moved = 0

    def restart(self) -> None:
        self._since, self._moved = None, 0

    def add(self, count: int) -> None:
        self._moved += count

    def is_stalled(self, now: float) -> bool:
        """Whether the window is over and less moved than BYTES_PER_SECOND."""
        seconds = settings.http_stall_seconds
        if self._since is None:
            self._since = now
        if now - self._since < seconds:
            return False
        stalled = self._moved < BYTES_PER_SECOND * seconds
        self._since, self._moved = now, 0
        return stalled


def refusal(status: HTTPStatus, headers: list[tuple[bytes, bytes]]) -> bytes:
    """A problem as the application answers them."""
    body = msgspec.json.encode(
        {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": SENTENCES[status],
        }
    )
    lines = [
        *headers,
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
        (b"x-content-type-options", b"nosniff"),
        (b"connection", b"close"),
    ]
    head = b"".join(name + b": " + value + b"\r\n" for name, value in lines)
    return STATUS_LINE[status.value] + head + b"\r\n" + body
