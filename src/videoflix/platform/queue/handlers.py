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
    Handled,
    OnRetry,
    OnStall,
    handled,
    say_last_words,
    say_stalled,
)
from videoflix.platform.queue.retry import GivenUp, TransientError, as_transient

logger = logging.getLogger(__name__)

LONGEST_PAUSE = 3600.0
LAST_WORDS_PAUSE = 30.0
LAST_WORDS_TRIES = 20

J = TypeVar("J", bound=Job)
Handler = Callable[[J], Awaitable[None]]


class PayloadInvalid(Exception):
    """What is stored with the job does not fit its payload: no attempt can mend that."""


class AttemptsUsedUp(Exception):
    """Every attempt ended without a result: the job probably kills its workers."""


class DeadlinePassed(Exception):
    """The attempt took longer than the job's deadline and was stopped."""


class LastWordsUnsaid(Exception):
    """The job is over, but whoever waits for it could not be told yet."""


class Retrying(BaseRetryStrategy):
    """Waits 2, 4, 8 … seconds between attempts, up to an hour, give or take a tenth.

    While the machine is at fault no attempt is spent, and outcomes.py computes the backoff.
    """

    def __init__(self, attempts: int) -> None:
        self.attempts = attempts

    def get_retry_decision(
        self, *, exception: BaseException, job: StoredJob
    ) -> RetryDecision | None:
        if isinstance(exception, LastWordsUnsaid):
            enough = job.attempts >= self.attempts + LAST_WORDS_TRIES
            return None if enough else _again_in(LAST_WORDS_PAUSE)
        if not isinstance(exception, AttemptLost | GivenUp) and as_transient(exception):
            return _again_in(0.0)
        if isinstance(exception, AttemptLost) or is_final(exception, job, self.attempts):
            return None
        return _again_in(min(2.0 ** (job.attempts + 1), LONGEST_PAUSE))


def is_final(error: BaseException, job: StoredJob, attempts: int) -> bool:
    """Whether a job of so many attempts is over when this one ended so."""
    if isinstance(error, PayloadInvalid | GivenUp):
        return True
    return isinstance(error, Exception) and job.attempts >= attempts - 1


def handles(
    payload: type[J],
    *,
    otherwise: Callable[[J, Exception], Awaitable[None]] | None = None,
    on_stall: OnStall | None = None,
    on_retry: OnRetry | None = None,
) -> Callable[[Handler[J]], Handler[J]]:
    """Register the function that does the work of a `Job`.

    `otherwise` is called when the job failed for good or was cancelled, so that whoever waits
    for it is told; like every handler it may run twice. `on_stall` is called whenever an attempt
    met a fault of the machine (retry.py); GivenUp, raised by it, makes the job a dead letter.
    `on_retry` is called when an operator retries a dead letter (registry.py).
    """

    def register(handler: Handler[J]) -> Handler[J]:
        @queue.task(
            name=payload.name,
            queue=payload.queue,
            retry=Retrying(payload.attempts),
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
                attempt.reason = sentence(error)
                if attempt.completed:
                    raise
                if fault := as_transient(error):
                    attempt.fault = fault
                    await _stall(attempt, payload.name, fields, fault)
                elif is_final(error, context.job, payload.attempts):
                    await _bury(payload.name, fields, error)
                raise

        handled[payload.name] = Handled(payload, otherwise, on_stall, on_retry)
        return handler

    return register


async def _work(
    handler: Handler[J], payload: type[J], stored: StoredJob, fields: dict[str, Any]
) -> None:
    try:
        job = msgspec.convert(fields, payload)
    except msgspec.ValidationError as error:
        raise PayloadInvalid(str(error)) from error
    if stored.attempts >= payload.attempts:
        raise AttemptsUsedUp(f"none of its {payload.attempts} attempts came to an end")
    try:
        async with asyncio.timeout(payload.deadline) as clock:
            await handler(job)
    except TimeoutError as error:
        if not clock.expired():
            raise
        raise DeadlinePassed(f"it took longer than {payload.deadline:g} seconds") from error


async def _stall(
    attempt: Attempt, name: str, fields: dict[str, Any], fault: TransientError
) -> None:
    """Tell the domain, if it can be told now. Raises GivenUp when it waits no longer."""
    try:
        await say_stalled(name, fields, fault)
    except GivenUp as final:
        attempt.fault, attempt.reason = None, sentence(final)
        await _bury(name, fields, final)
        raise
    except Exception as trouble:
        logger.warning("nobody was told that %s waits for its machine: %s", name, trouble)


async def _bury(name: str, fields: dict[str, Any], error: Exception) -> None:
    if isinstance(error, PayloadInvalid):
        return  # nobody could read who has to be told
    try:
        await say_last_words(name, fields, error)
    except Exception as trouble:
        logger.warning("the last words of %s are not said yet: %s", name, trouble)
        raise LastWordsUnsaid(sentence(error)) from trouble


def sentence(error: Exception) -> str:
    """An error for people: its kind and what it says."""
    said = str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def _again_in(seconds: float) -> RetryDecision:
    spread = random.uniform(0.9, 1.1)  # noqa: S311 - so that jobs that failed together spread out
    return RetryDecision(retry_in={"microseconds": round(seconds * spread * 1_000_000)})
