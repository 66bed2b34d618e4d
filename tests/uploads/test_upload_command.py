"""`videoflix upload` against real servers that come and go."""

import asyncio
import hashlib
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest

from api_process import Server, serving
from queue_helpers import rows
from uploads.test_cuts import token
from uploads.tus_client import UPLOADS
from videoflix.platform.storage.media_storage import media_storage
from videoflix.up import upload

pytestmark = pytest.mark.journey
__all__ = ["token"]

CONTENT = random.Random(5).randbytes(40 * 1024 * 1024)


def start(server: Server, token: str, file: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "videoflix.cli", "upload", str(file), *options]
    environment = os.environ | {
        "VIDEOFLIX_SERVER": server.url,
        "VIDEOFLIX_TOKEN": token,
        "XDG_STATE_HOME": str(file.parent / "state"),
    }
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    file = tmp_path / "My film.mp4"
    file.write_bytes(CONTENT)
    return file


async def test_command_uploads_a_file(token: str, film: Path) -> None:
    with serving() as server:
        done = start(server, token, film, "--title", "Title", "--draft")
        said = done.communicate(timeout=60)[1]
        assert done.returncode == 0, said
        [video] = await rows("select id, title, published_at from video")
        assert (video["title"], video["published_at"]) == ("Title", None)
        assert f"/#/watch/{video['id']}" in said
    [asset] = await rows("select source_key, source_name, source_sha256 from media_asset")
    assert asset["source_name"] == "My film.mp4"
    assert asset["source_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    await media_storage().delete_below("assets")


async def test_command_uploads_by_a_link(token: str, film: Path) -> None:
    with serving() as server:
        async with httpx.AsyncClient(base_url=server.url) as client:
            headers = {"Authorization": f"Bearer {token}"}
            made = await client.post(
                "/api/v1/upload-links", json={"label": "Partner"}, headers=headers
            )
        link = made.json()["url"].replace("http://test", server.url)
        done = start(server, "", film, "--link", link, "--title", "Theirs")
        said = done.communicate(timeout=60)[1]
        assert done.returncode == 0, said
    [video] = await rows("select title, published_at from video")
    assert video == {"title": "Theirs", "published_at": None}
    await media_storage().delete_below("assets")


async def test_command_says_why_a_file_is_refused(token: str, film: Path) -> None:
    with serving() as server:
        done = start(server, token, film, "--category", "7")
        said = done.communicate(timeout=60)[1]
        assert (done.returncode, "There is no such category." in said) == (1, True), said
        done = start(server, "vf_" + "x" * 43, film)
        said = done.communicate(timeout=60)[1]
        assert (done.returncode, "Sign in first." in said) == (1, True), said


def wait_until_created(server: Server, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    while not httpx.get(f"{server.url}{UPLOADS}", headers=headers).json()["items"]:
        time.sleep(0.02)


async def test_command_resumes_when_it_is_started_again(token: str, film: Path) -> None:
    with serving() as server:
        first = start(server, token, film)
        await asyncio.to_thread(wait_until_created, server, token)
        first.kill()
        first.communicate()
        second = start(server, token, film)
        said = second.communicate(timeout=60)[1]
        assert second.returncode == 0, said
    assert len(await rows("select id from upload")) == 1
    [asset] = await rows("select source_sha256 from media_asset")
    assert asset["source_sha256"] == hashlib.sha256(CONTENT).hexdigest()
    await media_storage().delete_below("assets")


class BreakingTransport(httpx.HTTPTransport):
    """Breaks each connection that sends more than some megabytes, and refuses a few requests."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self.chance = chance
        self.failures = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self.chance.random() < 0.2:
            self.failures += 1
            raise httpx.ConnectError("refused")
        if request.method == "PATCH":
            request.stream = Breaking(self, request.stream)
        return super().handle_request(request)


class Breaking(httpx.SyncByteStream):
    def __init__(self, transport: BreakingTransport, stream: object) -> None:
        self.transport = transport
        self.stream = cast("httpx.SyncByteStream", stream)

    def __iter__(self) -> Iterator[bytes]:
        left = self.transport.chance.randrange(12 * 1024 * 1024)
        for block in self.stream:
            left -= len(block)
            if left < 0:
                self.transport.failures += 1
                raise httpx.WriteError("broken")
            yield block


async def test_command_continues_after_broken_connections(
    token: str, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "PAUSE_MAX_SECONDS", 0.2)
    monkeypatch.setenv("XDG_STATE_HOME", str(film.parent / "state"))
    headers = {"Authorization": f"Bearer {token}"}
    seen: list[int] = []
    with serving() as server:
        transport = BreakingTransport(random.Random(3))
        with httpx.Client(
            base_url=server.url, headers=headers, transport=transport, timeout=10
        ) as client:
            work = upload.FileUpload(client, film, {})
            video_id = await asyncio.to_thread(work.run, seen.append, 30.0)
    assert transport.failures > 3
    assert seen[-1] == len(CONTENT)
    [asset] = await rows("select video_id, source_sha256 from media_asset")
    assert asset == {
        "video_id": video_id,
        "source_sha256": hashlib.sha256(CONTENT).hexdigest(),
    }
    await media_storage().delete_below("assets")
