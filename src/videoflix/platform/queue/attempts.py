"""Attempts of a job and their fencing tokens.

A worker that was frozen, partitioned or declared dead may resume and finish a job that another
worker is running by then. Each write of an attempt is therefore a compare-and-set on job ID,
attempt number and worker ID: an attempt that lost its job changes nothing.
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
    """Build the fencing condition on a job's row from three SQL placeholders.

    A job whose worker row was deleted still belongs to the attempt until it is recovered,
    because recovery increments `attempts`.
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
# Key of the attempt in a job context's `additional_context`.
ATTEMPT = "attempt"


class FencingToken(msgspec.Struct, frozen=True):
    """Identifies an attempt; its writes apply only while the job's row matches."""

    job_id: int
    attempt: int
    worker_id: int | None


class AttemptLost(Exception):
    """The job was taken from this attempt; its result is discarded."""


class Attempt:
    """One run of a job in this process, and its outcome."""

    def __init__(self, job: StoredJob) -> None:
        self.claim = fencing_token(job)
        self.completed = False
        self.reason = ""
        self.fault: TransientError | None = None


def fencing_token(job: StoredJob) -> FencingToken:
    """Return the fencing token of the attempt that fetched this job."""
    return FencingToken(job.id or 0, job.attempts, job.worker_id)


running: ContextVar[Attempt | None] = ContextVar("running", default=None)


@asynccontextmanager
async def complete_job() -> AsyncGenerator[AsyncSession]:
    """Open a handler's last transaction, which also marks the job as succeeded.

    Both commit or neither does, so the effect happens exactly once however often the job runs.
    Waits while the database is unavailable. Raises AttemptLost, and rolls back, if the job was
    taken from this attempt. Outside a worker there is no job to complete.
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
