"""Figures for Prometheus, and who may read them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import msgspec
import pytest
from litestar import Litestar
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from catalog.factories import add_films
from factories import AssetFactory, ChunkFactory, create
from queue_helpers import Count
from videoflix.media.payloads import EncodeChunk
from videoflix.metrics import api
from videoflix.metrics.service import MetricsText
from videoflix.platform.auth import scrapers
from videoflix.platform.postgres.session import alchemy
from videoflix.platform.queue import enqueue
from videoflix.settings import settings

Values = dict[tuple[str, ...], float]


TOKEN = {"Authorization": "Bearer figures"}


@pytest.fixture(autouse=True)
def fresh_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "metrics_text", MetricsText())
    monkeypatch.setattr(
        scrapers, "settings", msgspec.structs.replace(settings, metrics_token="figures")
    )


def at(app: Litestar, address: str | None, **headers: str) -> httpx.AsyncClient:
    """A client at an address, or on a Unix socket."""
    asgi: Any = app
    peer: Any = (address, 5) if address else None
    transport = httpx.ASGITransport(asgi, client=peer)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.AsyncClient(transport=transport, base_url="http://test", headers=sent)


async def scraped(client: httpx.AsyncClient) -> Values:
    """Every sample by its name and the values of its labels."""
    answer = await client.get("/metrics", headers=TOKEN)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


async def test_requests_are_counted_by_route_and_status(viewer: httpx.AsyncClient) -> None:
    before = await scraped(viewer)
    for video_id in (1, 2):
        await viewer.get(f"/api/v1/videos/{video_id}")
    await viewer.get("/nowhere/1")
    await viewer.get("/nowhere/2")
    after = await scraped(viewer)

    def counted(*labels: str) -> float:
        key = ("videoflix_http_requests_total", *labels)
        return after[key] - before.get(key, 0)

    assert counted("GET", "/api/v1/videos/{video_id}", "404") == 2
    assert counted("GET", "unmatched", "404") == 2
    assert not any("nowhere" in label for key in after for label in key)
    assert after["videoflix_http_request_seconds_count", "GET", "/api/v1/videos/{video_id}"] >= 2


async def test_queues_show_depth_and_age(client: httpx.AsyncClient, session: AsyncSession) -> None:
    first = await enqueue(session, Count(number=1))
    await enqueue(session, Count(number=2))
    await enqueue(session, Count(number=3), at=datetime.now(UTC) + timedelta(hours=1))
    await session.execute(
        text("update procrastinate_events set at = now() - interval '90 s' where job_id=:j"),
        {"j": first},
    )
    await session.commit()
    found = await scraped(client)
    assert found["videoflix_queue_jobs", "counting", "todo"] == 3
    assert found["videoflix_queue_oldest_seconds", "counting"] == pytest.approx(90, abs=5)
    assert found["videoflix_queue_jobs", "transcode", "todo"] == 0
    assert found["videoflix_database_up",] == 1
    assert found["videoflix_live_streams",] == 0


async def test_speed_is_film_per_working_second(
    client: httpx.AsyncClient, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    [video_id] = await add_films(session, {"title": "Alien"})
    plan = {"frame_rate_num": 25, "frame_rate_den": 1}
    asset = await create(session, AssetFactory, video_id=video_id, plan=plan)
    await create(session, ChunkFactory, asset_id=asset.id, frame_count=500, done=True)
    job = await enqueue(session, EncodeChunk(asset_id=asset.id, index=0))
    assert "videoflix_transcode_speed" not in {name for name, *_ in await scraped(client)}
    for statement in (
        "update procrastinate_jobs set status = 'doing' where id = :job",
        "update procrastinate_jobs set status = 'succeeded' where id = :job",
        "update procrastinate_events set at = now() - interval '5 s'"
        " where job_id = :job and type = 'started'",
    ):
        await session.execute(text(statement), {"job": job})
    await session.commit()
    monkeypatch.setattr(api, "metrics_text", MetricsText())
    found = await scraped(client)
    assert found["videoflix_transcode_speed",] == pytest.approx(4, rel=0.1)


async def test_remembered_answers_are_counted(
    viewer: httpx.AsyncClient, session: AsyncSession
) -> None:
    await add_films(session, {"title": "Alien"})
    await session.commit()
    before = await scraped(viewer)
    for _ in range(3):
        await viewer.get("/api/v1/videos")
    after = await scraped(viewer)
    hits = ("videoflix_answer_cache_total", "hit")
    misses = ("videoflix_answer_cache_total", "miss")
    assert after[hits] - before.get(hits, 0) == 2
    assert after[misses] - before.get(misses, 0) == 1


async def test_figures_outlive_the_database(client: httpx.AsyncClient) -> None:
    nowhere = create_async_engine(settings.sqlalchemy_url + "&port=1")
    former, alchemy.session_maker = alchemy.session_maker, async_sessionmaker(nowhere)
    found = await scraped(client)
    alchemy.session_maker = former
    await nowhere.dispose()
    assert found["videoflix_database_up",] == 0
    assert not any(key[0].startswith("videoflix_queue") for key in found)


@pytest.mark.parametrize("path", ["/metrics", "//metrics", "/metrics/", "/%6detrics", "/./metrics"])
@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "203.0.113.1", None])
async def test_without_a_token_nobody_may_ask(
    app: Litestar,
    session: AsyncSession,
    monkeypatch: pytest.MonkeyPatch,
    address: str | None,
    path: str,
) -> None:
    """Behind a proxy on this machine everybody comes from this machine."""
    monkeypatch.setattr(scrapers, "settings", msgspec.structs.replace(settings, metrics_token=""))
    async with at(app, address) as client:
        answer = await client.get(f"http://test{path}")
        assert answer.status_code in {403, 404}
        assert "videoflix_" not in answer.text


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ("Bearer figures", 200),
        ("Bearer figure", 401),
        ("figures", 401),
        ("", 401),
        ("Bearer ä", 401),
    ],
)
async def test_with_a_token_it_is_needed_everywhere(
    app: Litestar,
    session: AsyncSession,
    sent: str,
    status: int,
) -> None:
    for address in ("127.0.0.1", "203.0.113.1"):
        async with at(app, address) as client:
            headers = {b"authorization": sent.encode()} if sent else {}
            assert (await client.get("/metrics", headers=headers)).status_code == status
