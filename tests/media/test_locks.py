"""One lock order: deleting a film while its chunks are shown never deadlocks."""

import asyncio
import os

import pytest

from factories import PROCESSING, AssetFactory, VideoFactory, create
from queue_helpers import rows
from videoflix.catalog.service import VideoNotFound
from videoflix.media.ladder import Rung
from videoflix.media.plan import ChunkSpec, EncodePlan
from videoflix.media.schemas import FileIndex
from videoflix.media.service import Failures, Media, Publication
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import TransientError

ROUNDS = int(os.environ.get("LOCK_ROUNDS", "15"))
CHUNKS = 4
PLAN = EncodePlan(
    frame_rate_num=25,
    frame_rate_den=1,
    frame_count=100 * CHUNKS,
    segment_frames=100,
    rungs=(Rung("180p", 320, 180, 400_000),),
    spans=tuple(ChunkSpec(index, 100 * index, 100, None) for index in range(CHUNKS)),
    has_audio=False,
    origin="0",
    interlaced=False,
    hdr="",
    matrix="auto",
)


async def add_film() -> tuple[int, int]:
    """A film whose chunks are to be encoded: its number and its asset's."""
    async with transaction() as session:
        video = await create(session, VideoFactory, **PROCESSING)
        asset = await create(session, AssetFactory, video_id=video.id)
        await Media(session).adopt_plan(asset.id, PLAN)
    return video.id, asset.id


async def show(asset_id: int, index: int) -> None:
    piece = FileIndex(index, f"k/{index}", "avc1", 25, 1, "", ((100, 1, 1),))
    async with transaction() as session:
        await Publication(session).publish_files(asset_id, index, {"180p": piece})


async def report(asset_id: int, index: int) -> None:
    async with transaction() as session:
        await Media(session).report(asset_id, index, 50)


async def stall(asset_id: int) -> None:
    async with transaction() as session:
        await Failures(session).stall(asset_id, TransientError("test", "A test."))


async def fail(asset_id: int) -> None:
    async with transaction() as session:
        await Failures(session).fail(asset_id, "test", "A test.")


async def remove(video_id: int) -> None:
    async with transaction() as session:
        await Media(session).remove(video_id)


@pytest.mark.parametrize("way", ["delete", "fail"])
async def test_nobody_deadlocks_while_chunks_are_shown(committed: None, way: str) -> None:
    errors: list[BaseException] = []
    for _ in range(ROUNDS):
        video_id, asset_id = await add_film()
        work = [work(asset_id, index) for index in range(CHUNKS) for work in (report, show, report)]
        ends = [remove(video_id) if way == "delete" else fail(asset_id), stall(asset_id)]
        done = await asyncio.gather(*work, *ends, return_exceptions=True)
        errors += [one for one in done if isinstance(one, BaseException)]
    assert [one for one in errors if not isinstance(one, VideoNotFound)] == []
    if way == "delete":
        assert await rows("select id from video") == []
