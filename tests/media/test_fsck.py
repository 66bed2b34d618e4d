"""fsck finds every difference between rows and objects, and repairs what can be repaired."""

import hashlib
import os
import time
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from factories import (
    AssetFactory,
    AudioRenditionFactory,
    ChunkFactory,
    RenditionFactory,
    VideoFactory,
    create,
)
from videoflix.catalog.models import Category
from videoflix.media.inventory import ObjectRole
from videoflix.media.models import Asset, AssetState, Chunk, Rendition, RenditionFile
from videoflix.media.service.fsck import Fault, Finding, Fsck, Options, Summary
from videoflix.platform.storage.installation import adopt_storage, ensure_own_storage
from videoflix.platform.storage.local import MARKER
from videoflix.platform.storage.media_storage import (
    StorageMisconfigured,
    StorageProblem,
    StorageUnavailable,
    media_storage,
)

FOLDER = "assets/checked"
DATA = b"abcdef"
SHA256 = hashlib.sha256(DATA).hexdigest()
KEYS = {
    ObjectRole.SOURCE: f"{FOLDER}/source",
    ObjectRole.PART: f"{FOLDER}/a/720p.mp4",
    ObjectRole.AUDIO: f"{FOLDER}/a/audio.mp4",
    ObjectRole.MP4: f"{FOLDER}/b/720p.mp4",
    ObjectRole.STORYBOARD: f"{FOLDER}/c/sprite.jpg",
    ObjectRole.POSTER: f"{FOLDER}/d/poster.jpg",
}
QUEUED = {
    ObjectRole.PART: "media.encode_chunk",
    ObjectRole.AUDIO: "media.encode_audio",
    ObjectRole.MP4: "media.package",
    ObjectRole.STORYBOARD: "media.make_storyboard",
    ObjectRole.POSTER: "media.make_poster",
}


async def store(key: str, data: bytes = DATA, age_hours: float = 0) -> None:
    storage = media_storage()
    async with storage.writing(key) as writer:
        await writer.write(data)
    assert storage.folder
    moment = time.time() - age_hours * 3600
    os.utime(storage.folder / key, (moment, moment))


@pytest.fixture
async def asset(session: AsyncSession) -> AsyncIterator[Asset]:
    """A complete film with every kind of object."""
    for prefix in ("assets", "categories"):
        await media_storage().delete_below(prefix)
    video = await create(session, VideoFactory, poster=KEYS[ObjectRole.POSTER])
    asset = await create(
        session,
        AssetFactory,
        video_id=video.id,
        state=AssetState.READY,
        folder=FOLDER,
        source_key=KEYS[ObjectRole.SOURCE],
        source_bytes=len(DATA),
        source_sha256=SHA256,
        sprite_key=KEYS[ObjectRole.STORYBOARD],
        sprite_sha256=SHA256,
        storyboard={},
    )
    picture = await create(
        session,
        RenditionFactory,
        asset_id=asset.id,
        name="720p",
        file_key=KEYS[ObjectRole.MP4],
        file_bytes=len(DATA),
        file_sha256=SHA256,
    )
    sound = await create(session, AudioRenditionFactory, asset_id=asset.id)
    await create(
        session, ChunkFactory, asset_id=asset.id, frame_count=1, encoded_frames=1, done=True
    )
    session.add_all([part(picture, ObjectRole.PART), part(sound, ObjectRole.AUDIO)])
    await session.commit()
    for key in KEYS.values():
        await store(key)
    yield asset
    for prefix in ("assets", "categories"):
        await media_storage().delete_below(prefix)


def part(rendition: Rendition, role: ObjectRole) -> RenditionFile:
    return RenditionFile(
        rendition_id=rendition.id,
        chunk_index=0,
        key=KEYS[role],
        codec="",
        timescale=1,
        init_length=1,
        init_sha256="",
        segments=[[1, 1, 2], [1, 3, len(DATA) - 3]],
        sha256=SHA256,
    )


async def check(*, repair: bool = False, read_all: bool = False) -> tuple[list[Finding], Summary]:
    found: list[Finding] = []
    options = Options(repair=repair, read_all=read_all)
    summary = await Fsck(options, found.append, lambda _: None).run()
    return found, summary


async def queued(session: AsyncSession) -> list[str]:
    rows = await session.scalars(text("select task_name from procrastinate_jobs order by id"))
    return list(rows)


async def test_what_is_right_is_clean(asset: Asset) -> None:
    found, summary = await check(read_all=True)
    assert found == []
    assert (summary.assets, summary.objects) == (1, len(KEYS))
    assert (summary.verified, summary.unverified) == (len(KEYS) - 1, 1)  # posters have no hash
    assert summary.bytes == len(KEYS) * len(DATA)


@pytest.mark.parametrize("role", list(ObjectRole))
async def test_lost_objects_are_found(asset: Asset, role: ObjectRole) -> None:
    await media_storage().delete([KEYS[role]])
    found, _ = await check()
    assert [(one.fault, one.key, one.role) for one in found] == [(Fault.MISSING, KEYS[role], role)]
    assert (found[0].asset_id, found[0].video_id) == (asset.id, asset.video_id)


@pytest.mark.parametrize("role", [role for role in ObjectRole if role is not ObjectRole.POSTER])
async def test_changed_bytes_are_found_by_reading(asset: Asset, role: ObjectRole) -> None:
    await store(KEYS[role], b"abcdeF")
    assert (await check())[0] == []
    found, _ = await check(read_all=True)
    assert [(one.fault, one.key) for one in found] == [(Fault.WRONG_HASH, KEYS[role])]


@pytest.mark.parametrize(
    "role", [ObjectRole.SOURCE, ObjectRole.PART, ObjectRole.AUDIO, ObjectRole.MP4]
)
async def test_cut_objects_are_found(asset: Asset, role: ObjectRole) -> None:
    await store(KEYS[role], b"abc")
    found, _ = await check()
    assert [(one.fault, one.key) for one in found] == [(Fault.WRONG_SIZE, KEYS[role])]


async def test_parts_of_earlier_releases_are_unverified(
    asset: Asset, session: AsyncSession
) -> None:
    await session.execute(text("update media_part set sha256 = null"))
    await session.commit()
    found, summary = await check(read_all=True)
    assert (found, summary.unverified) == ([], 3)


@pytest.mark.parametrize("role", list(QUEUED))
@pytest.mark.parametrize("how", ["lost", "damaged"])
async def test_repair_queues_what_can_be_made_again(
    asset: Asset, session: AsyncSession, role: ObjectRole, how: str
) -> None:
    if how == "lost":
        await media_storage().delete([KEYS[role]])
    else:
        await store(KEYS[role], b"")
    found, summary = await check(repair=True)
    assert [one.repair for one in found] == ["queued again"]
    assert (summary.findings, summary.repaired) == (1, 1)
    assert await queued(session) == [QUEUED[role]]
    await session.refresh(asset)
    broken = role in {ObjectRole.PART, ObjectRole.AUDIO}
    assert asset.state is (AssetState.ENCODING if broken else AssetState.READY)
    done = await session.scalar(select(Chunk.done).where(Chunk.asset_id == asset.id))
    assert done is (role is not ObjectRole.PART)
    assert asset.source_fault is None
    await check(repair=True)
    if role is not ObjectRole.POSTER:
        assert await queued(session) == [QUEUED[role]], "it was queued twice"


async def test_lost_source_is_marked_and_nothing_is_deleted(
    asset: Asset, session: AsyncSession
) -> None:
    await media_storage().delete([KEYS[ObjectRole.SOURCE], KEYS[ObjectRole.PART]])
    found, _ = await check(repair=True)
    assert {one.role: one.repair for one in found} == {
        ObjectRole.SOURCE: "marked; upload the file again",
        ObjectRole.PART: "not possible: the source is lost as well",
    }
    await session.refresh(asset)
    assert (asset.state, asset.source_fault) == (AssetState.READY, "missing")
    assert await queued(session) == []
    assert len(await media_storage().keys(FOLDER)) == len(KEYS) - 2


async def test_damaged_source_is_kept(asset: Asset, session: AsyncSession) -> None:
    await store(KEYS[ObjectRole.SOURCE], b"abcdeF")
    await check(repair=True, read_all=True)
    await session.refresh(asset)
    assert asset.source_fault == "damaged"
    assert await media_storage().read_all(KEYS[ObjectRole.SOURCE]) == b"abcdeF"
    await store(KEYS[ObjectRole.SOURCE])


async def test_orphans_are_deleted_only_by_repair_and_when_old(asset: Asset) -> None:
    old = [f"{FOLDER}/killed/720p.mp4", "assets/gone/source", "categories/1/old"]
    for key in old:
        await store(key, age_hours=25)
    young = [f"{FOLDER}/running/720p.mp4", "assets/arriving/source", "categories/1/new"]
    for key in young:
        await store(key, age_hours=23)
    found, _ = await check()
    assert {(one.fault, one.key, one.repair) for one in found} == {
        (Fault.ORPHAN, key, "") for key in old
    }
    found, _ = await check(repair=True)
    assert {(one.key, one.repair) for one in found} == {(key, "deleted") for key in old}
    assert sorted(await media_storage().keys("")) == sorted([*KEYS.values(), *young])


async def test_replaced_files_that_are_deleted_later_are_no_orphans(
    asset: Asset, session: AsyncSession
) -> None:
    """Players still read them."""
    await store("assets/replaced/source", age_hours=25)
    await session.execute(
        text(
            "insert into procrastinate_jobs (queue_name, task_name, args, status) values"
            """ ('default', 'media.delete_folder', '{"folder": "assets/replaced"}', 'todo')"""
        )
    )
    await session.commit()
    assert (await check(repair=True))[0] == []
    assert await media_storage().keys("assets/replaced") == ["assets/replaced/source"]


async def test_pictures_of_categories(asset: Asset, session: AsyncSession) -> None:
    await store("categories/1/here", age_hours=25)
    session.add(Category(name="a", slug="a", picture="categories/1/here"))
    session.add(Category(name="b", slug="b", picture="categories/2/lost"))
    await session.commit()
    found, _ = await check(repair=True)
    assert [(one.fault, one.key) for one in found] == [(Fault.MISSING, "categories/2/lost")]


async def test_unfinished_and_unknown_files(asset: Asset) -> None:
    await store("assets/cut/source", age_hours=25)
    folder = media_storage().folder
    assert folder
    os.rename(folder / "assets/cut/source", folder / "assets/cut/source#1")  # noqa: PTH104 - short
    await store("notes.txt", age_hours=25)
    found, _ = await check(repair=True)
    assert {(one.fault, one.key, one.repair) for one in found} == {
        (Fault.UNFINISHED, "assets/cut/source#1", "deleted"),
        (Fault.UNKNOWN, "notes.txt", ""),
    }
    assert await media_storage().size("notes.txt") == len(DATA), "nobody knows whose it is"
    await media_storage().delete(["notes.txt"])


@pytest.mark.parametrize(
    ("marker", "problem"), [(None, StorageUnavailable), (b"another", StorageMisconfigured)]
)
async def test_nothing_is_deleted_from_another_storage(
    asset: Asset, session: AsyncSession, marker: bytes | None, problem: type[StorageProblem]
) -> None:
    await ensure_own_storage()
    ours = await media_storage().read_all(MARKER)
    await store("assets/gone/source", age_hours=25)
    await media_storage().delete([MARKER])
    try:
        if marker:
            await media_storage().mark(marker.decode())
        with pytest.raises(problem, match="media adopt"):
            await check(repair=True)
        folder = media_storage().folder
        assert folder
        assert (folder / "assets/gone/source").read_bytes() == DATA
    finally:
        await media_storage().mark(ours.decode().strip())
    assert await adopt_storage(session) == ours.decode().strip()
    found, _ = await check(repair=True)
    assert [one.repair for one in found] == ["deleted"]
