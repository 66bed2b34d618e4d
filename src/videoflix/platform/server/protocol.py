"""uvicorn's HTTP/1.1 protocol with size limits and timeouts.

uvicorn and httptools accept headers of any size and wait for a client's next byte without a limit.
This protocol limits a request's head while it is read (431, 414), enforces a minimum data rate on
heads and bodies (408), and disconnects clients that stop reading. This belongs in the server: when
the application sees a request, its head is already in memory.
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
# Maximum number of pipelined requests per connection.
PIPELINE_MAX = 8
# Chunked bodies (RFC 9112, 7.1): framing overhead allowed per chunk and in total, in bytes.
CHUNK_OVERHEAD_BYTES = 16
FRAMING_MAX_BYTES = 512 * 1024
# Minimum data rate in both directions, averaged over HTTP_STALL_SECONDS.
BYTES_PER_SECOND = 500
# How long a client may keep sending after its request was answered or refused.
LINGER_SECONDS = 2.0

DETAILS = {
    HTTPStatus.BAD_REQUEST: "This is not a valid HTTP/1.1 request.",
    HTTPStatus.REQUEST_TIMEOUT: "The request did not arrive in time; send it again.",
    HTTPStatus.REQUEST_URI_TOO_LONG: f"The URL exceeds {URL_MAX_BYTES} bytes.",
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE: (
        f"The headers exceed {HEAD_MAX_BYTES} bytes in total or {HEADERS_MAX} fields."
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: "Too many open connections; try again shortly.",
}

MALFORMED_LOG_SECONDS = 10.0

_descriptors = raise_descriptor_limit()
connections = Connections(
    most=lambda: min(settings.http_connections, _descriptors),
    most_per_client=lambda: settings.http_connections_per_client,
)


class Refused(Exception):
    """Stops the parser; the protocol keeps the status."""


class MalformedRequests(logging.Filter):
    """Log uvicorn's warning at most once per MALFORMED_LOG_SECONDS, with a count."""

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
    """One HTTP/1.1 connection, for `uvicorn --http MODULE:BoundedHttpProtocol`."""

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
        # The head that is being read: bytes so far, and start time.
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
        """Close this idle connection in favour of a new one."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            self.transport.close()

    # --- limits while reading ---

    def data_received(self, data: bytes) -> None:
        if self._refusal is not None:
            return  # discard the rest of a refused request
        self._received.add(len(data))
        offset = 0
        while offset < len(data) and self._refusal is None and not self.transport.is_closing():
            offset += self._feed(data, offset)

    def _feed(self, data: bytes, offset: int) -> int:
        """Feed the parser up to the head's limit; return the number of bytes consumed."""
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
            return  # ignore trailers (RFC 9110, 6.5): they must not become headers
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
        """httptools callback at the start of a chunk."""
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
        """Require exactly one Host (RFC 9112, 3.2) to prevent request-routing confusion."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        return hosts == 1 or (hosts == 0 and self.parser.get_http_version() == "1.0")

    # --- refusals ---

    def _stop(self, status: HTTPStatus) -> None:
        """Abort parsing; uvicorn then calls send_400_response."""
        self._stopped_for = status
        raise Refused

    _stopped_for = HTTPStatus.BAD_REQUEST

    def send_400_response(self, msg: str) -> None:
        if self._pipeline_is_full:
            self._refusal = self._stopped_for  # stop reading
            self.cycle.keep_alive = False  # close after the response to the last accepted request
        else:
            self._refuse(self._stopped_for)

    def _refuse(self, status: HTTPStatus) -> None:
        """Send an error response, unless a response has started, and close."""
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
            self.transport.write_eof()  # closing at once would discard the response

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    # --- deadlines ---

    def resume_writing(self) -> None:
        self._sent.restart()
        super().resume_writing()

    def sweep(self, now: float) -> None:
        """Enforce the timeouts; called every SWEEP_SECONDS."""
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
        """Return whether a head is overdue; between requests uvicorn's own timeout applies."""
        expects_head = self._head_bytes > 0 or self._served == 0
        return expects_head and now - self._head_since > settings.http_header_seconds

    def _sends_too_slowly(self, now: float) -> bool:
        if self.flow.read_paused or self.cycle.waiting_for_100_continue:
            self._received.restart()  # the server has paused reading
        return self._received.is_stalled(now)

    def _reads_too_slowly(self, now: float) -> bool:
        before, self._unsent = self._unsent, self.transport.get_write_buffer_size()
        if self._unsent == 0:
            self._sent.restart()
            return False
        self._sent.add(max(0, before - self._unsent))
        return self._sent.is_stalled(now)


class Window:
    """Counts the bytes transferred in a tumbling window of HTTP_STALL_SECONDS."""

    def __init__(self) -> None:
        self._since: float | None = None
        self._moved = 0

    def restart(self) -> None:
        self._since, self._moved = None, 0

    def add(self, count: int) -> None:
        self._moved += count

    def is_stalled(self, now: float) -> bool:
        """Return whether the window ended with less than BYTES_PER_SECOND."""
        seconds = settings.http_stall_seconds
        if self._since is None:
            self._since = now
        if now - self._since < seconds:
            return False
        stalled = self._moved < BYTES_PER_SECOND * seconds
        self._since, self._moved = now, 0
        return stalled


def refusal(status: HTTPStatus, headers: list[tuple[bytes, bytes]]) -> bytes:
    """Encode an error response in the application's problem format (RFC 9457)."""
    body = msgspec.json.encode(
        {
            "type": "about:blank",
            "title": status.phrase,
            "status": status.value,
            "detail": DETAILS[status],
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
