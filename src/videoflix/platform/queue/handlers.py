"""Which function does the work of a job, how often it is tried, and who is told when it fails."""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from procrastinate import BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.jobs import Job as StoredJob
from structlog.contextvars import bind_contextvars

from videoflix.platform.queue.app import queue
from videoflix.platform.queue.attempts import ATTEMPT, Attempt, AttemptLost, running
from videoflix.platform.queue.job import Job
from videoflix.platform.queue.registry import (
    RegisteredJob,
    StallCallback,
    registered_jobs,
    run_failure_callback,
    run_stall_callback,
)
from videoflix.platform.queue.retry import StallLimitReached, TransientError, to_transient

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 3600.0
CALLBACK_PAUSE = 30.0
CALLBACK_TRIES = 20

J = TypeVar("J", bound=Job)
Handler = Callable[[J], Awaitable[None]]


class InvalidPayload(Exception):
    """What is stored with the job does not fit its payload: no attempt can succeed."""


class AttemptsExhausted(Exception):
    """Every attempt ended without a result: the job probably kills its workers."""


class DeadlineExceeded(Exception):
    """The attempt took longer than the job's deadline and was stopped."""


class FailureCallbackFailed(Exception):
    """The job is over, but whoever waits for it could not be told yet."""


class ExponentialBackoff(BaseRetryStrategy):
    """Waits 2, 4, 8 … seconds between attempts, up to an hour, give or take a tenth.

    While the machine is at fault no attempt is spent, and outcomes.py computes the backoff.
    """

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts

    def get_retry_decision(
        self, *, exception: BaseException, job: StoredJob
    ) -> RetryDecision | None:
        if isinstance(exception, FailureCallbackFailed):
            enough = job.attempts >= self.attempts + CALLBACK_TRIES
            return None if enough else _retry_delay(CALLBACK_PAUSE)
        if not isinstance(exception, AttemptLost | StallLimitReached) and to_transient(exception):
            return _retry_delay(0.0)
        if isinstance(exception, AttemptLost) or is_final(exception, job, self.attempts):
            return None
        return _retry_delay(min(2.0 ** (job.attempts + 1), LONGEST_PAUSE))


def is_final(error: BaseException, job: StoredJob, attempts: int) -> bool:
    """Whether a job of so many attempts is over when this one ended so."""
    if isinstance(error, InvalidPayload | StallLimitReached):
        return True
    return isinstance(error, Exception) and job.attempts >= attempts - 1


def handles(
    payload: type[J], *, on_stall: StallCallback | None = None
) -> Callable[[Handler[J]], Handler[J]]:
    """Register the function that does the work of a `Job`.

    `on_stall` is called whenever an attempt met a fault of the machine (retry.py);
    StallLimitReached, raised by it, makes the job a dead letter. What is called when a job failed
    for good, or is retried, is registered beside the domain's service (registry.py).
    """

    def register(handler: Handler[J]) -> Handler[J]:
        @queue.task(
            name=payload.name,
            aliases=list(payload.former_names),
            queue=payload.queue,
            retry=ExponentialBackoff(payload.attempts),
            pass_context=True,
        )
        async def run(context: JobContext, /, **fields: Any) -> None:
            bind_contextvars(job_id=context.job.id, job=payload.name)
            attempt = Attempt(context.job)
            context.additional_context[ATTEMPT] = attempt
            running.set(attempt)  # procrastinate runs each job in a task of its own
            begun = time.perf_counter()
            try:
                await _work(handler, payload, context.job, fields)
                ms = round((time.perf_counter() - begun) * 1000)
                logger.info("job done", extra={"ms": ms, "attempt": context.job.attempts + 1})
            except AttemptLost:
                raise
            except Exception as error:
                attempt.reason = describe_error(error)
                if attempt.completed:
                    raise
                if fault := to_transient(error):
                    attempt.fault = fault
                    await _stall(attempt, payload.name, fields, fault)
                elif is_final(error, context.job, payload.attempts):
                    await _dead_letter(payload.name, fields, error)
                raise

        registered_jobs[payload.name] = RegisteredJob(payload, on_stall)
        return handler

    return register


async def _work(
    handler: Handler[J], payload: type[J], stored: StoredJob, fields: dict[str, Any]
) -> None:
    try:
        job = msgspec.convert(fields, payload)
    except msgspec.ValidationError as error:
        raise InvalidPayload(str(error)) from error
    if stored.attempts >= payload.attempts:
        raise AttemptsExhausted(f"none of its {payload.attempts} attempts came to an end")
    try:
        async with asyncio.timeout(payload.deadline) as clock:
            await handler(job)
    except TimeoutError as error:
        if not clock.expired():
            raise
        raise DeadlineExceeded(f"it took longer than {payload.deadline:g} seconds") from error


async def _stall(
    attempt: Attempt, name: str, fields: dict[str, Any], fault: TransientError
) -> None:
    """Tell the domain, if it can be told now. Raises StallLimitReached when it waits no longer."""
    try:
        await run_stall_callback(name, fields, fault)
    except StallLimitReached as final:
        attempt.fault, attempt.reason = None, describe_error(final)
        await _dead_letter(name, fields, final)
        raise
    except Exception as trouble:
        logger.warning("nobody was told that %s waits for its machine: %s", name, trouble)


async def _dead_letter(name: str, fields: dict[str, Any], error: Exception) -> None:
    if isinstance(error, InvalidPayload):
        return  # nobody could read who has to be told
    try:
        await run_failure_callback(name, fields, error)
    except Exception as trouble:
        logger.warning("the failure callback of %s failed: %s", name, trouble)
        raise FailureCallbackFailed(describe_error(error)) from trouble


def describe_error(error: Exception) -> str:
    """An error for people: its kind and what it says."""
    said = str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _retry_delay(seconds: float) -> RetryDecision:
    spread = random.uniform(0.9, 1.1)  # noqa: S311 - so that jobs that failed together spread out
    return RetryDecision(retry_in={"microseconds": round(seconds * spread * 1_000_000)})
