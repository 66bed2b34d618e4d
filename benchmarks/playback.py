"""What playing costs one API process, on a two-hour film of synthetic rows and small bytes.

    uv run python benchmarks/playback.py

Ends with 1 when a goal is missed. Rates depend on the machine, whose load is printed with them.
"""

import sys
from pathlib import Path

# The project's root comes first, however this is started: beside it lies a queue.py of our own.
sys.path[0] = str(Path(__file__).parents[1])

import asyncio
import os
import re
import subprocess
import time

import psutil

from benchmarks.serving import CONNECTIONS, server, verdict

FILMS = 256
HOURS_2 = 1_800
RUNGS = ((1080, 1920), (720, 1280), (480, 854), (360, 640), (240, 426))
REQUESTS = 3_000
EMAIL, PASSWORD = "ada@example.org", "correct horse battery staple"

PREPARE = """
import asyncio, sys
from sqlalchemy import text
from videoflix.media.segment_index import pack
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage.media_storage import media_storage
from videoflix.up.seed import bulk

SEGMENTS, FILMS, RUNGS = {segments}, {films}, {rungs}
PLAN = '{{"frame_rate_num": 24, "frame_rate_den": 1, "segment_frames": 96}}'
CHUNK = 10

async def main() -> None:
    await bulk(FILMS)
    async with media_storage().writing("bench/part") as writer:
        await writer.write(bytes(42_000 * CHUNK + 800))
    packed = pack([(96, 800 + n * 42_000, 42_000) for n in range(CHUNK)])
    names = [(f"{{lines}}p", "video", width, lines) for lines, width in RUNGS]
    names.append(("audio", "audio", None, None))
    async with transaction() as session:
        await session.execute(text(
            "insert into media_asset (video_id, state, folder, source_key, source_name,"
            " source_bytes, source_sha256, plan, created_at, updated_at)"
            " select id, 'ready', 'bench/' || id, 'x', 'x', 1, '', cast(:plan as jsonb), now(),"
            " now() from video order by id limit :films"), {{"plan": PLAN, "films": FILMS}})
        for name, kind, width, height in names:
            await session.execute(text(
                "insert into media_rendition (asset_id, name, kind, width, height, max_bitrate,"
                " created_at, updated_at) select id, :name, :kind, :width, :height, 5000000, now(),"
                " now() from media_asset"),
                {{"name": name, "kind": kind, "width": width, "height": height}})
        await session.execute(text(
            "insert into media_part (rendition_id, chunk_index, key, codec, timescale, init_length,"
            " init_sha256, segments, created_at, updated_at)"
            " select r.id, n, 'bench/part', 'avc1.64001f', 24, 800, 'x', :packed, now(), now()"
            " from media_rendition as r, generate_series(0, :last) as n"),
            {{"packed": packed, "last": SEGMENTS // CHUNK - 1}})

asyncio.run(main())
"""


class Client:
    """Keeps connections open and speaks just enough HTTP to cost less than the server."""

    def __init__(self, site: str) -> None:
        self.host, _, port = site.removeprefix("http://").partition(":")
        self.port = int(port)

    async def get(self, path: str, headers: str = "", method: str = "GET", body: str = "") -> bytes:
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            return await self._ask(reader, writer, path, headers, method, body)
        finally:
            writer.close()

    async def per_second(self, paths: list[str], status: int, headers: str = "") -> float:
        """Requests a second, sixteen at a time, each path in turn."""
        statuses: set[bytes] = set()

        async def some(first: int) -> None:
            reader, writer = await asyncio.open_connection(self.host, self.port)
            for number in range(first, REQUESTS, CONNECTIONS):
                path = paths[number % len(paths)]
                answer = await self._ask(reader, writer, path, headers, "GET", "", whole=True)
                statuses.add(answer.split(b" ", 2)[1])
            writer.close()

        begun = time.perf_counter()
        await asyncio.gather(*[some(first) for first in range(CONNECTIONS)])
        assert statuses == {str(status).encode()}, statuses
        return REQUESTS / (time.perf_counter() - begun)

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        path: str,
        headers: str,
        method: str,
        body: str,
        *,
        whole: bool = False,
    ) -> bytes:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\n{headers}{length}\r\n{body}".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", head.lower())
        content = await reader.readexactly(int(size[1])) if size else b""
        return head if whole else content


async def playlists(client: Client, film: int, headers: str) -> list[str]:
    """The addresses of a film's media playlists, by a play token."""
    answer = await client.get(f"/api/v1/videos/{film}/play", headers, "POST")
    found = re.search(rb'"master_url":"([^"]+)"', answer)
    assert found, answer
    master = (await client.get(found[1].decode())).decode()
    names = [*re.findall(r'URI="([^"]+)"', master)]
    names += [line for line in master.splitlines() if line and not line.startswith("#")]
    return [f"/api/v1/videos/{film}/{name}" for name in names]


async def measure(site: str, process: psutil.Process) -> bool:
    client = Client(site)
    body = f'{{"email":"{EMAIL}","password":"{PASSWORD}"}}'
    json = "Content-Type: application/json\r\n"
    pair = await client.get("/api/v1/auth/token", json, "POST", body)
    access = re.search(rb'"access":"([^"]+)"', pair)
    assert access, pair
    headers = f"Authorization: Bearer {access[1].decode()}\r\n"
    playlist = (await playlists(client, 1, headers))[1]
    text = await client.get(playlist)
    assert text.count(b"#EXTINF") == HOURS_2
    zipped = await client.get(playlist, "Accept-Encoding: gzip\r\n")
    same = await client.per_second(["/same"], 200)
    cpu = process.cpu_times().user + process.cpu_times().system
    lists = await client.per_second([playlist], 200, "Accept-Encoding: gzip\r\n")
    now = process.cpu_times()
    milliseconds = (now.user + now.system - cpu) / REQUESTS * 1000
    folder = playlist.removesuffix("index.m3u8")
    known = [f"{folder}{number:05}.m4s" for number in range(HOURS_2)]
    invented = [f"{folder}{9_000_000 + number}.m4s" for number in range(1_000)]
    elsewhere = [path.replace("/assets/", "/assets/9") for path in invented]
    segments = await client.per_second(known, 200)
    unknown = await client.per_second(invented, 404)
    assets = await client.per_second(elsewhere, 404)
    for film in range(1, FILMS + 1):
        for path in await playlists(client, film, headers):
            await client.get(path, "Accept-Encoding: gzip\r\n")
    held = process.memory_info().rss / 2**20
    print(f"a bare route answers {same:.0f} requests/s here; load {os.getloadavg()[0]:.1f}")
    print(f"segments of 42 KB: {segments:.0f}/s; the playlist has {len(text)} bytes")
    results = [
        verdict("media playlist, gzipped, KB", len(zipped) / 1000, 60, len(zipped) <= 60_000),
        verdict("media playlist, CPU ms a request", milliseconds, 2, milliseconds <= 2),
        verdict("media playlists a second", lists, 300, lists >= 300),
        verdict("invented segments / bare route", unknown / same, 0.5, unknown >= 0.5 * same),
        verdict("invented assets / bare route", assets / same, 0.5, assets >= 0.5 * same),
        verdict(f"MiB held after {FILMS} films", held, 300, held <= 300),
    ]
    return all(results)


def main() -> int:
    with server() as site:
        port = int(site.rpartition(":")[2])
        found = [one for one in psutil.Process().children() if str(port) in one.cmdline()]
        environment = found[0].environ()
        script = PREPARE.format(segments=HOURS_2, films=FILMS, rungs=RUNGS)
        subprocess.run([sys.executable, "-c", script], env=environment, check=True)
        return 0 if asyncio.run(measure(site, found[0])) else 1


if __name__ == "__main__":
    raise SystemExit(main())
