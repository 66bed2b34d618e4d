"""Requeue the running jobs of dead workers at start."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

HAND_BACK = text(
    "update procrastinate_jobs set status = 'todo', worker_id = null where status = 'doing'"
    " returning id"
)
DELETE_WORKERS = text("delete from procrastinate_workers")


async def hand_back_jobs(session: AsyncSession) -> int:
    """Requeue every running job; return how many there were.

    Only for the embedded database while the lock of the data directory is held, so that no worker
    can be alive. Elsewhere the reaper detects dead workers by heartbeats. Interrupted attempts are
    not counted.
    """
    handed_back = (await session.scalars(HAND_BACK)).all()
    await session.execute(DELETE_WORKERS)
    return len(handed_back)
