"""One run of a job, and the fence around it.

A worker that was frozen, cut off or declared dead may come back and finish a job somebody else
is running by then. So everything an attempt writes about its job is a compare-and-set on the
job, the attempt's number and its worker: an attempt that lost the job changes nothing.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import ContextVar

import msgspec
from procrastinate.jobs import Job as StoredJob
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.session import resilient_transaction
from videoflix.platform.queue.retry import TransientError


def fence_condition(job_id: str, attempt: str, worker_id: str) -> str:
    """The fence: an SQL condition on a job's row, made of three placeholders.

    A job whose worker was forgotten is ours while nobody took it back: that counts one up.
    """
    return (
        f"id = {job_id} and status = 'doing' and attempts = {attempt}"
        f" and (worker_id is null or worker_id = {worker_id})"
    )


SUCCEED = text(
    f"""
    update procrastinate_jobs
    set status = 'succeeded', attempts = attempts + 1, abort_requested = false, worker_id = null
    where {fence_condition(":job_id", ":attempt", ":worker_id")} returning id
    """  # noqa: S608 - placeholders, no values
)
# The key under which a job's context holds its attempt.
ATTEMPT = "attempt"


class FencingToken(msgspec.Struct, frozen=True):
    """What an attempt's writes are compared with: they count only while all of it is true."""

    job_id: int
    attempt: int
    worker_id: int | None


class AttemptLost(Exception):
    """The job was taken from this attempt: its result must not count."""


class Attempt:
    """A run of a job by this process, and how it went."""

    def __init__(self, job: StoredJob) -> None:
        self.claim = fencing_token(job)
        self.completed = False
        self.reason = ""
        self.fault: TransientError | None = None


def fencing_token(job: StoredJob) -> FencingToken:
    """The claim of the attempt that fetched this job."""
    return FencingToken(job.id or 0, job.attempts, job.worker_id)


running: ContextVar[Attempt | None] = ContextVar("running", default=None)


@asynccontextmanager
async def complete_job() -> AsyncGenerator[AsyncSession]:
    """A handler's last transaction: it ends the job together with what the job was for.

    Both commit, or neither does, so the effect happens exactly once however often the job runs.
    It waits for a database that is away. Raises AttemptLost, and rolls back, when the job was
    taken from this attempt. Outside of a worker there is no job to end.
    """
    attempt = running.get()
    async with resilient_transaction() as session:
        yield session
        if attempt is not None and not await session.scalar(
            SUCCEED, msgspec.structs.asdict(attempt.claim)
        ):
            raise AttemptLost
    if attempt is not None:
        attempt.completed = True
