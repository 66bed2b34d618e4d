"""After a killed `up`, its workers' jobs go back to the queue at once."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.media.payloads import MakePoster
from videoflix.platform.queue import enqueue
from videoflix.up.recovery import hand_back_jobs

FETCH = text(
    "update procrastinate_jobs set status = 'doing', worker_id = "
    "(select worker_id from procrastinate_register_worker_v1()) where id = :id"
)
JOBS = text("select status::text, worker_id, attempts from procrastinate_jobs order by id")


async def test_only_running_jobs_are_handed_back_without_costing_an_attempt(
    session: AsyncSession,
) -> None:
    first = await enqueue(session, MakePoster(asset_id=1))
    await enqueue(session, MakePoster(asset_id=2))
    await session.execute(FETCH, {"id": first})

    assert await hand_back_jobs(session) == 1

    jobs = [tuple(row) for row in await session.execute(JOBS)]
    assert jobs == [("todo", None, 0), ("todo", None, 0)]
    assert await session.scalar(text("select count(*) from procrastinate_workers")) == 0
    assert await hand_back_jobs(session) == 0
