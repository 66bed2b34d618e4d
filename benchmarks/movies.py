"""What remembering a provider's answers saves, and that equal questions are one.

    uv run python benchmarks/movies.py [--searches 60] [--latency 0.1]

A provider that takes a tenth of a second, in a process of its own, and the whole application:
searches that nobody made before against searches that somebody did; then a hundred equal ones at
once, which the provider must hear of once.
"""

import sys
from pathlib import Path

# The project's root comes first, however this is started: beside it lies a queue.py of our own.
sys.path[0] = str(Path(__file__).parents[1])

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from benchmarks.serving import verdict
from videoflix.platform.postgres.embedded import EmbeddedPostgres

CROWD = 100


class Provider(BaseHTTPRequestHandler):
    """Answers every search with ten movies; `/asked` says how often it was asked."""

    protocol_version = "HTTP/1.1"
    latency = 0.1
    asked = 0

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        found: Any = Provider.asked
        if parts.path != "/asked":
            Provider.asked += 1
            time.sleep(self.latency)
            (words,) = parse_qs(parts.query)["query"]
            found = {"total": 10, "items": [movie(number, words) for number in range(10)]}
        body = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    request_queue_size = 256


def movie(number: int, words: str) -> dict[str, Any]:
    return {
        "id": f"00000000-0000-4000-8000-{number:012x}",
        "title": f"{words} {number}",
        "description": "A film about a film. " * 10,
        "image_url": "https://pictures.example/1.jpg",
        "rating": 7.5,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--searches", type=int, default=60)
    parser.add_argument("--latency", type=float, default=0.1)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--provide", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.provide:
        return provide(options.latency)
    if options.measure:
        return 0 if asyncio.run(measure(options.searches)) else 1
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        with (
            EmbeddedPostgres(Path(home) / "postgres", durable=False) as postgres,
            provider(options.latency) as url,
        ):
            environment = os.environ | {
                "DATABASE_URL": postgres.dsn(),
                "VIDEOFLIX_HOME": home,
                "SECRET_KEY": "k" * 40,
                "MOVIES_PROVIDER": "november7",
                "MOVIES_URL": url,
            }
            ours = [sys.executable, "-m", "videoflix.cli", "migrate"]
            subprocess.run(ours, env=environment, check=True, capture_output=True)
            again = [sys.executable, "-m", "benchmarks.movies", "--measure", *sys.argv[1:]]
            return subprocess.run(again, env=environment).returncode


@contextmanager
def provider(latency: float) -> Iterator[str]:
    """A provider in a process of its own; where it answers."""
    command = [sys.executable, "-m", "benchmarks.movies", "--provide", "--latency", str(latency)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def provide(latency: float) -> int:
    Provider.latency = latency
    with Server(("127.0.0.1", 0), Provider) as server:
        print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
        server.serve_forever()
    return 0


async def measure(searches: int) -> bool:
    async with await signed_in() as client:
        await client.get("/api/v1/movies", params={"query": "warming up"})
        words = [f"film {number}" for number in range(searches)]
        unknown = await median_of(client, words)
        known = await median_of(client, words)
        print(f"  a new search: {unknown:.1f} ms, a remembered one: {known:.1f} ms")
        before = asked()
        begun = time.perf_counter()
        crowd = [client.get("/api/v1/movies", params={"query": "crowd"}) for _ in range(CROWD)]
        answers = await asyncio.gather(*crowd)
        taken = (time.perf_counter() - begun) * 1000
        print(f"  {CROWD} equal searches at once: {taken:.0f} ms in all")
    questions = asked() - before
    answered = sum(answer.status_code == 200 for answer in answers)
    return all(
        [
            verdict("remembered / not remembered", known / unknown, 0.25, known / unknown <= 0.25),
            verdict(f"questions for {CROWD} equal searches", questions, 1, questions == 1),
            verdict(f"answers to {CROWD} equal searches", answered, CROWD, answered == CROWD),
        ]
    )


async def signed_in() -> httpx.AsyncClient:
    # The application reads its settings when it is imported: only in this process.
    from videoflix.accounts.service import Accounts
    from videoflix.app import create_app
    from videoflix.platform.postgres.session import transaction
    from videoflix.sessions.service.sessions import Sessions

    async with transaction() as session:
        user = await Accounts(session).create_user(
            email="ada@example.org", password="correct horse battery staple"
        )
        pair = await Sessions(session).open(user)
    asgi: Any = create_app()
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(asgi),
        base_url="http://films",
        headers={"Authorization": f"Bearer {pair.access}"},
    )


async def median_of(client: httpx.AsyncClient, words: list[str]) -> float:
    """The median time of these searches, one after the other, in milliseconds."""
    taken = []
    for query in words:
        begun = time.perf_counter()
        answer = await client.get("/api/v1/movies", params={"query": query})
        taken.append((time.perf_counter() - begun) * 1000)
        assert answer.status_code == 200, answer.text
    return statistics.median(taken)


def asked() -> int:
    """How often the provider was asked so far."""
    from videoflix.settings import settings

    return int(httpx.get(f"{settings.movies_url}/asked", trust_env=False).json())


if __name__ == "__main__":
    sys.exit(main())
