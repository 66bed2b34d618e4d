"""What the commands say about the media storage: settings, `media fsck` and `media adopt`."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text

from factories import AssetFactory, create
from postgres import open_folder
from videoflix.platform.postgres.session import transaction
from videoflix.settings import read_settings


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("/srv/media", "write file:///srv/media"),
        ("/srv/my media", "write file:///srv/my%20media"),
        ("srv/media", "write file:///srv/media"),
        ("./media", "write file:///srv/media"),
        ("~/media", "write file:///srv/media"),
        ("file://srv/media", "three slashes"),
        ("file:///", "three slashes"),
        ("file:///srv/../etc", "absolute path"),
        ("file:///srv/a?b", "%3F"),
        ("s4://bucket", "“s4” is unknown"),
        ("memory:///", "“memory” is unknown"),
        ("s3://", "name of a bucket"),
        ("s3://key:secret@bucket", "AWS_SECRET_ACCESS_KEY"),
    ],
)
def test_nonsense_is_refused_at_start(url: str, sentence: str) -> None:
    with pytest.raises(SystemExit) as refused:
        read_settings({"STORAGE_URL": url})
    assert str(refused.value).startswith("STORAGE_URL is wrong: ")
    assert sentence in str(refused.value)
    assert "secret@" not in str(refused.value)


@pytest.mark.parametrize("url", ["file:///srv/media", "file:///srv/my%20media", "s3://b/prefix"])
def test_addresses_are_accepted(url: str) -> None:
    assert read_settings({"STORAGE_URL": url}).media_url == url


@pytest.fixture
async def folder(committed: None) -> AsyncIterator[Path]:
    """A storage of its own, which the database has never seen."""
    forget = text("update installation set storage_claimed_at = null")
    with open_folder() as path:
        async with transaction() as session:
            await session.execute(forget)
        yield path / "media"
        async with transaction() as session:
            await session.execute(forget)


def run(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"STORAGE_URL": folder.as_uri()} | more
    return subprocess.run(
        [sys.executable, "-m", "videoflix.cli", "media", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )


async def film(folder: Path) -> None:
    async with transaction() as session:
        await create(
            session,
            AssetFactory,
            folder="assets/a",
            source_bytes=3,
            source_sha256="ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        )
    await asyncio.to_thread(put, folder / "assets/a/source", b"abc")


def put(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


async def test_fsck_tells_by_its_exit_status(folder: Path) -> None:
    await film(folder)
    clean = await asyncio.to_thread(run, folder, "fsck", "--hash")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    assert "1 assets, 1 objects, 3 bytes; 1 hashes compared, 0 not; 0 findings" in clean.stdout

    put(folder / "assets/a/source", b"abd")
    found = await asyncio.to_thread(run, folder, "fsck", "--hash", "--json")
    assert found.returncode == 1, found.stderr
    told = json.loads(found.stdout)
    assert [one["fault"] for one in told["findings"]] == ["wrong-hash"]
    assert told["summary"]["findings"] == 1

    (folder / "videoflix-installation").unlink()
    away = await asyncio.to_thread(run, folder, "fsck", "--repair")
    assert (away.returncode, away.stdout) == (2, "")
    assert "media adopt" in away.stderr
    assert "Traceback" not in away.stderr

    adopted = await asyncio.to_thread(run, folder, "adopt")
    assert adopted.returncode == 0, adopted.stderr
    again = await asyncio.to_thread(run, folder, "fsck")
    assert again.returncode == 0, again.stdout + again.stderr


def test_fsck_without_a_database_has_not_checked(folder: Path) -> None:
    away = run(folder, "fsck", DATABASE_URL="postgresql://x:y@127.0.0.1:1/x")
    assert away.returncode == 2
    assert away.stderr.startswith("Could not check: ")
    assert len(away.stderr.splitlines()) == 1
