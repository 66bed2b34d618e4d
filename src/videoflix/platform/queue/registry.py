"""Which jobs this process can do, by the name they are stored under."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from videoflix.platform.queue.job import Job

# Called with the job and what went wrong.
LastWords = Callable[[Any, Exception], Awaitable[None]]


class Handled(msgspec.Struct, frozen=True):
    """A kind of job, and what to do when one of them failed for good."""

    payload: type[Job]
    otherwise: LastWords | None = None


handled: dict[str, Handled] = {}


class JobCancelled(Exception):
    """An operator cancelled the job."""


async def say_last_words(name: str, fields: dict[str, Any], error: Exception) -> None:
    """Tell whoever waits for a job that it will not be done; it may be told twice.

    Raises what the telling raises: then it has to be said again.
    """
    known = handled.get(name)
    if known and known.otherwise:
        await known.otherwise(msgspec.convert(fields, known.payload), error)
