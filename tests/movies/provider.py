"""A process like the provider November 7, after its contract; tests tell it how to misbehave.

    python tests/movies/provider.py PORT

`GET /be?mode=slow` changes what it does from then on, `GET /asked` counts the questions so far.
"""

import json
import sys
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

TITLES = ["The Matrix", "Inception", "Avatar", "The Matrix", "Amélie", "The Matrix Reloaded"]
MOVIES = [
    {
        "id": f"00000000-0000-4000-8000-{number:012x}",
        "title": TITLES[number % len(TITLES)],
        "description": f"Film number {number}.",
        "image_url": f"https://pictures.example/{number}.jpg",
        "rating": 5.5,
    }
    for number in range(96)
]
# What a lying one says, each instead of a page.
LIES: dict[str, object] = {
    "lie-list": [],
    "lie-null": None,
    "lie-total": {"total": "13", "items": []},
    "lie-negative": {"total": -1, "items": []},
    "lie-endless-total": {"total": 10**30, "items": []},
    "lie-surrogate": {"total": 1, "items": [MOVIES[0] | {"title": "\ud800 alone"}]},
    "lie-id": {"total": 1, "items": [MOVIES[0] | {"id": 7}]},
    "lie-title": {"total": 1, "items": [MOVIES[0] | {"title": ["The", "Matrix"]}]},
    "lie-rating": {"total": 1, "items": [MOVIES[0] | {"rating": "5.5"}]},
    "lie-picture": {"total": 1, "items": [MOVIES[0] | {"image_url": {"src": "x"}}]},
    "lie-items": {"total": 1, "items": {"0": MOVIES[0]}},
}


class Provider(BaseHTTPRequestHandler):
    """One request; what they share is kept on the class."""

    protocol_version = "HTTP/1.1"
    mode = "well"
    asked = 0
    at_once = 0
    most_at_once = 0
    elsewhere = ""
    last: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        if parts.path == "/be":
            Provider.mode = query["mode"][0]
            Provider.elsewhere = query.get("elsewhere", [""])[0]
            self.answer(Provider.mode)
        elif parts.path == "/asked":
            counted = {"asked": Provider.asked, "most_at_once": Provider.most_at_once}
            self.answer(counted | {"last": Provider.last})
        elif parts.path in {"/movies", "/movies/"}:
            Provider.asked += 1
            Provider.last = {"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}
            Provider.at_once += 1
            Provider.most_at_once = max(Provider.most_at_once, Provider.at_once)
            self.behave(query)
            Provider.at_once -= 1
        else:
            self.answer({"detail": "Not Found"}, 404)

    def behave(self, query: dict[str, list[str]]) -> None:
        behaviours: dict[str, Callable[[], None]] = {
            "slow": lambda: time.sleep(30),
            "tardy": lambda: self.page(query, after=0.3),
            "dripping": self.drip,
            "broken": lambda: self.answer({"detail": "Internal Server Error"}, 500),
            "garbage": lambda: self.send(b"<html>It works!</html>"),
            "no-utf8": lambda: self.send(b'{"total": 1, "items": "\xff\xfe"}'),
            "deep": lambda: self.send(b"[" * 200_000),
            "endless": self.pour,
            "huge": lambda: self.answer({"total": 0, "items": [], "more": "x" * 5 * 1024 * 1024}),
            "redirecting": self.redirect,
            "hiccuping": self.hiccup,
            "hanging-up": self.connection.close,
            "gzipped": lambda: self.send(b"\x1f\x8b\x08\x00", encoding="gzip"),
            "refusing": lambda: self.complain("query"),
            "titles-only": lambda: self.answer({"total": 1, "items": [titles_only()]}),
            "nul": lambda: self.answer({"total": 1, "items": [MOVIES[0] | {"title": "a\0b"}]}),
            "script": lambda: self.answer({"total": 1, "items": [MOVIES[0] | SCRIPT]}),
        }
        if Provider.mode in LIES:
            self.answer(LIES[Provider.mode])
        else:
            behaviours.get(Provider.mode, lambda: self.page(query))()

    def page(self, query: dict[str, list[str]], after: float = 0.0) -> None:
        """As agreed."""
        time.sleep(after)
        try:
            skip, limit = (int(query.get(name, [d])[0]) for name, d in (("skip", 0), ("limit", 10)))
        except ValueError:
            self.complain("skip")
            return
        words = query.get("query", [""])[0].lower()
        found = [movie for movie in MOVIES if words in str(movie["title"]).lower()]
        self.answer({"total": len(found), "items": found[skip : skip + limit]})

    def complain(self, name: str) -> None:
        complaint = {"loc": ["query", name], "msg": "not valid", "type": "value_error"}
        self.answer({"detail": [complaint]}, 422)

    def drip(self) -> None:
        """A byte now and then: every single read is in time."""
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        for _ in range(100):
            self.wfile.write(b" ")
            time.sleep(0.1)

    def pour(self) -> None:
        """Never an end."""
        self.send_response(200)
        self.send_header("Connection", "close")
        self.end_headers()
        while True:
            self.wfile.write(b" " * 65536)

    def redirect(self) -> None:
        self.send_response(302)
        self.send_header("Location", f"{Provider.elsewhere}/movies/?query=stolen")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def hiccup(self) -> None:
        """Fails once, then works."""
        Provider.mode = "well"
        self.answer({"detail": "Service Unavailable"}, 503)

    def do_POST(self) -> None:
        self.answer({"detail": "Method Not Allowed"}, 405)

    do_PUT = do_PATCH = do_DELETE = do_POST  # noqa: N815 - the names http.server calls

    def answer(self, body: object, status: int = 200) -> None:
        self.send(json.dumps(body).encode(), status)

    def send(self, body: bytes, status: int = 200, encoding: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Nothing: tests read what they asked for."""


SCRIPT = {"image_url": "javascript:alert(1)", "rating": None}


def titles_only() -> dict[str, object]:
    """As the earliest version of the provider wrote a movie."""
    return {"id": MOVIES[0]["id"], "title": MOVIES[0]["title"]}


class Server(ThreadingHTTPServer):
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that hang up are expected."""


if __name__ == "__main__":
    with Server(("127.0.0.1", int(sys.argv[1])), Provider) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()
