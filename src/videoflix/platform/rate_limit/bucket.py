"""Rate limits on attempts, shared by all replicas: token buckets in Postgres.

A bucket holds `burst` tokens and refills one every `seconds` (generic cell rate algorithm, ITU-T
I.371). A row stores when the bucket is full again, and one statement checks and updates it. There
is no lockout: attempts are possible again after waiting.
"""

import hashlib
import logging
import math
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import ClassVar

import msgspec
from sqlalchemy import String, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from videoflix.platform.postgres.session import Record, transaction
from videoflix.platform.problems import Problem
from videoflix.platform.queue import Job, complete_job, handles, schedule

# clock_timestamp() is read under the row lock; now() is the start of the transaction, and
# transactions may not lock the row in the order in which they started.
ACQUIRE = text("""
insert into throttle as bucket (key, full_at, created_at, updated_at)
values (:key, clock_timestamp() + cast(:step as interval), now(), now())
on conflict (key) do update
set full_at = greatest(bucket.full_at, clock_timestamp()) + cast(:step as interval),
    updated_at = now()
where bucket.full_at <= clock_timestamp() + cast(:span as interval) - cast(:step as interval)
returning true
""")
WAIT = text("""
select full_at + cast(:step as interval) - cast(:span as interval) - now()
from throttle where key = :key
""")
RESET = text("delete from throttle where key = :key")
DROP_FULL = text("delete from throttle where full_at < now() returning id")


logger = logging.getLogger(__name__)


class Bucket(Record):
    """A token bucket, full again at `full_at`."""

    __tablename__ = "throttle"
    __table_args__ = {"prefixes": ["UNLOGGED"]}  # noqa: RUF012 - SQLAlchemy's own form

    key: Mapped[str] = mapped_column(String(64), unique=True)
    full_at: Mapped[datetime]
    # Tokens granted by the latest batch request (batching.py).
    granted: Mapped[int] = mapped_column(server_default="0")


class TooManyAttempts(Problem):
    """Too many attempts; wait a moment and try again."""

    slug: ClassVar[str] = "too-many-tries"
    status: ClassVar = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, wait: timedelta) -> None:
        self.seconds = max(1, math.ceil(wait.total_seconds()))
        super().__init__(f"Try again in {self.seconds} seconds.")

    def response_headers(self) -> dict[str, str]:
        return {"Retry-After": str(self.seconds)}


class SweepBuckets(Job):
    """Delete full buckets."""

    name: ClassVar = "throttle.sweep"
    queue: ClassVar = "maintenance"
    unique: ClassVar = True


schedule("*/10 * * * *", SweepBuckets())


@handles(SweepBuckets)
async def sweep(job: SweepBuckets) -> None:
    async with complete_job() as session:
        swept = len((await session.scalars(DROP_FULL)).all())
    if swept:
        logger.info("deleted %d full token buckets", swept)


class AttemptLimit(msgspec.Struct, frozen=True):
    """A limit of `burst` attempts, refilled by one every `seconds`."""

    name: str
    burst: int
    seconds: float

    async def acquire(self, *who: str) -> None:
        """Count an attempt of the client identified by `who`. Raises TooManyAttempts.

        Runs in its own transaction, so that a failed attempt still counts. Call it before the
        request's session holds a connection, or the request needs two at once.
        """
        async with transaction() as session:
            wait = await self.try_acquire(session, *who)
        if wait is not None:
            raise TooManyAttempts(wait)

    async def try_acquire(self, session: AsyncSession, *who: str) -> timedelta | None:
        """Count an attempt in the session's transaction; return the time to wait if none is left.

        To prevent deadlocks, transactions with several limits acquire them in the same order.
        """
        step = timedelta(seconds=self.seconds)
        values = {"key": self._key(who), "step": step, "span": step * self.burst}
        if await session.scalar(ACQUIRE, values):
            return None
        wait: timedelta | None = await session.scalar(WAIT, values)
        return wait or step

    async def reset(self, session: AsyncSession, *who: str) -> None:
        """Refill the bucket when the session's transaction commits."""
        await session.execute(RESET, {"key": self._key(who)})

    def _key(self, who: tuple[str, ...]) -> str:
        """Return the hashed key: plain ones would reveal who tried what."""
        return bucket_key(self.name, *who)


def bucket_key(*parts: str) -> str:
    """Return the key of a bucket, hashed so that it does not identify the client."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
