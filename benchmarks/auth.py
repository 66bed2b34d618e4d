"""What signing in costs everybody else.

    uv run python benchmarks/auth.py

Two claims, each measured against its own limit in the same run, on a real server process:
a request with an access token reaches at least 85 % of the requests per second of the same route
without one (no query, one signature); and while eight people sign in over and over, which takes
19 MiB and tens of milliseconds each, the 99th percentile of /health/live stays below five times
its idle value.
"""

import sys
from pathlib import Path

# The project's root comes first, however this is started: beside it lies a queue.py of our own.
sys.path[0] = str(Path(__file__).parents[1])

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx

from benchmarks.serving import per_second, server, verdict

ROUNDS = 7
SECONDS = 6.0
SIGN_INS = 8
PASSWORD = "correct horse battery staple"


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


if __name__ == "__main__":
    with server() as address:
        sys.exit(0 if asyncio.run(measure(address)) else 1)
