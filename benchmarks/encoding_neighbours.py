"""What encoding and a rush of sign-ins cost everybody else.

    uv run python benchmarks/encoding_neighbours.py [--seconds 8]

Two claims, each measured against the idle server in the same run, on one machine:
while two chunks are encoded at the same time, as a worker does it, the 99th percentile of a cheap
route of the API stays below three times its idle value; and while 400 people sign in at once, the
95th percentile of everybody else's requests does. Each busy measurement lies between two idle ones.
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
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory

import httpx

from benchmarks.auth import PASSWORD
from benchmarks.serving import server, verdict
from benchmarks.transcode import film_like

ENCODINGS = 2
SIGN_INS = 400
CHEAP = "/api/v1/categories"
LIMIT = 3.0
# What a worker does: chunks encoded two at a time, each over again, until it is killed.
ENCODING = """
import asyncio, sys
from pathlib import Path
from videoflix.media.encode import encode_chunk
from videoflix.media.plan import make_plan
from videoflix.media.probe.source import probe

async def no_report(frames):
    pass

async def main(source, folders):
    plan = make_plan(await probe(source))

    async def keep_on(folder):
        folder.mkdir()
        while True:
            print("begun", flush=True)
            await encode_chunk(source, plan, plan.spans[-1], folder, no_report)

    await asyncio.gather(*map(keep_on, folders))

asyncio.run(main(Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]))
"""
# Each from an address of its own. The visitors' machines are not the server's: lowest priority.
RUSH = """
import asyncio, collections, json, os, sys
import httpx

os.nice(19)

async def main(site, password, people):
    limits = httpx.Limits(max_connections=people)
    async with httpx.AsyncClient(base_url=site, timeout=120, limits=limits) as client:
        async def sign_in(number):
            answer = await client.post(
                "/api/v1/auth/token",
                json={"email": "ada@example.org", "password": password},
                headers={"X-Forwarded-For": f"10.1.{number // 250}.{number % 250 + 1}"},
            )
            return answer.status_code

        print("ready", flush=True)
        sys.stdin.readline()
        statuses = await asyncio.gather(*map(sign_in, range(people)))
    print(json.dumps(dict(sorted(collections.Counter(statuses).items()))))

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def percentile(taken: list[float], share: int) -> float:
    return statistics.quantiles(taken, n=100)[share - 1]


async def answer_times(client: httpx.AsyncClient, until: float) -> list[float]:
    """How long a cheap route takes, again and again until then, in milliseconds."""
    taken: list[float] = []
    while time.perf_counter() < until or len(taken) < 20:
        begun = time.perf_counter()
        try:
            answer = await client.get(CHEAP)
        except httpx.RemoteProtocolError:  # an idle connection made room for another client's
            answer = await client.get(CHEAP)
        answer.raise_for_status()
        taken.append((time.perf_counter() - begun) * 1000)
        await asyncio.sleep(0.005)
    return taken


@asynccontextmanager
async def encoding(source: Path, folder: Path) -> AsyncIterator[None]:
    """A program encodes chunks for as long as this lasts; it writes a line for each."""
    places = [str(folder / str(place)) for place in range(ENCODINGS)]
    command = [sys.executable, "-c", ENCODING, str(source), *places]
    program = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    assert program.stdout
    for _ in places:
        await program.stdout.readline()
    await asyncio.sleep(1)
    yield
    assert program.returncode is None
    program.kill()
    await program.communicate()


async def beside_encodings(client: httpx.AsyncClient, seconds: float) -> bool:
    with TemporaryDirectory() as name:
        source = Path(name) / "source.mp4"
        await asyncio.to_thread(film_like, source, 12)
        idle = await answer_times(client, time.perf_counter() + seconds)
        async with encoding(source, Path(name)):
            busy = await answer_times(client, time.perf_counter() + seconds)
        idle += await answer_times(client, time.perf_counter() + seconds)
    before, after = percentile(idle, 99), percentile(busy, 99)
    print(f"p99 {before:.1f} -> {after:.1f} ms, {len(busy)} requests")
    return verdict(
        "p99 of the API, encoding / idle", after / before, LIMIT, after <= LIMIT * before
    )


async def beside_sign_ins(client: httpx.AsyncClient, site: str, seconds: float) -> bool:
    idle = await answer_times(client, time.perf_counter() + seconds)
    rush = await started_rush(site)
    statuses = asyncio.create_task(statuses_of(rush))
    busy = []
    while not statuses.done():
        busy += await answer_times(client, 0)
    idle += await answer_times(client, time.perf_counter() + seconds)
    before, after = percentile(idle, 95), percentile(busy, 95)
    counted = await statuses
    print(f"sign-ins by status {counted}; p95 {before:.1f} -> {after:.1f} ms, {len(busy)} requests")
    refused = sum(counted[status] for status in counted.keys() - {"200", "429", "503"})
    return all(
        [
            verdict(
                "p95 of others, 400 sign-ins / idle", after / before, LIMIT, after <= LIMIT * before
            ),
            verdict("sign-ins that broke", refused, 0, refused == 0),
        ]
    )


async def started_rush(site: str) -> Process:
    """A program that signs 400 people in as soon as a line is sent to it: its own work does not
    count against the requests that are measured here.
    """
    command = [sys.executable, "-c", RUSH, site, PASSWORD, str(SIGN_INS)]
    rush = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE)
    assert rush.stdout
    await rush.stdout.readline()
    return rush


async def statuses_of(rush: Process) -> dict[str, int]:
    """How many sign-ins were answered by each status."""
    told, _ = await rush.communicate(b"\n")
    counted: dict[str, int] = json.loads(told)
    return counted


async def measure(site: str, seconds: float) -> bool:
    async with httpx.AsyncClient(base_url=site, timeout=120) as client:
        credentials = {"email": "ada@example.org", "password": PASSWORD}
        pair = (await client.post("/api/v1/auth/token", json=credentials)).json()
        client.headers["Authorization"] = f"Bearer {pair['access']}"
        held = [
            await beside_encodings(client, seconds),
            await beside_sign_ins(client, site, seconds),
        ]
    return all(held)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0)
    wanted = parser.parse_args()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"load of the machine before: {load}, {os.cpu_count()} processors")
    with server() as address:
        held = asyncio.run(measure(address, wanted.seconds))
    print(f"load after: {os.getloadavg()[0]:.1f}")
    sys.exit(0 if held else 1)
