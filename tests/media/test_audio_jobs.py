"""Audio is published in parts: playable at once, and none twice whatever happens to a worker."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from media.clips import make_clip
from queue_helpers import rows
from videoflix.catalog.models import Video
from videoflix.catalog.schemas import VideoCreate
from videoflix.media.encode_audio import AudioPart
from videoflix.media.jobs import encode
from videoflix.media.jobs.encode import (
    EncodeTask,
    inspect,
    run_encode_audio,
    run_encode_chunk,
)
from videoflix.media.models import Asset
from videoflix.media.payloads import EncodeAudio, EncodeChunk, Inspect
from videoflix.media.schemas import StoredFile
from videoflix.media.service import Media, Presentations
from videoflix.platform.storage.media_storage import media_storage
from videoflix.playback.service.segments import store

FOLDER = "assets/audio-jobs"
PARTS = """
select chunk_index, key, length(segments) / 16 as segments from media_part as part
join media_rendition as rendition on rendition.id = part.rendition_id
where kind = 'audio' order by chunk_index
"""
ASSET = (
    "select asset.state, is_complete from media_asset as asset"
    " join media_rendition as rendition on asset_id = asset.id where kind = 'audio'"
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_clip(file, seconds=90, size="64x36", rate="5")


@pytest.fixture
async def asset(session: AsyncSession, clip: Path) -> int:
    """A film of 90 seconds that is inspected."""
    stored = await media_storage().put(f"{FOLDER}/source", clip)
    file = StoredFile(FOLDER, f"{FOLDER}/source", "a.mp4", stored.size, stored.sha256)
    await Media(session).accept(VideoCreate(title="Audio"), file, None)
    await session.commit()
    asset_id: int | None = await session.scalar(select(func.max(Asset.id)))
    assert asset_id
    await inspect(Inspect(asset_id=asset_id))
    return asset_id


@pytest.fixture(autouse=True)
async def _clean(session: AsyncSession) -> AsyncIterator[None]:
    yield
    await media_storage().delete_below(FOLDER)


class Killed(BaseException):
    """What a killed worker does not catch."""


def killed_before(part: int, monkeypatch: pytest.MonkeyPatch) -> None:
    publish = encode.publish_audio

    async def publish_some(job: EncodeAudio, found: AudioPart, work: EncodeTask) -> None:
        if found.number == part:
            raise Killed
        await publish(job, found, work)

    monkeypatch.setattr(encode, "publish_audio", publish_some)


async def test_film_plays_before_all_its_audio_is_there(
    asset: int, monkeypatch: pytest.MonkeyPatch, session: AsyncSession
) -> None:
    await run_encode_chunk(EncodeChunk(asset_id=asset, index=0))
    with monkeypatch.context() as context:
        killed_before(1, context)
        with pytest.raises(Killed):
            await run_encode_audio(EncodeAudio(asset_id=asset))
    assert await rows(ASSET) == [{"state": "encoding", "is_complete": False}]
    assert await session.scalar(select(Video.playable))
    video_id = await session.scalar(select(Video.id))
    presentation = await Presentations(session).for_asset(video_id or 0, asset)
    assert presentation is not None
    for name in ("audio", "36p"):
        listed = store.playlist(presentation, presentation.tracks[name]).text.decode()
        assert listed.count("#EXTINF") == 1, "tracks end together"
        assert "#EXT-X-START:TIME-OFFSET=0" in listed


async def test_next_worker_continues_where_the_first_was_killed(
    asset: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context:
        killed_before(2, context)
        with pytest.raises(Killed):
            await run_encode_audio(EncodeAudio(asset_id=asset))
    kept = await rows(PARTS)
    assert [(row["chunk_index"], row["segments"]) for row in kept] == [(0, 1), (1, 15)]
    await run_encode_audio(EncodeAudio(asset_id=asset))
    parts = await rows(PARTS)
    assert parts[:2] == kept
    assert (parts[2]["chunk_index"], parts[2]["segments"]) == (2, 7)
    stored = set(await media_storage().keys(FOLDER))
    assert stored == {f"{FOLDER}/source", *(row["key"] for row in parts)}


async def test_film_is_ready_when_its_last_audio_is(asset: int) -> None:
    for (index,) in [(row["index"],) for row in await rows("select index from media_chunk")]:
        await run_encode_chunk(EncodeChunk(asset_id=asset, index=index))
    assert await rows(ASSET) == [{"state": "encoding", "is_complete": False}]
    await run_encode_audio(EncodeAudio(asset_id=asset))
    assert await rows(ASSET) == [{"state": "ready", "is_complete": True}]
    await run_encode_audio(EncodeAudio(asset_id=asset))
    assert len(await rows(PARTS)) == 3


async def test_audio_of_an_earlier_version_is_whole(asset: int, session: AsyncSession) -> None:
    """A worker that is replaced during an upgrade publishes one file without the flag."""
    await run_encode_audio(EncodeAudio(asset_id=asset))
    await session.execute(text("delete from media_part where chunk_index <> 1"))
    await session.execute(text("update media_part set chunk_index = 0"))
    await session.execute(text("update media_rendition set is_complete = false"))
    await session.commit()
    await run_encode_audio(EncodeAudio(asset_id=asset))
    assert len(await rows(PARTS)) == 1
    assert await rows(ASSET) == [{"state": "encoding", "is_complete": True}]
