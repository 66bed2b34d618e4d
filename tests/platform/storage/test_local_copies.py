"""Copies of a bucket's objects: one download per machine, killed processes, a bounded size."""

import asyncio
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

import s3_server
from postgres import open_folder
from refusing_proxy import RefusingProxy, refusing_proxy
from videoflix.platform.process import scratch
from videoflix.platform.storage import local_copies
from videoflix.platform.storage.local_copies import (
    ObjectDamaged,
    discard_copy,
    local_copy,
    make_room,
)
from videoflix.platform.storage.media_storage import Storage
from videoflix.settings import settings

MiB = 1024 * 1024
SIZE = 20 * MiB + 17
USE = """
import asyncio, hashlib, sys
from videoflix.platform.storage.local_copies import local_copy
from videoflix.platform.storage.media_storage import Storage

async def use() -> None:
    async with local_copy(Storage("s3://films"), "assets/a/source") as file:
        print(hashlib.sha256(file.read_bytes()).hexdigest())

asyncio.run(use())
"""


@pytest.fixture(scope="module")
def bucket() -> Iterator[RefusingProxy]:
    with s3_server.running_s3() as s3, refusing_proxy(s3, "/films") as proxy:
        s3_server.make_bucket(s3, "films")
        yield proxy


@pytest.fixture
def home(bucket: RefusingProxy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine with nothing on its disk."""
    bucket.served.clear()
    bucket.delay_seconds = 0.0
    with open_folder() as folder:
        own = msgspec.structs.replace(settings, videoflix_home=folder, source_cache_bytes=5 * MiB)
        monkeypatch.setattr(scratch, "settings", own)
        monkeypatch.setattr(local_copies, "settings", own)
        for name, value in s3_server.environment(bucket.address).items():
            monkeypatch.setenv(name, value)
        yield folder


async def stored(key: str, size: int) -> bytes:
    data = os.urandom(size)
    async with Storage("s3://films").writing(key) as writer:
        await writer.write(data)
    return data


def use(home: Path) -> "subprocess.Popen[str]":
    environment = os.environ | {"VIDEOFLIX_HOME": str(home)}
    command = [sys.executable, "-c", USE]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def unfinished(home: Path) -> int:
    """The bytes of unfinished downloads."""
    return sum(path.stat().st_size for path in home.rglob("*.part"))


def kept(home: Path) -> list[Path]:
    return sorted((home / "scratch" / "sources").glob("*.copy"))


async def test_processes_download_once_and_resume_what_a_killed_one_left(
    home: Path, bucket: RefusingProxy
) -> None:
    data = await stored("assets/a/source", SIZE)
    bucket.delay_seconds = 0.7
    with ExitStack() as processes:
        first = processes.enter_context(use(home))
        until = time.monotonic() + 30
        while unfinished(home) < 8 * MiB:
            assert time.monotonic() < until
            await asyncio.sleep(0.02)
        others = [processes.enter_context(use(home)) for _ in range(2)]
        first.kill()
        bucket.delay_seconds = 0.0
        found = [await asyncio.to_thread(other.communicate) for other in others]
    assert [out for out, _ in found] == [hashlib.sha256(data).hexdigest() + "\n"] * 2
    # The killed process may have read two blocks that it had not written.
    assert bucket.bytes_read("/assets/a/source") <= SIZE + 2 * 8 * MiB
    assert len(kept(home)) == 1


async def test_copy_is_verified_and_a_damaged_one_is_downloaded_again(
    home: Path, bucket: RefusingProxy
) -> None:
    storage, data = Storage("s3://films"), await stored("assets/b/source", MiB)
    with pytest.raises(ObjectDamaged):
        async with local_copy(storage, "assets/b/source", "0" * 64):
            pass
    assert unfinished(home) == 0
    assert kept(home) == []
    digest = hashlib.sha256(data).hexdigest()
    async with local_copy(storage, "assets/b/source", digest) as file:
        assert file.read_bytes() == data
    reads = bucket.bytes_read("/assets/b/source")
    async with local_copy(storage, "assets/b/source", digest):
        assert bucket.bytes_read("/assets/b/source") == reads
    await discard_copy(storage, "assets/b/source")
    async with local_copy(storage, "assets/b/source", digest):
        assert bucket.bytes_read("/assets/b/source") == reads + MiB


async def test_copies_are_evicted_by_last_use_except_those_in_use(home: Path) -> None:
    storage = Storage("s3://films")
    for number in range(3):
        await stored(f"assets/c{number}/source", 2 * MiB)
    async with local_copy(storage, "assets/c0/source") as used:
        os.utime(used.with_suffix(".use"), (1, 1))  # an expired one, but in use
        async with local_copy(storage, "assets/c1/source") as second:
            pass
        async with local_copy(storage, "assets/c2/source") as third:
            pass
        assert kept(home) == sorted([used, third])
    assert kept(home) == [third], "the expired one is no longer in use"
    os.utime(third.with_suffix(".use"), (1, 1))
    make_room(0)
    assert list((home / "scratch" / "sources").iterdir()) == []
    assert not second.exists()


async def test_large_copy_stays_while_it_is_the_last_one(home: Path, bucket: RefusingProxy) -> None:
    storage = Storage("s3://films")
    await stored("assets/d/source", 6 * MiB)
    for _ in range(3):
        async with local_copy(storage, "assets/d/source"):
            pass
    assert bucket.bytes_read("/assets/d/source") == 6 * MiB
