"""A row and its job are stored or lost together."""

from datetime import UTC, datetime, timedelta
from typing import ClassVar

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.catalog.models import Video
from videoflix.platform.postgres.session import transaction
from videoflix.platform.queue import Job, cancel_pending, enqueue, enqueue_many


class Export(Job):
    name: ClassVar = "test.export"
    queue: ClassVar = "exports"
    priority: ClassVar = 7
    since: datetime | None = None

    @property
    def unique_key(self) -> str:
        return "export"


class Chunk(Job):
    name: ClassVar = "test.chunk"
    unique: ClassVar = True
    asset_id: int
    rendition: str


class Step(Job):
    name: ClassVar = "test.step"
    number: int


async def count(session: AsyncSession, table: str) -> int:
    found: int = (await session.execute(text(f"select count(*) from {table}"))).scalar_one()
    return found


async def test_job_and_row_are_stored_or_lost_together(session: AsyncSession) -> None:
    async def save_and_fail() -> None:
        async with transaction() as inner:
            inner.add(Video(title="t"))
            await enqueue(inner, Export())
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await save_and_fail()
    assert (await count(session, "video"), await count(session, "procrastinate_jobs")) == (0, 0)

    async with transaction() as inner:
        inner.add(Video(title="t"))
        await enqueue(inner, Export())
    assert (await count(session, "video"), await count(session, "procrastinate_jobs")) == (1, 1)


async def test_unique_jobs_wait_once_for_the_same_fields(session: AsyncSession) -> None:
    jobs = [Chunk(asset_id=1, rendition="720p"), Chunk(asset_id=1, rendition="480p")]
    async with transaction() as inner:
        assert None not in [await enqueue(inner, job) for job in jobs]
        assert [await enqueue(inner, job) for job in jobs] == [None, None]
        assert await enqueue_many(inner, [*jobs, Chunk(asset_id=2, rendition="720p")])
    locks = await session.scalars(text("select queueing_lock from procrastinate_jobs order by id"))
    assert list(locks) == ["test.chunk:1:720p", "test.chunk:1:480p", "test.chunk:2:720p"]


async def test_once_skips_a_waiting_job_and_keeps_the_transaction(session: AsyncSession) -> None:
    async with transaction() as inner:
        assert await enqueue(inner, Export()) is not None
        assert await enqueue(inner, Export()) is None
        inner.add(Video(title="after"))
    assert (await count(session, "video"), await count(session, "procrastinate_jobs")) == (1, 1)


async def test_every_column_arrives(session: AsyncSession) -> None:
    at = datetime(2030, 1, 6, 6, 0, tzinfo=UTC)
    await enqueue(session, Export(since=at - timedelta(days=7)), at=at)
    row = (await session.execute(text("select * from procrastinate_jobs"))).mappings().one()
    wanted = {
        "queue_name": "exports",
        "task_name": "test.export",
        "priority": 7,
        "queueing_lock": "export",
        "scheduled_at": at,
        "args": {"since": "2029-12-30T06:00:00Z"},
        "status": "todo",
    }
    assert {key: row[key] for key in wanted} == wanted


async def test_withdrawn_jobs_never_run(session: AsyncSession) -> None:
    at = datetime(2030, 1, 6, 6, 0, tzinfo=UTC)
    await enqueue_many(session, [Step(number=1), Step(number=2)], at=at)
    await cancel_pending(session, [Step], number=1)
    left = (await session.execute(text("select args, scheduled_at from procrastinate_jobs"))).all()
    assert [tuple(row) for row in left] == [({"number": 2}, at)]
    assert await enqueue_many(session, []) == []
