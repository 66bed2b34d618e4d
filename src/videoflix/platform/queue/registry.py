"""Registry of job handlers and callbacks of this process, by task name."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.queue.job import Job
from videoflix.platform.queue.retry import TransientError

# Called with the job and its error.
FailureCallback = Callable[[Any, Exception], Awaitable[None]]
# Called with the job and the transient error that delays it.
StallCallback = Callable[[Any, TransientError], Awaitable[None]]
# Called in the transaction in which an operator retries a failed job, before it is requeued;
# returns further jobs to enqueue.
RetryCallback = Callable[[AsyncSession, Any], Awaitable[Sequence[Job]]]


F = TypeVar("F", bound=FailureCallback)
R = TypeVar("R", bound=RetryCallback)


class RegisteredJob(msgspec.Struct, frozen=True):
    """A kind of job with a handler in this process."""

    payload: type[Job]
    on_stall: StallCallback | None = None


registered_jobs: dict[str, RegisteredJob] = {}
# Also in processes without handlers, where operators cancel and retry jobs.
failure_callbacks: dict[str, tuple[type[Job], FailureCallback]] = {}
retry_callbacks: dict[str, tuple[type[Job], RetryCallback]] = {}


class JobCancelled(Exception):
    """An operator cancelled the job."""


def on_failure(*payloads: type[Job]) -> Callable[[F], F]:
    """Register a callback for jobs of these kinds that failed for good or were cancelled.

    Like every handler it may run more than once.
    """

    def register(callback: F) -> F:
        failure_callbacks.update((kind.name, (kind, callback)) for kind in payloads)
        return callback

    return register


def on_retry(*payloads: type[Job]) -> Callable[[R], R]:
    """Register a callback that runs in the transaction in which an operator retries a job."""

    def register(callback: R) -> R:
        retry_callbacks.update((kind.name, (kind, callback)) for kind in payloads)
        return callback

    return register


async def run_failure_callback(name: str, fields: dict[str, Any], error: Exception) -> None:
    """Run the failure callback of a job; it may run more than once.

    Raises whatever the callback raises, so that it is retried.
    """
    if name in failure_callbacks:
        payload, callback = failure_callbacks[name]
        await callback(msgspec.convert(fields, payload), error)


async def run_stall_callback(name: str, fields: dict[str, Any], fault: TransientError) -> None:
    """Run the stall callback of a job, after every attempt that ended with a transient error.

    Raises StallLimitReached if the domain gives up.
    """
    known = registered_jobs.get(name)
    if known and known.on_stall:
        await known.on_stall(msgspec.convert(fields, known.payload), fault)


async def jobs_to_resume(session: AsyncSession, name: str, fields: dict[str, Any]) -> Sequence[Job]:
    """Let a domain undo the failure of a job; return further jobs to enqueue."""
    if name not in retry_callbacks:
        return ()
    payload, callback = retry_callbacks[name]
    return await callback(session, msgspec.convert(fields, payload))
