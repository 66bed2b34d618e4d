"""What signing in costs everybody else.

    uv run python benchmarks/auth.py

Two claims, each measured against its own limit in the same run, on a real server process:
a request with an access token reaches at least 85 % of the requests per second of the same route
without one (no query, one signature); and while eight people sign in over and over, which takes
19 MiB and tens of milliseconds each, the 99th percentile of /health/live stays below five times
its idle value.
"""

import asyncio
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx

ROUNDS = 7
REQUESTS = 8_000
CONNECTIONS = 16
SECONDS = 6.0
SIGN_INS = 8
PASSWORD = "correct horse battery staple"

SERVER = """
import sys
import uvicorn
from litestar import Litestar, get
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
migrate()
asyncio.run(create_admin("ada@example.org", "correct horse battery staple", "", ""))
"""


@contextmanager
def server() -> Iterator[str]:
    """An API process on a fresh embedded Postgres; where it answers."""
    with tempfile.TemporaryDirectory() as home:
        Path(home).chmod(0o711)
        environment = os.environ | {
            "VIDEOFLIX_HOME": home,
            "SECRET_KEY": "k" * 40,
            "TRUSTED_PROXIES": "127.0.0.1",
        }
        environment.pop("DATABASE_URL", None)
        with postgres(home):
            subprocess.run([sys.executable, "-c", PREPARE], env=environment, check=True)
            port = free_port()
            command = [sys.executable, "-c", SERVER, str(port)]
            with subprocess.Popen(command, env=environment) as process:
                try:
                    yield f"http://127.0.0.1:{port}"
                finally:
                    process.terminate()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])


@contextmanager
def postgres(home: str) -> Iterator[None]:
    program = (
        "import sys\nfrom pathlib import Path\n"
        "from videoflix.platform.embedded import EmbeddedPostgres\n"
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


async def per_second(site: str, header: str = "") -> float:
    """Requests per second, sixteen at a time, by a client that costs less than the server."""
    host, port = site.removeprefix("http://").split(":")
    request = f"GET /same HTTP/1.1\r\nHost: {host}\r\n{header}\r\n".encode()

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


async def p99(client: httpx.AsyncClient) -> float:
    """The 99th percentile of /health/live over some seconds, in milliseconds."""
    taken = []
    until = time.perf_counter() + SECONDS
    while time.perf_counter() < until:
        begun = time.perf_counter()
        (await client.get("/health/live")).raise_for_status()
        taken.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(0.005)
    return statistics.quantiles(taken, n=100)[98]


@asynccontextmanager
async def signing_in(site: str) -> AsyncIterator[list[int]]:
    """Eight people sign in for as long as this lasts, each from an address of their own."""
    statuses: list[int] = []

    async def keep_on(number: int) -> None:
        async with httpx.AsyncClient(base_url=site, timeout=30) as client:
            for turn in range(100_000):
                address = f"10.{number}.{turn // 250}.{turn % 250 + 1}"
                answer = await client.post(
                    "/api/v1/auth/token",
                    json={"email": "ada@example.org", "password": PASSWORD},
                    headers={"X-Forwarded-For": address},
                )
                statuses.append(answer.status_code)

    tasks = [asyncio.create_task(keep_on(number)) for number in range(SIGN_INS)]
    yield statuses
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def measure(site: str) -> bool:
    async with httpx.AsyncClient(base_url=site, timeout=30) as client:
        for _ in range(200):
            try:
                await client.get("/health/live")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.1)
        credentials = {"email": "ada@example.org", "password": PASSWORD}
        pair = (await client.post("/api/v1/auth/token", json=credentials)).json()
        token = f"Authorization: Bearer {pair['access']}\r\n"
        shares = []
        for _ in range(ROUNDS):
            stranger = await per_second(site)
            shares.append(await per_second(site, token) / stranger)
            print(f"  a stranger's requests/s: {stranger:.0f}")
        idle = await p99(client)
        async with signing_in(site) as statuses:
            busy = await p99(client)
        good = statuses.count(200)
        print(f"{good} sign-ins of {len(statuses)} meanwhile; p99 {idle:.1f} -> {busy:.1f} ms")
        share = statistics.median(shares)
        return all(
            [
                verdict("requests/s, signed in / stranger", share, 0.85, share >= 0.85),
                verdict("p99 of health, signing in / idle", busy / idle, 5.0, busy / idle <= 5.0),
                verdict("sign-ins that worked", good / len(statuses), 1.0, good == len(statuses)),
            ]
        )


def verdict(claim: str, found: float, limit: float, holds: bool) -> bool:
    print(f"  {claim:<36} {found:5.2f}  limit {limit:.2f}  {'ok' if holds else 'MISSED'}")
    return holds


if __name__ == "__main__":
    with server() as address:
        sys.exit(0 if asyncio.run(measure(address)) else 1)
