"""`videoflix storage move`: everything is copied and verified, and nothing is deleted."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import click
import pytest

import s3_server
from postgres import open_folder
from refusing_proxy import RefusingProxy, refusing_proxy
from videoflix.platform.storage.media_storage import Storage
from videoflix.up.storage_move import move

LARGE = 9 * 1024 * 1024


@pytest.fixture(scope="module")
def proxy() -> Iterator[RefusingProxy]:
    with s3_server.running_s3() as s3, refusing_proxy(s3, "assets/") as found:
        for name in ("films", "others", "damaged"):
            s3_server.make_bucket(s3, name)
        yield found


@pytest.fixture
def environment(proxy: RefusingProxy, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    given = s3_server.environment(proxy.address)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return os.environ | given


@pytest.fixture
async def source() -> AsyncIterator[Storage]:
    """A folder with some objects, and two that stay where they are."""
    with open_folder() as folder:
        storage = Storage((folder / "media").as_uri())
        await storage.mark("ours")
        await put(storage, "assets/a/source", os.urandom(LARGE))
        for key in ("assets/a/1/ä b.mp4", "categories/1", "uploads/x/data", "health/y"):
            await put(storage, key, key.encode())
        yield storage


async def put(storage: Storage, key: str, data: bytes) -> None:
    async with storage.writing(key) as writer:
        await writer.write(data)


async def content(storage: Storage) -> dict[str, bytes]:
    return {key: await storage.read_all(key) for key in await storage.keys("")}


def run(source: str, target: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "videoflix.cli", "storage", "move", source, target]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


async def test_everything_is_copied_and_later_what_is_new(
    source: Storage, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    target, before = Storage("s3://films/our/site"), await content(source)
    done = run(source.url, target.url, environment)
    assert done.returncode == 0, done.stderr
    assert "Pass 1: 3 objects" in done.stdout
    assert "Pass 2: 0 objects" in done.stdout
    assert f"STORAGE_URL={target.url}" in done.stdout
    kept = {k: v for k, v in before.items() if not k.startswith(("uploads/", "health/"))}
    assert await content(target) == kept
    assert await target.marker() == "ours"
    assert await content(source) == before

    await put(source, "assets/b/source", b"new")
    await target.delete(["categories/1"])
    await put(target, "assets/a/1/ä b.mp4", b"another size")
    assert await move(source.url, target.url, verify=True, parallel=2) == 0
    assert "Pass 1: 3 objects" in capsys.readouterr().out
    assert await content(target) == kept | {"assets/b/source": b"new"}


async def test_copy_that_differs_is_deleted_and_reported(
    source: Storage,
    environment: dict[str, str],
    proxy: RefusingProxy,
    capsys: pytest.CaptureFixture[str],
) -> None:
    target = Storage("s3://damaged")
    await source.delete(["assets/a/source"])
    proxy.damages = True
    assert await move(source.url, target.url, verify=True, parallel=2) == 1
    proxy.damages = False
    told = capsys.readouterr()
    assert "assets/a/1/ä b.mp4: the copy has another SHA-256; it was deleted." in told.err
    assert "STORAGE_URL" not in told.out
    assert await target.keys("") == ["categories/1"]
    assert await move(source.url, target.url, verify=True, parallel=2) == 0


async def test_back_into_a_new_folder(
    source: Storage, environment: dict[str, str], tmp_path: Path
) -> None:
    target = Storage((tmp_path / "new" / "media").as_uri())
    assert await move(source.url, target.url, verify=False, parallel=1) == 0
    assert len(await target.keys("")) == 3


async def test_wrong_storages_are_refused(
    source: Storage, environment: dict[str, str], tmp_path: Path
) -> None:
    other = Storage("s3://others")
    await other.mark("theirs")
    for one, two, sentence in (
        (source.url, other.url, "belongs to another installation"),
        (source.url, source.url, "the same storage"),
        (source.url, "/srv/media", "write file:///srv/media"),
        (source.url, "", "expected a URL"),
        (tmp_path.as_uri(), source.url, "no storage of Videoflix"),
        ((tmp_path / "missing").as_uri(), source.url, "media folder is missing"),
    ):
        with pytest.raises(click.ClickException, match=sentence):
            await move(one, two, verify=True, parallel=1)
    assert await other.keys("") == []
