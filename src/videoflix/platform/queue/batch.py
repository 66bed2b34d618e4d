"""Work on many things that have nothing to do with each other."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.session import crash_info, one_line, transaction

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class BatchFailed(Exception):
    """Some of the things could not be worked on; the log says which and why."""


async def for_each_in_transaction(
    items: Iterable[Item], work: Callable[[AsyncSession, Item], Awaitable[bool]]
) -> int:
    """Work on each thing in a transaction of its own; for how many `work` said True.

    One that fails holds up none of the others. Raises BatchFailed at the end if there was any.
    """
    done = failed = 0
    for item in items:
        try:
            async with transaction() as session:
                done += await work(session, item)
        except Exception as error:
            message = "could not work on %s: %s"
            logger.log(logging.ERROR, message, item, one_line(error), exc_info=crash_info(error))
            failed += 1
    if failed:
        raise BatchFailed(f"{failed} failed, {done} are done")
    return done


async def in_batches(
    items: Sequence[Item],
    size: int,
    together: Callable[[AsyncSession, Sequence[Item]], Awaitable[int]],
    alone: Callable[[AsyncSession, Item], Awaitable[bool]],
) -> int:
    """Work on `size` things at a time, in a transaction each; how many things were done.

    What was done stays done when it is interrupted. Of a batch that fails, each thing is worked on
    `alone`. Raises BatchFailed at the end if there was any that failed alone, too.
    """
    done, failed = 0, []
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        try:
            async with transaction() as session:
                done += await together(session, batch)
        except Exception as error:
            message = "a batch failed: working on each of its %d by itself (%s)"
            logger.log(
                logging.ERROR, message, len(batch), one_line(error), exc_info=crash_info(error)
            )
            try:
                done += await for_each_in_transaction(batch, alone)
            except BatchFailed as error:
                failed.append(str(error))
    if failed:
        raise BatchFailed("; ".join(failed))
    return done
