"""Which jobs this process can do, by the name they are stored under."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.queue.job import Job
from videoflix.platform.queue.retry import TransientError

# Called with the job and what went wrong.
FailureCallback = Callable[[Any, Exception], Awaitable[None]]
# Called with the job and the fault of the machine it waits out.
StallCallback = Callable[[Any, TransientError], Awaitable[None]]
# Called in the transaction in which an operator retries a dead job, before the job is put back;
# the other jobs that are needed besides it.
RetryCallback = Callable[[AsyncSession, Any], Awaitable[Sequence[Job]]]


class RegisteredJob(msgspec.Struct, frozen=True):
    """A kind of job, and what to do when one of them failed for good."""

    payload: type[Job]
    on_failure: FailureCallback | None = None
    on_stall: StallCallback | None = None
    on_retry: RetryCallback | None = None


registered_jobs: dict[str, RegisteredJob] = {}


class JobCancelled(Exception):
    """An operator cancelled the job."""


async def run_failure_callback(name: str, fields: dict[str, Any], error: Exception) -> None:
    """Tell whoever waits for a job that it will not be done; it may be told twice.

    Raises what the telling raises: then it has to be said again.
    """
    known = registered_jobs.get(name)
    if known and known.on_failure:
        await known.on_failure(msgspec.convert(fields, known.payload), error)


async def run_stall_callback(name: str, fields: dict[str, Any], fault: TransientError) -> None:
    """Tell whoever waits for a job that the machine is at fault; it is told at every attempt.

    Raises StallLimitReached when its domain will wait no longer.
    """
    known = registered_jobs.get(name)
    if known and known.on_stall:
        await known.on_stall(msgspec.convert(fields, known.payload), fault)


async def jobs_to_resume(session: AsyncSession, name: str, fields: dict[str, Any]) -> Sequence[Job]:
    """Let a domain take back that a job failed; which jobs it needs besides this one."""
    known = registered_jobs.get(name)
    if known is None or known.on_retry is None:
        return ()
    return await known.on_retry(session, msgspec.convert(fields, known.payload))
