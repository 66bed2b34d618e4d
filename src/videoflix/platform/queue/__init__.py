"""The job queue: procrastinate's tables in the application's database.

A job is a payload (`Job` subclass, in a domain's schemas.py) and a handler (in its jobs.py):

    class EncodeChunk(Job):                     @handles(EncodeChunk)
        name = "media.encode_chunk"             async def encode(job: EncodeChunk) -> None:
        chunk_id: int                               ...

It is enqueued *inside* the transaction that makes it necessary, so that either both the row
and its job are committed, or neither is:

    await enqueue(session, EncodeChunk(chunk_id=chunk.id))

Its schedule, if any, is registered below the payload, and `on_failure` and `on_retry` callbacks in
the domain's service, because processes without handlers list schedules, cancel and retry jobs.
A handler may complete the job inside the transaction that publishes its result:

    async with complete_job() as session:
        ...
"""

from videoflix.platform.queue.app import queue
from videoflix.platform.queue.attempts import AttemptLost, complete_job
from videoflix.platform.queue.batch import BatchFailed, for_each_in_transaction, in_batches
from videoflix.platform.queue.cron import schedule
from videoflix.platform.queue.enqueue import (
    cancel_pending,
    enqueue,
    enqueue_many,
    prioritize,
    run_now,
)
from videoflix.platform.queue.handlers import handles
from videoflix.platform.queue.job import Job
from videoflix.platform.queue.prune import PruneJobs
from videoflix.platform.queue.registry import JobCancelled, on_failure, on_retry
from videoflix.platform.queue.retry import TransientError, to_transient
from videoflix.platform.queue.self_tests import self_test

__all__ = [
    "AttemptLost",
    "BatchFailed",
    "Job",
    "JobCancelled",
    "PruneJobs",
    "TransientError",
    "cancel_pending",
    "complete_job",
    "enqueue",
    "enqueue_many",
    "for_each_in_transaction",
    "handles",
    "in_batches",
    "on_failure",
    "on_retry",
    "prioritize",
    "queue",
    "run_now",
    "schedule",
    "self_test",
    "to_transient",
]
