"""Job handlers: registration, retries and failure callbacks."""

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

MAX_BACKOFF_SECONDS = 3600.0
CALLBACK_RETRY_SECONDS = 30.0
MAX_CALLBACK_RETRIES = 20

J = TypeVar("J", bound=Job)
Handler = Callable[[J], Awaitable[None]]


class InvalidPayload(Exception):
    """What is stored with the job does not fit its payload: no attempt can succeed."""


class AttemptsExhausted(Exception):
    """All attempts ended without an outcome: the job probably crashes its workers."""


class DeadlineExceeded(Exception):
    """The attempt exceeded the job's deadline and was cancelled."""


class FailureCallbackFailed(Exception):
    """The job failed for good, but its failure callback raised and has to run again."""


class ExponentialBackoff(BaseRetryStrategy):
    """Retry after 2, 4, 8 … seconds, up to one hour, with 10 % jitter.

    Transient errors do not count as attempts; outcomes.py computes their backoff.
    """

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts

    def get_retry_decision(
        self, *, exception: BaseException, job: StoredJob
    ) -> RetryDecision | None:
        if isinstance(exception, FailureCallbackFailed):
            exhausted = job.attempts >= self.attempts + MAX_CALLBACK_RETRIES
            return None if exhausted else _retry_delay(CALLBACK_RETRY_SECONDS)
        if not isinstance(exception, AttemptLost | StallLimitReached) and to_transient(exception):
            return _retry_delay(0.0)
        if isinstance(exception, AttemptLost) or is_final(exception, job, self.attempts):
            return None
        return _retry_delay(min(2.0 ** (job.attempts + 1), MAX_BACKOFF_SECONDS))


def is_final(error: BaseException, job: StoredJob, attempts: int) -> bool:
    """Whether this error ends a job that has `attempts` attempts."""
    if isinstance(error, InvalidPayload | StallLimitReached):
        return True
    return isinstance(error, Exception) and job.attempts >= attempts - 1


def handles(
    payload: type[J], *, on_stall: StallCallback | None = None
) -> Callable[[Handler[J]], Handler[J]]:
    """Register the handler of a `Job`.

    `on_stall` runs whenever an attempt ended with a TransientError (retry.py); if it raises
    StallLimitReached, the job is dead-lettered. The callbacks of failed and retried jobs are
    registered in the domain's service (registry.py).
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
            running.set(attempt)  # procrastinate runs each job in its own asyncio task
            started = time.perf_counter()
            try:
                await _work(handler, payload, context.job, fields)
                ms = round((time.perf_counter() - started) * 1000)
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
        raise AttemptsExhausted(f"none of its {payload.attempts} attempts completed")
    try:
        async with asyncio.timeout(payload.deadline) as clock:
            await handler(job)
    except TimeoutError as error:
        if not clock.expired():
            raise
        raise DeadlineExceeded(f"exceeded its deadline of {payload.deadline:g} seconds") from error


async def _stall(
    attempt: Attempt, name: str, fields: dict[str, Any], fault: TransientError
) -> None:
    """Run the stall callback, best effort. Raises StallLimitReached if the domain gives up."""
    try:
        await run_stall_callback(name, fields, fault)
    except StallLimitReached as final:
        attempt.fault, attempt.reason = None, describe_error(final)
        await _dead_letter(name, fields, final)
        raise
    except Exception as callback_error:
        logger.warning("stall callback of %s failed: %s", name, callback_error)


async def _dead_letter(name: str, fields: dict[str, Any], error: Exception) -> None:
    if isinstance(error, InvalidPayload):
        return  # the callback could not read the payload either
    try:
        await run_failure_callback(name, fields, error)
    except Exception as trouble:
        logger.warning("the failure callback of %s failed: %s", name, trouble)
        raise FailureCallbackFailed(describe_error(error)) from trouble


def describe_error(error: Exception) -> str:
    """Format an error as `Type: message`."""
    message = str(error)
    return f"{type(error).__name__}: {message}" if message else type(error).__name__


def _retry_delay(seconds: float) -> RetryDecision:
    jitter = random.uniform(0.9, 1.1)  # noqa: S311 - avoids a thundering herd
    return RetryDecision(retry_in={"microseconds": round(seconds * jitter * 1_000_000)})
