"""Three kinds of failure, and the way back from each: what is kept, told, retried and removed."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from media.clips import make_clip
from videoflix.media.jobs.cleanup import delete_source, expire_sources, sweep_attempts
from videoflix.media.jobs.encode import (
    inspect,
    run_encode_audio,
    run_encode_chunk,
    stall,
)
from videoflix.media.jobs.reconcile import reconcile, stall_unserved
from videoflix.media.payloads import (
    DeleteSource,
    EncodeAudio,
    EncodeChunk,
    ExpireSources,
    Inspect,
    Reconcile,
    StallUnserved,
    SweepAttempts,
)
from videoflix.media.service.failures import SUSPECT_ATTEMPTS_MAX, fail_asset
from videoflix.platform.queue import JobCancelled, TransientError
from videoflix.platform.queue.retry import StallLimitReached
from videoflix.platform.storage.media_storage import media_storage

VIDEOS = "/api/v1/videos"
FULL = TransientError("storage-full", "The media storage is full.")


async def upload(editor: httpx.AsyncClient, content: bytes, path: str = VIDEOS) -> None:
    method = editor.post if path == VIDEOS else editor.put
    answer = await method(path, data={"title": "Film"}, files={"file": ("a.mp4", content)})
    assert answer.status_code in {201, 202}, answer.text


async def one(session: AsyncSession, query: str) -> Any:
    session.expire_all()
    return await session.scalar(text(query))


async def jobs(session: AsyncSession) -> list[str]:
    """Waiting jobs about an unfinished file."""
    found = await session.scalars(
        text(
            "select task_name from procrastinate_jobs where status = 'todo' and task_name = any("
            "array['media.inspect', 'media.encode_chunk', 'media.encode_audio']) order by 1"
        )
    )
    return list(found)


async def encode_all(session: AsyncSession, asset_id: int) -> None:
    chunks = await session.scalars(
        text("select index from media_chunk where asset_id = :id and not done"), {"id": asset_id}
    )
    for index in chunks.all():
        await run_encode_chunk(EncodeChunk(asset_id=asset_id, index=index))
    await run_encode_audio(EncodeAudio(asset_id=asset_id))


@pytest.fixture
async def clip(tmp_path: Path) -> bytes:
    return make_clip(tmp_path / "clip.mp4", seconds=14, size="160x90", rate="10").read_bytes()


@pytest.fixture
async def asset_id(
    session: AsyncSession, editor: httpx.AsyncClient, clip: bytes
) -> AsyncIterator[int]:
    """An uploaded film of some chunks."""
    await upload(editor, clip)
    found: int = await one(session, "select id from media_asset")
    folder: str = await one(session, "select folder from media_asset")
    yield found
    await media_storage().delete_below(folder)


async def shown(editor: httpx.AsyncClient, session: AsyncSession) -> dict[str, Any]:
    video_id = await one(session, "select id from video")
    answer: dict[str, Any] = (await editor.get(f"{VIDEOS}/{video_id}")).json()
    return answer


async def test_rejected_file_is_kept_for_a_while(
    session: AsyncSession, editor: httpx.AsyncClient
) -> None:
    await upload(editor, b"no film at all")
    asset_id = await one(session, "select id from media_asset")
    video_id = await one(session, "select id from video")
    folder = await one(session, "select folder from media_asset")
    await inspect(Inspect(asset_id=asset_id))
    assert (await shown(editor, session))["failure"]["code"] == "not-a-video"
    await sweep_attempts(SweepAttempts(asset_id=asset_id))
    await expire_sources(ExpireSources())
    assert await media_storage().keys(folder) == [f"{folder}/source"]
    [listed] = (await editor.get(f"{VIDEOS}/{video_id}/sources")).json()["items"]
    assert listed["failure"]["code"] == "not-a-video"
    assert listed["source_expires_at"] > listed["created_at"]

    again = await editor.post(f"{VIDEOS}/{video_id}/retry")
    assert (again.status_code, again.json()["state"]) == (202, "processing")
    assert again.json()["failure"] is None
    await session.execute(text("update media_asset set source_expires_at = now() - interval '1 s'"))
    await session.commit()
    await expire_sources(ExpireSources())
    assert await media_storage().size(f"{folder}/source"), "it is needed again"

    await inspect(Inspect(asset_id=asset_id))
    await session.execute(text("update media_asset set source_expires_at = now() - interval '1 s'"))
    await session.commit()
    async with media_storage().writing(f"{folder}/other") as writer:
        await writer.write(b"not ours to remove")
    await expire_sources(ExpireSources())
    for _ in range(2):  # it may run twice
        await delete_source(DeleteSource(asset_id=asset_id))
    assert await media_storage().keys(folder) == [f"{folder}/other"], "that file and no other"
    refused = await editor.post(f"{VIDEOS}/{video_id}/retry")
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/source-removed")
    await media_storage().delete_below(folder)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), JobCancelled()], ids=["bug", "cancelled"])
async def test_retry_encodes_only_what_is_left(
    session: AsyncSession, editor: httpx.AsyncClient, asset_id: int, error: Exception
) -> None:
    await inspect(Inspect(asset_id=asset_id))
    chunks = await one(session, "select count(*) from media_chunk")
    assert chunks > 1
    await run_encode_chunk(EncodeChunk(asset_id=asset_id, index=0))
    await fail_asset(EncodeChunk(asset_id=asset_id, index=1), error)
    film = await shown(editor, session)
    assert film["state"] == "failed"
    assert film["failure"]["code"] in {"encoding-failed", "encoding-cancelled"}
    assert await jobs(session) == []
    await sweep_attempts(SweepAttempts(asset_id=asset_id))
    await delete_source(DeleteSource(asset_id=asset_id))  # whoever queued it: it is not rejected
    key = await one(session, "select source_key from media_asset")
    assert await media_storage().size(key)

    for _ in range(2):  # twice is once
        again = await editor.post(f"{VIDEOS}/{film['id']}/retry")
        assert again.status_code == 202, again.text
    assert (again.json()["state"], again.json()["failure"]) == ("processing", None)
    left = ["media.encode_audio", *["media.encode_chunk"] * (chunks - 1)]
    assert await jobs(session) == left
    await encode_all(session, asset_id)
    assert (await shown(editor, session))["state"] == "ready"
    nothing = await editor.post(f"{VIDEOS}/{film['id']}/retry")
    assert nothing.json()["type"] == "/problems/nothing-to-retry"


async def test_retry_of_a_dead_letter_resumes_the_film(
    session: AsyncSession, editor: httpx.AsyncClient, admin: httpx.AsyncClient, asset_id: int
) -> None:
    await inspect(Inspect(asset_id=asset_id))
    dead = await one(
        session,
        "update procrastinate_jobs set status = 'failed', attempts = 5"
        " where task_name = 'media.encode_audio' returning id",
    )
    await session.commit()
    await fail_asset(EncodeAudio(asset_id=asset_id), RuntimeError("a bug"))
    assert (await shown(editor, session))["state"] == "failed"
    answer = await admin.post(f"/api/v1/operations/jobs/{dead}/retry")
    assert answer.status_code == 200, answer.text
    assert (await shown(editor, session))["state"] == "processing"
    found = await jobs(session)
    assert found.count("media.encode_audio") == 1
    assert "media.encode_chunk" in found
    await encode_all(session, asset_id)
    assert (await shown(editor, session))["state"] == "ready"


async def test_stalled_film_says_why_and_goes_on_by_itself(
    session: AsyncSession, editor: httpx.AsyncClient, viewer: httpx.AsyncClient, asset_id: int
) -> None:
    await stall(Inspect(asset_id=asset_id), FULL)
    film = await shown(editor, session)
    assert film["stalled"] == {"code": "storage-full", "reason": "The media storage is full."}
    assert film["state"] == "processing"
    [listed] = (await editor.get(f"{VIDEOS}/{film['id']}/sources")).json()["items"]
    assert (listed["state"], listed["stalled"]["code"]) == ("stalled", "storage-full")
    await inspect(Inspect(asset_id=asset_id))
    assert (await shown(editor, session))["stalled"] is None
    assert await one(session, "select state from media_asset") == "encoding"

    await run_encode_chunk(EncodeChunk(asset_id=asset_id, index=0))
    await run_encode_audio(EncodeAudio(asset_id=asset_id))
    await stall(EncodeChunk(asset_id=asset_id, index=1), FULL)
    assert (await shown(editor, session))["stalled"]
    seen = await viewer.get(f"{VIDEOS}/{film['id']}")
    assert seen.status_code == 200
    assert seen.json()["stalled"] is None, "for editors only"


async def test_film_that_brings_machines_down_is_given_up(
    session: AsyncSession, editor: httpx.AsyncClient, asset_id: int
) -> None:
    killed = TransientError("encoder-killed", "It was killed.", suspicious=True)
    job = Inspect(asset_id=asset_id)
    for _ in range(SUSPECT_ATTEMPTS_MAX):
        await stall(job, killed)
    with pytest.raises(StallLimitReached) as final:
        await stall(job, killed)
    await fail_asset(job, final.value)
    film = await shown(editor, session)
    assert (film["state"], film["failure"]["code"]) == ("failed", "encoder-killed")
    key = await one(session, "select source_key from media_asset")
    assert await media_storage().size(key)


async def test_film_does_not_wait_for_its_machine_for_ever(
    session: AsyncSession, asset_id: int
) -> None:
    await stall(Inspect(asset_id=asset_id), FULL)
    await session.execute(text("update media_asset set stalled_at = now() - interval '30 days'"))
    await session.commit()
    with pytest.raises(StallLimitReached):
        await stall(Inspect(asset_id=asset_id), FULL)


async def test_why_a_replacement_failed_is_shown_to_editors(
    session: AsyncSession,
    editor: httpx.AsyncClient,
    viewer: httpx.AsyncClient,
    asset_id: int,
    clip: bytes,
) -> None:
    await inspect(Inspect(asset_id=asset_id))
    await encode_all(session, asset_id)
    film = await shown(editor, session)
    await upload(editor, b"rubbish", f"{VIDEOS}/{film['id']}/file")
    newest = "select max(id) from media_asset"
    await inspect(Inspect(asset_id=await one(session, newest)))
    film = await shown(editor, session)
    assert (film["state"], film["failure"]) == ("ready", None), "the old file plays on"
    assert film["replacement_failure"]["code"] == "not-a-video"
    listed = (await editor.get(f"{VIDEOS}/{film['id']}/sources")).json()["items"]
    assert [one["state"] for one in listed] == ["failed", "ready"]
    assert (await viewer.get(f"{VIDEOS}/{film['id']}")).json()["replacement_failure"] is None
    await upload(editor, clip, f"{VIDEOS}/{film['id']}/file")
    assert (await shown(editor, session))["replacement_failure"] is None


async def test_unfinished_films_always_have_work(
    session: AsyncSession, editor: httpx.AsyncClient, asset_id: int
) -> None:
    await session.execute(text("delete from procrastinate_jobs"))
    await session.commit()
    for _ in range(2):  # what is queued is not queued again
        await reconcile(Reconcile())
        assert await jobs(session) == ["media.inspect"]
    await inspect(Inspect(asset_id=asset_id))
    await session.execute(text("delete from procrastinate_jobs where args ->> 'index' = '0'"))
    await session.execute(
        text("update procrastinate_jobs set status = 'cancelled' where task_name ~ 'audio'")
    )
    await session.commit()
    await reconcile(Reconcile())
    chunks = await one(session, "select count(*) from media_chunk")
    left = ["media.encode_audio", *["media.encode_chunk"] * chunks]
    assert [name for name in await jobs(session) if name != "media.inspect"] == left
    count = await one(session, "select count(*) from job_incident where kind = 'requeued'")
    assert count == 1 + 2

    await encode_all(session, asset_id)
    await session.execute(text("update video set state = 'processing'"))
    await session.commit()
    await reconcile(Reconcile())
    assert (await shown(editor, session))["state"] == "ready"


@pytest.mark.usefixtures("asset_id")
async def test_film_without_a_worker_says_so_until_one_serves(
    session: AsyncSession, editor: httpx.AsyncClient
) -> None:
    """And nothing is said while a worker that could encode is alive, or may be starting."""
    await session.execute(
        text(
            "with worker as (insert into procrastinate_workers (last_heartbeat) values (now())"
            " returning id) insert into worker_breaker (worker_id, queue_name, host, reason,"
            " created_at, updated_at) select id, 'transcode', 'h', '', now(), now() from worker"
        )
    )
    await session.commit()
    await reconcile(Reconcile())
    await stall_unserved(StallUnserved())
    assert (await shown(editor, session))["stalled"] is None
    await session.execute(text("update worker_breaker set reason = 'FFmpeg: it is missing.'"))
    await session.commit()
    await reconcile(Reconcile())
    assert (await shown(editor, session))["stalled"] is None, "the worker may get well at once"
    later = "select scheduled_at > now() from procrastinate_jobs where task_name ~ 'stall_unserved'"
    assert await one(session, later)
    await stall_unserved(StallUnserved())
    stalled = (await shown(editor, session))["stalled"]
    assert stalled["code"] == "no-worker"
    assert stalled["reason"].endswith("reported: FFmpeg: it is missing.")
    await session.execute(text("update worker_breaker set reason = ''"))
    await session.commit()
    await reconcile(Reconcile())
    assert (await shown(editor, session))["stalled"] is None
    assert await one(session, "select state from media_asset") == "uploaded"


async def test_file_of_a_commit_whose_answer_was_lost_stays(
    session: AsyncSession, editor: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether the row is there: the nightly sweep finds out, not the request."""

    async def lost(*_: object, **__: object) -> None:
        raise ConnectionResetError("the database hung up")

    monkeypatch.setattr("videoflix.audit.service.Audit.record_change", lost)
    answer = await editor.post(VIDEOS, data={"title": "T"}, files={"file": ("a.mp4", b"bytes")})
    assert answer.status_code == 503
    stored = [key async for key in media_storage().walk("assets") if key.endswith("/source")]
    assert stored
    for key in stored:
        await media_storage().delete_below(key.removesuffix("/source"))
