"""Plain files are made once, of complete films only, and made up for where they are missing."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import httpx
import msgspec
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from media.clips import make_clip
from videoflix.catalog.schemas import VideoCreate
from videoflix.media.jobs.cleanup import sweep_attempts
from videoflix.media.jobs.encode import inspect, run_encode_audio, run_encode_chunk
from videoflix.media.jobs.mp4 import make_storyboard, package_missing, package_rendition
from videoflix.media.payloads import (
    EncodeAudio,
    EncodeChunk,
    Inspect,
    MakePoster,
    MakeStoryboard,
    PackageMissing,
    PackageRendition,
    SweepAttempts,
)
from videoflix.media.schemas import DownloadFiles, StoredFile
from videoflix.media.service import Media, Mp4Files
from videoflix.platform.queue import TransientError
from videoflix.platform.queue.registry import run_stall_callback
from videoflix.platform.queue.retry import StallLimitReached
from videoflix.platform.storage.media_storage import media_storage

FOLDER = "assets/packaging"
JOBS = text(
    "select task_name from procrastinate_jobs where status = 'todo'"
    " and task_name = any(array['media.package', 'media.make_storyboard']) order by 1"
)


@pytest.fixture
async def film(session: AsyncSession, tmp_path: Path) -> AsyncIterator[tuple[int, int]]:
    """A film of six seconds, complete but without plain files: its number and its asset's."""
    clip = make_clip(tmp_path / "clip.mp4", seconds=6)
    await media_storage().put(f"{FOLDER}/source", clip)
    stored = StoredFile(FOLDER, f"{FOLDER}/source", "clip.mp4", clip.stat().st_size, "")
    video = await Media(session).accept(VideoCreate(title="Clip"), stored, None)
    await session.commit()
    asset_id = await session.scalar(text("select id from media_asset"))
    assert asset_id
    await inspect(Inspect(asset_id=asset_id))
    chunks = await session.scalars(text("select index from media_chunk order by index"))
    for index in chunks.all():
        await run_encode_chunk(EncodeChunk(asset_id=asset_id, index=index))
    await run_encode_audio(EncodeAudio(asset_id=asset_id))
    yield video.id, asset_id
    await media_storage().delete_below(FOLDER)


async def files(session: AsyncSession, video_id: int) -> DownloadFiles:
    session.expire_all()
    return (await Mp4Files(session).for_videos([video_id]))[video_id]


async def waiting(session: AsyncSession) -> list[str]:
    return list(await session.scalars(JOBS))


async def make_all(asset_id: int) -> None:
    for rendition in ("180p", "120p"):
        await package_rendition(PackageRendition(asset_id=asset_id, rendition=rendition))
    await make_storyboard(MakeStoryboard(asset_id=asset_id))


async def test_a_complete_film_is_packaged_once(
    session: AsyncSession, film: tuple[int, int]
) -> None:
    video_id, asset_id = film
    both = ["media.make_storyboard", "media.package", "media.package"]
    assert await waiting(session) == both
    assert (await files(session, video_id)).movies == ()
    await package_rendition(PackageRendition(asset_id=asset_id, rendition="180p"))
    assert (await files(session, video_id)).movies == (), "which one is the smallest is open yet"
    await make_all(asset_id)
    made = await files(session, video_id)
    assert [movie.name for movie in made.movies] == ["180p", "120p"]
    assert made.storyboard
    assert made.storyboard.count == 6
    before = sorted(await media_storage().keys(FOLDER))
    await make_all(asset_id)  # handlers may run twice
    assert sorted(await media_storage().keys(FOLDER)) == before
    assert (await files(session, video_id)) == made


async def test_complete_film_has_an_animated_preview(
    session: AsyncSession, film: tuple[int, int], viewer: httpx.AsyncClient
) -> None:
    """Made with the storyboard, and gone with the file; older films have none."""
    video_id, asset_id = film
    path = f"/api/v1/videos/{video_id}"
    assert (await viewer.get(path)).json()["preview_url"] is None
    assert (await viewer.get(f"{path}/preview.webp")).status_code == 404
    await make_storyboard(MakeStoryboard(asset_id=asset_id))
    session.expire_all()
    url = (await viewer.get(path)).json()["preview_url"]
    shown = await viewer.get(url)
    assert shown.headers["content-type"] == "image/webp"
    assert "immutable" in shown.headers["cache-control"]
    assert 2_000 < len(shown.content) <= 300_000
    frames = shown.content.count(b"ANMF")
    assert 6 * 5 <= frames <= 6 * 6, "six moments of three quarters of a second"
    width = 1 + int.from_bytes(shown.content[24:27], "little")
    assert width == 320
    etag = {"If-None-Match": shown.headers["etag"]}
    assert (await viewer.get(url, headers=etag)).status_code == 304
    await sweep_attempts(SweepAttempts(asset_id=asset_id))
    assert (await viewer.get(url)).status_code == 200


async def test_the_sweep_leaves_plain_files(
    session: AsyncSession, film: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    video_id, asset_id = film
    await make_all(asset_id)
    monkeypatch.setattr("videoflix.media.jobs.cleanup.LEFT_ALONE", timedelta(hours=-1))
    await sweep_attempts(SweepAttempts(asset_id=asset_id))
    made = await files(session, video_id)
    kept = {key for movie in made.movies for key in [movie.key]} | {made.sprite_key}
    assert kept <= {*await media_storage().keys(FOLDER)}


async def test_what_is_missing_is_made_up_for(session: AsyncSession, film: tuple[int, int]) -> None:
    _, asset_id = film
    await package_rendition(PackageRendition(asset_id=asset_id, rendition="180p"))
    await session.execute(text("delete from procrastinate_jobs"))
    await session.commit()
    for _ in range(2):  # what waits already is not queued again
        await package_missing(PackageMissing())
        assert await waiting(session) == ["media.make_storyboard", "media.package"]
    await session.execute(text("delete from procrastinate_jobs"))
    await make_all(asset_id)
    await package_missing(PackageMissing())
    assert await waiting(session) == []


async def test_a_film_that_is_gone_is_not_packaged(
    session: AsyncSession, film: tuple[int, int]
) -> None:
    video_id, asset_id = film
    await Media(session).remove(video_id)
    await session.commit()
    await make_all(asset_id)
    names = {key.rpartition("/")[2] for key in await media_storage().keys(FOLDER)}
    assert "sprite.jpg" not in names


async def test_what_failed_for_good_is_left_to_operators(
    session: AsyncSession, film: tuple[int, int]
) -> None:
    """It is tried again when its dead letter is forgotten, not each hour."""
    await session.execute(
        text(
            "update procrastinate_jobs set status = 'failed'"
            " where task_name = 'media.package' and args ->> 'rendition' = '180p'"
        )
    )
    await session.execute(
        text("delete from procrastinate_jobs where status = 'todo' and args ? 'asset_id'")
    )
    await package_missing(PackageMissing())
    assert await waiting(session) == ["media.make_storyboard", "media.package"], "the others"
    await session.execute(
        text("update procrastinate_jobs set status = 'failed' where args ? 'asset_id'")
    )
    await package_missing(PackageMissing())
    assert await waiting(session) == []
    await session.execute(text("delete from procrastinate_jobs"))
    await package_missing(PackageMissing())
    assert len(await waiting(session)) == 3


@pytest.mark.parametrize(
    "job",
    [
        PackageRendition(asset_id=1, rendition="180p"),
        MakeStoryboard(asset_id=1),
        MakePoster(asset_id=1),
    ],
    ids=lambda job: job.name,
)
async def test_what_a_film_can_do_without_does_not_wait_for_its_machine_for_ever(
    session: AsyncSession, job: PackageRendition | MakeStoryboard | MakePoster
) -> None:
    fields = msgspec.to_builtins(job)
    fault = TransientError("storage-full", "The media storage is full.")
    await session.execute(
        text(
            "with job as (insert into procrastinate_jobs (queue_name, task_name, status,"
            " queueing_lock, args) values ('transcode', :name, 'doing', :mark, '{}')"
            " returning id) insert into job_incident (kind, job_id, queue_name, task_name, attempt,"
            " reason, created_at, updated_at) select 'transient', id, 'transcode', :name,"
            " 9, '', now(), now() from job"
        ),
        {"mark": job.unique_key, "name": job.name},
    )
    await run_stall_callback(job.name, fields, fault)
    await session.execute(text("update job_incident set created_at = now() - interval '8 days'"))
    with pytest.raises(StallLimitReached):
        await run_stall_callback(job.name, fields, fault)


async def test_a_film_is_complete_without_its_poster(
    session: AsyncSession, film: tuple[int, int]
) -> None:
    """One that failed for good is left to operators."""
    video_id, _ = film
    shown = text("select state, poster from video where id = :id")
    assert (await session.execute(shown, {"id": video_id})).one() == ("ready", None)
    posters = text("select count(*) from procrastinate_jobs where task_name = 'media.make_poster'")
    assert await session.scalar(posters)
    await session.execute(
        text("update procrastinate_jobs set status = 'failed' where queueing_lock like '%poster%'")
    )
    before = await session.scalar(posters)
    await package_missing(PackageMissing())
    assert await session.scalar(posters) == before
