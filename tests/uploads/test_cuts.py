"""Two API processes, and connections that break anywhere: no acknowledged byte is lost.

UPLOAD_CUTS=1000 breaks as many connections.
"""

import asyncio
import hashlib
import os
import random
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from api_process import Server, read_all, serving
from conftest import PASSWORD
from queue_helpers import rows, run_jobs
from uploads.tus_client import BYTES, TUS, UPLOADS, metadata
from videoflix.accounts.service import Accounts
from videoflix.platform.auth.identity import Role
from videoflix.platform.postgres.session import transaction
from videoflix.platform.storage.media_storage import Storage
from videoflix.sessions.service.sessions import Sessions
from videoflix.worker import queue

pytestmark = pytest.mark.journey

CUTS = int(os.environ.get("UPLOAD_CUTS", "30"))
SIZE = 24 * 1024 * 1024 + 11


@pytest.fixture
async def token(committed: None) -> str:
    async with transaction() as session:
        user = await Accounts(session).create_user(
            email="editor@example.org", password=PASSWORD, role=Role.EDITOR
        )
        return (await Sessions(session).open(user)).access


@pytest.fixture
async def shared(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """A storage that other processes use too."""
    if storage.local is None:
        monkeypatch.setenv("STORAGE_URL", storage.url)
    return storage


@contextmanager
def replicas() -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(serving()) for _ in range(2)]


class Client:
    """A client that finds out where to continue after each failure."""

    def __init__(self, token: str, content: bytes, chance: random.Random) -> None:
        self.headers = TUS | {"Authorization": f"Bearer {token}"}
        self.content = content
        self.chance = chance
        self.acknowledged = 0

    def create(self, server: Server) -> str:
        headers = self.headers | {
            "Upload-Length": str(len(self.content)),
            "Upload-Metadata": metadata(filename="film.mp4"),
        }
        answer = httpx.post(f"{server.url}{UPLOADS}", headers=headers)
        assert answer.status_code == 201, answer.text
        return answer.headers["location"]

    def offset(self, server: Server, path: str) -> int:
        answer = httpx.head(f"{server.url}{path}", headers=self.headers)
        assert answer.status_code == 200, answer.status_code
        offset = int(answer.headers["upload-offset"])
        assert offset >= self.acknowledged, "acknowledged bytes were lost"
        self.acknowledged = offset
        return offset

    def head_of_patch(self, path: str, offset: int, length: int) -> bytes:
        headers = self.headers | BYTES | {"Upload-Offset": str(offset), "Host": "test"}
        headers["Content-Length"] = str(length)
        lines = [f"PATCH {path} HTTP/1.1", *(f"{name}: {one}" for name, one in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def cut(self, server: Server, path: str, offset: int) -> None:
        """Send some bytes of the rest, and break the connection in one of two ways."""
        rest = self.content[offset:]
        count = self.chance.randrange(min(len(rest), 3 * SIZE // CUTS))
        with server.connect(self.head_of_patch(path, offset, len(rest))) as opened:
            opened.sendall(rest[:count])
            time.sleep(self.chance.choice([0, 0, 0.02, 0.1]))
            if self.chance.random() < 0.5:  # reset instead of close
                linger = struct.pack("ii", 1, 0)
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    def finish(self, server: Server, path: str) -> None:
        """Send the rest; while the request before is still noticed as running, try again."""
        for _ in range(100):
            offset = self.offset(server, path)
            if offset == len(self.content):
                return
            answer = httpx.patch(
                f"{server.url}{path}",
                headers=self.headers | BYTES | {"Upload-Offset": str(offset)},
                content=self.content[offset:],
                timeout=60,
            )
            if answer.status_code == 204:
                assert answer.headers["upload-offset"] == str(len(self.content))
                return
            assert answer.status_code in {409, 423}, answer.text
            time.sleep(0.2)
        raise AssertionError("the upload stays locked")


async def assert_stored(storage: Storage, content: bytes) -> None:
    async with queue.open_async():
        await run_jobs(queue_name="default")
    [asset] = await rows("select source_key, source_bytes, source_sha256 from media_asset")
    assert asset["source_bytes"] == len(content)
    assert asset["source_sha256"] == hashlib.sha256(content).hexdigest()
    digest = hashlib.sha256()
    async for piece in storage.stream(asset["source_key"]):
        digest.update(piece)
    assert digest.hexdigest() == asset["source_sha256"]
    assert await storage.keys("uploads") == []
    assert len(await rows("select id from video")) == 1


async def test_upload_survives_cut_connections(token: str, shared: Storage) -> None:
    chance = random.Random(7)
    client = Client(token, random.Random(8).randbytes(SIZE), chance)
    with replicas() as servers:
        path = client.create(servers[0])
        for _ in range(CUTS):
            server = chance.choice(servers)
            offset = client.offset(server, path)
            if offset < SIZE:
                client.cut(server, path, offset)
        client.finish(servers[1], path)
    await assert_stored(shared, client.content)


@pytest.mark.parametrize("storage", ["folder"], indirect=True)
async def test_upload_survives_a_killed_server(token: str, shared: Storage) -> None:
    content = random.Random(9).randbytes(SIZE)
    client = Client(token, content, random.Random(10))
    with replicas() as (killed, other):
        path = client.create(other)
        with killed.connect(client.head_of_patch(path, 0, SIZE) + content[: SIZE // 2]):
            await asyncio.sleep(3)  # the offset is committed every two seconds
            killed.process.kill()
            killed.process.wait()
        assert 0 < client.offset(other, path) <= SIZE // 2
        client.finish(other, path)  # once the killed process has been silent for ten seconds
    await assert_stored(shared, content)


@pytest.mark.parametrize("storage", ["folder"], indirect=True)
async def test_stopping_server_stores_what_has_arrived(token: str, shared: Storage) -> None:
    content = random.Random(11).randbytes(SIZE)
    client = Client(token, content, random.Random(12))
    half = SIZE // 2
    with replicas() as (stopped, other):
        path = client.create(other)
        with stopped.connect(client.head_of_patch(path, 0, SIZE) + content[:half]) as opened:
            await asyncio.sleep(1)
            begun = time.monotonic()
            stopped.process.terminate()
            answer = await asyncio.to_thread(read_all, opened)
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"upload-interrupted" in answer
        assert client.offset(other, path) == half
        client.finish(other, path)
        assert time.monotonic() - begun < 5, "a deploy costs seconds"
    await assert_stored(shared, content)
