"""Process independent items in separate transactions."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from videoflix.platform.postgres.session import crash_info, one_line, transaction

logger = logging.getLogger(__name__)

Item = TypeVar("Item")


class BatchFailed(Exception):
    """Some items failed; the log names each item and its error."""


async def for_each_in_transaction(
    items: Iterable[Item], work: Callable[[AsyncSession, Item], Awaitable[bool]]
) -> int:
    """Process each item in its own transaction and return how often `work` returned True.

    A failing item does not stop the others. Raises BatchFailed at the end if any failed.
    """
    done = failed = 0
    for item in items:
        try:
            async with transaction() as session:
                done += await work(session, item)
        except Exception as error:
            message = "processing %s failed: %s"
            logger.log(logging.ERROR, message, item, one_line(error), exc_info=crash_info(error))
            failed += 1
    if failed:
        raise BatchFailed(f"{failed} failed, {done} succeeded")
    return done


async def in_batches(
    items: Sequence[Item],
    size: int,
    together: Callable[[AsyncSession, Sequence[Item]], Awaitable[int]],
    alone: Callable[[AsyncSession, Item], Awaitable[bool]],
) -> int:
    """Process items in batches of `size`, one transaction per batch; return how many were done.

    Committed batches survive an interruption. The items of a failed batch are retried one by one
    with `alone`. Raises BatchFailed at the end if any of those failed too.
    """
    done, failed = 0, []
    for start in range(0, len(items), size):
        batch = items[start : start + size]
        try:
            async with transaction() as session:
                done += await together(session, batch)
        except Exception as error:
            message = "a batch failed, retrying its %d items one by one (%s)"
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
