"""Real servers for benchmarks: a fresh embedded Postgres, an API process, and a cheap client."""

import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REQUESTS = 8_000
CONNECTIONS = 16

SERVER = """
import sys
import uvicorn
from litestar import get
from videoflix.app import create_app

@get("/same")
async def same() -> dict[str, str]:
    return {"status": "ok"}

app = create_app()
app.register(same)
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False, loop="uvloop")
"""
PREPARE = """
import asyncio
from videoflix.up.admin import migrate, create_admin
from videoflix.up.seed import bulk

async def main() -> None:
    await create_admin("ada@example.org", "correct horse battery staple", "", "", owner=False)
    await bulk(100)

migrate()
asyncio.run(main())
"""
BARE = """
import sys
from pathlib import Path
import uvicorn
from litestar import Litestar, Response, get

BYTES = Path(sys.argv[2]).read_bytes()

@get("/")
async def show() -> Response[bytes]:
    return Response(BYTES, media_type="application/json")

app = Litestar([show])
uvicorn.run(app, port=int(sys.argv[1]), log_level="error", access_log=False, loop="uvloop")
"""


@contextmanager
def server(**settings: str) -> Iterator[str]:
    """An API process on a fresh embedded Postgres; where it answers.

    Without limits on requests, unless `settings` say otherwise.
    """
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        environment = os.environ | {
            "VIDEOFLIX_HOME": home,
            "SECRET_KEY": "k" * 40,
            "TRUSTED_PROXIES": "127.0.0.1",
            "LOG_LEVEL": "WARNING",
            "THROTTLE_ANON": "off",
            "THROTTLE_USER": "off",
            **settings,
        }
        environment.pop("DATABASE_URL", None)
        with postgres(home):
            subprocess.run(
                [sys.executable, "-c", PREPARE],
                env=environment,
                check=True,
                stdout=subprocess.DEVNULL,
            )
            port = free_port()
            command = [sys.executable, "-c", SERVER, str(port)]
            with subprocess.Popen(command, env=environment) as process:
                try:
                    wait_for(port)
                    yield f"http://127.0.0.1:{port}"
                finally:
                    process.terminate()


@contextmanager
def bare_server(answer: bytes) -> Iterator[str]:
    """A Litestar application with one route, which answers these bytes; where it does."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(answer)
        file.flush()
        port = free_port()
        with subprocess.Popen([sys.executable, "-c", BARE, str(port), file.name]) as process:
            try:
                wait_for(port)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def wait_for(port: int) -> None:
    """Until somebody listens there. Raises ConnectionRefusedError after a minute."""
    for attempt in range(600):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if attempt == 599:
                raise
            time.sleep(0.1)
        else:
            return


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@contextmanager
def postgres(home: str) -> Iterator[None]:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from videoflix.platform.postgres.embedded import EmbeddedPostgres\n"
        "with EmbeddedPostgres(Path(sys.argv[1]) / 'postgres'):\n"
        "    print('up', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, home], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.stdin.close()


async def per_second(site: str, header: str = "", path: str = "/same") -> float:
    """Requests per second, sixteen at a time, by a client that costs less than the server."""
    host, port = site.removeprefix("http://").split(":")
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{header}\r\n".encode()

    async def some() -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for _ in range(REQUESTS // CONNECTIONS):
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split()[0]))
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*[some() for _ in range(CONNECTIONS)])
    return REQUESTS / (time.perf_counter() - begun)


def verdict(claim: str, found: float, limit: float, holds: bool) -> bool:
    print(f"  {claim:<44} {found:6.2f}  limit {limit:.2f}  {'ok' if holds else 'MISSED'}")
    return holds
