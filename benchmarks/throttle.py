"""What counting requests costs those who are not refused.

    uv run python benchmarks/throttle.py

Two claims, each measured against a server without limits in the same run: a remembered list, asked
for by one busy person, reaches at least 85 % of the requests per second. And the worst there is: a
route that does nothing, asked for by a thousand people who are all met for the first time, which
takes a statement for every sixteen, reaches at least 15 %.
"""

import sys
from pathlib import Path

# The project's root comes first, however this is started: beside it lies a queue.py of our own.
sys.path[0] = str(Path(__file__).parents[1])

import asyncio
import statistics
import time
from contextlib import ExitStack

import httpx

from benchmarks.serving import CONNECTIONS, per_second, server, verdict

ROUNDS = 5
PEOPLE = 1_000
LIST = "/api/v1/videos"
NO_END = "1000000/min"
PASSWORD = "correct horse battery staple"


async def header_of(site: str) -> str:
    async with httpx.AsyncClient(base_url=site) as client:
        credentials = {"email": "ada@example.org", "password": PASSWORD}
        pair = (await client.post("/api/v1/auth/token", json=credentials)).json()
    return f"Authorization: Bearer {pair['access']}\r\n"


async def strangers_per_second(site: str, turn: int) -> float:
    """Requests per second of strangers, each from an address that was never seen before."""
    host, port = site.removeprefix("http://").split(":")

    async def some(number: int) -> None:
        reader, writer = await asyncio.open_connection(host, int(port))
        for person in range(number, PEOPLE, CONNECTIONS):
            address = f"10.{turn}.{person // 250}.{person % 250 + 1}"
            head = f"GET /same HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {address}\r\n\r\n"
            writer.write(head.encode())
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200"), answer
            await reader.readexactly(int(answer.lower().split(b"content-length: ")[1].split()[0]))
        writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*[some(number) for number in range(CONNECTIONS)])
    return PEOPLE / (time.perf_counter() - begun)


async def measure(free: str, counted: str) -> bool:
    one, many = [], []
    headers = {site: await header_of(site) for site in (free, counted)}
    for turn in range(ROUNDS):
        limit = await per_second(free, headers[free], LIST)
        one.append(await per_second(counted, headers[counted], LIST) / limit)
        limit = await strangers_per_second(free, turn)
        many.append(await strangers_per_second(counted, turn) / limit)
        print(f"  {one[-1]:.2f} for one person, {many[-1]:.2f} for {PEOPLE} new ones")
    busy, new = statistics.median(one), statistics.median(many)
    return all(
        [
            verdict("requests/s of a busy person, counted / not", busy, 0.85, busy >= 0.85),
            verdict("requests/s of new people, counted / not", new, 0.15, new >= 0.15),
        ]
    )


if __name__ == "__main__":
    with ExitStack() as stack:
        free = stack.enter_context(server())
        counted = stack.enter_context(server(THROTTLE_USER=NO_END, THROTTLE_ANON=NO_END))
        sys.exit(0 if asyncio.run(measure(free, counted)) else 1)
