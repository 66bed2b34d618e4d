"""All SQL of operations."""

from advanced_alchemy.filters import LimitOffset
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.operations.schemas import QueueCount, WorkerSeen
from videoflix.platform.mail import Mail

QUEUES = text("""
    select queue_name,
           count(*) filter (where status = 'todo'),
           count(*) filter (where status = 'doing'),
           count(*) filter (where status = 'failed'),
           coalesce(extract(epoch from now() - min(deferred.at)
                    filter (where status = 'todo')), 0)::float
    from procrastinate_jobs as job
    left join lateral (
        select min(event.at) as at from procrastinate_events as event
        where event.job_id = job.id and job.status = 'todo'
    ) as deferred on true
    group by queue_name order by queue_name
""")
WORKERS = text("select id, last_heartbeat from procrastinate_workers order by id")
SECONDS_SINCE_HEARTBEAT = text(
    "select extract(epoch from now() - max(last_heartbeat))::float from procrastinate_workers"
)


class QueueRepository:
    """Procrastinate's own tables, read only."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def ping(self) -> None:
        await self.session.execute(text("select 1"))

    async def queues(self) -> list[QueueCount]:
        return [QueueCount(*row) for row in await self.session.execute(QUEUES)]

    async def workers(self) -> list[WorkerSeen]:
        return [WorkerSeen(*row) for row in await self.session.execute(WORKERS)]

    async def seconds_since_heartbeat(self) -> float | None:
        """Age of the youngest heartbeat, or None when no worker is known."""
        age: float | None = await self.session.scalar(SECONDS_SINCE_HEARTBEAT)
        return age


class MailRepository(SQLAlchemyAsyncRepository[Mail]):
    """Mails of this installation."""

    model_type = Mail

    async def newest(self, page: LimitOffset) -> tuple[list[Mail], int]:
        return await self.get_many_and_count(page, order_by=[("id", True)])
