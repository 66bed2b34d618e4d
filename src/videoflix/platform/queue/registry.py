"""Handlers and callbacks of this process, by the name that a job is stored under."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

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


F = TypeVar("F", bound=FailureCallback)
R = TypeVar("R", bound=RetryCallback)


class RegisteredJob(msgspec.Struct, frozen=True):
    """A kind of job that this process has a handler for."""

    payload: type[Job]
    on_stall: StallCallback | None = None


registered_jobs: dict[str, RegisteredJob] = {}
# Processes without handlers have these as well: an operator cancels and retries jobs there.
failure_callbacks: dict[str, tuple[type[Job], FailureCallback]] = {}
retry_callbacks: dict[str, tuple[type[Job], RetryCallback]] = {}


class JobCancelled(Exception):
    """An operator cancelled the job."""


def on_failure(*payloads: type[Job]) -> Callable[[F], F]:
    """Register who is told when a job of these kinds failed for good or was cancelled.

    Like every handler it may run twice.
    """

    def register(callback: F) -> F:
        failure_callbacks.update((kind.name, (kind, callback)) for kind in payloads)
        return callback

    return register


def on_retry(*payloads: type[Job]) -> Callable[[R], R]:
    """Register what is called in the transaction in which an operator retries a dead letter."""

    def register(callback: R) -> R:
        retry_callbacks.update((kind.name, (kind, callback)) for kind in payloads)
        return callback

    return register


async def run_failure_callback(name: str, fields: dict[str, Any], error: Exception) -> None:
    """Tell whoever waits for a job that it will not be done; it may be told twice.

    Raises what the telling raises: then it has to be said again.
    """
    if name in failure_callbacks:
        payload, callback = failure_callbacks[name]
        await callback(msgspec.convert(fields, payload), error)


async def run_stall_callback(name: str, fields: dict[str, Any], fault: TransientError) -> None:
    """Tell whoever waits for a job that the machine is at fault; it is told at every attempt.

    Raises StallLimitReached when its domain will wait no longer.
    """
    known = registered_jobs.get(name)
    if known and known.on_stall:
        await known.on_stall(msgspec.convert(fields, known.payload), fault)


async def jobs_to_resume(session: AsyncSession, name: str, fields: dict[str, Any]) -> Sequence[Job]:
    """Let a domain take back that a job failed; which jobs it needs besides this one."""
    if name not in retry_callbacks:
        return ()
    payload, callback = retry_callbacks[name]
    return await callback(session, msgspec.convert(fields, payload))
