"""A receiver of webhooks on a port of its own, and what it does wrong."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook


class Receiver:
    """Records each request; `statuses` are used up one by one, the last one stays."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.statuses = [204]
        self.headers: dict[str, str] = {}
        self.body = b""
        self.pause = 0.0
        self.busy = self.most_busy = 0
        self.port = 0
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    def verified(self, secret: str) -> list[dict[str, Any]]:
        """The bodies, each verified by the published library."""
        return [Webhook(secret).verify(body, headers) for headers, body in self.requests]

    def by_object(self, name: str) -> dict[int, list[str]]:
        """The types that arrived for each object, in order."""
        found: dict[int, list[str]] = {}
        for _, body in self.requests:
            event = json.loads(body)
            found.setdefault(event["data"][name], []).append(event["type"])
        return found

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers["content-length"]))
        with self._lock:
            headers = {name.lower(): value for name, value in handler.headers.items()}
            self.requests.append((headers, body))
            status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            self.busy += 1
            self.most_busy = max(self.busy, self.most_busy)
        time.sleep(self.pause)
        with self._lock:
            self.busy -= 1
        try:
            handler.send_response(status)
            for name, value in {"content-length": str(len(self.body)), **self.headers}.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(self.body)
        except OSError:
            pass  # the sender has read enough


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.respond(self)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 64  # with a full backlog, connecting takes a second

    server = Server(("127.0.0.1", 0), Handler)
    receiver.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()
