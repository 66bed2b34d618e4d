"""What killed attempts leave behind is swept up, and nothing else."""

import os
import posixpath
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from factories import (
    AssetFactory,
    AudioRenditionFactory,
    RenditionFileFactory,
    VideoFactory,
    create,
)
from videoflix.catalog.models import Category
from videoflix.media.jobs.cleanup import delete_folder, sweep_attempts, sweep_orphans
from videoflix.media.models import Asset, AssetState
from videoflix.media.payloads import DeleteFolder, SweepAttempts, SweepOrphans
from videoflix.media.service.sweeping import TooManyOrphans
from videoflix.platform.queue import enqueue
from videoflix.platform.storage.media_storage import Storage, media_storage

FOLDER = "assets/sweeping"
HOUR = 3600


@pytest.fixture
async def asset(session: AsyncSession) -> AsyncIterator[Asset]:
    """A complete film with one part and a poster."""
    video = await create(session, VideoFactory, poster=f"{FOLDER}/p/poster.jpg")
    asset = await create(
        session, AssetFactory, video_id=video.id, state=AssetState.READY, folder=FOLDER
    )
    audio = await create(session, AudioRenditionFactory, asset_id=asset.id)
    await create(session, RenditionFileFactory, rendition_id=audio.id, key=f"{FOLDER}/a/audio.mp4")
    await session.commit()
    yield asset
    await media_storage().delete_below(FOLDER)


async def store(name: str, age: float) -> None:
    storage = media_storage()
    key = posixpath.normpath(f"{FOLDER}/{name}")
    async with storage.writing(key) as writer:
        await writer.write(b"abc")
    assert storage.folder
    os.utime(storage.folder / key, (time.time() - age,) * 2)


async def left() -> set[str]:
    return {key.removeprefix(f"{FOLDER}/") for key in await media_storage().keys(FOLDER)}


async def test_what_nobody_reads_goes(asset: Asset) -> None:
    for name in ("source", "p/poster.jpg", "a/audio.mp4", "killed/720p.mp4"):
        await store(name, age=2 * HOUR)
    await store("running/720p.mp4", age=60)
    await sweep_attempts(SweepAttempts(asset_id=asset.id))
    assert await left() == {"source", "p/poster.jpg", "a/audio.mp4", "running/720p.mp4"}


async def test_orphans_go_after_a_day(asset: Asset) -> None:
    for name in ("source", "p/poster.jpg", "a/audio.mp4", "killed/720p.mp4"):
        await store(name, age=25 * HOUR)
    await store("running/720p.mp4", age=23 * HOUR)
    await store("../orphan/source", age=25 * HOUR)
    await store("../arriving/source", age=23 * HOUR)
    folder = media_storage().folder
    assert folder
    for name, age in (("assets/cut/source#1", 25), ("assets/cut/source#2", 1)):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"half")
        os.utime(file, (time.time() - age * HOUR,) * 2)
    await sweep_orphans(SweepOrphans())
    await sweep_orphans(SweepOrphans())
    assert await left() == {"source", "p/poster.jpg", "a/audio.mp4", "running/720p.mp4"}
    assert await media_storage().keys("assets/orphan") == []
    assert await media_storage().keys("assets/arriving") == ["assets/arriving/source"]
    assert [file.name for file in (folder / "assets/cut").iterdir()] == ["source#2"]
    for other in ("arriving", "cut", "orphan"):
        await media_storage().delete_below(f"assets/{other}")


async def test_files_of_failed_films_stay(asset: Asset, session: AsyncSession) -> None:
    for name in ("source", "a/audio.mp4", "killed/720p.mp4"):
        await store(name, age=25 * HOUR)
    asset.state = AssetState.FAILED
    await session.commit()
    await sweep_orphans(SweepOrphans())
    assert await left() == {"source", "a/audio.mp4"}, "a retry needs what was uploaded and made"


async def test_folder_of_a_film_that_came_back_stays(asset: Asset) -> None:
    await store("source", age=25 * HOUR)
    await delete_folder(DeleteFolder(folder=FOLDER))
    assert await left() == {"source"}


async def test_storage_of_another_database_is_not_emptied(asset: Asset) -> None:
    await store("source", age=25 * HOUR)
    others = [f"../other-{number}/source" for number in range(25)]
    for name in others:
        await store(name, age=25 * HOUR)
    with pytest.raises(TooManyOrphans):
        await sweep_orphans(SweepOrphans())
    for number in range(25):
        assert await media_storage().keys(f"assets/other-{number}")
        await media_storage().delete_below(f"assets/other-{number}")


async def test_replaced_files_wait_for_their_own_job(asset: Asset, session: AsyncSession) -> None:
    """Players read them until the leases end, however old they are."""
    await store("source", age=25 * HOUR)
    await session.delete(asset)
    await enqueue(session, DeleteFolder(folder=FOLDER))
    await session.commit()
    await sweep_orphans(SweepOrphans())
    assert await left() == {"source"}


async def test_pictures_of_categories_are_swept(asset: Asset, session: AsyncSession) -> None:
    for name, age in (("shown", 25), ("orphan", 25), ("arriving", 23)):
        await store(f"../../categories/{name}", age=age * HOUR)
    session.add(Category(name="a", slug="a", picture="categories/shown"))
    await session.commit()
    await sweep_orphans(SweepOrphans())
    left_over = await media_storage().keys("categories")
    assert sorted(left_over) == ["categories/arriving", "categories/shown"]
    await media_storage().delete(left_over)


async def test_sweep_uses_the_storages_clock(asset: Asset, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours may be days ahead of the file server's."""
    await store("running/720p.mp4", age=60)

    async def an_hour_behind(self: Storage) -> datetime:
        return datetime.now(UTC) - timedelta(hours=2)

    monkeypatch.setattr(Storage, "clock", an_hour_behind)
    await store("killed/720p.mp4", age=2.5 * HOUR)
    await sweep_attempts(SweepAttempts(asset_id=asset.id))
    assert await left() == {"running/720p.mp4", "killed/720p.mp4"}


async def test_film_that_is_gone_is_left_to_its_own_job(asset: Asset) -> None:
    await store("source", age=2 * HOUR)
    await sweep_attempts(SweepAttempts(asset_id=asset.id + 1))
    assert await left() == {"source"}


async def test_assets_that_were_retired_long_ago_are_deleted(session: AsyncSession) -> None:
    """A replaced file stays for two hours; the sweep is for rows whose job was lost."""
    now = datetime.now(UTC)
    for hours in (3, 5):
        before = now - timedelta(hours=hours)
        await create(session, AssetFactory, state=AssetState.RETIRED, updated_at=before)
    await create(session, AssetFactory, updated_at=now - timedelta(days=9))
    await session.commit()
    await sweep_orphans(SweepOrphans())
    left = await session.scalars(select(Asset.updated_at).order_by(Asset.updated_at))
    assert [now - time for time in left] == [timedelta(days=9), timedelta(hours=3)]
