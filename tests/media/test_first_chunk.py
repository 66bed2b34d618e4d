"""Every film can be watched soon: its first chunk is fetched before all other chunks."""

from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from media.clips import make_clip
from queue_helpers import rows
from videoflix.catalog.schemas import VideoCreate
from videoflix.media.jobs.encode import inspect
from videoflix.media.models import Asset
from videoflix.media.payloads import WATCHED, EncodeChunk, Inspect
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media
from videoflix.platform.queue import prioritize
from videoflix.platform.storage.media_storage import media_storage

FOLDER = "assets/first-chunk"
FETCH = "select task_name, args from videoflix_fetch_job('transcode', null, '{}', '{}', null)"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Long enough for several chunks."""
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_clip(file, seconds=50, size="64x48", rate="10", sound=False)


async def inspected(session: AsyncSession, clip: Path, title: str) -> int:
    """Upload and inspect a film: its asset."""
    folder = f"{FOLDER}/{title}"
    await media_storage().put(f"{folder}/source", clip)
    size = await media_storage().size(f"{folder}/source")
    assert size
    stored = StoredFile(folder, f"{folder}/source", "clip.mp4", size, "")
    await Media(session).accept(VideoCreate(title=title), stored, None)
    await session.commit()
    asset_id: int | None = await session.scalar(select(func.max(Asset.id)))
    assert asset_id
    await inspect(Inspect(asset_id=asset_id))
    return asset_id


async def next_chunk() -> tuple[int, int]:
    """The asset and index of the chunk that a worker fetches next, after whatever is not one."""
    while found := await rows(FETCH):
        if found[0]["task_name"] == EncodeChunk.name:
            return found[0]["args"]["asset_id"], found[0]["args"]["index"]
    raise AssertionError("no chunk waits")


async def test_first_chunks_go_before_all_others(session: AsyncSession, clip: Path) -> None:
    early = await inspected(session, clip, "early")
    assert await next_chunk() == (early, 0)
    assert await next_chunk() == (early, 1)
    assert await prioritize(session, EncodeChunk, WATCHED, 9, asset_id=early) > 0, (
        "somebody watches it"
    )
    await session.commit()
    late = [await inspected(session, clip, f"late {n}") for n in range(2)]
    assert [await next_chunk() for _ in late] == [(asset, 0) for asset in late]
    assert await next_chunk() == (early, 2)
    await media_storage().delete_below(FOLDER)
