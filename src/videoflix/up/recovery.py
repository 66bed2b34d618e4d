"""Jobs of workers that cannot live any more go back to the queue at once."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

HAND_BACK = text(
    "update procrastinate_jobs set status = 'todo', worker_id = null where status = 'doing'"
    " returning id"
)
FORGET_WORKERS = text("delete from procrastinate_workers")


async def hand_back_jobs(session: AsyncSession) -> int:
    """Put every running job back; how many there were.

    Only for a database of which we know that no worker uses it: the embedded one, while we
    hold the lock of its home. Elsewhere the workers' reaper finds out by heartbeats. An
    attempt that ended because everything was stopped does not count against the job.
    """
    handed_back = (await session.scalars(HAND_BACK)).all()
    await session.execute(FORGET_WORKERS)
    return len(handed_back)
