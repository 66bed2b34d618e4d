"""Scheduled jobs: five-field cron expressions in TIME_ZONE, each run enqueued exactly once.

Every worker runs the scheduler; the table `cron_run` deduplicates runs. After downtime only the
latest missed run is enqueued.
"""

import asyncio
import logging
from datetime import UTC, datetime, timedelta

import msgspec
from cronsim import CronSim
from sqlalchemy import BigInteger, String, UniqueConstraint, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record, transaction
from videoflix.platform.queue.enqueue import enqueue
from videoflix.platform.queue.job import Job
from videoflix.settings import settings

logger = logging.getLogger(__name__)

FIELDS = 5
MAX_SLEEP_SECONDS = timedelta(seconds=30)
RETRY_SECONDS = 2.0  # after a failure

# One scheduler at a time handles a schedule; the others skip it without waiting.
TRY_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended('cron ' || :kind, 0))")


class CronRun(Record):
    """A scheduled time that was handled; the first row of a kind has no job and only seeds it."""

    __tablename__ = "cron_run"
    __table_args__ = (UniqueConstraint("kind", "scheduled_for"),)

    kind: Mapped[str] = mapped_column(String(128))
    scheduled_for: Mapped[datetime]
    job_id: Mapped[int | None] = mapped_column(BigInteger, default=None)


class Schedule(msgspec.Struct, frozen=True):
    """A job and the cron expression that says when it is due."""

    expression: str
    job: Job

    def last_due(self, now: datetime) -> datetime:
        """Return the latest scheduled time before `now`, in UTC.

        Daylight saving follows Debian's cron: a time in a skipped hour is due right after
        it, and a fixed time in a repeated hour runs once.
        """
        local = now.astimezone(settings.time_zone)
        return next(CronSim(self.expression, local, reverse=True)).astimezone(UTC)

    def next_due(self, now: datetime) -> datetime:
        """Return the first scheduled time after `now`, in UTC."""
        local = now.astimezone(settings.time_zone)
        return next(CronSim(self.expression, local)).astimezone(UTC)


# By the job's name.
schedules: dict[str, Schedule] = {}


def schedule(expression: str, job: Job) -> None:
    """Register a job to be enqueued at the times of a five-field cron expression.

    Raises ValueError or CronSimError if the expression is invalid.
    """
    if len(expression.split()) != FIELDS:
        raise ValueError(f"a schedule has {FIELDS} fields, from minute to weekday: {expression}")
    schedule = Schedule(expression, job)
    schedule.next_due(datetime.now(UTC))
    schedules[job.name] = schedule


async def tick_forever() -> None:
    """Enqueue due jobs until cancelled."""
    while True:
        try:
            await tick()
            pause = _until_next(datetime.now(UTC)).total_seconds()
        except (SQLAlchemyError, OSError) as error:
            logger.debug("scheduler round failed: %s", error)
            pause = RETRY_SECONDS
        await asyncio.sleep(pause)


async def tick() -> None:
    """Enqueue the due jobs that have not been enqueued yet."""
    for kind, schedule in schedules.items():
        async with transaction() as session:
            await _run_if_due(session, kind, schedule)


async def _run_if_due(session: AsyncSession, kind: str, schedule: Schedule) -> None:
    if not await session.scalar(TRY_LOCK, {"kind": kind}):
        return
    # The database's clock, read under the lock, is monotonic across workers.
    now: datetime = (await session.scalars(select(func.clock_timestamp()))).one()
    due = schedule.last_due(now)
    newest = await session.scalar(
        select(func.max(CronRun.scheduled_for)).where(CronRun.kind == kind)
    )
    if newest is not None and newest >= due:
        return
    job_id = await enqueue(session, schedule.job) if newest is not None else None
    session.add(CronRun(kind=kind, scheduled_for=due, job_id=job_id))


def _until_next(now: datetime) -> timedelta:
    due = [schedule.next_due(now) - now for schedule in schedules.values()]
    return min([MAX_SLEEP_SECONDS, *due])
