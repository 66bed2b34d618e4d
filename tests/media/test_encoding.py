"""How far a film's processing is, track by track; cancelling it, and encoding again."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from media.clips import make_clip
from media.test_failures import encode_all
from videoflix.media.jobs.encode import inspect, run_encode_chunk
from videoflix.media.jobs.encode_again import run_encode_again
from videoflix.media.models import Asset
from videoflix.media.payloads import EncodeAgain, EncodeChunk, Inspect
from videoflix.platform.storage.media_storage import media_storage

VIDEOS = "/api/v1/videos"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    file = tmp_path_factory.mktemp("clip") / "clip.mp4"
    return make_clip(file, seconds=30, size="64x36", rate="5").read_bytes()


async def upload(editor: httpx.AsyncClient, clip: bytes) -> int:
    answer = await editor.post(VIDEOS, data={"title": "Film"}, files={"file": ("a.mp4", clip)})
    assert answer.status_code == 201, answer.text
    return int(answer.json()["id"])


@pytest.fixture
async def film(editor: httpx.AsyncClient, clip: bytes) -> AsyncIterator[int]:
    yield await upload(editor, clip)
    await media_storage().delete_below("assets")


async def newest(session: AsyncSession) -> Asset:
    session.expire_all()
    asset_id = await session.scalar(select(func.max(Asset.id)))
    return await session.get_one(Asset, asset_id)


async def encoding(client: httpx.AsyncClient, film: int) -> dict[str, Any]:
    found = await client.get(f"{VIDEOS}/{film}/encoding")
    assert found.status_code == 200, found.text
    answer: dict[str, Any] = found.json()
    return answer


async def test_progress_of_each_track(
    session: AsyncSession, editor: httpx.AsyncClient, film: int
) -> None:
    waiting = await encoding(editor, film)
    assert (waiting["state"], waiting["encoded"], waiting["tracks"]) == ("uploaded", 0, [])
    assert (waiting["seconds_left"], waiting["films_ahead"]) == (None, 0)
    asset = await newest(session)
    await inspect(Inspect(asset_id=asset.id))
    await session.execute(
        text("update media_chunk set created_at = now() - interval '60 s'")
    )  # it is encoded for a minute
    await run_encode_chunk(EncodeChunk(asset_id=asset.id, index=0))
    begun = await encoding(editor, film)
    picture, sound = begun["tracks"]
    assert begun["state"] == "encoding"
    assert 0 < begun["encoded"] < 1
    assert picture["encoded"] == begun["encoded"]
    assert (picture["kind"], picture["height"], picture["channels"]) == ("video", 36, None)
    assert picture["playable_seconds"] == pytest.approx(30 * begun["encoded"], abs=0.1)
    assert (sound["kind"], sound["encoded"], sound["channels"]) == ("audio", 0, 2)
    # A part took a minute, so what is left takes as long for each of its size.
    left = 60 * (1 - begun["encoded"]) / begun["encoded"]
    assert begun["seconds_left"] == pytest.approx(left, rel=0.05)
    await encode_all(session, asset.id)
    done = await encoding(editor, film)
    assert (done["state"], done["encoded"], done["seconds_left"]) == ("ready", 1, None)
    assert [track["encoded"] for track in done["tracks"]] == [1, 1]


async def test_films_that_were_uploaded_earlier_are_counted(
    session: AsyncSession, editor: httpx.AsyncClient, film: int, clip: bytes
) -> None:
    second = await upload(editor, clip)
    third = await upload(editor, clip)
    assert [(await encoding(editor, one))["films_ahead"] for one in (film, second, third)] == [
        0, 1, 2,
    ]  # fmt: skip


async def test_cancelled_work_is_resumed_by_a_retry(
    session: AsyncSession, editor: httpx.AsyncClient, film: int
) -> None:
    asset = await newest(session)
    await inspect(Inspect(asset_id=asset.id))
    await run_encode_chunk(EncodeChunk(asset_id=asset.id, index=0))
    cancelled = await editor.post(f"{VIDEOS}/{film}/encoding/cancel")
    assert (cancelled.status_code, cancelled.json()["state"]) == (202, "failed")
    assert cancelled.json()["failure"]["code"] == "cancelled"
    waiting = (
        "select count(*) from procrastinate_jobs where status = 'todo'"
        " and task_name = 'media.encode_chunk'"
    )
    assert await session.scalar(text(waiting)) == 0
    again = await editor.post(f"{VIDEOS}/{film}/encoding/cancel")
    assert (again.status_code, again.json()["type"]) == (409, "/problems/nothing-to-cancel")
    assert (await editor.post(f"{VIDEOS}/{film}/retry")).status_code == 202
    assert 0 < (await encoding(editor, film))["encoded"] < 1
    await encode_all(session, asset.id)
    assert (await encoding(editor, film))["state"] == "ready"


async def test_film_is_encoded_again_and_plays_meanwhile(
    session: AsyncSession, editor: httpx.AsyncClient, film: int
) -> None:
    first = await newest(session)
    first_id, key, sha256 = first.id, first.source_key, first.source_sha256
    path = f"{VIDEOS}/{film}/encoding/again"
    early = await editor.post(path)
    assert (early.status_code, early.json()["type"]) == (409, "/problems/encoding-runs")
    await inspect(Inspect(asset_id=first.id))
    await encode_all(session, first_id)
    assert (await editor.post(path)).status_code == 202
    await run_encode_again(EncodeAgain(asset_id=first_id))
    second = await newest(session)
    assert second.id != first_id
    assert second.source_sha256 == sha256
    assert second.source_key != key
    assert (await editor.get(f"{VIDEOS}/{film}/master.m3u8")).status_code == 200
    await run_encode_again(EncodeAgain(asset_id=first_id))  # a repeated job
    await inspect(Inspect(asset_id=second.id))
    await encode_all(session, second.id)
    assert (await encoding(editor, film))["asset_id"] == second.id
    master = await editor.get(f"{VIDEOS}/{film}/master.m3u8")
    assert f"assets/{second.id}/" in master.text


async def test_events_end_with_the_processing(
    session: AsyncSession, editor: httpx.AsyncClient, film: int
) -> None:
    asset = await newest(session)
    await editor.post(f"{VIDEOS}/{film}/encoding/cancel")
    async with editor.stream("GET", f"{VIDEOS}/{film}/encoding/events") as stream:
        lines = [line async for line in stream.aiter_lines()]
    data = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data:")]
    assert [(found["asset_id"], found["state"]) for found in data] == [(asset.id, "failed")]


async def test_film_without_a_file(editor: httpx.AsyncClient, session: AsyncSession) -> None:
    unknown = await editor.get(f"{VIDEOS}/999999/encoding")
    assert unknown.status_code == 404
