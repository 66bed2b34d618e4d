"""Scheduled jobs: five-field cron in the installation's time zone, each scheduled time once.

Every worker looks at the clock; the ledger `cron_run` decides. Who was away for days finds one
run missing, the latest, and catches that one up.
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

# Who decides about a schedule does so alone; somebody else's decision need not be waited for.
TRY_LOCK = text("select pg_try_advisory_xact_lock(hashtextextended('cron ' || :kind, 0))")


class CronRun(Record):
    """A scheduled time that was dealt with; no job, when it passed before its kind was known."""

    __tablename__ = "cron_run"
    __table_args__ = (UniqueConstraint("kind", "scheduled_for"),)

    kind: Mapped[str] = mapped_column(String(128))
    scheduled_for: Mapped[datetime]
    job_id: Mapped[int | None] = mapped_column(BigInteger, default=None)


class Schedule(msgspec.Struct, frozen=True):
    """A job and when it is due, as a cron expression."""

    expression: str
    job: Job

    def last_due(self, now: datetime) -> datetime:
        """The latest scheduled time before `now`, in UTC.

        Clock changes follow Debian's cron: what falls into a skipped hour is due right after
        it, and a fixed hour that comes twice counts once.
        """
        local = now.astimezone(settings.time_zone)
        return next(CronSim(self.expression, local, reverse=True)).astimezone(UTC)

    def next_due(self, now: datetime) -> datetime:
        """The first scheduled time after `now`, in UTC."""
        local = now.astimezone(settings.time_zone)
        return next(CronSim(self.expression, local)).astimezone(UTC)


# By the job's name.
schedules: dict[str, Schedule] = {}


def schedule(expression: str, job: Job) -> None:
    """Have a job enqueued whenever the cron expression of five fields says so.

    Raises ValueError or CronSimError when it is none.
    """
    if len(expression.split()) != FIELDS:
        raise ValueError(f"a schedule has {FIELDS} fields, from minute to weekday: {expression}")
    schedule = Schedule(expression, job)
    schedule.next_due(datetime.now(UTC))
    schedules[job.name] = schedule


async def tick_forever() -> None:
    """Enqueue what is due, again and again, until cancelled."""
    while True:
        try:
            await tick()
            pause = _until_next(datetime.now(UTC)).total_seconds()
        except (SQLAlchemyError, OSError) as error:
            logger.debug("cannot look for scheduled jobs: %s", error)
            pause = RETRY_SECONDS
        await asyncio.sleep(pause)


async def tick() -> None:
    """Enqueue the jobs whose time has come and that nobody has enqueued yet."""
    for kind, schedule in schedules.items():
        async with transaction() as session:
            await _run_if_due(session, kind, schedule)


async def _run_if_due(session: AsyncSession, kind: str, schedule: Schedule) -> None:
    if not await session.scalar(TRY_LOCK, {"kind": kind}):
        return
    # The database's clock, read under the lock: time never runs backwards from one to the next.
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
