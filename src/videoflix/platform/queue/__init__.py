"""The job queue: procrastinate's tables in our own database.

A job is a payload (`Job` subclass, in a domain's schemas.py) and a handler (in its jobs.py):

    class EncodeChunk(Job):                     @handles(EncodeChunk)
        name = "media.encode_chunk"             async def encode(job: EncodeChunk) -> None:
        chunk_id: int                               ...

It is enqueued *inside* the transaction that makes it necessary, so that after the commit
either both the row and its job exist, or neither does:

    await enqueue(session, EncodeChunk(chunk_id=chunk.id))

and a handler may end it inside the transaction that shows its result:

    async with completing() as session:
        ...
"""

from videoflix.platform.queue.app import queue
from videoflix.platform.queue.attempts import AttemptLost, completing
from videoflix.platform.queue.batch import SomeFailed, each_apart, in_batches
from videoflix.platform.queue.cron import every
from videoflix.platform.queue.enqueue import enqueue, enqueue_many, hasten, hurry, withdraw
from videoflix.platform.queue.handlers import handles
from videoflix.platform.queue.job import Job
from videoflix.platform.queue.registry import JobCancelled
from videoflix.platform.queue.retry import TransientError, as_transient
from videoflix.platform.queue.self_tests import self_test

__all__ = [
    "AttemptLost",
    "Job",
    "JobCancelled",
    "SomeFailed",
    "TransientError",
    "as_transient",
    "completing",
    "each_apart",
    "enqueue",
    "enqueue_many",
    "every",
    "handles",
    "hasten",
    "hurry",
    "in_batches",
    "queue",
    "self_test",
    "withdraw",
]
