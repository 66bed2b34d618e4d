"""A proxy in front of a bucket: counts what is read, and answers 403 as when rights are lost."""

import http.client
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

FORBIDDEN = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "date", "server"}


class RefusingProxy(ThreadingHTTPServer):
    """Refuses requests of the methods in `refused` to paths that contain `part`."""

    daemon_threads = True

    def __init__(self, behind: str, part: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = urlsplit(behind).netloc
        self.part = part
        self.refused: set[str] = set()
        self.refusals = 0
        # Method, path and size of each response that was passed on.
        self.served: list[tuple[str, str, int]] = []
        self.delay_seconds = 0.0
        # Whether the first byte of what is written gets lost on the way.
        self.damages = False

    def bytes_read(self, end: str) -> int:
        """The bytes of all objects read whose path ends so."""
        return sum(
            size
            for method, path, size in self.served
            if method == "GET" and path.partition("?")[0].endswith(end)
        )

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RefusingProxy

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.command in self.server.refused and self.server.part in self.path:
            self.server.refusals += 1
            self._answer(403, {"Content-Type": "application/xml"}, FORBIDDEN)
            return
        if self.server.damages and self.command == "PUT" and self.server.part in self.path:
            body = b"\0" + body[1:]
        behind = http.client.HTTPConnection(self.server.behind, timeout=60)
        try:
            behind.request(self.command, self.path, body, dict(self.headers))
            answer = behind.getresponse()
            data = answer.read()
            time.sleep(self.server.delay_seconds)
            self.server.served.append((self.command, self.path, len(data)))
            length = answer.getheader("Content-Length") if self.command == "HEAD" else None
            headers = {k: v for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP}
            self._answer(answer.status, headers, data, length)
        finally:
            behind.close()

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on  # noqa: N815 - http.server's names

    def _answer(
        self, status: int, headers: dict[str, str], data: bytes, length: str | None = None
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", length or str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing: the base class writes to stderr."""


@contextmanager
def refusing_proxy(behind: str, part: str) -> Iterator[RefusingProxy]:
    """A proxy in a thread, in front of the server at `behind`."""
    proxy = RefusingProxy(behind, part)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        proxy.server_close()
